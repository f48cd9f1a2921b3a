/**
 * Between messages and rows. What is looked for or decided by is a column; the rest is one JSON text.
 *
 * @module
 */
import type { AttemptFailure, JsonValue, MessageEnvelope, StoredMessage } from "../../core/mod.ts";
import { SEQ } from "./schema.ts";
import { numberOf, type SqlRow, textOf } from "./sql-driver.ts";

/** The latest failures kept. */
const MAX_FAILURES = 50;

/** The columns {@link decodeMessage} reads, of `posthorn_message`. */
export const MESSAGE_COLUMNS: string = `${SEQ}, id, sender, recipient, correlation, external, lane,
  written_at, attempts,
  coalesce(body, (SELECT large.body FROM posthorn_body AS large WHERE large.key = posthorn_message.key)) AS body`;

/** The part of an envelope that has no column. */
type Body = Pick<
  MessageEnvelope,
  "v" | "namespace" | "content" | "metadata" | "replyTo" | "notBefore" | "expiresAt" | "traceparent"
>;

/** The text of what has no column. */
export function encodeBody(message: Body): string {
  const { v, namespace, content, metadata, replyTo, notBefore, expiresAt, traceparent } = message;
  return JSON.stringify({ v, namespace, content, metadata, replyTo, notBefore, expiresAt, traceparent });
}

/** The text with another content. */
export function replaceContent(body: string, content: JsonValue): string {
  const parsed: Body = JSON.parse(body);
  return JSON.stringify({ ...parsed, content });
}

/** The message in a row. */
export function decodeMessage(row: SqlRow): StoredMessage {
  const body: Body = JSON.parse(textOf(row["body"]));
  const message: Writable<StoredMessage> = {
    ...body,
    id: textOf(row["id"]),
    timestamp: numberOf(row["written_at"]),
    senderId: textOf(row["sender"]),
    seq: numberOf(row["seq"]),
    attempts: numberOf(row["attempts"]),
  };
  if (typeof row["recipient"] === "string") message.recipientId = row["recipient"];
  if (typeof row["correlation"] === "string") message.correlationId = row["correlation"];
  if (typeof row["external"] === "string") message.externalId = row["external"];
  if (typeof row["lane"] === "string") message.orderingKey = row["lane"];
  return message;
}

/** The failures in a row. */
export function decodeFailures(row: SqlRow): readonly AttemptFailure[] {
  const text = row["failures"];
  return typeof text === "string" ? JSON.parse(text) : [];
}

/** The failures of a row with one more, as it is stored. */
export function addFailure(row: SqlRow, failure: AttemptFailure): string {
  return JSON.stringify([...decodeFailures(row), failure].slice(-MAX_FAILURES));
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
