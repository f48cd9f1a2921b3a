/**
 * An incoming message as JSON, for the inbox.
 *
 * @module
 */
import type { IncomingAttachment } from "../message/attachment.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";

/** Makes a message JSON: the provider's own event and the means to open attachments stay behind. */
export function incomingToJson(message: IncomingMessage): JsonValue {
  const { rawEvent: _rawEvent, ...rest } = message;
  // Most have none, and are spared a second copy.
  if (rest.attachments.length === 0) return { ...rest, attachments: [] };
  return { ...rest, attachments: rest.attachments.map(plainAttachment) };
}

function plainAttachment(attachment: IncomingAttachment): JsonObject {
  const { open: _open, ...rest } = attachment;
  return { ...rest };
}

/** Reads a message back. @returns `undefined` when it is not one. */
export function incomingFromJson(content: JsonValue): IncomingMessage | undefined {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return undefined;
  const isMessage = "backendName" in content && "conversation" in content && "kind" in content;
  return isMessage ? content as JsonObject & IncomingMessage : undefined;
}
