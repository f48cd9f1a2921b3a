/**
 * The checks a channel makes of what it is given, and the envelope it makes of a write.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import type { ChannelMessage, MessageEnvelope } from "../message/channel-message.ts";
import { cloneJson, EMPTY_OBJECT, type JsonObject, type JsonValue } from "../message/json.ts";
import { assertKey } from "../store/store-input.ts";
import type { StandardSchemaV1 } from "../support/standard-schema.ts";
import { assertDurationMs, assertId, assertInteger, assertText } from "../support/assert.ts";
import type { Retention, WriteOptions } from "./channel-options.ts";

const MAX_METADATA_BYTES = 65_536;
const MAX_LIMIT = 10_000;

/** What a message carries when nothing was added. */
export const NO_METADATA: JsonObject = EMPTY_OBJECT;

/** A write without options: known by its identity, so that nobody looks for what is not there. */
export const NO_OPTIONS: WriteOptions = Object.freeze({});

/** The members of T that may be written to: for building an object step by step. */
export type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Checks `limit`. */
export function checkLimit(limit: number | undefined, otherwise = 10): number {
  return limit === undefined ? otherwise : assertInteger(limit, "limit", 1, MAX_LIMIT);
}

/** Checks that options are an object. */
export function assertOptions(options: unknown, argument = "options"): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new ValidationError(argument, `Cannot accept '${argument}': it must be an object, not ${kindOf(options)}`);
  }
}

/** Checks a function. */
export function assertFunction(value: unknown, argument: string): void {
  if (typeof value !== "function") {
    throw new ValidationError(argument, `Cannot accept '${argument}': it must be a function, not ${kindOf(value)}`);
  }
}

/** Checks an object by the method that is used of it. */
export function assertHasMethod(value: unknown, method: string, argument: string): void {
  if (typeof value === "object" && value !== null && typeof Reflect.get(value, method) === "function") return;
  throw new ValidationError(
    argument,
    `Cannot accept '${argument}': it must be an object with ${method}(), not ${kindOf(value)}`,
  );
}

/** Checks a duration that ends: a lease, a delay, a time to live. */
export function assertFiniteMs(value: unknown, argument: string, minimum = 0): number {
  const durationMs = assertDurationMs(value, argument, minimum);
  if (durationMs !== Infinity) return durationMs;
  throw new ValidationError(argument, `Cannot accept '${argument}': it must be finite`);
}

/** Checks a list of words. */
export function assertWords(value: unknown, argument: string): readonly string[] {
  if (!Array.isArray(value)) {
    throw new ValidationError(
      argument,
      `Cannot accept '${argument}': it must be an array of texts, not ${kindOf(value)}`,
    );
  }
  return value.map((word, index) => assertText(word, `${argument}[${index}]`));
}

/** Checks a retention, and leaves out what says nothing. */
export function resolveRetention(retention: Retention): Retention {
  assertOptions(retention, "retention");
  const { maxAgeMs = Infinity, maxCount = Infinity } = retention;
  assertDurationMs(maxAgeMs, "retention.maxAgeMs");
  if (maxCount !== Infinity) assertInteger(maxCount, "retention.maxCount", 0);
  return {
    ...(maxAgeMs === Infinity ? undefined : { maxAgeMs }),
    ...(maxCount === Infinity ? undefined : { maxCount }),
  };
}

/** Checks metadata, and copies it. */
export function checkMetadata(value: unknown): JsonObject {
  const copy = cloneJson(value, "metadata", { maxBytes: MAX_METADATA_BYTES });
  if (isJsonObject(copy)) return copy;
  throw new ValidationError("metadata", `Cannot write as 'metadata' must be an object, not ${kindOf(value)}`);
}

/** Whether a JSON value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks what is written with `direct`. */
export function wholeMessage<T>(data: T | ChannelMessage<T>): ChannelMessage<T> {
  if (!isMessage<T>(data)) {
    throw new ValidationError("data", `Cannot write directly as 'data' must be a ChannelMessage, not ${kindOf(data)}`);
  }
  const { id, timestamp, senderId, content, metadata, correlationId, replyTo, recipientId } = data;
  return {
    id: assertId(id, "data.id"),
    timestamp: checkTime(timestamp, "data.timestamp"),
    senderId: assertId(senderId, "data.senderId"),
    content,
    metadata: metadata === undefined ? NO_METADATA : checkMetadata(metadata),
    ...(correlationId === undefined ? undefined : { correlationId }),
    ...(replyTo === undefined ? undefined : { replyTo }),
    ...(recipientId === undefined ? undefined : { recipientId }),
  };
}

