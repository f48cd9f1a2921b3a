/**
 * One attempt to send a delivery.
 *
 * @module
 */
import type { WorkContext } from "../channels/queue-consumer.ts";
import type { Communicator } from "../communicators/communicator.ts";
import { PosthornError } from "../errors.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { Receipt } from "../message/receipt.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import { thrownReceipt } from "../message/thrown-receipt.ts";
import { deferred } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import type { AmendingStep } from "./amending.ts";
import type { OutboxRow } from "./outbox-row.ts";
import { receiptFrom } from "./receipt-check.ts";

/** How long a backend may take to end an attempt whose time is over. */
const GRACE_MS = 5_000;
/** And how long one whose worker stops, or has lost its lease: what it says later is of no use to anybody. */
const STOP_GRACE_MS = 500;

/** What one attempt needs of its surroundings. */
export interface SendOnceOptions {
  /** Sends it. */
  readonly communicator: Communicator;
  /** How long it may take. */
  readonly timeoutMs: number;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what the backend threw. */
  readonly logger: Logger;
}

/**
 * Makes one attempt under a deadline. What a backend throws says nothing of how far the message came, nor does a backend
 * that ignores its signal: both are `unknown`.
 */
export async function sendOnce(
  row: OutboxRow,
  context: WorkContext,
  options: SendOnceOptions,
  amending: Exclude<AmendingStep, { readonly kind: "skip" }> = { kind: "send" },
): Promise<Receipt> {
  const { communicator, timeoutMs, clock, logger } = options;
  const controller = new AbortController();
  const late = new PosthornError("timeout", `Cannot wait longer than ${timeoutMs} ms`, { retryable: true });
  const ignored = deferred<never>();
  const timers = [
    clock.setTimer(timeoutMs, () => controller.abort(late)),
    clock.setTimer(timeoutMs + GRACE_MS, () => ignored.reject(late)), // a backend that ignores its signal
  ];
  const onAbort = (): void => {
    controller.abort(context.signal.reason);
    timers.push(clock.setTimer(STOP_GRACE_MS, () => ignored.reject(context.signal.reason)));
  };
  context.signal.addEventListener("abort", onAbort, { once: true });
  if (context.signal.aborted) onAbort();
  try {
    const { signal } = controller;
    const sent = amending.kind === "change" && communicator.editMessage !== undefined
      ? communicator.editMessage(amending.edited, { signal })
      : communicator.send(messageOf(row, amending), {
        deliveryId: row.deliveryId,
        attempt: context.attempt,
        signal,
        ...(row.recipient === undefined ? {} : { recipient: row.recipient }),
        ...(row.progress === undefined ? {} : { progress: row.progress }),
        ...(row.possibleDuplicate === true ? { possibleDuplicate: true } : {}),
      });
    const receipt: unknown = await Promise.race([sent, ignored.promise]);
    return receiptFrom(receipt, (fault) => {
      logger.error("receipt is not what it must be", { backend: communicator.name, deliveryId: row.deliveryId, fault });
    });
  } catch (error) {
    logger.error("backend threw", { backend: communicator.name, deliveryId: row.deliveryId, ...errorFields(error) });
    return thrownReceipt(error);
  } finally {
    for (const timer of timers) timer.cancel();
    context.signal.removeEventListener("abort", onAbort);
  }
}

function messageOf(row: OutboxRow, amending: AmendingStep): OutgoingMessage {
  const message = fromStoredMessage(row.message);
  const replyTo = amending.kind === "send" ? amending.replyTo : undefined;
  return replyTo === undefined ? message : { ...message, replyTo };
}
