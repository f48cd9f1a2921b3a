/**
 * A verified webhook body, taken apart: every entry, change, message and status of it ends up somewhere.
 *
 * Payloads: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
 *
 * @module
 */
import {
  cloneJson,
  encodeBase64,
  type IncomingMessage,
  type JsonObject,
  type JsonValue,
  type ProviderReceipt,
  type WebhookBatch,
} from "../../core/mod.ts";
import { describeError, memberOf, textOf } from "./graph-answer.ts";
import { type MediaOpener, readContent } from "./inbound-content.ts";

/** What reading needs to know of its backend. */
export interface BatchContext {
  /** The backend's name. */
  readonly backendName: string;
  /** The number it is for. */
  readonly phoneNumberId: string;
  /** Gives the time, for what comes without one. */
  readonly now: () => number;
  /** Opens a file. */
  readonly open: MediaOpener;
}

/** The most a message may take as JSON: beyond it, it is kept in pieces in quarantine. */
const MAX_MESSAGE_BYTES = 262_144;
const MAX_DEPTH = 32;
/** Characters of a piece of something that cannot be kept whole. */
const PIECE_LENGTH = 150_000;
/** How long an id may be, with the backend's name before it. */
const MAX_ID_LENGTH = 200;

const PRINTABLE = /^[\x21-\x7e]{1,180}$/;
const STATUSES: ReadonlyMap<string, ProviderReceipt["status"]> = new Map([
  ["sent", "sent"],
  ["delivered", "delivered"],
  ["read", "read"],
  ["played", "read"],
  ["failed", "failed"],
]);

/**
 * Reads a verified body. It never throws: what it does not understand is quarantined.
 *
 * @param body The raw body.
 * @param context The backend.
 */
export function readBatch(body: Uint8Array, context: BatchContext): WebhookBatch {
  const batch = new BatchBuilder(context);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    batch.quarantinePieces(encodeBase64(body), "not-utf-8", "", "base64");
    return batch;
  }
  try {
    const payload: unknown = JSON.parse(text);
    batch.readPayload(payload);
    return batch;
  } catch {
    // No JSON; or JSON so deep that it cannot be written again: then all of it is kept as it came.
    const whole = new BatchBuilder(context);
    whole.quarantinePieces(text, "not-readable", "", "text");
    return whole;
  }
}

class BatchBuilder implements WebhookBatch {
  readonly messages: IncomingMessage[] = [];
  readonly receipts: ProviderReceipt[] = [];
  readonly quarantined: JsonValue[] = [];
  readonly #context: BatchContext;

  constructor(context: BatchContext) {
    this.#context = context;
  }

  readPayload(payload: unknown): void {
    const entries = memberOf(payload, "entry");
    if (memberOf(payload, "object") !== "whatsapp_business_account" || !Array.isArray(entries)) {
      this.#quarantine(payload, "not-whatsapp", "");
      return;
    }
    for (const [index, entry] of entries.entries()) {
      const path = `entry[${index}]`;
      const changes = memberOf(entry, "changes");
      if (!Array.isArray(changes)) {
        this.#quarantine(entry, "no-changes", path);
        continue;
      }
      for (const [place, change] of changes.entries()) this.#readChange(change, `${path}.changes[${place}]`);
    }
  }

