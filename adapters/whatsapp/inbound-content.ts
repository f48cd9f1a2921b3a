/**
 * What a message from a person says, by its type.
 *
 * @module
 */
import type { IncomingAttachment, IncomingKind, OpenAttachmentOptions } from "../../core/mod.ts";
import { memberOf, textOf } from "./graph-answer.ts";

/** Opens a file by its id. */
export type MediaOpener = (mediaId: string, options?: OpenAttachmentOptions) => Promise<ReadableStream<Uint8Array>>;

/** What a message says, normalised. */
export interface InboundContent {
  /** Its kind. */
  readonly kind: IncomingKind;
  /** Its text, caption or label. */
  readonly text: string;
  /** Its files. */
  readonly attachments: readonly IncomingAttachment[];
  /** What a button or a row of a list stands for. */
  readonly payload?: string;
  /** The message a reaction is to. */
  readonly replyTo?: string;
}

const MEDIA: ReadonlyMap<string, { readonly kind: IncomingKind; readonly attachment: IncomingAttachment["kind"] }> =
  new Map([
    ["audio", { kind: "audio", attachment: "audio" }],
    ["voice", { kind: "audio", attachment: "audio" }],
    ["image", { kind: "image", attachment: "image" }],
    ["sticker", { kind: "image", attachment: "sticker" }],
    ["video", { kind: "video", attachment: "video" }],
    ["document", { kind: "document", attachment: "document" }],
  ]);

/** Of a type there is no word for, or without what its type promises. The raw message stays in the metadata. */
const UNSUPPORTED: InboundContent = { kind: "unsupported", text: "", attachments: [] };

/**
 * Reads a message.
 *
 * @param raw One of `messages` of a webhook.
 * @param open Opens a file.
 */
export function readContent(raw: unknown, open: MediaOpener): InboundContent {
  const type = textOf(raw, "type") ?? "";
  const part = memberOf(raw, type);
  const media = MEDIA.get(type);
  if (media !== undefined) return readMedia(media, part, open);
  switch (type) {
    case "text": {
      const text = textOf(part, "body");
      return text === undefined ? UNSUPPORTED : { kind: "text", text, attachments: [] };
    }
    case "button": {
      const text = textOf(part, "text") ?? textOf(part, "payload");
      if (text === undefined) return UNSUPPORTED;
      return { kind: "interactive", text, attachments: [], ...payloadOf(textOf(part, "payload")) };
    }
    case "interactive":
      return readInteractive(part);
    case "location":
      return typeof memberOf(part, "latitude") === "number"
        ? { kind: "location", text: textOf(part, "name") ?? textOf(part, "address") ?? "", attachments: [] }
        : UNSUPPORTED;
    case "contacts": {
      const first: unknown = Array.isArray(part) ? part[0] : undefined;
      if (first === undefined) return UNSUPPORTED;
      return { kind: "contact", text: textOf(memberOf(first, "name"), "formatted_name") ?? "", attachments: [] };
    }
    case "reaction": {
      const replyTo = textOf(part, "message_id");
      if (replyTo === undefined) return UNSUPPORTED;
      return { kind: "reaction", text: textOf(part, "emoji") ?? "", attachments: [], replyTo };
    }
    // Orders, system messages, and what Meta itself cannot pass on: no word of ours, but the text where there is one.
    default:
      return { ...UNSUPPORTED, text: textOf(part, "text") ?? textOf(part, "body") ?? "" };
  }
}

function readMedia(
  { kind, attachment }: { readonly kind: IncomingKind; readonly attachment: IncomingAttachment["kind"] },
  part: unknown,
  open: MediaOpener,
): InboundContent {
  const providerId = textOf(part, "id");
  if (providerId === undefined) return UNSUPPORTED;
  const caption = textOf(part, "caption");
  const contentType = textOf(part, "mime_type");
  const filename = textOf(part, "filename");
  const size = memberOf(part, "file_size");
  return {
    kind,
    text: caption ?? "",
    attachments: [{
      kind: attachment,
      providerId,
      ...(contentType === undefined ? {} : { contentType }),
      ...(filename === undefined ? {} : { filename }),
      ...(typeof size === "number" && size >= 0 ? { sizeBytes: size } : {}),
      ...(caption === undefined ? {} : { caption }),
      open: (options) => open(providerId, options),
    }],
  };
}

function readInteractive(part: unknown): InboundContent {
  const type = textOf(part, "type") ?? "";
  const reply = memberOf(part, type);
  if (type === "button_reply" || type === "list_reply") {
    const text = textOf(reply, "title") ?? textOf(reply, "id");
    if (text === undefined) return UNSUPPORTED;
    return { kind: "interactive", text, attachments: [], ...payloadOf(textOf(reply, "id")) };
  }
  if (type === "nfm_reply") {
    return {
      kind: "interactive",
      text: textOf(reply, "body") ?? "",
      attachments: [],
      ...payloadOf(textOf(reply, "response_json")),
    };
  }
  return UNSUPPORTED;
}

function payloadOf(payload: string | undefined): { readonly payload?: string } {
  return payload === undefined ? {} : { payload };
}
