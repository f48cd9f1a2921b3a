/**
 * What went wrong with claimed messages before they were claimed.
 *
 * @module
 */
import type { AttemptFailure, ClaimedMessage } from "../../../core/mod.ts";

const MAX_CLAIMS = 10_000;

/**
 * Remembers the attempt history of messages claimed over HTTP, by the token of the claim: a caller gives back a token,
 * and a message that dies of it keeps its history. Bounded: the oldest is forgotten first.
 */
export class FailureBook {
  readonly #failures = new Map<string, readonly AttemptFailure[]>();

  /** Remembers a claim. One without failures needs no remembering. */
  remember({ lease, failures }: ClaimedMessage): void {
    if (failures.length === 0) return;
    if (this.#failures.size >= MAX_CLAIMS) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    this.#failures.set(lease.token, failures);
  }

  /** The history of a claim. */
  of(token: string): readonly AttemptFailure[] {
    return this.#failures.get(token) ?? [];
  }

  /** Forgets a claim that was settled. */
  forget(token: string): void {
    this.#failures.delete(token);
  }
}
