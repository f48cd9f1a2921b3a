/**
 * Now, as one call of {@link MemoryStore} sees it.
 *
 * @module
 */
import type { Clock } from "../support/clock.ts";

/** One moment on both clocks. Asking a clock costs more than most of what a store does, so the wall is asked if need be. */
export class Moment {
  /** On the store's clock, which never goes back. */
  readonly now: number;
  readonly #clock: Clock;
  #wall: number | undefined;

  /** @param clock Whose moment. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.monotonic();
  }

  /** On the wall. */
  get wall(): number {
    return this.#wall ??= this.#clock.now();
  }
}
