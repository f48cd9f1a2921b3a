/**
 * Signed requests that come in.
 *
 * @module
 */
import {
  cloneJson,
  encodeBase64,
  INCOMING_KINDS,
  type IncomingKind,
  type IncomingMessage,
  type JsonObject,
  type JsonValue,
  type WebhookBatch,
  type WebhookReceiver,
} from "../../core/mod.ts";
import type { StandardWebhookSigner } from "./standard-webhooks.ts";

/** What {@link StandardWebhookReceiver} needs. */
export interface StandardWebhookReceiverOptions {
  /** The backend's name. */
  readonly backendName: string;
  /** Verifies. */
  readonly signer: StandardWebhookSigner;
  /** The largest body. */
  readonly maxBodyBytes: number;
  /** Gives the time. */
  readonly now: () => number;
}

/** Characters of a piece of something that cannot be kept whole. */
const PIECE_LENGTH = 150_000;
const MAX_MESSAGE_BYTES = 262_144;
const MAX_DEPTH = 32;
const MAX_ID_LENGTH = 200;
/** Made once: making one takes longer than decoding a webhook. */
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const VISIBLE = /^[\x21-\x7e]{1,180}$/;
const KINDS: ReadonlySet<string> = new Set(INCOMING_KINDS);
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "id",
  "conversation",
  "text",
  "kind",
  "sender",
  "sender_id",
  "timestamp",
  "reply_to",
  "metadata",
]);

/** Verifies requests by Standard Webhooks, and reads bodies as {@link INBOUND_SCHEMA} describes them. */
export class StandardWebhookReceiver implements WebhookReceiver {
  /** {@inheritDoc WebhookReceiver.maxBodyBytes} */
  readonly maxBodyBytes: number;
  readonly #options: StandardWebhookReceiverOptions;

  /**
   * Makes a receiver.
   *
   * @param options Names, signer.
   */
  constructor(options: StandardWebhookReceiverOptions) {
    this.#options = options;
    this.maxBodyBytes = options.maxBodyBytes;
  }

  /** {@inheritDoc WebhookReceiver.verify} */
  verify(headers: Headers, body: Uint8Array): Promise<boolean> {
    return this.#options.signer.verify(headers, body, this.#options.now());
  }

  /** {@inheritDoc WebhookReceiver.parse} */
  parse(body: Uint8Array, headers?: Headers): WebhookBatch {
    const requestId = headers?.get("webhook-id") ?? undefined;
    let text: string;
    try {
      text = UTF_8.decode(body);
    } catch {
      return onlyQuarantined(pieces(encodeBase64(body), "not-utf-8", "base64"));
    }
    try {
      const payload: unknown = JSON.parse(text);
      return this.#read(payload, requestId);
    } catch {
      // No JSON; or JSON so deep that it cannot be written again.
      return onlyQuarantined(pieces(text, "not-readable", "text"));
    }
  }

