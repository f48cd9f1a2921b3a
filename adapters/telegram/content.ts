/**
 * What a Telegram message says: its kind, its text and its files.
 *
 * @module
 */
import type { IncomingAttachment, IncomingKind, JsonObject, OpenAttachmentOptions } from "../../core/mod.ts";
import { numberAt, objectAt, objectsAt, textAt, type Unchecked } from "./json.ts";

/** Streams a file by its id. */
export type FileOpener = (fileId: string, options?: OpenAttachmentOptions) => Promise<ReadableStream<Uint8Array>>;

/** What a message says. */
export interface Content {
  /** What kind of thing. */
  readonly kind: IncomingKind;
  /** The text, or the caption. */
  readonly text: string;
  /** Files. */
  readonly attachments: readonly IncomingAttachment[];
  /** What has no field of its own. */
  readonly metadata: JsonObject;
}

interface FileKind {
  /** The member of the message. */
  readonly field: string;
  readonly kind: IncomingKind;
  readonly attachment: IncomingAttachment["kind"];
  /** What it is when Telegram does not say. */
  readonly contentType?: string;
}

/** Members that hold one file, in the order they are looked for: an animation also comes as a document. */
const FILES: readonly FileKind[] = [
  { field: "animation", kind: "video", attachment: "video", contentType: "video/mp4" },
  { field: "video", kind: "video", attachment: "video" },
  { field: "video_note", kind: "video", attachment: "video", contentType: "video/mp4" },
  { field: "live_photo", kind: "video", attachment: "video", contentType: "video/mp4" },
  { field: "voice", kind: "audio", attachment: "audio", contentType: "audio/ogg" },
  { field: "audio", kind: "audio", attachment: "audio" },
  { field: "document", kind: "document", attachment: "document" },
  { field: "sticker", kind: "image", attachment: "sticker" },
];

/**
 * Reads a message.
 *
 * @param message The message, unchecked.
 * @param open Streams its files.
 * @returns What it says; `undefined` when it says nothing this library has a word for.
 */
export function readContent(message: Unchecked, open: FileOpener): Content | undefined {
  const text = textAt(message, "text");
  if (text !== undefined) return { kind: "text", text, attachments: [], metadata: {} };
  return readFile(message, open) ?? readPlace(message) ?? readContact(message) ?? readWebAppData(message);
}

function readFile(message: Unchecked, open: FileOpener): Content | undefined {
  const caption = textAt(message, "caption");
  const photo = largest(objectsAt(message, "photo"));
  const found = photo === undefined
    ? FILES.find(({ field }) => textAt(objectAt(message, field), "file_id") !== undefined)
    : { field: "photo", kind: "image", attachment: "image", contentType: "image/jpeg" } satisfies FileKind;
  if (found === undefined) return undefined;
  const file = photo ?? objectAt(message, found.field);
  const providerId = textAt(file, "file_id");
  if (providerId === undefined) return undefined;
  const contentType = textAt(file, "mime_type") ?? (found.field === "sticker" ? stickerType(file) : found.contentType);
  const filename = textAt(file, "file_name");
  const sizeBytes = numberAt(file, "file_size");
  const emoji = found.field === "sticker" ? textAt(file, "emoji") : undefined;
  const attachment: IncomingAttachment = {
    kind: found.attachment,
    providerId,
    ...(contentType === undefined ? {} : { contentType }),
    ...(filename === undefined ? {} : { filename }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(caption === undefined ? {} : { caption }),
    open: (options) => open(providerId, options),
  };
  return {
    kind: found.kind,
    text: caption ?? emoji ?? "",
    attachments: [attachment],
    metadata: { media: found.field },
  };
}

function stickerType(sticker: Unchecked | undefined): string {
  if (sticker?.["is_animated"] === true) return "application/x-tgsticker";
  return sticker?.["is_video"] === true ? "video/webm" : "image/webp";
}

/** Telegram gives every photo in several sizes. */
function largest(sizes: readonly Unchecked[]): Unchecked | undefined {
  let best: Unchecked | undefined;
  for (const size of sizes) {
    if (textAt(size, "file_id") !== undefined && areaOf(size) >= areaOf(best)) best = size;
  }
  return best;
}

function areaOf(size: Unchecked | undefined): number {
  return (numberAt(size, "width") ?? 0) * (numberAt(size, "height") ?? 0);
}

function readPlace(message: Unchecked): Content | undefined {
  const venue = objectAt(message, "venue");
  const location = objectAt(venue, "location") ?? objectAt(message, "location");
  const latitude = numberAt(location, "latitude");
  const longitude = numberAt(location, "longitude");
  if (latitude === undefined || longitude === undefined) return undefined;
  const title = textAt(venue, "title");
  const address = textAt(venue, "address");
  const livePeriod = numberAt(location, "live_period");
  return {
    kind: "location",
    text: [title, address].filter((part) => part !== undefined).join(", "),
    attachments: [],
    metadata: {
      location: {
        latitude,
        longitude,
        ...(title === undefined ? {} : { title }),
        ...(address === undefined ? {} : { address }),
        ...(livePeriod === undefined ? {} : { live_period: livePeriod }),
      },
    },
  };
}

function readContact(message: Unchecked): Content | undefined {
  const contact = objectAt(message, "contact");
  const phone = textAt(contact, "phone_number");
  if (phone === undefined) return undefined;
  const name = nameOf(contact) ?? "";
  const userId = numberAt(contact, "user_id");
  const vcard = textAt(contact, "vcard");
  return {
    kind: "contact",
    text: name,
    attachments: [],
    metadata: {
      contact: {
        name,
        phone_number: phone,
        ...(userId === undefined ? {} : { user_id: userId }),
        ...(vcard === undefined ? {} : { vcard }),
      },
    },
  };
}

function readWebAppData(message: Unchecked): Content | undefined {
  const data = objectAt(message, "web_app_data");
  const text = textAt(data, "data");
  if (text === undefined) return undefined;
  const button = textAt(data, "button_text");
  return {
    kind: "interactive",
    text: button ?? "",
    attachments: [],
    metadata: { web_app_data: text },
  };
}

/** The name of a user, contact or chat, for people. */
export function nameOf(of: Unchecked | undefined): string | undefined {
  const name = [textAt(of, "first_name"), textAt(of, "last_name")].filter((part) => part !== undefined && part !== "");
  return name.length > 0 ? name.join(" ") : textAt(of, "title");
}
