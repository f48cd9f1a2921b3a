import type { Clock, TimerHandle } from "../../core/mod.ts";

/** Where every simulation begins. */
export const START_MS = 1_700_000_000_000;

interface Timer extends TimerHandle {
  readonly dueAt: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A clock that moves from timer to timer, by microtasks alone: no timer of the platform has a hand in the order of things. */
export class SteppedClock implements Clock {
  #monotonicMs = START_MS;
  #wallOffsetMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#monotonicMs + this.#wallOffsetMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timers = this.#timers;
    const timer: Timer = {
      dueAt: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#order++,
      fire,
      cancel: () => void timers.delete(timer),
    };
    timers.add(timer);
    return timer;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.setTimer(delayMs, resolve));
  }

  /** Moves on, and lets everything between the timers come to rest. */
  async advance(byMs: number): Promise<void> {
    const target = this.#monotonicMs + byMs;
    await microtasks();
    for (let timer = this.#next(target); timer !== undefined; timer = this.#next(target)) {
      this.#monotonicMs = Math.max(this.#monotonicMs, timer.dueAt);
      this.#timers.delete(timer);
      timer.fire();
      await microtasks();
    }
    this.#monotonicMs = target;
  }

  #next(target: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt > target) continue;
      const isFirst = first === undefined || timer.dueAt < first.dueAt ||
        (timer.dueAt === first.dueAt && timer.order < first.order);
      if (isFirst) first = timer;
    }
    return first;
  }
}

/** More turns than the usual chain of promises between two timers has; a longer one goes on at the next timer. */
async function microtasks(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await undefined;
}
