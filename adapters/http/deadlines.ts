/**
 * Deadlines of many things that mostly end long before.
 *
 * @module
 */
import type { Clock } from "../../core/mod.ts";

/** Something that should have ended by then. */
export interface Deadline {
  /** On the clock that never goes back. */
  readonly at: number;
  /** Called once, when it is late. */
  readonly onLate: () => void;
}

/** How late a deadline may be noticed, in milliseconds. */
const TICK_MS = 1_000;

/**
 * Deadlines that all are the same time away, noticed up to a second late: one timer for all of them, because a timer for
 * each would cost as much as what it watches over.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #afterMs: number;
  /** The earliest first, as all are the same time away. */
  readonly #open = new Set<Deadline>();
  #ticksAt = -Infinity;

  /**
   * @param clock Time.
   * @param afterMs How far away each deadline is.
   */
  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  /** Begins one. @returns What to give to {@link Deadlines.end}. */
  begin(onLate: () => void): Deadline {
    const now = this.#clock.monotonic();
    const deadline: Deadline = { at: now + this.#afterMs, onLate };
    this.#open.add(deadline);
    // A timer that should have fired long ago went with the request that set it: a Worker's do.
    if (this.#ticksAt === -Infinity || this.#ticksAt + TICK_MS < now) this.#tickFrom(now);
    return deadline;
  }

  /** Ends one: it will not be late. */
  end(deadline: Deadline): void {
    this.#open.delete(deadline);
  }

  #tickFrom(now: number): void {
    const ticksAt = now + Math.min(TICK_MS, this.#afterMs);
    this.#ticksAt = ticksAt;
    this.#clock.setTimer(ticksAt - now, () => {
      if (this.#ticksAt !== ticksAt) return; // another has taken its place
      this.#ticksAt = -Infinity;
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    for (const deadline of this.#open) {
      if (deadline.at > now) break;
      this.#open.delete(deadline);
      deadline.onLate();
    }
    if (this.#open.size > 0) this.#tickFrom(now);
  }
}
