/**
 * What a backend that throws has said.
 *
 * @module
 */
import { errorWord } from "../support/error-word.ts";
import type { UnknownReceipt } from "./receipt.ts";

/**
 * The receipt of an attempt whose backend threw. A backend says what it knows by its receipt: what it throws says nothing of
 * how far the message came, and no more is told of it than its word.
 */
export function thrownReceipt(error: unknown): UnknownReceipt {
  return { outcome: "unknown", detail: `the backend threw ${errorWord(error)}` };
}
