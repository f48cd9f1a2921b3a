/**
 * What requests a message takes: pure, so that an attempt can go on where the one before stopped.
 *
 * @module
 */
import { type Attachment, type JsonObject, type OutgoingMessage, splitText, ValidationError } from "../../core/mod.ts";
import { contentPayload } from "./content-payload.ts";

/** The kinds of file WhatsApp knows. */
export type MediaKind = "audio" | "image" | "video" | "document";

/** One request: content that is ready, or a file whose bytes must go up first. */
export type PlannedPart =
  | { readonly type: string; readonly value: JsonObject }
  | { readonly type: MediaKind; readonly upload: Attachment; readonly value: JsonObject };

/** The longest text of one message. */
export const MAX_TEXT_LENGTH = 4_096;

const MAX_CAPTION_LENGTH = 1_024;

const MEGABYTE = 1_048_576;
const MAX_BYTES: Readonly<Record<MediaKind, number>> = {
  audio: 16 * MEGABYTE,
  image: 5 * MEGABYTE,
  video: 16 * MEGABYTE,
  document: 100 * MEGABYTE,
};

/** What WhatsApp plays or shows. Every other kind of file goes as a document. */
const KINDS: ReadonlyMap<string, MediaKind> = new Map([
  ["audio/aac", "audio"],
  ["audio/amr", "audio"],
  ["audio/mp4", "audio"],
  ["audio/mpeg", "audio"],
  ["audio/ogg", "audio"],
  ["image/jpeg", "image"],
  ["image/png", "image"],
  ["video/3gpp", "video"],
  ["video/mp4", "video"],
]);

/**
 * Plans a message: `metadata.whatsapp` if there is one, the text in parts, the attachments each by itself. A short text
 * with a file that can have a caption becomes the caption.
 *
 * @param message The message.
 * @param previewUrl Whether links are shown with a preview.
 * @returns The requests, in order; the same for the same message.
 * @throws {ValidationError} If WhatsApp cannot carry it.
 */
export function planMessage(message: OutgoingMessage, previewUrl: boolean): readonly PlannedPart[] {
  const content = message.metadata["whatsapp"];
  const payload = content === undefined ? undefined : contentPayload(content, message.message);
  if (payload?.text === "not-sent" && message.attachments.length > 0) {
    throw new ValidationError("attachments", `Cannot send attachments with a ${payload.type}`);
  }
  const text = payload === undefined || payload.text === "before" ? message.message : "";
  const [first] = message.attachments;
  const asCaption = first !== undefined && text !== "" && canHaveCaption(first, text);
  const parts: PlannedPart[] = asCaption ? [] : textParts(text, previewUrl);
  for (const [index, attachment] of message.attachments.entries()) {
    parts.push(mediaPart(attachment, index, asCaption && index === 0 ? text : attachment.caption));
  }
  if (payload !== undefined) parts.push({ type: payload.type, value: payload.value });
  if (parts.length === 0) throw new ValidationError("message", "Cannot send an empty message");
  return parts;
}

function textParts(text: string, previewUrl: boolean): PlannedPart[] {
  // A part of nothing but spaces and line breaks is refused by Meta, and nobody would see it.
  return splitText(text, MAX_TEXT_LENGTH)
    .filter((part) => part.trim() !== "")
    .map((body) => ({ type: "text", value: { body, preview_url: previewUrl } }));
}

function canHaveCaption(attachment: Attachment, text: string): boolean {
  return attachment.caption === undefined && text.length <= MAX_CAPTION_LENGTH && text.trim() !== "" &&
    kindOfMedia(attachment) !== "audio";
}

function kindOfMedia({ contentType }: Attachment): MediaKind {
  return KINDS.get(contentType.toLowerCase().split(";")[0]?.trim() ?? "") ?? "document";
}

function mediaPart(attachment: Attachment, index: number, caption: string | undefined): PlannedPart {
  const path = `attachments[${index}]`;
  const type = kindOfMedia(attachment);
  if (caption !== undefined && type === "audio") {
    throw new ValidationError(`${path}.caption`, `Cannot send '${path}': audio has no caption on WhatsApp`);
  }
  if (caption !== undefined && caption.length > MAX_CAPTION_LENGTH) {
    throw new ValidationError(
      `${path}.caption`,
      `Cannot send a caption of ${caption.length} characters: WhatsApp takes ${MAX_CAPTION_LENGTH}`,
    );
  }
  const extras: JsonObject = {
    ...(caption === undefined || caption === "" ? {} : { caption }),
    ...(type === "document" ? { filename: attachment.filename } : {}),
  };
  if (attachment.bytes !== undefined) {
    if (attachment.bytes.length > MAX_BYTES[type]) {
      throw new ValidationError(
        `${path}.bytes`,
        `Cannot send ${attachment.bytes.length} bytes of ${type}: WhatsApp takes ${MAX_BYTES[type]}`,
      );
    }
    return { type, upload: attachment, value: extras };
  }
  if (attachment.providerId !== undefined) return { type, value: { id: attachment.providerId, ...extras } };
  return { type, value: { link: attachment.url ?? "", ...extras } };
}
