/**
 * Between messages and rows. The envelope is one JSON text, short of what the row has in columns anyway and of what most
 * messages have alike: every byte of a row is written several times on its way through a queue.
 *
 * @module
 */
import type { AttemptFailure, JsonObject, JsonValue, MessageEnvelope, StoredMessage } from "../../core/mod.ts";
import { SEQ } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";

/** The latest failures kept. */
const MAX_FAILURES = 50;

/** The columns {@link MessageDecoder} reads. */
export const MESSAGE_COLUMNS: string = `${SEQ}, id, sender, written_at, attempts, body`;

/** What of an envelope is in its text. Absent are the empty namespace, empty metadata, and the version while it is 1. */
type Body =
  & Omit<MessageEnvelope, "v" | "id" | "senderId" | "timestamp" | "namespace" | "metadata">
  & Partial<Pick<MessageEnvelope, "namespace" | "metadata">>;

const NO_METADATA: JsonObject = Object.freeze({});

/** The text of an envelope. */
export function encodeMessage(message: MessageEnvelope): string {
  const { content, metadata, namespace, recipientId, correlationId, replyTo, orderingKey } = message;
  const { notBefore, expiresAt, externalId, traceparent } = message;
  return JSON.stringify({
    content,
    metadata: isEmpty(metadata) ? undefined : metadata,
    namespace: namespace === "" ? undefined : namespace,
    recipientId,
    correlationId,
    replyTo,
    orderingKey,
    notBefore,
    expiresAt,
    externalId,
    traceparent,
  });
}

/** The text with another content. */
export function replaceContent(body: string, content: JsonValue): string {
  const parsed: Body = JSON.parse(body);
  return JSON.stringify({ ...parsed, content });
}

/** Reads messages out of rows, and large bodies out of where they are. */
export class MessageDecoder {
  readonly #largeBody: SqlStatement;

  /** @param driver The database, with its tables. */
  constructor(driver: SqlDriver) {
    this.#largeBody = driver.prepare("SELECT body FROM posthorn_body WHERE key = ((?1 << 40) | ?2)");
  }

  /** The message in a row of {@link MESSAGE_COLUMNS}. */
  decode(channel: number, row: SqlRow): StoredMessage {
    const body: Body = JSON.parse(this.bodyOf(channel, row));
    return {
      v: 1,
      namespace: "",
      metadata: NO_METADATA,
      ...body,
      id: textOf(row["id"]),
      timestamp: numberOf(row["written_at"]),
      senderId: textOf(row["sender"]),
      seq: numberOf(row["seq"]),
      attempts: numberOf(row["attempts"]),
    };
  }

  /** The text of the envelope in a row with `seq` and `body`. */
  bodyOf(channel: number, row: SqlRow): string {
    const body = row["body"];
    if (typeof body === "string") return body;
    return textOf(this.#largeBody.get(channel, numberOf(row["seq"]))?.["body"]);
  }
}

/** The failures in a row. */
export function decodeFailures(row: SqlRow): readonly AttemptFailure[] {
  const text = row["failures"];
  return typeof text === "string" ? JSON.parse(text) : [];
}

/** The failures of a row with one more, as they are stored. */
export function addFailure(row: SqlRow, failure: AttemptFailure): string {
  return JSON.stringify([...decodeFailures(row), failure].slice(-MAX_FAILURES));
}

function isEmpty(object: JsonObject): boolean {
  for (const _ in object) return false;
  return true;
}
