/**
 * Errors of databases as errors of the store.
 *
 * @module
 */
import { PosthornError, StoreError } from "../../core/mod.ts";

/**
 * What was thrown as an error of the family.
 *
 * @param action What was to be done: `"append"`.
 * @param error What was thrown.
 * @param isBusy Whether it says that somebody else has the database locked.
 */
export function asStoreFailure(action: string, error: unknown, isBusy = false): PosthornError {
  if (error instanceof PosthornError) return error;
  if (isBusy) {
    const message = `Cannot ${action}: the database was locked by another process for too long`;
    return new StoreError(message, { cause: error, retryable: true });
  }
  return new StoreError(`Cannot ${action}: ${reasonOf(error)}`, { cause: error });
}

/** What an error says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
