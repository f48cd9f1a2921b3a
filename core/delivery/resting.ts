/**
 * A rest for channels that keep failing: a circuit breaker.
 *
 * @module
 */

/** When a channel rests. */
export interface RestingOptions {
  /** How many failures in a row send it to rest. @default `5` */
  readonly afterFailures?: number;
  /** How long it rests; then one delivery tries it. @default `60_000` */
  readonly forMs?: number;
}

/** How a channel stands. */
export interface RestingState {
  /** Failures in a row. */
  readonly failures: number;
  /** Until when it rests, in milliseconds since 1970; absent when it does not. */
  readonly restsUntil?: number;
}

/** Counts failures of channels and sends them to rest. A rest ends with one trial: its success clears the count. */
export class RestingChannels {
  readonly #afterFailures: number;
  readonly #forMs: number;
  readonly #states = new Map<string, RestingState>();

  /** @param options When and how long. */
  constructor(options: RestingOptions = {}) {
    this.#afterFailures = options.afterFailures ?? 5;
    this.#forMs = options.forMs ?? 60_000;
  }

  /** Whether a channel rests. */
  isResting(name: string, now: number): boolean {
    const { restsUntil } = this.stateOf(name);
    return restsUntil !== undefined && restsUntil > now;
  }

  /** How a channel stands. */
  stateOf(name: string): RestingState {
    return this.#states.get(name) ?? { failures: 0 };
  }

  /** Counts a try. */
  record(name: string, succeeded: boolean, now: number): void {
    if (succeeded) {
      this.#states.delete(name);
      return;
    }
    const failures = this.stateOf(name).failures + 1;
    this.#states.set(name, failures < this.#afterFailures ? { failures } : { failures, restsUntil: now + this.#forMs });
  }
}
