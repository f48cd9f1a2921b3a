/**
 * Looking for what other processes wrote.
 *
 * @module
 */
import type { MessageStore } from "../store/message-store.ts";

/**
 * How often whoever waits for something new has to look: a store that outlives the process but tells only this one of
 * changes may have been written to by others.
 *
 * @returns Milliseconds, or `undefined` where the store tells everything.
 */
export function pollIntervalOf(store: MessageStore, intervalMs = 1_000): number | undefined {
  const { durable, notifies } = store.capabilities;
  return durable && notifies === "process" ? intervalMs : undefined;
}
