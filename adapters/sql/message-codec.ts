/**
 * Between messages and rows. The envelope is one JSON text; what is looked for or decided by is a column besides.
 *
 * @module
 */
import type { AttemptFailure, JsonValue, MessageEnvelope, StoredMessage } from "../../core/mod.ts";
import { SEQ } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";

/** The latest failures kept. */
const MAX_FAILURES = 50;

/** The columns {@link MessageDecoder} reads. */
export const MESSAGE_COLUMNS: string = `${SEQ}, channel, attempts, body`;

/** The text of an envelope. */
export function encodeMessage(message: MessageEnvelope): string {
  return JSON.stringify(message);
}

/** The text with another content. */
export function replaceContent(body: string, content: JsonValue): string {
  const envelope: MessageEnvelope = JSON.parse(body);
  return JSON.stringify({ ...envelope, content });
}

/** Reads messages out of rows, and large bodies out of where they are. */
export class MessageDecoder {
  readonly #largeBody: SqlStatement;

  /** @param driver The database, with its tables. */
  constructor(driver: SqlDriver) {
    this.#largeBody = driver.prepare("SELECT body FROM posthorn_body WHERE key = ((?1 << 40) | ?2)");
  }

  /** The message in a row of {@link MESSAGE_COLUMNS}. */
  decode(row: SqlRow): StoredMessage {
    const message: Writable<StoredMessage> = JSON.parse(this.bodyOf(row));
    message.seq = numberOf(row["seq"]);
    message.attempts = numberOf(row["attempts"]);
    return message;
  }

  /** The text of the envelope in a row with `channel`, `seq` and `body`. */
  bodyOf(row: SqlRow): string {
    const body = row["body"];
    if (typeof body === "string") return body;
    return textOf(this.#largeBody.get(numberOf(row["channel"]), numberOf(row["seq"]))?.["body"]);
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

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
