/**
 * The record of every delivery.
 *
 * @module
 */
import { BroadcastChannel } from "../channels/broadcast-channel.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { ProviderReceipt } from "../message/receipt.ts";
import type { AppendOperation, Gap, MessageStore, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { DeliveryWaits, type EndFinder, type WaitOptions } from "./delivery-waits.ts";

export { type EndFinder, isTerminal, type WaitOptions } from "./delivery-waits.ts";

/** What a ledger is made from. */
export interface LedgerOptions {
  /** Where it is kept. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Gives ids to entries. */
  readonly newId: () => string;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
  /** How long entries are kept. @default 30 days */
  readonly retentionMs?: number;
  /** How many entries are kept, give or take a tenth. @default as many as there are */
  readonly maxCount?: number;
}

/** A provider's word on a delivery. */
export interface MatchedReceipt {
  /** The word. */
  readonly receipt: ProviderReceipt;
  /** The entry it makes. */
  readonly event: DeliveryEvent;
  /** What records it. */
  readonly operation: StoreOperation;
}

const DEFAULT_RETENTION_MS = 30 * 86_400_000;

/** How far a provider's word goes: a later word never takes back a further one. */
const PROVIDER_ORDER: readonly DeliveryStatus[] = ["accepted", "delivered", "read"];

/**
 * The record of every step of every delivery: a broadcast channel of {@link DeliveryEvent}. Entries are committed together
 * with what they record. Subscribe to `ledger.channel` to watch, ask {@link Ledger.eventsOf} to look back.
 */
export class Ledger {
  /** The channel the entries are in. */
  readonly channel: BroadcastChannel<DeliveryEvent>;
  readonly #options: LedgerOptions;
  readonly #waits: DeliveryWaits;
  readonly #tidyEvery: number;
  #sinceTidied = 0;
  #tidying: Promise<void> | undefined;

  /**
   * Makes a ledger.
   *
   * @param options Where it is kept.
   */
  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#tidyEvery = options.maxCount === undefined ? Infinity : Math.max(1_000, options.maxCount / 10);
    this.channel = new LedgerChannel(() => this.#waits.missed(), {
      id: "ledger",
      name: "Ledger",
      description: "Every step of every delivery",
      store: options.store,
      clock: options.clock,
      logger: options.logger,
      newId: options.newId,
      retention: {
        maxAgeMs: options.retentionMs ?? DEFAULT_RETENTION_MS,
        ...(options.maxCount === undefined ? {} : { maxCount: options.maxCount }),
      },
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    });
    this.#waits = new DeliveryWaits({
      channel: this.channel,
      eventsOfDelivery: (deliveryId) => this.eventsOfDelivery(deliveryId),
    });
  }

  /** Opens it. */
  start(): Promise<void> {
    return this.channel.start();
  }

  /** Closes it. Who waits for the end of a delivery waits no longer: {@link Ledger.waitFor} rejects. */
  async stop(): Promise<void> {
    this.#waits.stop();
    await this.#tidying;
    await this.channel.stop();
  }

  /**
   * The operation that records a step. Commit it together with the step.
   *
   * @param event The step.
   * @param id The entry's own id, where the same step may be reported twice.
   */
  operation(event: DeliveryEvent, id: string = this.#options.newId()): AppendOperation {
    if (++this.#sinceTidied >= this.#tidyEvery) this.#tidy();
    return {
      type: "append",
      channel: this.channel.key,
      mode: "log",
      message: {
        v: 1,
        id,
        timestamp: event.at,
        senderId: event.deliveryId,
        content: { ...event },
        metadata: {},
        namespace: this.channel.namespace,
        correlationId: event.messageId,
        ...(event.providerMessageId === undefined
          ? {}
          : { externalId: `${event.backendName}:${event.providerMessageId}` }),
      },
    };
  }

  /** Between the channel's own upkeeps much can be written: a limit is a limit under load too, give or take a tenth. */
  #tidy(): void {
    if (this.#tidying !== undefined || !this.channel.isRunning) return;
    this.#sinceTidied = 0;
    this.#tidying = this.channel.evict()
      .then(() => {}, (error: unknown) => this.#options.logger.error("ledger is not tidied", errorFields(error)))
      .finally(() => this.#tidying = undefined);
  }

  /** Every step of every delivery of a message, oldest first. */
  async eventsOf(messageId: string): Promise<readonly DeliveryEvent[]> {
    return await this.#collect({ correlationId: messageId });
  }

  /** Every step of one delivery, oldest first. */
  async eventsOfDelivery(deliveryId: string): Promise<readonly DeliveryEvent[]> {
    return await this.#collect({ senderId: deliveryId });
  }

  async #collect(
    filter: { readonly correlationId?: string; readonly senderId?: string },
  ): Promise<readonly DeliveryEvent[]> {
    const events: DeliveryEvent[] = [];
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: Awaited<ReturnType<typeof this.channel.query>> = await this.channel.query({
        ...filter,
        after,
        limit: 500,
      });
      for (const message of page.messages) events.push(message.content);
      after = page.next;
    }
    return events;
  }

  /**
   * What says that a delivery has arrived since it was last queued, where anything does: its own attempt, or its provider,
   * which may know of one whose answer was lost.
   */
  async arrivalOf(deliveryId: string): Promise<DeliveryEvent | undefined> {
    const { events } = presentLife(await this.eventsOfDelivery(deliveryId));
    return events.findLast(({ status }) => status === "accepted" || status === "delivered" || status === "read");
  }

  /** The delivery a provider's message id belongs to. */
  async findByProviderId(backendName: string, providerMessageId: string): Promise<DeliveryEvent | undefined> {
    const { messages } = await this.channel.query({
      externalId: `${backendName}:${providerMessageId}`,
      order: "asc",
      limit: 1,
    });
    return messages[0]?.content;
  }

  /** A delivery whose answer was lost has no provider's id yet: the receipt may name the delivery itself. */
  async #findByDeliveryId(backendName: string, deliveryId: string | undefined): Promise<DeliveryEvent | undefined> {
    if (deliveryId === undefined) return undefined;
    const { messages } = await this.channel.query({ senderId: deliveryId, order: "desc", limit: 1 });
    const event = messages[0]?.content;
    return event?.backendName === backendName ? event : undefined;
  }

  /**
   * Finds the deliveries a provider speaks of. A word that goes no further than what is known is left out; one on a message
   * nobody knows is returned by itself.
   */
  async matchReceipts(
    backendName: string,
    receipts: readonly ProviderReceipt[],
  ): Promise<{ readonly matched: readonly MatchedReceipt[]; readonly unmatched: readonly ProviderReceipt[] }> {
    const matched: MatchedReceipt[] = [];
    const unmatched: ProviderReceipt[] = [];
    for (const receipt of receipts) {
      const known = await this.findByProviderId(backendName, receipt.providerMessageId) ??
        await this.#findByDeliveryId(backendName, receipt.deliveryId);
      if (known === undefined) {
        unmatched.push(receipt);
        continue;
      }
      const { events, life } = presentLife(await this.eventsOfDelivery(known.deliveryId));
      const event = further(known, receipt, events);
      if (event === undefined) continue;
      const id = `${event.deliveryId}/${event.status}`;
      matched.push({ receipt, event, operation: this.operation(event, life > 1 ? `${id}/${life}` : id) });
    }
    return { matched, unmatched };
  }

  /**
   * Waits for a delivery to end. One that was redriven ends anew. Of one whose entries retention has removed, whoever keeps
   * deliveries says how it stands, where it still knows.
   *
   * @param deliveryId The delivery.
   * @param options A signal that ends the wait, and what to wait for if not for the end.
   * @returns The entry it was waited for.
   * @throws {NotRunningError} When the ledger stops meanwhile, or does not run.
   * @throws {PosthornError} With code `no-record`, when nobody knows of the delivery, or not any more.
   */
  waitFor(deliveryId: string, options: WaitOptions = {}): Promise<DeliveryEvent> {
    return this.#waits.waitFor(deliveryId, options);
  }

  /** Names who knows of deliveries whose entries are gone. An {@link Outbox} does it by itself. */
  findEndsWith(findEnd: EndFinder): void {
    this.#waits.findEndsWith(findEnd);
  }
}

