/**
 * What is said of a message that came in.
 *
 * @module
 */
import type { InboundEvent } from "../message/delivery-event.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";

/** An entry about a message. */
export function inboundEvent(
  message: IncomingMessage,
  status: InboundEvent["status"],
  at: number,
  more: Pick<InboundEvent, "attempt" | "detail"> = {},
): InboundEvent {
  const { id: messageId, backendName, conversation } = message;
  return { messageId, backendName, conversation, status, at, ...more };
}
