/**
 * Waiting for "something happened" without missing it.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/**
 * A latch: {@link WakeGate.wake} lets everybody through who waits. A wake that comes while nobody waits is kept for the
 * next one, so nothing is missed between looking and waiting; look again after every wait.
 */
export class WakeGate {
  readonly #waiters = new Set<() => void>();
  #woken = false;

  /** Lets everybody through who waits, or else the next one. */
  wake(): void {
    if (this.#waiters.size === 0) this.#woken = true;
    for (const release of this.#waiters) release();
  }

  /**
   * Waits for a wake, a time-out or an abort, whichever comes first.
   *
   * @param clock Time.
   * @param timeoutMs How long at most; `undefined` for ever.
   * @param signal What ends the wait; the caller looks at it afterwards.
   */
  wait(clock: Clock, timeoutMs?: number, signal?: AbortSignal): Promise<void> {
    if (this.#woken || signal?.aborted === true) {
      this.#woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const release = (): void => {
        this.#waiters.delete(release);
        timer?.cancel();
        signal?.removeEventListener("abort", release);
        resolve();
      };
      const timer = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, release);
      signal?.addEventListener("abort", release, { once: true });
      this.#waiters.add(release);
    });
  }
}
