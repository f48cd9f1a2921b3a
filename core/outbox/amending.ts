/**
 * Deliveries that are about another one: they change it where the network can, or tell of what came of it.
 *
 * @module
 */
import type { Communicator, EditedMessage } from "../communicators/communicator.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { DeliveryStatus } from "../message/delivery-event.ts";
import type { Receipt, RejectedReceipt } from "../message/receipt.ts";
import type { Amendment, OutboxRow } from "./outbox-row.ts";

/**
 * What a delivery that is about another one does now. `change` that one; `send` its own message, as a reply to that one
 * where its id is known; `skip`: there is nothing to change or to tell of.
 */
export type AmendingStep =
  | { readonly kind: "change"; readonly edited: EditedMessage }
  | { readonly kind: "send"; readonly replyTo?: string }
  | { readonly kind: "skip"; readonly detail: string };

/** After one of these the message may have reached somebody. */
const MAY_HAVE_ARRIVED: ReadonlySet<DeliveryStatus> = new Set(["accepted", "delivered", "read", "unknown"]);

/**
 * Says what a delivery that is about another one does. It stands behind that one in its lane, so that one has ended, or
 * waits for a retry that will not be made.
 *
 * @param row The delivery.
 * @param amends What it is about.
 * @param communicator Who sends it.
 * @param ledger Knows how far the other one came.
 */
export async function amendingStep(
  row: OutboxRow,
  amends: Amendment,
  communicator: Communicator,
  ledger: Ledger,
): Promise<AmendingStep> {
  const events = await ledger.eventsOfDelivery(amends.deliveryId);
  const isSent = amends.isSent === true || events.some(({ status }) => MAY_HAVE_ARRIVED.has(status)) ||
    events.at(-1)?.status === "attempting";
  if (!isSent) return { kind: "skip", detail: "the message it is about was not sent" };
  const known = events.findLast(({ providerMessageId }) => providerMessageId !== undefined);
  const messageId = known?.providerMessageId;
  const isOneMessage = messageId !== undefined && (known?.providerMessageIds ?? []).length <= 1;
  const canChange = communicator.capabilities.edits && communicator.editMessage !== undefined;
  if (canChange && isOneMessage && amends.isRefused !== true) {
    const { message, html } = amends;
    return {
      kind: "change",
      edited: {
        messageId,
        message,
        ...(html === undefined ? {} : { html }),
        ...(row.recipient === undefined ? {} : { recipient: row.recipient }),
      },
    };
  }
  if (amends.how === "change") return { kind: "skip", detail: "the message it is about cannot be changed" };
  return { kind: "send", ...(messageId === undefined ? {} : { replyTo: messageId }) };
}

/** Whether the network will not make this change, however often it is asked. */
export function isRefusedForGood(receipt: Receipt): receipt is RejectedReceipt {
  return receipt.outcome === "rejected" && !receipt.retryable && receipt.backendDown !== true;
}
