/**
 * Which lease a bare message id means.
 *
 * @module
 */
import type { ClaimedMessage } from "../message/channel-message.ts";
import { LiveMap } from "../support/live-map.ts";

/**
 * Remembers the latest claim a reader got of a message through one channel object, so that `acknowledge(reader, [id])`
 * works as the specification has it. A claim is forgotten when it is settled, or some time after its lease ended.
 *
 * Claims are kept in two generations, and the older one is dropped as a whole when every lease in it has ended: nothing
 * is kept per claim but its place in a map, as every message of a queue comes by here.
 */
export class LeaseBook<T> {
  #young = new LiveMap<string, ClaimedMessage<T>>();
  #old = new LiveMap<string, ClaimedMessage<T>>();
  /** When every lease of a generation has ended, on a clock that does not jump. */
  #youngEndsAt = -Infinity;
  #oldEndsAt = -Infinity;

  /** How many claims are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Remembers a claim, or that its lease was extended. */
  add(message: ClaimedMessage<T>, endsAt: number): void {
    if (endsAt > this.#youngEndsAt) this.#youngEndsAt = endsAt;
    if (this.#old.size > 0) this.#old.delete(message.id);
    this.#young.set(message.id, message);
  }

  /** The latest claim of this reader on a message. */
  find(readerId: string, id: string): ClaimedMessage<T> | undefined {
    const message = this.#latest(id);
    return message?.lease.workerId === readerId ? message : undefined;
  }

  /** Whether this is the latest claim of its message. */
  has(message: ClaimedMessage<T>): boolean {
    return this.#latest(message.id)?.lease.token === message.lease.token;
  }

  /** Forgets a claim, if it is still the latest. */
  settle(message: ClaimedMessage<T>): void {
    if (!this.has(message)) return;
    if (!this.#young.delete(message.id)) this.#old.delete(message.id);
  }

  /** Forgets claims whose leases ended before a time, though not all of them at once: call it now and then. */
  forgetEndedBefore(time: number): void {
    if (time <= this.#oldEndsAt) return;
    this.#old = this.#young;
    this.#oldEndsAt = this.#youngEndsAt;
    this.#young = new LiveMap();
    this.#youngEndsAt = -Infinity;
  }

  #latest(id: string): ClaimedMessage<T> | undefined {
    return this.#young.get(id) ?? (this.#old.size === 0 ? undefined : this.#old.get(id));
  }
}
