/**
 * A backend that does nothing.
 *
 * @module
 */
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { Receipt } from "../message/receipt.ts";
import { Communicator, type SendContext } from "./communicator.ts";

const ACCEPTED: Promise<Receipt> = Promise.resolve({ outcome: "accepted", detail: "no-op" });

/**
 * Accepts everything and sends nothing: for trying routes, and for switching a backend off on purpose. It never stands in
 * for something missing or mistyped; that is an error.
 */
export class NoOpCommunicator extends Communicator {
  /** {@inheritDoc Communicator.send} */
  override send(_message: OutgoingMessage, _context: SendContext): Promise<Receipt> {
    return ACCEPTED;
  }
}
