/**
 * Reading messages: the log by cursor, one by id, many by what they have, and the figures of a channel.
 *
 * @module
 */
import type {
  ChannelStats,
  QueryPage,
  QueryRequest,
  SharedPage,
  SharedReadRequest,
  StoredMessage,
} from "../../core/mod.ts";
import type { ChannelRow, ChannelRows } from "./channel-rows.ts";
import { decodeMessage, MESSAGE_COLUMNS } from "./message-codec.ts";
import { KEY, MAX_SEQ, PLACE, SEQ } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement } from "./sql-driver.ts";
import type { Moment } from "./store-time.ts";

/** What a read found, and the place it leaves the reader at. */
export interface SharedRead {
  readonly page: SharedPage;
  /** How the reader's row is to be, where it changes. */
  readonly move?: { readonly seq: number; readonly told: number };
  /** How it was. */
  readonly before?: { readonly seq: number; readonly told: number };
}

/** The keys of channel 1 after the sequence number 2 and up to 3. */
const AFTER = `key > ${KEY} AND key <= ((?1 << 40) | ?3)`;
const UNEXPIRED = "(expires_at IS NULL OR expires_at > ?4)";

/** Fields that have an index of their own, the most telling first. */
const FIELDS = [
  ["externalId", "external"],
  ["correlationId", "correlation"],
  ["recipientId", "recipient"],
  ["senderId", "sender"],
] as const;

/** See the module. */
export class Reads {
  readonly #driver: SqlDriver;
  readonly #channels: ChannelRows;
  readonly #page: SqlStatement;
  readonly #pageFor: SqlStatement;
  readonly #cursor: SqlStatement;
  readonly #setCursor: SqlStatement;
  readonly #get: SqlStatement;
  readonly #timeAt: SqlStatement;
  readonly #queries = new Map<string, SqlStatement>();
  readonly #counts: SqlStatement;
  readonly #writtenAt: SqlStatement;

