/**
 * What a program wants said.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import { assertText } from "../support/assert.ts";
import type { Attachment, StoredAttachment } from "./attachment.ts";
import { cloneJson, type JsonObject } from "./json.ts";

/** The id of a message that came in, of up to 200 characters, and the number of the answer to it. */
const MAX_ID_LENGTH = 220;

/** How bad it is, mildest first. */
export const SEVERITIES = ["debug", "info", "warning", "error", "critical"] as const;

/** How bad it is. */
export type Severity = (typeof SEVERITIES)[number];

/** Whether one severity is at least another. */
export function isAtLeast(severity: Severity, minimum: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(minimum);
}

/** What `emit` takes: only `message` is required. */
export interface OutgoingMessageInit {
  /** The text. */
  readonly message: string;
  /** Chooses the backends: those that list it. @default `"default"` */
  readonly label?: string;
  /** Who says it, for people and logs. */
  readonly source?: string;
  /** How bad it is. @default `"info"` */
  readonly severity?: Severity;
  /** The subject, where the network has one (mail). */
  readonly subject?: string;
  /** Free additions, passed to the backends. `recipients` in it works as {@link OutgoingMessageInit.recipients}. */
  readonly metadata?: JsonObject;
  /** The message's own id. The same id emitted again is the same message. @default a UUIDv7 */
  readonly id?: string;
  /** The same text as HTML, where the network can show it. */
  readonly html?: string;
  /** Files that go with it. */
  readonly attachments?: readonly Attachment[];
  /** Addresses on the networks, in the place of the configured ones: one delivery each. */
  readonly recipients?: readonly string[];
  /** The lane. @default one per backend and recipient */
  readonly orderingKey?: string;
  /** Not sent before this time, in milliseconds since 1970, or a `Date`. */
  readonly notBefore?: number | Date;
  /** Not sent after this time, in milliseconds since 1970, or a `Date`. */
  readonly expiresAt?: number | Date;
  /** The provider's id of the message this one answers. */
  readonly replyTo?: string;
}

/** What a program wants said, checked and complete. */
export interface OutgoingMessage {
  /** The message's id. */
  readonly id: string;
  /** When it was made, in milliseconds since 1970. */
  readonly timestamp: number;
  /** The text. */
  readonly message: string;
  /** Chooses the backends. */
  readonly label: string;
  /** Who says it. */
  readonly source?: string;
  /** How bad it is. */
  readonly severity: Severity;
  /** The subject. */
  readonly subject?: string;
  /** Free additions. */
  readonly metadata: JsonObject;
  /** The same text as HTML. */
  readonly html?: string;
  /** Files that go with it. */
  readonly attachments: readonly Attachment[];
  /** Addresses in the place of the configured ones; empty: the configured ones. */
  readonly recipients: readonly string[];
  /** The lane, where one was named. */
  readonly orderingKey?: string;
  /** Not before, in milliseconds since 1970. */
  readonly notBefore?: number;
  /** Not after, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** The provider's id of the message this one answers. */
  readonly replyTo?: string;
}

/** An {@link OutgoingMessage} as the outbox keeps it: JSON. */
export interface StoredOutgoingMessage extends Omit<OutgoingMessage, "attachments"> {
  /** Attachments with their bytes as base64. */
  readonly attachments: readonly StoredAttachment[];
}

/** What {@link createOutgoingMessage} needs from its surroundings. */
export interface OutgoingMessageContext {
  /** Gives a new id. */
  readonly newId: () => string;
  /** Gives the time. */
  readonly now: () => number;
}

const KNOWN_KEYS: ReadonlySet<string> = new Set<keyof OutgoingMessageInit>([
  "message",
  "label",
  "source",
  "severity",
  "subject",
  "metadata",
  "id",
  "html",
  "attachments",
  "recipients",
  "orderingKey",
  "notBefore",
  "expiresAt",
  "replyTo",
]);

const MAX_RECIPIENTS = 1_000;
const MAX_ATTACHMENTS = 100;

/**
 * Checks what `emit` was given and completes it.
 *
 * @param init What the caller wrote.
 * @param context Where ids and time come from.
 * @returns The message, its metadata copied.
 * @throws {ValidationError} If a field is unknown or of the wrong kind.
 */
