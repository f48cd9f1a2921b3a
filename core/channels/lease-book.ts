/**
 * Which lease a bare message id means.
 *
 * @module
 */
import type { ClaimedMessage } from "../message/channel-message.ts";

interface OpenClaim<T> {
  readonly message: ClaimedMessage<T>;
  /** When the lease ends, on a clock that does not jump. */
  readonly endsAt: number;
}

/**
 * Remembers the latest claim a reader got of a message through one channel object, so that `acknowledge(reader, [id])`
 * works as the specification has it. A claim is forgotten when it is settled, or some time after its lease ended.
 */
export class LeaseBook<T> {
  readonly #claims = new Map<string, OpenClaim<T>>();

  /** How many claims are remembered. */
  get size(): number {
    return this.#claims.size;
  }

  /** Remembers a claim, or that its lease was extended. */
  add(message: ClaimedMessage<T>, endsAt: number): void {
    this.#claims.set(message.id, { message, endsAt });
  }

  /** The latest claim of this reader on a message. */
  find(readerId: string, id: string): ClaimedMessage<T> | undefined {
    const message = this.#claims.get(id)?.message;
    return message?.lease.workerId === readerId ? message : undefined;
  }

  /** Whether this is the latest claim of its message. */
  has(message: ClaimedMessage<T>): boolean {
    return this.#claims.get(message.id)?.message.lease.token === message.lease.token;
  }

  /** Forgets a claim, if it is still the latest. */
  settle(message: ClaimedMessage<T>): void {
    if (this.has(message)) this.#claims.delete(message.id);
  }

  /** Forgets claims whose leases ended before a time. */
  forgetEndedBefore(time: number): void {
    for (const [id, claim] of this.#claims) {
      if (claim.endsAt < time) this.#claims.delete(id);
    }
  }
}