  /** @param driver The database, with its tables. @param channels The channels. */
  constructor(driver: SqlDriver, channels: ChannelRows) {
    this.#driver = driver;
    this.#channels = channels;
    this.#page = driver.prepare(
      `SELECT ${MESSAGE_COLUMNS} FROM posthorn_message
       WHERE ${AFTER} AND log = 1 AND ${UNEXPIRED} ORDER BY key LIMIT ?5`,
    );
    const part = (recipient: string): string =>
      `SELECT key FROM posthorn_message
       WHERE channel = ?1 AND log = 1 AND recipient ${recipient} AND ${AFTER} AND ${UNEXPIRED}`;
    this.#pageFor = driver.prepare(
      `SELECT ${MESSAGE_COLUMNS} FROM posthorn_message WHERE key IN (
         SELECT key FROM (${part("IS NULL")} UNION ALL ${part("= ?6")} ORDER BY 1 LIMIT ?5)) ORDER BY key`,
    );
    this.#cursor = driver.prepare("SELECT seq, told FROM posthorn_cursor WHERE channel = ?1 AND reader = ?2");
    this.#setCursor = driver.prepare(
      "INSERT OR REPLACE INTO posthorn_cursor (channel, reader, seq, told) VALUES (?1, ?2, ?3, ?4)",
    );
    this.#get = driver.prepare(`SELECT ${MESSAGE_COLUMNS} FROM posthorn_message WHERE channel = ?1 AND id = ?2`);
    this.#timeAt = driver.prepare(
      `SELECT ${SEQ}, written_at FROM posthorn_message WHERE key >= ${KEY} AND key <= ((?1 << 40) | ?3)
       ORDER BY key LIMIT 1`,
    );
    this.#counts = driver.prepare(countsSql());
    this.#writtenAt = driver.prepare(`SELECT written_at FROM posthorn_message WHERE key = ${KEY}`);
  }

  /** A page of the log, without moving the reader. */
  readShared(request: SharedReadRequest, { now }: Moment): SharedRead {
    const { readerId, limit, after, recipientId } = request;
    const { advance = after === undefined } = request;
    const channel = this.#channels.peek(request.channel);
    const before = channel === undefined ? undefined : this.#readerOf(channel, readerId);
    const prunedTo = channel?.prunedTo ?? 0;
    const from = after ?? before?.seq ?? 0;
    const told = after ?? Math.max(from, before === undefined ? prunedTo : before.told);
    const messages = channel === undefined || channel.lastSeq <= from
      ? []
      : this.#messages(channel, from, limit, recipientId, now);
    const cursor = messages.at(-1)?.seq ?? from;
    const page: SharedPage = prunedTo > told
      ? { messages, cursor, gap: { fromSeq: told + 1, toSeq: prunedTo } }
      : { messages, cursor };
    if (!advance) return { page };
    const move = { seq: messages.length > 0 ? cursor : before?.seq ?? 0, told: prunedTo };
    if (before === undefined) return { page, move };
    return move.seq === before.seq && move.told === before.told ? { page } : { page, move, before };
  }

  /**
   * Within a transaction: moves a reader.
   *
   * @param before Where it must be for that, if that matters. `null`: nowhere yet.
   * @returns Whether it was there.
   */
  moveReader(
    name: string,
    readerId: string,
    to: { readonly seq: number; readonly told: number },
    before?: { readonly seq: number; readonly told: number } | null,
  ): boolean {
    const channel = this.#channels.open(name);
    if (before !== undefined) {
      const present = this.#readerOf(channel, readerId);
      if (present?.seq !== before?.seq || present?.told !== before?.told) return false;
    }
    this.#setCursor.run(channel.id, readerId, to.seq, to.told);
    return true;
  }

  /** One message. */
  get(name: string, id: string): StoredMessage | undefined {
    const channel = this.#channels.peek(name);
    const row = channel === undefined ? undefined : this.#get.get(channel.id, id);
    return row === undefined ? undefined : decodeMessage(row);
  }

  /** Messages by what they have. */
  query(request: QueryRequest): QueryPage {
    const { order = "asc", after, limit = 100 } = request;
    const channel = this.#channels.peek(request.channel);
    if (channel === undefined) return { messages: [] };
    let low = 1;
    let high = channel.lastSeq;
    if (after !== undefined && order === "asc") low = after + 1;
    if (after !== undefined && order === "desc") high = Math.min(high, after - 1);
    const { fromTime, toTime } = request;
    if (fromTime !== undefined) low = this.#bisect(channel, low, high, fromTime - channel.slackMs);
    if (toTime !== undefined) high = this.#bisect(channel, low, high, toTime + channel.slackMs) - 1;
    const used = FIELDS.filter(([name]) => request[name] !== undefined);
    const values = used.map(([name]) => request[name] ?? null);
    const statement = this.#queryOf(used.map(([, column]) => column), order);
    const rows = statement.all(
      channel.id,
      low,
      high,
      fromTime ?? -Number.MAX_VALUE,
      toTime ?? Number.MAX_VALUE,
      limit + 1,
      ...values,
    );
    const messages = rows.slice(0, limit).map(decodeMessage);
    return rows.length > limit ? { messages, next: messages.at(-1)?.seq ?? 0 } : { messages };
  }

  /** The figures of a channel. */
  stats(name: string, { now }: Moment): ChannelStats {
    const channel = this.#channels.peek(name);
    if (channel === undefined) return { stored: 0, ready: 0, delayed: 0, claimed: 0, lastSeq: 0 };
    const { stored, lastSeq } = channel;
    const row = this.#counts.get(channel.id, now) ?? {};
    const claimed = numberOf(row["claimed"]);
    const delayed = numberOf(row["delayed"]);
    const figures = { stored, ready: numberOf(row["queued"]) - claimed - delayed, delayed, claimed, lastSeq };
    const oldest = row["oldest"];
    if (typeof oldest !== "number") return figures;
    const writtenAt = this.#writtenAt.get(channel.id, oldest);
    return { ...figures, oldestUnacknowledgedAt: numberOf(writtenAt?.["written_at"]) };
  }

  #messages(
    channel: ChannelRow,
    from: number,
    limit: number,
    recipientId: string | undefined,
    now: number,
  ): readonly StoredMessage[] {
    const rows = recipientId === undefined
      ? this.#page.all(channel.id, from, MAX_SEQ, now, limit)
      : this.#pageFor.all(channel.id, from, MAX_SEQ, now, limit, recipientId);
    return rows.map(decodeMessage);
  }

  #readerOf(channel: ChannelRow, readerId: string): { readonly seq: number; readonly told: number } | undefined {
    const row = this.#cursor.get(channel.id, readerId);
    return row === undefined ? undefined : { seq: numberOf(row["seq"]), told: numberOf(row["told"]) };
  }

  /**
   * The first place from which on messages may be written at a time or later. Timestamps are the writers', so they need
   * not grow; but the channel notes by how much one ever fell behind those before it, so with that much allowed for
   * they can be searched by halving.
   */
  #bisect(channel: ChannelRow, from: number, to: number, time: number): number {
    let low = from;
    let high = to + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row: SqlRow | undefined = this.#timeAt.get(channel.id, middle, high - 1);
      if (row === undefined || numberOf(row["written_at"]) >= time) high = middle;
      else low = numberOf(row["seq"]) + 1;
    }
    return low;
  }

  /** A statement for these conditions. The index of the first is used; `+` keeps the planner from another. */
  #queryOf(columns: readonly string[], order: "asc" | "desc"): SqlStatement {
    const name = `${columns.join()} ${order}`;
    const known = this.#queries.get(name);
    if (known !== undefined) return known;
    const conditions = columns.map((column, index) =>
      `${index === 0 ? "channel = ?1 AND " : "+"}${column} = ?${index + 7}`
    );
    const statement = this.#driver.prepare(
      `SELECT ${MESSAGE_COLUMNS} FROM posthorn_message
       WHERE ${
        conditions.map((condition) => `${condition} AND `).join("")
      } key >= ${KEY} AND key <= ((?1 << 40) | ?3) AND written_at >= ?4 AND written_at < ?5
       ORDER BY key ${order} LIMIT ?6`,
    );
    this.#queries.set(name, statement);
    return statement;
  }
}

