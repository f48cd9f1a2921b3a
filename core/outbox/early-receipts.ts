/**
 * What a provider says of a message before we know that it took it.
 *
 * @module
 */
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { ProviderReceipt } from "../message/receipt.ts";
import type { MessageStore, StoreOperation } from "../store/message-store.ts";
import { tenantKey } from "./plan-record.ts";

/** A receipt overtakes the answer to the request it is about by moments; what nobody asks for is forgotten. */
const KEPT_MS = 600_000;
/** An id longer than this is not kept: its receipt is quarantined, as any that nobody knows. */
const MAX_ID = 200;
/** A failure is final; of the others the furthest counts. */
const ORDER: readonly ProviderReceipt["status"][] = ["sent", "delivered", "read", "failed"];

/** What came before a message was known to be accepted. */
export interface FoundReceipt {
  /** The furthest receipt. */
  readonly receipt?: ProviderReceipt;
  /** To be committed with what says whose they are: it fails where one has come since, which else nobody would find. */
  readonly operations: readonly StoreOperation[];
}

/**
 * Keeps receipts of which nobody knows the message yet, for the commit that says so: where a network's receipts do not name
 * our delivery, one that comes before the answer to its own request has nothing else to be known by.
 */
export class EarlyReceipts {
  readonly #store: MessageStore;
  readonly #namespace: string | undefined;

  /**
   * @param store Where they are kept.
   * @param namespace Keeps tenants apart.
   */
  constructor(store: MessageStore, namespace?: string) {
    this.#store = store;
    this.#namespace = namespace;
  }

  /** What keeps receipts for ten minutes, of each message the furthest. */
  async keep(backendName: string, receipts: readonly ProviderReceipt[]): Promise<readonly StoreOperation[]> {
    const furthest = new Map<string, ProviderReceipt>();
    for (const receipt of receipts) {
      const { providerMessageId: id } = receipt;
      if (id.length > MAX_ID) continue;
      const known = furthest.get(id) ?? await this.#read(backendName, id);
      if (known === undefined || isFurther(receipt, known)) furthest.set(id, receipt);
    }
    return Array.from(furthest, ([id, { status, timestamp, code, detail }]): StoreOperation => ({
      type: "set-state",
      key: this.#key(backendName, id),
      value: {
        providerMessageId: id,
        status,
        timestamp,
        ...(code === undefined ? {} : { code }),
        ...(detail === undefined ? {} : { detail: detail.slice(0, 1_000) }),
      },
      ttlMs: KEPT_MS,
    }));
  }

  /** The furthest receipt that came before a message was known to be accepted, if any. */
  async find({ backendName, providerMessageId, providerMessageIds = [] }: DeliveryEvent): Promise<FoundReceipt> {
    let found: ProviderReceipt | undefined;
    const operations: StoreOperation[] = [];
    const ids = new Set([...providerMessageId === undefined ? [] : [providerMessageId], ...providerMessageIds]);
    for (const id of ids) {
      if (id.length > MAX_ID) continue;
      const key = this.#key(backendName, id);
      const entry = await this.#store.getState(key);
      operations.push({ type: "delete-state", key, expectedVersion: entry?.version ?? 0 });
      const receipt = receiptFrom(id, entry?.value);
      if (receipt !== undefined && (found === undefined || isFurther(receipt, found))) found = receipt;
    }
    return found === undefined ? { operations } : { receipt: found, operations };
  }

  async #read(backendName: string, id: string): Promise<ProviderReceipt | undefined> {
    return receiptFrom(id, (await this.#store.getState(this.#key(backendName, id)))?.value);
  }

  #key(backendName: string, id: string): string {
    return tenantKey(this.#namespace, `receipt/${backendName}/${id}`);
  }
}

function receiptFrom(id: string, value: JsonValue | undefined): ProviderReceipt | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { status, timestamp, code, detail } = value as JsonObject;
  const known = ORDER.find((word) => word === status);
  if (known === undefined || typeof timestamp !== "number") return undefined;
  return {
    providerMessageId: id,
    status: known,
    timestamp,
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof detail === "string" ? { detail } : {}),
  };
}

function isFurther(one: ProviderReceipt, other: ProviderReceipt): boolean {
  return ORDER.indexOf(one.status) > ORDER.indexOf(other.status);
}
