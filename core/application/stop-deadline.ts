/**
 * The time an application has to stop.
 *
 * @module
 */
import { PosthornError } from "../errors.ts";
import { raceDeadline } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";

/** What is left to those who come late: enough to close what can be closed at once. */
const LEAST_MS = 250;

/** One deadline for everything that stops, one after the other: each may take until its share of the whole is over. */
export class StopDeadline {
  /** The whole, in milliseconds. */
  readonly totalMs: number;
  readonly #clock: Clock;
  readonly #startedAt: number;

  /**
   * Begins to count.
   *
   * @param clock Time.
   * @param totalMs The whole.
   */
  constructor(clock: Clock, totalMs: number) {
    this.#clock = clock;
    this.totalMs = totalMs;
    this.#startedAt = clock.monotonic();
  }

  /** How long it is until a share of the whole (0 to 1) is over. */
  leftMs(share: number): number {
    return Math.max(0, this.#startedAt + share * this.totalMs - this.#clock.monotonic());
  }

  /** The same for what is to be closed: however late it is, it gets a moment. */
  closingMs(share: number): number {
    return Math.max(LEAST_MS, this.leftMs(share));
  }

  /**
   * Waits for something until a share of the whole is over.
   *
   * @param share From 0 to 1.
   * @param what What it is, for the error.
   * @param work What to wait for. It goes on by itself.
   * @throws {PosthornError} With code `timeout` if it takes longer.
   */
  within<T>(share: number, what: string, work: Promise<T>): Promise<T> {
    const leftMs = this.closingMs(share);
    const text = `Cannot wait longer for ${what}: it has not ended after ${Math.round(leftMs)} ms and is left behind`;
    const late = (): PosthornError => new PosthornError("timeout", text);
    return raceDeadline(work, { clock: this.#clock, deadlineMs: leftMs, late });
  }
}