/** Counts from indexes alone, but for lanes held for messages that are due later than the lane is free. */
function countsSql(): string {
  const counts = (place: string, claimed: string, delayed: string): string =>
    `SELECT count(*) AS queued, coalesce(sum(${claimed}), 0) AS claimed, coalesce(sum(${delayed}), 0) AS delayed,
       min(key) AS oldest
     FROM posthorn_message WHERE channel = ?1 AND ${place}`;
  return `SELECT sum(queued) AS queued, sum(claimed) AS claimed, sum(delayed) AS delayed,
      min(oldest) & ${MAX_SEQ} AS oldest FROM (
    ${counts(`place = ${PLACE.open} AND recipient IS NULL`, "0", "wake_at > ?2")}
    UNION ALL ${counts(`place = ${PLACE.open} AND recipient IS NOT NULL`, "0", "wake_at > ?2")}
    UNION ALL ${counts(`place = ${PLACE.claimed}`, "wake_at > ?2", "0")}
    UNION ALL ${
    counts(
      `place IN (${PLACE.busy}, ${PLACE.timed})`,
      `place = ${PLACE.busy} AND wake_at > ?2`,
      `place = ${PLACE.timed} AND wake_at > ?2`,
    )
  }
    UNION ALL ${counts(`place = ${PLACE.held}`, "0", "due_at > ?2")}
    UNION ALL ${counts(`lane IS NOT NULL AND place = ${PLACE.parked}`, "0", "0")})`;
}
