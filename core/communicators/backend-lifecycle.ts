/**
 * Starting and stopping a backend without waiting for it for ever.
 *
 * @module
 */
import { PosthornError } from "../errors.ts";
import { raceDeadline } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import type { Communicator } from "./communicator.ts";

/** How long others wait for a backend to start. */
export const BACKEND_START_MS = 10_000;
/** How long others wait for a backend to stop, where nobody says otherwise. */
export const BACKEND_STOP_MS = 10_000;

/** Calls a function that may throw before it gives a promise. */
export async function begin(work: () => Promise<void>): Promise<void> {
  await work();
}

/**
 * Waits until a backend has started, at most {@link BACKEND_START_MS}. A start that takes longer goes on by itself.
 *
 * @param name The backend.
 * @param starting Its start, under way.
 * @param clock Time.
 * @param signal Ends the wait before.
 * @throws {PosthornError} With code `timeout` if it takes longer, or what it threw.
 */
export function untilStarted(name: string, starting: Promise<void>, clock: Clock, signal?: AbortSignal): Promise<void> {
  const text =
    `Cannot start backend "${name}" yet: its start() has not ended after ${BACKEND_START_MS} ms. It is waited for, and ` +
    "its messages wait with it; see whether its network can be reached";
  const late = (): PosthornError => new PosthornError("timeout", text, { retryable: true });
  const deadline = { clock, deadlineMs: BACKEND_START_MS, late };
  return raceDeadline(starting, signal === undefined ? deadline : { ...deadline, signal });
}

/**
 * Stops a backend, waiting no longer than a deadline. A stop that takes longer goes on by itself.
 *
 * @param communicator The backend.
 * @param clock Time.
 * @param deadlineMs How long to wait.
 * @throws {PosthornError} With code `timeout` if it takes longer, or what it threw.
 */
export function stopBackend(
  communicator: Communicator,
  clock: Clock,
  deadlineMs: number = BACKEND_STOP_MS,
): Promise<void> {
  const text =
    `Cannot stop backend "${communicator.name}": its stop() has not ended after ${Math.round(deadlineMs)} ms. It is ` +
    "left behind and may keep the process alive; give what it waits for a deadline";
  const late = (): PosthornError => new PosthornError("timeout", text);
  return raceDeadline(begin(() => communicator.stop()), { clock, deadlineMs, late });
}
