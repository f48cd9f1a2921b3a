/**
 * An outgoing message as JSON, for the outbox.
 *
 * @module
 */
import type { Attachment, StoredAttachment } from "./attachment.ts";
import type { OutgoingMessage, StoredOutgoingMessage } from "./outgoing-message.ts";

/** Makes a message JSON: attachments' bytes become base64. */
export function toStoredMessage(message: OutgoingMessage): StoredOutgoingMessage {
  return { ...message, attachments: message.attachments.map(toStoredAttachment) };
}

/** Makes a stored message whole again. */
export function fromStoredMessage(stored: StoredOutgoingMessage): OutgoingMessage {
  return { ...stored, attachments: stored.attachments.map(fromStoredAttachment) };
}

function toStoredAttachment(attachment: Attachment): StoredAttachment {
  const { bytes, ...rest } = attachment;
  return bytes === undefined ? rest : { ...rest, base64: toBase64(bytes) };
}

function fromStoredAttachment(stored: StoredAttachment): Attachment {
  const { base64, ...rest } = stored;
  return base64 === undefined ? rest : { ...rest, bytes: fromBase64(base64) };
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8_192));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
