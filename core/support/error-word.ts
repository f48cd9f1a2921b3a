/**
 * What an error is called, without what it says.
 *
 * @module
 */
import { PosthornError } from "../errors.ts";

/** A stable word for whatever was thrown: its code, its name, or its kind. Its message may hold what nobody should read. */
export function errorWord(error: unknown): string {
  return error instanceof PosthornError ? error.code : error instanceof Error ? error.name : typeof error;
}

/** Whether it says that time ran out: the message may have been taken all the same. */
export function isTimeout(error: unknown): boolean {
  const word = errorWord(error);
  return word === "timeout" || word === "TimeoutError" || word === "AbortError";
}
