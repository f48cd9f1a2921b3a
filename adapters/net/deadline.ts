/**
 * Requests that end in time.
 *
 * @module
 */
import type { Clock } from "../../core/mod.ts";

/** Why a request was ended by {@link withDeadline}. */
export type EndReason = "timeout" | "stopped";

/** A signal with the reason it fired for. */
export interface Deadline {
  /** Fires when the time is up, or the caller's signal fires. */
  readonly signal: AbortSignal;
  /** Why it fired; `undefined` while it has not. */
  readonly reason: () => EndReason | undefined;
}

/**
 * Runs something with a signal that fires when a time is up or the caller's signal does, and cleans up after it.
 *
 * @param clock Where time comes from.
 * @param timeoutMs How long it may take.
 * @param outer The caller's signal.
 * @param run What to run.
 */
export async function withDeadline<Result>(
  clock: Clock,
  timeoutMs: number,
  outer: AbortSignal | undefined,
  run: (deadline: Deadline) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  let reason: EndReason | undefined;
  const end = (why: EndReason): void => {
    reason ??= why;
    controller.abort();
  };
  const onAbort = (): void => end("stopped");
  if (outer?.aborted === true) onAbort();
  outer?.addEventListener("abort", onAbort, { once: true });
  const timer = clock.setTimer(timeoutMs, () => end("timeout"));
  try {
    return await run({ signal: controller.signal, reason: () => reason });
  } finally {
    timer.cancel();
    outer?.removeEventListener("abort", onAbort);
  }
}
