/**
 * Waiting for the end of deliveries.
 *
 * @module
 */
import type { BroadcastChannel } from "../channels/broadcast-channel.ts";
import type { Subscription } from "../channels/subscription.ts";
import { NotRunningError, PosthornError } from "../errors.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";

/** Statuses after which nothing more is tried by itself. */
const TERMINAL: ReadonlySet<DeliveryStatus> = new Set([
  "accepted",
  "delivered",
  "read",
  "failed",
  "dead",
  "cancelled",
  "skipped",
]);

/** Whether nothing more is tried by itself after this entry. */
export function isTerminal(event: DeliveryEvent): boolean {
  return TERMINAL.has(event.status);
}

/** Where a delivery stands of which the ledger has no entry: its end, under way, or `undefined`: nobody knows it. */
export type EndFinder = (deliveryId: string) => Promise<DeliveryEvent | "under-way" | undefined>;

/** What to wait for, and how long. */
export interface WaitOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal;
  /** What to wait for. @default the end */
  readonly until?: (event: DeliveryEvent) => boolean;
}

/** What waits are made from. */
export interface DeliveryWaitsOptions {
  /** The ledger's channel. */
  readonly channel: BroadcastChannel<DeliveryEvent>;
  /** Every entry of a delivery. */
  readonly eventsOfDelivery: (deliveryId: string) => Promise<readonly DeliveryEvent[]>;
}

interface Wait {
  readonly deliveryId: string;
  readonly hear: (event: DeliveryEvent) => void;
  readonly lookAgain: () => Promise<void>;
  readonly letGo: (reason: unknown) => void;
}

/** Those who wait for the end of a delivery. They follow the log together, and look back at what happened before. */
export class DeliveryWaits {
  readonly #options: DeliveryWaitsOptions;
  readonly #waits = new Map<string, Set<Wait>>();
  #findEnd: EndFinder | undefined;
  #subscription: Promise<Subscription<DeliveryEvent>> | undefined;

  /** @param options The ledger. */
  constructor(options: DeliveryWaitsOptions) {
    this.#options = options;
  }

  /** Names who knows of deliveries whose entries are gone. */
  findEndsWith(findEnd: EndFinder): void {
    this.#findEnd = findEnd;
  }

  /** Lets everybody go. */
  stop(): void {
    this.#subscription = undefined;
    const reason = new NotRunningError("Cannot wait for the end of a delivery: the ledger stops");
    for (const wait of this.#all()) wait.letGo(reason);
  }

  /** Entries were removed before they were read: what was waited for may have been among them. */
  missed(): void {
    for (const wait of this.#all()) void wait.lookAgain();
  }

  /** See `Ledger.waitFor`. */
  async waitFor(deliveryId: string, { signal, until = isTerminal }: WaitOptions): Promise<DeliveryEvent> {
    signal?.throwIfAborted();
    await this.#listen();
    let stop: () => void = () => {};
    const found = new Promise<DeliveryEvent>((resolve, reject) => {
      const wait: Wait = {
        deliveryId,
        hear: (event) => {
          if (until(event)) resolve(event);
        },
        lookAgain: async () => {
          try {
            const end = await this.#look(deliveryId, until);
            if (end !== undefined) resolve(end);
          } catch (error) {
            reject(error);
          }
        },
        letGo: reject,
      };
      const onAbort = (): void => reject(signal?.reason);
      const waits = this.#waits.get(deliveryId) ?? new Set();
      this.#waits.set(deliveryId, waits.add(wait));
      signal?.addEventListener("abort", onAbort, { once: true });
      stop = () => {
        waits.delete(wait);
        if (waits.size === 0 && this.#waits.get(deliveryId) === waits) this.#waits.delete(deliveryId);
        signal?.removeEventListener("abort", onAbort);
      };
    });
    found.catch(() => {}); // it is awaited below, or no longer wanted
    try {
      // What happened before somebody listened is in the log.
      return await this.#look(deliveryId, until) ?? await found;
    } finally {
      stop();
    }
  }

  /**
   * Looks back. The oldest entries are removed first, so where there are some without an end, that is still to come. Where
   * there are none, the end may be among those removed: then whoever keeps deliveries says how it stands.
   */
  async #look(deliveryId: string, until: (event: DeliveryEvent) => boolean): Promise<DeliveryEvent | undefined> {
    const history = await this.#options.eventsOfDelivery(deliveryId);
    if (history.length > 0) return endIn(history, until);
    if (until !== isTerminal || this.#findEnd === undefined) return undefined;
    const end = await this.#findEnd(deliveryId);
    if (end === "under-way") return undefined;
    // It may have ended between the two looks.
    const again = endIn(await this.#options.eventsOfDelivery(deliveryId), until);
    if (again !== undefined || end !== undefined) return again ?? end;
    throw new PosthornError(
      "no-record",
      `Cannot say how delivery "${deliveryId}" ended: the ledger has no entry of it, or no more: keep more of them (ledger.max_age, ledger.max_count)`,
    );
  }

  /** Follows the log, once for all who wait. What fails is tried anew by the next who waits. */
  async #listen(): Promise<void> {
    const subscription = this.#subscription ??= this.#options.channel.subscribe(
      SUBSCRIBER,
      ({ content }) => {
        for (const wait of this.#waits.get(content.deliveryId) ?? []) wait.hear(content);
      },
    );
    try {
      await subscription;
    } catch (error) {
      if (this.#subscription === subscription) this.#subscription = undefined;
      throw error;
    }
  }

  #all(): readonly Wait[] {
    return [...this.#waits.values()].flatMap((waits) => [...waits]);
  }
}

/** How those who wait are named as a subscriber. */
export const SUBSCRIBER = "ledger-waiters";

/** The end of a delivery; one that was redriven, or queued again by its redriven plan, ends anew. */
function endIn(
  history: readonly DeliveryEvent[],
  until: (event: DeliveryEvent) => boolean,
): DeliveryEvent | undefined {
  const begun = history.findLastIndex(({ status }) => status === "redriven" || status === "queued");
  return history.slice(Math.max(begun, 0)).findLast(until);
}