function isMessage<T>(data: T | ChannelMessage<T>): data is ChannelMessage<T> {
  return typeof data === "object" && data !== null && "content" in data && "id" in data && "senderId" in data;
}

/** Checks a time. */
export function checkTime(value: unknown, argument: string): number {
  const time = value instanceof Date ? value.getTime() : value;
  if (typeof time === "number" && Number.isFinite(time) && time >= 0) return time;
  throw new ValidationError(argument, `Cannot write as '${argument}' must be a time, not ${kindOf(value)}`);
}

/** Completes and checks a message on its way into a store. What options say goes before what the message says. */
export function makeEnvelope<T>(
  message: ChannelMessage<T>,
  options: WriteOptions,
  namespace: string,
): MessageEnvelope<T> {
  const { id, timestamp, senderId, content, metadata, recipientId, correlationId, replyTo } = message;
  const envelope: Writable<MessageEnvelope<T>> = { v: 1, id, timestamp, senderId, content, metadata, namespace };
  // No spreads of what is mostly absent: every write comes by here.
  if (recipientId !== undefined) envelope.recipientId = assertId(recipientId, "recipientId");
  if (correlationId !== undefined) envelope.correlationId = assertId(correlationId, "correlationId");
  if (replyTo !== undefined) envelope.replyTo = assertId(replyTo, "replyTo");
  if (options !== NO_OPTIONS) applyOptions(envelope, options);
  return envelope;
}

/** Writes what options say over what is there. */
function applyOptions<T>(envelope: Writable<MessageEnvelope<T>>, options: WriteOptions): void {
  const { id, recipientId, correlationId, replyTo, metadata } = options;
  const { notBefore, expiresAt, orderingKey, externalId, traceparent, dedupeForMs } = options;
  if (id !== undefined) envelope.id = assertId(id, "id");
  if (metadata !== undefined) envelope.metadata = checkMetadata(metadata);
  if (recipientId !== undefined) envelope.recipientId = assertId(recipientId, "recipientId");
  if (correlationId !== undefined) envelope.correlationId = assertId(correlationId, "correlationId");
  if (replyTo !== undefined) envelope.replyTo = assertId(replyTo, "replyTo");
  if (notBefore !== undefined) envelope.notBefore = checkTime(notBefore, "notBefore");
  if (expiresAt !== undefined) envelope.expiresAt = checkTime(expiresAt, "expiresAt");
  if (orderingKey !== undefined) {
    envelope.orderingKey = assertKey(assertText(orderingKey, "orderingKey"), "orderingKey");
  }
  if (externalId !== undefined) envelope.externalId = assertId(externalId, "externalId");
  if (traceparent !== undefined) {
    envelope.traceparent = assertKey(assertText(traceparent, "traceparent", { maxLength: 200 }), "traceparent");
  }
  if (dedupeForMs !== undefined) assertFiniteMs(dedupeForMs, "dedupeForMs");
}

/** The store names what it refuses by its own arguments; a writer knows them by their own names. */
export function renamed(error: unknown): unknown {
  if (!(error instanceof ValidationError)) return error;
  const match = /^messages\[0\]\.(.+)$/.exec(error.argument);
  const argument = match?.[1];
  if (argument === undefined) return error;
  return new ValidationError(argument, error.message.replace(error.argument, argument), { cause: error });
}

/** Checks a schema. */
export function checkSchema<T>(
  schema: StandardSchemaV1<unknown, T> | undefined,
): StandardSchemaV1<unknown, T> | undefined {
  if (schema === undefined) return undefined;
  const standard: unknown = typeof schema === "object" || typeof schema === "function"
    ? schema?.["~standard"]
    : undefined;
  assertHasMethod(standard, "validate", "schema");
  return schema;
}

/** Checks how far a stream reads ahead. */
export function checkHighWaterMark(highWaterMark: number | undefined): void {
  if (highWaterMark !== undefined) assertInteger(highWaterMark, "highWaterMark", 1, 10_000);
}

/**
 * Checks what a converter made. One that forgets its `return` must not look like one that drops the message on purpose.
 */
export function checkConverted<T>(message: ChannelMessage<T> | null): ChannelMessage<T> | null {
  if (message === null) return null;
  assertOptions(message, "what convertFn returned");
  assertId(message.id, "what convertFn returned.id");
  assertId(message.senderId, "what convertFn returned.senderId");
  return message;
}
