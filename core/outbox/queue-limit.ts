/**
 * How many deliveries may wait in one queue.
 *
 * @module
 */
import type { Clock } from "../support/clock.ts";

/** After this long a queue is counted again though it seems to have room: other processes may queue too. */
const RECOUNT_MS = 10_000;
/** A count that took some time is not repeated before this many times as long: counting is never what a full queue is busy with. */
const REST = 10;

/** What a limit is made from. */
export interface QueueLimitOptions {
  /** How many deliveries may wait. */
  readonly maxQueued: number;
  /** Counts those that do. */
  readonly count: () => Promise<number>;
  /** Time. */
  readonly clock: Clock;
}

/**
 * Keeps one queue below its limit without counting it for every message: between counts it knows how many places it gave
 * away, and takes what was sent meanwhile for still waiting. So it never lets this process pass the limit; several
 * processes on one store may pass it by what they queue between two counts.
 */
export class QueueLimit {
  readonly #options: QueueLimitOptions;
  /** What waits at most, as far as this process can know. */
  #bound = Infinity;
  /** Places whose commit has not ended: a count may or may not see them. */
  #underWay = 0;
  #givenSinceCount = 0;
  #counting: Promise<void> | undefined;
  #countedAt = -Infinity;
  #tookMs = 0;

  /** @param options How many, and how to count. */
  constructor(options: QueueLimitOptions) {
    this.#options = options;
  }

  /** How many deliveries may wait. */
  get maxQueued(): number {
    return this.#options.maxQueued;
  }

  /**
   * Takes places for deliveries that are about to be committed. Give them back with {@link QueueLimit.end} once the
   * commit has ended, well or not.
   *
   * @param places How many.
   * @returns Whether there is room for all of them; if not, none was taken.
   */
  async take(places: number): Promise<boolean> {
    const { maxQueued, clock } = this.#options;
    const sinceMs = clock.monotonic() - this.#countedAt;
    if (sinceMs >= RECOUNT_MS || (this.#bound + places > maxQueued && sinceMs >= this.#tookMs * REST)) {
      await (this.#counting ??= this.#recount());
    }
    if (this.#bound + places > maxQueued) return false;
    this.#bound += places;
    this.#givenSinceCount += places;
    this.#underWay += places;
    return true;
  }

  /** Says that the commit has ended for which places were taken, and whether they are used now. */
  end(places: number, areUsed: boolean): void {
    this.#underWay -= places;
    if (!areUsed) this.#bound -= places;
  }

  async #recount(): Promise<void> {
    const { count, clock } = this.#options;
    const begin = clock.monotonic();
    const underWay = this.#underWay;
    this.#givenSinceCount = 0;
    try {
      this.#bound = await count() + underWay + this.#givenSinceCount;
      this.#countedAt = clock.monotonic();
      this.#tookMs = this.#countedAt - begin;
    } finally {
      this.#counting = undefined;
    }
  }
}
