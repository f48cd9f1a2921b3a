/**
 * Time, as everything else in the core sees it: the one file that touches the platform's clock and timers.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";

/** A pending timer. */
export interface TimerHandle {
  /** Forgets the timer. Harmless when it has fired. */
  cancel(): void;
}

/**
 * Where time comes from. The system's clock by default; a {@link ManualClock} in tests, so that a week passes at once.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, for timestamps people see. */
  now(): number;
  /**
   * Milliseconds that never go back, for leases and delays. It starts at the wall clock's time when the clock is made,
   * so the two read alike until somebody moves the wall clock.
   */
  monotonic(): number;
  /**
   * Calls back once after a delay.
   *
   * @param delayMs How long from now, at least 0. Delays beyond 24 days work too.
   * @param callback What to call. It must not throw.
   */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /**
   * Resolves after a delay.
   *
   * @param delayMs How long from now.
   * @param options A signal that ends the wait early, rejecting with its reason.
   */
  sleep(delayMs: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** The longest delay a platform timer takes: 2^31 - 1 milliseconds. */
const LONGEST_TIMER_MS = 2_147_483_647;

function sleepOn(clock: Pick<Clock, "setTimer">, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return new Promise((resolve) => void clock.setTimer(delayMs, resolve));
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

class SystemClock implements Clock {
  /** Wall time minus monotonic time when first asked. Lazy: a Worker's global scope has no clock. */
  #offsetMs: number | undefined;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    this.#offsetMs ??= Date.now() - performance.now();
    return this.#offsetMs + performance.now();
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    let cancelled = false;
    let id: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number): void => {
      id = leftMs > LONGEST_TIMER_MS
        ? setTimeout(() => arm(leftMs - LONGEST_TIMER_MS), LONGEST_TIMER_MS)
        : setTimeout(() => {
          if (!cancelled) callback();
        }, Math.max(0, leftMs));
    };
    arm(delayMs);
    return {
      cancel(): void {
        cancelled = true;
        clearTimeout(id);
      },
    };
  }

  sleep(delayMs: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return sleepOn(this, delayMs, options.signal);
  }
}

/** The platform's own clock: the default everywhere. */
export const systemClock: Clock = new SystemClock();

interface ManualTimer extends TimerHandle {
  readonly dueAt: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is told to move: for tests of anything that waits.
 *
 * @example
 * ```ts
 * import { ManualClock } from "posthorn";
 *
 * const clock = new ManualClock();
 * const slept = clock.sleep(60_000).then(() => console.log("a minute later"));
 * await clock.advance(60_000);
 * await slept;
 * ```
 */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;
  #order = 0;
  readonly #timers = new Set<ManualTimer>();

  /**
   * Makes a manual clock.
   *
   * @param startMs Where the clock stands at first, in milliseconds since 1970.
   */
  constructor(startMs = 1_700_000_000_000) {
    this.#wallMs = startMs;
    this.#monotonicMs = startMs;
  }

  /** {@inheritDoc Clock.now} */
  now(): number {
    return this.#wallMs;
  }

  /** {@inheritDoc Clock.monotonic} */
  monotonic(): number {
    return this.#monotonicMs;
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#timers.size;
  }

  /** {@inheritDoc Clock.setTimer} */
  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timers = this.#timers;
    const timer: ManualTimer = {
      dueAt: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
      cancel(): void {
        timers.delete(timer);
      },
    };
    timers.add(timer);
    return timer;
  }

  /** {@inheritDoc Clock.sleep} */
  sleep(delayMs: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return sleepOn(this, delayMs, options.signal);
  }

  /** Moves the wall clock alone, as an operator or a time server would: timers and leases do not notice. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /**
   * Moves time forward, firing timers in order and letting the promises they settle run between them.
   *
   * @param byMs How far, at least 0.
   * @throws {ValidationError} If `byMs` is negative or not finite.
   */
  async advance(byMs: number): Promise<void> {
    if (!Number.isFinite(byMs) || byMs < 0) {
      throw new ValidationError(
        "byMs",
        `Cannot advance clock as 'byMs' must not be negative: current value is ${byMs}`,
      );
    }
    const target = this.#monotonicMs + byMs;
    await nextTurn();
    for (let next = this.#nextBefore(target); next !== undefined; next = this.#nextBefore(target)) {
      this.#moveTo(Math.max(next.dueAt, this.#monotonicMs));
      this.#timers.delete(next);
      next.callback();
      await nextTurn();
    }
    this.#moveTo(target);
    await nextTurn();
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #nextBefore(target: number): ManualTimer | undefined {
    let first: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt > target) continue;
      if (
        first === undefined || timer.dueAt < first.dueAt || (timer.dueAt === first.dueAt && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}

/**
 * Lets everything that is ready to run, run: microtasks, and one turn of the platform's own loop. Work that might
 * otherwise go on by microtasks alone calls it now and then, so that timers and sockets get their turn. No clock has a
 * hand in it.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
