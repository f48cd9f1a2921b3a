/**
 * What is sent for a message: the calls, in order.
 *
 * @module
 */
import { InputFile } from "grammy/web";
import {
  type Attachment,
  escapeHtml,
  htmlToText,
  type JsonObject,
  type JsonValue,
  type OutgoingMessage,
  splitText,
} from "../../core/mod.ts";
import { toTelegramHtml } from "./html.ts";

/** The most UTF-16 units of a text after parsing. Source: core.telegram.org/bots/api#sendmessage. */
export const MAX_TEXT_LENGTH = 4096;
/** The most UTF-16 units of a caption after parsing. Source: core.telegram.org/bots/api#sendphoto. */
export const MAX_CAPTION_LENGTH = 1024;
/** A photo larger than this is refused; as a document it passes. */
const MAX_PHOTO_BYTES = 10_485_760;

/** One call. */
export interface PlannedCall {
  /** The method. */
  readonly method: string;
  /** Its parameters, without the chat. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** A text, as it is sent. */
export interface Body {
  /** The text or HTML. */
  readonly text: string;
  /** How Telegram shall read it. */
  readonly format: "text" | "html";
}

/** Parameters of the Bot API that a message may carry in `metadata.telegram`. */
export const PASSED_PARAMETERS = [
  "reply_markup",
  "disable_notification",
  "protect_content",
  "link_preview_options",
  "message_effect_id",
] as const;

/**
 * Decides what is sent for a message: texts and files in order, each short enough.
 *
 * The text goes with the first file as its caption where it fits, unless that file has a caption of its own; then it
 * goes before. A caption that is too long follows its file as a text.
 *
 * @param message The message.
 * @param parseMode Whether HTML is shown.
 * @returns The calls; none when there is nothing to read in it and no file.
 */
export function planMessage(message: OutgoingMessage, parseMode: "text" | "html"): readonly PlannedCall[] {
  const body = bodyOf(message, parseMode);
  const calls = message.attachments.length === 0
    ? textCalls(body)
    : attachmentCalls(message.attachments, body, parseMode);
  return withExtras(calls, message);
}

/**
 * The text of a message, as it is sent: its HTML where that is shown and says something, its escaped text otherwise.
 *
 * @param message The message.
 * @param parseMode Whether HTML is shown.
 */
export function bodyOf(
  message: { readonly message: string; readonly html?: string },
  parseMode: "text" | "html",
): Body {
  if (parseMode === "text") return { text: wellFormed(message.message), format: "text" };
  if (message.html !== undefined) {
    const html = toTelegramHtml(wellFormed(message.html));
    if (isVisible(html, "html")) return { text: html, format: "html" };
  }
  return { text: escapeHtml(wellFormed(message.message)), format: "html" };
}

/** Parameters that say how a text is read. */
export function textParameters(name: "text" | "caption", { text, format }: Body): Readonly<Record<string, string>> {
  return format === "html" ? { [name]: text, parse_mode: "HTML" } : { [name]: text };
}

/** A lone surrogate is no character, and Telegram refuses a text with one. */
function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

/** Telegram refuses a text of white space. */
function isVisible(text: string, format: "text" | "html"): boolean {
  // Nearly every text shows at once that there is something to read, before any tag or entity.
  if (/^[^<&]*[^<&\s]/.test(text.slice(0, 64))) return true;
  return (format === "html" ? htmlToText(text) : text).trim() !== "";
}

function textCalls(body: Body): PlannedCall[] {
  // The source is never shorter than what is read of it.
  const parts = body.text.length <= MAX_TEXT_LENGTH
    ? [body.text]
    : splitText(body.text, MAX_TEXT_LENGTH, { format: body.format });
  return parts.filter((text) => isVisible(text, body.format)).map((text) => ({
    method: "sendMessage",
    payload: textParameters("text", { text, format: body.format }),
  }));
}

function attachmentCalls(attachments: readonly Attachment[], body: Body, parseMode: "text" | "html"): PlannedCall[] {
  const calls: PlannedCall[] = [];
  const leading = attachments[0]?.caption === undefined ? body : undefined;
  if (leading === undefined) calls.push(...textCalls(body));
  for (const [index, attachment] of attachments.entries()) {
    const caption = attachment.caption === undefined
      ? (index === 0 ? leading : undefined)
      : bodyOf({ message: attachment.caption }, parseMode);
    calls.push(...fileCalls(attachment, caption));
  }
  return calls;
}

function fileCalls(attachment: Attachment, caption: Body | undefined): PlannedCall[] {
  const { method, field } = methodFor(attachment);
  const file = { [field]: fileOf(attachment) };
  if (caption === undefined || !isVisible(caption.text, caption.format)) return [{ method, payload: file }];
  const length = caption.format === "html" ? htmlToText(caption.text).length : caption.text.length;
  if (length > MAX_CAPTION_LENGTH) return [{ method, payload: file }, ...textCalls(caption)];
  return [{ method, payload: { ...file, ...textParameters("caption", caption) } }];
}

/** Which method shows a file best. What Telegram cannot play or show inline goes as a document. */
function methodFor({ contentType, bytes }: Attachment): { readonly method: string; readonly field: string } {
  const type = contentType.toLowerCase().split(";", 1)[0]?.trim() ?? "";
  switch (type) {
    case "image/jpeg":
    case "image/png":
    case "image/webp":
      if ((bytes?.length ?? 0) > MAX_PHOTO_BYTES) break;
      return { method: "sendPhoto", field: "photo" };
    case "image/gif":
      return { method: "sendAnimation", field: "animation" };
    case "audio/mpeg":
    case "audio/mp3":
    case "audio/mp4":
    case "audio/m4a":
    case "audio/x-m4a":
      return { method: "sendAudio", field: "audio" };
    case "audio/ogg":
    case "audio/opus":
      return { method: "sendVoice", field: "voice" };
    case "video/mp4":
      return { method: "sendVideo", field: "video" };
  }
  return { method: "sendDocument", field: "document" };
}

function fileOf({ bytes, url, providerId, filename }: Attachment): InputFile | string {
  if (bytes === undefined) return url ?? providerId ?? "";
  // grammY writes the name into a header as it is.
  return new InputFile(bytes, filename.replace(/["';\\\r\n]/g, "_"));
}

function withExtras(calls: readonly PlannedCall[], message: OutgoingMessage): readonly PlannedCall[] {
  const passed = passedParameters(message.metadata);
  const replyTo = replyParameters(message.replyTo);
  if (passed === undefined && replyTo === undefined) return calls;
  const { reply_markup: markup, ...everywhere } = passed ?? {};
  return calls.map(({ method, payload }, index) => ({
    method,
    payload: {
      ...payload,
      ...everywhere,
      ...(index === 0 && replyTo !== undefined ? { reply_parameters: replyTo } : {}),
      // Buttons belong under the end of a message.
      ...(index === calls.length - 1 && markup !== undefined ? { reply_markup: markup } : {}),
    },
  }));
}

/** What of `metadata.telegram` goes to the Bot API as it is. */
export function passedParameters(metadata: JsonObject): Record<string, JsonValue> | undefined {
  const given = metadata["telegram"];
  if (typeof given !== "object" || given === null || Array.isArray(given)) return undefined;
  const passed: Record<string, JsonValue> = {};
  for (const name of PASSED_PARAMETERS) {
    const value: JsonValue | undefined = name in given ? Reflect.get(given, name) : undefined;
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}

/** Whether a message answers one that Telegram can name. */
export function isMessageId(text: string): boolean {
  return /^[1-9]\d{0,9}$/.test(text);
}

function replyParameters(replyTo: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (replyTo === undefined || !isMessageId(replyTo)) return undefined;
  return { message_id: Number(replyTo), allow_sending_without_reply: true };
}
