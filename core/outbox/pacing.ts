/**
 * Not faster than the network likes.
 *
 * @module
 */
import type { PacingDefaults, PacingRule } from "../communicators/communicator.ts";

/** A bucket that refills evenly, kept as the time at which it would be full again (GCRA). */
class TokenBucket {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  #fullAt = 0;

  constructor(rule: PacingRule) {
    this.#intervalMs = rule.perMs / rule.count;
    this.#burstMs = this.#intervalMs * ((rule.burst ?? rule.count) - 1);
  }

  /** How long until a token is there. */
  waitMs(now: number): number {
    return Math.max(0, this.#fullAt - this.#burstMs - now);
  }

  /** Takes a token, now or at the time {@link TokenBucket.waitMs} says. */
  take(now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + this.#intervalMs;
  }

  /** Whether it is as good as new. */
  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }
}

/** How many destinations are remembered before the full ones are forgotten. */
const MAX_BUCKETS = 10_000;

/**
 * Paces one backend: a bucket for all its messages and one for each destination. It only ever says how long to wait; the
 * network's own 429 is still the authority.
 */
export class Pacer {
  readonly #rules: PacingDefaults;
  readonly #backend: TokenBucket | undefined;
  readonly #destinations = new Map<string, TokenBucket>();

  /** @param rules What the network likes. Empty: no pacing. */
  constructor(rules: PacingDefaults) {
    this.#rules = rules;
    this.#backend = rules.backend === undefined ? undefined : new TokenBucket(rules.backend);
  }

  /**
   * How long until a destination may have another message, on its own account.
   *
   * @param recipient The destination: it decides the rule.
   * @param bucket What shares the limit: two topics of one group, for example.
   * @param now The time.
   */
  destinationWaitMs(recipient: string | undefined, bucket: string | undefined, now: number): number {
    return this.#destination(recipient, bucket, now)?.waitMs(now) ?? 0;
  }

  /** Takes a token of the destination and one of the backend. @returns How long to wait before sending. */
  reserve(recipient: string | undefined, bucket: string | undefined, now: number): number {
    const destination = this.#destination(recipient, bucket, now);
    const waitMs = Math.max(this.#backend?.waitMs(now) ?? 0, destination?.waitMs(now) ?? 0);
    this.#backend?.take(now);
    destination?.take(now);
    return waitMs;
  }

  #destination(recipient: string | undefined, name: string | undefined, now: number): TokenBucket | undefined {
    const { destination } = this.#rules;
    const rule = typeof destination === "function" ? destination(recipient) : destination;
    if (rule === undefined) return undefined;
    const key = name ?? "";
    let bucket = this.#destinations.get(key);
    if (bucket === undefined) {
      if (this.#destinations.size >= MAX_BUCKETS) this.#forgetFull(now);
      bucket = new TokenBucket(rule);
      this.#destinations.set(key, bucket);
    }
    return bucket;
  }

  #forgetFull(now: number): void {
    for (const [key, bucket] of this.#destinations) {
      if (bucket.isFull(now)) this.#destinations.delete(key);
    }
  }
}
