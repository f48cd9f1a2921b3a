/**
 * Waiting that can be called off.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/**
 * Waits for a promise, or rejects with the signal's reason when that fires first. The promise goes on by itself.
 *
 * @param promise What to wait for.
 * @param signal What ends the wait.
 */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** How {@link raceDeadline} waits. */
export interface Deadline {
  /** Time. */
  readonly clock: Pick<Clock, "setTimer">;
  /** How long. */
  readonly deadlineMs: number;
  /** Makes the error that says it took longer. */
  readonly late: () => Error;
  /** Ends the wait before. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for a promise, at most for a time. The promise goes on by itself.
 *
 * @param promise What to wait for.
 * @param deadline How long.
 */
export async function raceDeadline<T>(promise: Promise<T>, deadline: Deadline): Promise<T> {
  const { clock, deadlineMs, late, signal } = deadline;
  const tooLate = deferred<never>();
  const timer = clock.setTimer(deadlineMs, () => tooLate.reject(late()));
  try {
    return await raceAbort(Promise.race([promise, tooLate.promise]), signal);
  } finally {
    timer.cancel();
  }
}

/** A promise with its handles. */
export interface Deferred<T> {
  /** The promise. */
  readonly promise: Promise<T>;
  /** Fulfils it. */
  readonly resolve: (value: T) => void;
  /** Rejects it. */
  readonly reject: (reason: unknown) => void;
}

/** Makes a promise with its handles. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
