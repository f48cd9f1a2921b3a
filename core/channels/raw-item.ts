/**
 * What is kept of a write until it is converted.
 *
 * @module
 */
import { PosthornError, ValidationError } from "../errors.ts";
import type { MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import { isJsonObject, makeEnvelope, NO_METADATA, type Writable } from "./channel-input.ts";
import type { WriteOptions } from "./channel-options.ts";

/** A raw item, read back. */
export interface RawItem {
  /** What was written. */
  readonly data: JsonValue;
  /** How. */
  readonly options: WriteOptions;
}

/**
 * Makes the message that keeps a write in the raw queue. What its options say is checked now and kept for the conversion:
 * of them only the lane means anything to the raw queue, so that a lane is converted in order.
 *
 * @param write The write, and the namespace of its channel.
 */
export function rawMessage(write: {
  readonly id: string;
  readonly timestamp: number;
  readonly senderId: string;
  readonly data: unknown;
  readonly options: WriteOptions;
  readonly namespace: string;
}): MessageEnvelope {
  const { id, timestamp, senderId, data, options, namespace } = write;
  if (data === undefined) throw new ValidationError("data", "Cannot accept 'data': it must be JSON, not undefined");
  const message = { id, timestamp, senderId, content: null, metadata: NO_METADATA };
  const { recipientId, correlationId, replyTo, notBefore, expiresAt, orderingKey, externalId, traceparent, metadata } =
    makeEnvelope(message, options, namespace);
  const kept: Record<string, JsonValue | undefined> = {
    id: options.id,
    recipientId,
    correlationId,
    replyTo,
    notBefore,
    expiresAt,
    orderingKey,
    externalId,
    traceparent,
    dedupeForMs: options.dedupeForMs,
    metadata: options.metadata === undefined ? undefined : metadata,
  };
  return {
    ...message,
    v: 1,
    namespace,
    content: { data: data as JsonValue, options: withoutAbsent(kept) }, // the store checks that it is JSON
    ...(orderingKey === undefined ? undefined : { orderingKey }),
  };
}

/** Reads what {@link rawMessage} made. */
export function readRaw(raw: StoredMessage): RawItem {
  const { content } = raw;
  const data = isJsonObject(content) ? content["data"] : undefined;
  const kept = isJsonObject(content) ? content["options"] : undefined;
  if (data === undefined || !isJsonObject(kept)) {
    throw new PosthornError("conversion", `Cannot read raw item "${raw.id}": it is none`);
  }
  const options: Writable<WriteOptions> = {};
  for (
    const key of ["id", "recipientId", "correlationId", "replyTo", "orderingKey", "externalId", "traceparent"] as const
  ) {
    const value = kept[key];
    if (typeof value === "string") options[key] = value;
  }
  for (const key of ["notBefore", "expiresAt", "dedupeForMs"] as const) {
    const value = kept[key];
    if (typeof value === "number") options[key] = value;
  }
  const metadata = kept["metadata"];
  if (isJsonObject(metadata)) options.metadata = metadata;
  return { data, options };
}

function withoutAbsent(values: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const present: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(values)) if (value !== undefined) present[key] = value;
  return present;
}