export function createOutgoingMessage(init: OutgoingMessageInit, context: OutgoingMessageContext): OutgoingMessage {
  if (typeof init !== "object" || init === null) {
    throw new ValidationError("message", `Cannot emit as the message must be an object, not ${kindOf(init)}`);
  }
  for (const key of Object.keys(init)) {
    if (!KNOWN_KEYS.has(key)) {
      throw new ValidationError(key, `Cannot emit as the message has an unknown field "${key}"`);
    }
  }
  const { metadata: givenMetadata = {}, severity = "info", label = "default" } = init;
  if (!SEVERITIES.includes(severity)) {
    throw new ValidationError(
      "severity",
      `Cannot emit as 'severity' must be one of ${SEVERITIES.join(", ")}, not ${kindOf(severity)}`,
    );
  }
  const metadata = cloneJson(givenMetadata, "metadata");
  if (typeof metadata !== "object" || metadata === null || !isJsonObject(metadata)) {
    throw new ValidationError("metadata", `Cannot emit as 'metadata' must be an object, not ${kindOf(givenMetadata)}`);
  }
  const notBefore = timeOf(init.notBefore, "notBefore");
  const expiresAt = timeOf(init.expiresAt, "expiresAt");
  return {
    id: init.id === undefined ? context.newId() : assertText(init.id, "id", { maxLength: MAX_ID_LENGTH }),
    timestamp: context.now(),
    message: assertText(init.message, "message", {
      maxLength: 1_000_000,
      allowEmpty: hasOtherContent(init),
      multiline: true,
    }),
    label: assertText(label, "label", { maxLength: 200 }),
    severity,
    metadata,
    attachments: checkAttachments(init.attachments ?? []),
    recipients: checkRecipients(init.recipients ?? metadata["recipients"] ?? []),
    ...(init.source === undefined ? {} : { source: assertText(init.source, "source", { maxLength: 500 }) }),
    ...(init.subject === undefined
      ? {}
      : { subject: assertText(init.subject, "subject", { maxLength: 998, allowEmpty: true }) }),
    ...(init.html === undefined
      ? {}
      : { html: assertText(init.html, "html", { maxLength: 1_000_000, multiline: true }) }),
    ...(init.orderingKey === undefined
      ? {}
      : { orderingKey: assertText(init.orderingKey, "orderingKey", { maxLength: 500 }) }),
    ...(init.replyTo === undefined ? {} : { replyTo: assertText(init.replyTo, "replyTo", { maxLength: 500 }) }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function hasOtherContent(init: OutgoingMessageInit): boolean {
  return (Array.isArray(init.attachments) && init.attachments.length > 0) || typeof init.html === "string";
}

function isJsonObject(value: object): value is JsonObject {
  return !Array.isArray(value);
}

function timeOf(value: number | Date | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  const time = value instanceof Date ? value.getTime() : value;
  if (typeof time !== "number" || !Number.isFinite(time) || time < 0) {
    throw new ValidationError(name, `Cannot emit as '${name}' must be a time, not ${kindOf(value)}`);
  }
  return time;
}

function checkRecipients(value: unknown): readonly string[] {
  const list: unknown = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list)) {
    throw new ValidationError(
      "recipients",
      `Cannot emit as 'recipients' must be an array of texts, not ${kindOf(value)}`,
    );
  }
  if (list.length > MAX_RECIPIENTS) {
    throw new ValidationError("recipients", `Cannot emit to ${list.length} recipients: limit is ${MAX_RECIPIENTS}`);
  }
  return list.map((item: unknown, index) => assertText(item, `recipients[${index}]`, { maxLength: 500 }));
}

function checkAttachments(value: unknown): readonly Attachment[] {
  if (!Array.isArray(value)) {
    throw new ValidationError("attachments", `Cannot emit as 'attachments' must be an array, not ${kindOf(value)}`);
  }
  if (value.length > MAX_ATTACHMENTS) {
    throw new ValidationError("attachments", `Cannot emit ${value.length} attachments: limit is ${MAX_ATTACHMENTS}`);
  }
  return value.map(checkAttachment);
}

function checkAttachment(value: Attachment, index: number): Attachment {
  const path = `attachments[${index}]`;
  if (typeof value !== "object" || value === null) {
    throw new ValidationError(path, `Cannot emit as '${path}' must be an object, not ${kindOf(value)}`);
  }
  const sources = [value.bytes, value.url, value.providerId].filter((source) => source !== undefined);
  if (sources.length !== 1) {
    throw new ValidationError(path, `Cannot emit as '${path}' must have exactly one of bytes, url and providerId`);
  }
  if (value.bytes !== undefined && !(value.bytes instanceof Uint8Array)) {
    throw new ValidationError(
      `${path}.bytes`,
      `Cannot emit as '${path}.bytes' must be a Uint8Array, not ${kindOf(value.bytes)}`,
    );
  }
  return {
    filename: assertText(value.filename, `${path}.filename`, { maxLength: 255 }),
    contentType: assertText(value.contentType, `${path}.contentType`, { maxLength: 255 }),
    ...(value.bytes === undefined ? {} : { bytes: value.bytes }),
    ...(value.url === undefined ? {} : { url: checkHttpsUrl(value.url, `${path}.url`) }),
    ...(value.providerId === undefined
      ? {}
      : { providerId: assertText(value.providerId, `${path}.providerId`, { maxLength: 500 }) }),
    ...(value.caption === undefined
      ? {}
      : { caption: assertText(value.caption, `${path}.caption`, { maxLength: 10_000, multiline: true }) }),
  };
}

function checkHttpsUrl(value: unknown, path: string): string {
  const text = assertText(value, path, { maxLength: 2_000 });
  if (!URL.canParse(text) || new URL(text).protocol !== "https:") {
    throw new ValidationError(path, `Cannot emit as '${path}' must be an absolute https URL`);
  }
  return text;
}
