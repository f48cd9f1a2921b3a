/**
 * The limits of all queues of an outbox.
 *
 * @module
 */
import type { MessageStore, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { QueueLimit } from "./queue-limit.ts";

/** Places in queues, or why there are none. */
export type TakenPlaces =
  | {
    /** Call it when the commit has ended, with whether it happened. */
    readonly end: (committed: boolean) => void;
  }
  | {
    /** Which queue is full, in words. */
    readonly full: string;
  };

/** What the limits are made from. */
export interface QueueLimitsOptions {
  /** Where the queues are. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** How many deliveries may wait in each. @default as many as there are */
  readonly maxQueued?: number;
}

/** A limit for each queue, and places in several at once. */
export class QueueLimits {
  readonly #options: QueueLimitsOptions;
  /** By the key of the queue. */
  readonly #limits = new Map<string, { readonly backendName: string; readonly limit: QueueLimit }>();

  /** @param options How many, and where they are counted. */
  constructor(options: QueueLimitsOptions) {
    this.#options = options;
  }

  /** Limits a queue. */
  add(backendName: string, key: string): void {
    const { maxQueued, store, clock } = this.#options;
    if (maxQueued === undefined) return;
    const count = async (): Promise<number> => (await store.stats(key)).stored;
    this.#limits.set(key, { backendName, limit: new QueueLimit({ maxQueued, count, clock }) });
  }

  /** Takes places in every queue that operations append to, or in none. */
  async take(operations: readonly StoreOperation[]): Promise<TakenPlaces> {
    const taken: (readonly [QueueLimit, number])[] = [];
    const end = (committed: boolean): void => taken.forEach(([limit, places]) => limit.end(places, committed));
    try {
      for (const [key, places] of this.#appendedTo(operations)) {
        const known = this.#limits.get(key);
        if (known === undefined) continue;
        const { backendName, limit } = known;
        if (!await limit.take(places)) {
          end(false);
          return { full: describeFull(backendName, limit.maxQueued) };
        }
        taken.push([limit, places]);
      }
    } catch (error) {
      end(false); // what cannot be counted keeps no place anywhere else
      throw error;
    }
    return { end };
  }

  #appendedTo(operations: readonly StoreOperation[]): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const operation of operations) {
      if (operation.type !== "append" || !this.#limits.has(operation.channel)) continue;
      counts.set(operation.channel, (counts.get(operation.channel) ?? 0) + 1);
    }
    return counts;
  }
}

function describeFull(backendName: string, maxQueued: number): string {
  return `${maxQueued} deliveries wait for backend "${backendName}" already, as many as may (max_queued): try again later`;
}