  #read(payload: unknown, requestId: string | undefined): WebhookBatch {
    const type = memberOf(payload, "type");
    const data = memberOf(payload, "data");
    const isEnvelope = typeof type === "string" && isObject(data);
    const content = isEnvelope ? data : payload;
    const list = memberOf(content, "messages");
    const items: readonly unknown[] = Array.isArray(list) ? list : [content];
    const messages: IncomingMessage[] = [];
    const quarantined: JsonValue[] = [];
    for (const [index, item] of items.entries()) {
      const fallback = requestId === undefined ? undefined : items.length === 1 ? requestId : `${requestId}.${index}`;
      const message = this.#readMessage(item, fallback, isEnvelope ? type : undefined);
      if (typeof message === "string") quarantined.push(...kept(item, message, `[${index}]`));
      else messages.push(message);
    }
    if (Array.isArray(list) && list.length === 0) quarantined.push(...kept(payload, "empty", ""));
    return { messages, receipts: [], quarantined };
  }

  /** The message, or why it is none. */
  #readMessage(item: unknown, fallbackId: string | undefined, type: string | undefined): IncomingMessage | string {
    if (!isObject(item)) return "no-message";
    const { backendName, now } = this.#options;
    const providerId = memberOf(item, "id") ?? fallbackId;
    const id = `${backendName}:${String(providerId)}`;
    if (typeof providerId !== "string" || !VISIBLE.test(providerId) || id.length > MAX_ID_LENGTH) return "no-id";
    const conversation = memberOf(item, "conversation");
    if (typeof conversation !== "string" || !VISIBLE.test(conversation)) return "no-conversation";
    const given = memberOf(item, "metadata");
    if (given !== undefined && !isObject(given)) return "odd-metadata";
    const all = additionsOf(item, given, type);
    if (!isJsonObject(all)) return "too-large";
    const text = textOf(item, "text") ?? "";
    const kind = memberOf(item, "kind");
    const sender = textOf(item, "sender");
    const senderId = textOf(item, "sender_id");
    const replyTo = textOf(item, "reply_to");
    if (text.length > MAX_MESSAGE_BYTES) return "too-large";
    for (const field of [sender, senderId, replyTo]) if (field !== undefined && field.length > 500) return "too-large";
    return {
      id,
      kind: isKind(kind) ? kind : kind === undefined ? "text" : "unsupported",
      text,
      ...(sender === undefined ? {} : { sender }),
      ...(senderId === undefined ? {} : { senderId }),
      chatLabel: "default",
      backendName,
      timestamp: timeOf(memberOf(item, "timestamp")) ?? now(),
      conversation,
      ...(replyTo === undefined ? {} : { replyTo }),
      attachments: [],
      metadata: isKind(kind) || kind === undefined ? all : { ...all, kind: copyOf(kind) ?? null },
      rawEvent: item,
    };
  }
}

/** What becomes metadata: of most messages nothing. `undefined` when it cannot be kept. */
function additionsOf(item: object, given: object | undefined, type: string | undefined): JsonValue | undefined {
  const isPlain = given === undefined && type === undefined && Object.keys(item).every((key) => OWN_FIELDS.has(key));
  if (isPlain) return {};
  const extras = Object.entries(item).filter(([key]) => !OWN_FIELDS.has(key));
  return copyOf({ ...Object.fromEntries(extras), ...given, ...(type === undefined ? {} : { type }) });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return isObject(value);
}

function isKind(value: unknown): value is IncomingKind {
  return typeof value === "string" && KINDS.has(value);
}

function memberOf(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function textOf(value: unknown, key: string): string | undefined {
  const member = memberOf(value, key);
  return typeof member === "string" && member !== "" ? member : undefined;
}

function timeOf(value: unknown): number | undefined {
  const time = typeof value === "string" && /^\d{4}-\d{2}-\d{2}T/.test(value) ? Date.parse(value) : value;
  return typeof time === "number" && Number.isFinite(time) && time > 0 && time < 8.64e15 ? time : undefined;
}

function copyOf(value: unknown): JsonValue | undefined {
  try {
    return cloneJson(value, "part", { maxBytes: MAX_MESSAGE_BYTES, maxDepth: MAX_DEPTH });
  } catch {
    return undefined;
  }
}

function kept(item: unknown, reason: string, path: string): readonly JsonValue[] {
  const part = copyOf(item);
  if (part !== undefined) return [{ provider: "webhook", reason, path, part }];
  return pieces(JSON.stringify(item) ?? "null", reason, "text");
}

function pieces(text: string, reason: string, as: "text" | "base64"): readonly JsonValue[] {
  const of = Math.max(1, Math.ceil(text.length / PIECE_LENGTH));
  return Array.from({ length: of }, (_, piece) => ({
    provider: "webhook",
    reason,
    piece: piece + 1,
    of,
    [as]: text.slice(piece * PIECE_LENGTH, (piece + 1) * PIECE_LENGTH),
  }));
}

function onlyQuarantined(quarantined: readonly JsonValue[]): WebhookBatch {
  return { messages: [], receipts: [], quarantined };
}
