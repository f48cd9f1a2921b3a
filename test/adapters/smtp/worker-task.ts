/**
 * What the mail Worker is asked to do.
 *
 * @module
 */
import type { OutgoingMessageInit } from "../../../core/mod.ts";
import type { SmtpOptions } from "../../../adapters/smtp/mod.ts";

/** One request. */
export interface WorkerTask {
  readonly options: SmtpOptions;
  readonly messages: readonly Partial<OutgoingMessageInit>[];
  /** All at once, or one after another. */
  readonly isParallel?: boolean;
}