/** The channel of a ledger: it says when a reader has missed entries. */
class LedgerChannel extends BroadcastChannel<DeliveryEvent> {
  readonly #missed: () => void;

  constructor(missed: () => void, options: ConstructorParameters<typeof BroadcastChannel<DeliveryEvent>>[0]) {
    super(options);
    this.#missed = missed;
  }

  protected override onGap(readerId: string, gap: Gap): void {
    super.onGap(readerId, gap);
    this.#missed();
  }
}

/** What happened since it was last queued, by whomever: what a provider said of an earlier life counts no more. */
function presentLife(history: readonly DeliveryEvent[]): {
  readonly events: readonly DeliveryEvent[];
  readonly life: number;
} {
  const begins = history.flatMap(({ status }, index) => status === "queued" || status === "redriven" ? [index] : []);
  return { events: history.slice(begins.at(-1) ?? 0), life: Math.max(begins.length, 1) };
}

/** The entry a provider's word makes; `undefined` when it goes no further than what is known. */
function further(
  known: DeliveryEvent,
  receipt: ProviderReceipt,
  history: readonly DeliveryEvent[],
): DeliveryEvent | undefined {
  const status: DeliveryStatus = receipt.status === "sent" ? "accepted" : receipt.status;
  if (history.some((event) => event.status === "failed" || event.status === "read")) return undefined;
  const reached = Math.max(...history.map((event) => PROVIDER_ORDER.indexOf(event.status)));
  if (status !== "failed" && PROVIDER_ORDER.indexOf(status) <= reached) return undefined;
  return {
    deliveryId: known.deliveryId,
    messageId: known.messageId,
    backendName: known.backendName,
    status,
    at: receipt.timestamp,
    providerMessageId: receipt.providerMessageId,
    ...(known.recipient === undefined ? {} : { recipient: known.recipient }),
    ...(receipt.code === undefined ? {} : { code: receipt.code }),
    ...(receipt.detail === undefined ? {} : { detail: receipt.detail.slice(0, 1_000) }),
  };
}
