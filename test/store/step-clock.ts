import { type Clock, systemClock, type TimerHandle } from "../../core/support/clock.ts";

/** A clock that moves in no time at all, for hundreds of thousands of steps. Its timers are the platform's. */
export class StepClock implements Clock {
  #wallMs = 1_700_000_000_000;
  #monotonicMs = 1_700_000_000_000;

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    return systemClock.setTimer(delayMs, callback);
  }

  sleep(delayMs: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return systemClock.sleep(delayMs, options);
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }
}
