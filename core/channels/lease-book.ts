/**
 * Which lease a bare message id means.
 *
 * @module
 */
import type { Lease } from "../message/channel-message.ts";

/** A claim that was handed out. */
export interface OpenClaim {
  /** The message's id. */
  readonly id: string;
  /** Its place. */
  readonly seq: number;
  /** Its lease. */
  readonly lease: Lease;
}

/**
 * Remembers the latest lease a reader got for a message through one channel object, so that `acknowledge(reader, [id])`
 * works as the specification has it. A claim is forgotten when it is settled, or some time after its lease ended.
 */
export class LeaseBook {
  readonly #claims = new Map<string, OpenClaim>();

  /** How many claims are remembered. */
  get size(): number {
    return this.#claims.size;
  }

  /** Remembers a claim. */
  add(claim: OpenClaim): void {
    this.#claims.set(claim.id, claim);
  }

  /** The latest claim of this reader on a message. */
  find(readerId: string, id: string): OpenClaim | undefined {
    const claim = this.#claims.get(id);
    return claim?.lease.workerId === readerId ? claim : undefined;
  }

  /** Forgets a claim, if it is still the latest. */
  settle(claim: OpenClaim): void {
    if (this.#claims.get(claim.id)?.lease.token === claim.lease.token) this.#claims.delete(claim.id);
  }

  /** Forgets claims whose leases ended before a time. */
  forgetEndedBefore(time: number): void {
    for (const [id, claim] of this.#claims) {
      if (claim.lease.until < time) this.#claims.delete(id);
    }
  }
}
