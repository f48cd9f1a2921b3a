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
  /** Until when it rests, by `clock.monotonic()`, which begins at the wall clock; absent when it does not. */
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

  /** Whether a channel may be tried. The first to ask after a rest is its trial; the others wait for what comes of it. */
  mayTry(name: string, now: number): boolean {
    const { failures, restsUntil } = this.stateOf(name);
    if (restsUntil === undefined) return true;
    if (restsUntil > now) return false;
    this.#states.set(name, { failures, restsUntil: now + this.#forMs });
    return true;
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
