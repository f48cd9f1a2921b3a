/**
 * Waiting for "something happened" without missing it.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/**
 * A latch: {@link WakeGate.wake} lets the next (or present) waiter through. A wake that comes while nobody waits is kept,
 * so nothing is missed between looking and waiting.
 */
export class WakeGate {
  #woken = false;
  #release: (() => void) | undefined;

  /** Lets the waiter through. */
  wake(): void {
    this.#woken = true;
    this.#release?.();
  }

  /**
   * Waits for a wake, a time-out or an abort, whichever comes first.
   *
   * @param clock Time.
   * @param timeoutMs How long at most; `undefined` for ever.
   * @param signal What ends the wait; the caller looks at it afterwards.
   */
  async wait(clock: Clock, timeoutMs?: number, signal?: AbortSignal): Promise<void> {
    if (!this.#woken && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, resolve);
        this.#release = resolve;
        const onAbort = (): void => resolve();
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#cleanup = () => {
          timer?.cancel();
          signal?.removeEventListener("abort", onAbort);
        };
      });
      this.#release = undefined;
      this.#cleanup?.();
      this.#cleanup = undefined;
    }
    this.#woken = false;
  }

  #cleanup: (() => void) | undefined;
}