  #readChange(change: unknown, path: string): void {
    const value = memberOf(change, "value");
    const field = memberOf(change, "field");
    const updates = memberOf(value, "user_id_update");
    if (field === "user_id_update" && Array.isArray(updates)) {
      for (const [index, update] of updates.entries()) {
        this.#readUserIdUpdate(update, `${path}.value.user_id_update[${index}]`);
      }
    } else if (field === "messages" && typeof value === "object" && value !== null) {
      this.#readValue(value, change, `${path}.value`);
    } else {
      this.#quarantine(change, "unknown-field", path);
    }
  }

  #readValue(value: object, change: unknown, path: string): void {
    const known = new Set(["messaging_product", "metadata", "contacts", "messages", "statuses", "errors"]);
    let found = 0;
    for (const part of ["messages", "statuses", "errors"]) {
      const list = memberOf(value, part);
      if (list === undefined) continue;
      if (!Array.isArray(list)) {
        this.#quarantine(list, `odd-${part}`, `${path}.${part}`);
        found++;
        continue;
      }
      for (const [index, item] of list.entries()) {
        found++;
        const place = `${path}.${part}[${index}]`;
        if (part === "messages") this.#readMessage(item, value, place);
        else if (part === "statuses") this.#readStatus(item, place);
        else this.#quarantine(item, "error", place);
      }
    }
    if (found === 0) {
      this.#quarantine(change, "nothing-known", path);
      return;
    }
    const others = Object.entries(value).filter(([key]) => !known.has(key));
    if (others.length > 0) this.#quarantine(Object.fromEntries(others), "unknown-part", path);
  }

  #readMessage(raw: unknown, value: object, path: string): void {
    const { backendName, phoneNumberId } = this.#context;
    const metadata = memberOf(value, "metadata");
    const forNumber = textOf(metadata, "phone_number_id");
    if (forNumber !== undefined && forNumber !== phoneNumberId) {
      // An answer would come from another number than the one written to.
      this.#quarantine(raw, "other-phone-number", path, { phone_number_id: forNumber });
      return;
    }
    const wamid = textOf(raw, "id");
    const userId = textOf(raw, "from_user_id");
    // A word of Meta's own (`system`) may name nobody but the new id of whom it is about.
    const senderId = textOf(raw, "from") ?? userId ?? textOf(memberOf(raw, "system"), "user_id");
    if (!isId(wamid, backendName)) return this.#quarantine(raw, "no-id", path);
    if (senderId === undefined || !PRINTABLE.test(senderId)) return this.#quarantine(raw, "no-sender", path);
    const copy = copyOf(raw);
    if (copy === undefined) return this.#quarantine(raw, "too-large", path);
    const contact = contactOf(memberOf(value, "contacts"), senderId, userId);
    const content = readContent(raw, this.#context.open);
    const sender = textOf(memberOf(contact, "profile"), "name") ?? textOf(memberOf(contact, "profile"), "username");
    const group = textOf(raw, "group_id");
    const replyTo = textOf(memberOf(raw, "context"), "id") ?? content.replyTo;
    this.messages.push({
      id: `${backendName}:${wamid}`,
      kind: content.kind,
      text: content.text,
      ...(sender === undefined ? {} : { sender }),
      senderId,
      chatLabel: "default",
      backendName,
      timestamp: this.#timeOf(memberOf(raw, "timestamp")),
      conversation: group !== undefined && PRINTABLE.test(group) ? `group:${group}` : senderId,
      ...(replyTo === undefined ? {} : { replyTo }),
      attachments: content.attachments,
      metadata: {
        ...(content.payload === undefined ? {} : { payload: content.payload }),
        whatsapp: {
          message: copy,
          ...asMember("contact", copyOf(contact)),
          ...asMember("metadata", copyOf(metadata)),
        },
      },
      rawEvent: raw,
    });
  }

  #readStatus(raw: unknown, path: string): void {
    const providerMessageId = textOf(raw, "id");
    const status = STATUSES.get(textOf(raw, "status") ?? "");
    if (providerMessageId === undefined || status === undefined) return this.#quarantine(raw, "odd-status", path);
    const errors = memberOf(raw, "errors");
    const error: unknown = Array.isArray(errors) ? errors[0] : undefined;
    const code = memberOf(error, "code");
    const recipient = textOf(raw, "recipient_id") ?? textOf(raw, "recipient_user_id");
    const deliveryId = textOf(raw, "biz_opaque_callback_data");
    this.receipts.push({
      providerMessageId,
      status,
      timestamp: this.#timeOf(memberOf(raw, "timestamp")),
      ...(deliveryId === undefined ? {} : { deliveryId }),
      ...(recipient === undefined ? {} : { recipient }),
      ...(typeof code === "number" || typeof code === "string" ? { code: String(code) } : {}),
      ...(error === undefined ? {} : { detail: describeError(error) }),
    });
  }

  /** A person got another business-scoped user id: who keeps ids must change them. */
  #readUserIdUpdate(raw: unknown, path: string): void {
    const { backendName } = this.#context;
    const previous = textOf(memberOf(raw, "user_id"), "previous");
    const current = textOf(memberOf(raw, "user_id"), "current");
    const timestamp = this.#timeOf(memberOf(raw, "timestamp"));
    const id = `user-id-update.${timestamp}.${current}`;
    const copy = copyOf(raw);
    if (previous === undefined || current === undefined || !isId(id, backendName) || copy === undefined) {
      return this.#quarantine(raw, "odd-user-id-update", path);
    }
    this.messages.push({
      id: `${backendName}:${id}`,
      kind: "unsupported",
      text: "",
      senderId: current,
      chatLabel: "default",
      backendName,
      timestamp,
      conversation: current,
      attachments: [],
      metadata: { whatsapp: { message: { type: "user_id_update", user_id_update: copy } } },
      rawEvent: raw,
    });
  }

  #timeOf(value: unknown): number {
    const seconds = typeof value === "string" || typeof value === "number" ? Number(value) : Number.NaN;
    return Number.isFinite(seconds) && seconds > 0 && seconds < 100_000_000_000
      ? Math.floor(seconds * 1_000)
      : this.#context.now();
  }

  /** Keeps what was not understood: whole if it can be, in pieces of text otherwise. */
  #quarantine(part: unknown, reason: string, path: string, extras: JsonObject = {}): void {
    const copy = copyOf(part);
    if (copy !== undefined) {
      this.quarantined.push({ provider: "whatsapp", reason, path, ...extras, part: copy });
      return;
    }
    this.quarantinePieces(JSON.stringify(part) ?? "null", reason, path, "text");
  }

  quarantinePieces(text: string, reason: string, path: string, as: "text" | "base64"): void {
    const of = Math.max(1, Math.ceil(text.length / PIECE_LENGTH));
    for (let piece = 0; piece < of; piece++) {
      const slice = text.slice(piece * PIECE_LENGTH, (piece + 1) * PIECE_LENGTH);
      this.quarantined.push({ provider: "whatsapp", reason, path, piece: piece + 1, of, [as]: slice });
    }
  }
}

function isId(id: string | undefined, backendName: string): id is string {
  return id !== undefined && /^[\x21-\x7e]+$/.test(id) && backendName.length + 1 + id.length <= MAX_ID_LENGTH;
}

function copyOf(value: unknown): JsonValue | undefined {
  if (value === undefined) return undefined;
  try {
    return cloneJson(value, "part", { maxBytes: MAX_MESSAGE_BYTES, maxDepth: MAX_DEPTH });
  } catch {
    return undefined;
  }
}

function asMember(name: string, value: JsonValue | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

function contactOf(contacts: unknown, senderId: string, userId: string | undefined): unknown {
  if (!Array.isArray(contacts)) return undefined;
  return contacts.find((each) =>
    textOf(each, "wa_id") === senderId || (userId !== undefined && textOf(each, "user_id") === userId)
  );
}
