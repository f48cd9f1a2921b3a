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
import { MESSAGE_COLUMNS, type MessageDecoder } from "./message-codec.ts";
import { hasPart, KEY, MAX_SEQ, PLACE, SENDER_INDEX, SEQ } from "./schema.ts";
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
  readonly #decoder: MessageDecoder;
  #hasSenderIndex = false;
  readonly #channels: ChannelRows;
  readonly #page: SqlStatement;
  readonly #pageFor: SqlStatement;
  readonly #cursor: SqlStatement;
  readonly #setCursor: SqlStatement;
  readonly #get: SqlStatement;
  readonly #timeAt: SqlStatement;
  readonly #queries = new Map<string, SqlStatement>();
  readonly #counts: SqlStatement;
  readonly #unlogged: SqlStatement;
  readonly #oldest: SqlStatement;

  /**
   * @param driver The database, with its tables.
   * @param channels The channels.
   * @param decoder What reads messages.
   */
  constructor(driver: SqlDriver, channels: ChannelRows, decoder: MessageDecoder) {
    this.#driver = driver;
    this.#decoder = decoder;
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
    this.#counts = driver.prepare(COUNTS);
    this.#unlogged = driver.prepare(
      `SELECT count(*) AS unlogged FROM posthorn_message WHERE ${AFTER} AND queued = 1 AND log = 0`,
    );
    this.#oldest = driver.prepare(
      `SELECT written_at FROM posthorn_message WHERE ${AFTER} AND queued = 1 ORDER BY key LIMIT 1`,
    );
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
    if (channel === undefined) return undefined;
    const row = this.#get.get(channel.id, id);
    return row === undefined ? undefined : this.#decoder.decode(channel.id, row);
  }

  /** Whether a query needs the index of senders, and it may not be there yet. */
  needsSenderIndex(request: QueryRequest): boolean {
    if (this.#hasSenderIndex || request.senderId === undefined) return false;
    if (FIELDS.find(([name]) => request[name] !== undefined)?.[0] !== "senderId") return false;
    this.#hasSenderIndex = hasPart(this.#driver, "posthorn_message_sender");
    return !this.#hasSenderIndex;
  }

  /** Within a transaction: makes it. */
  indexSenders(): void {
    this.#driver.exec(SENDER_INDEX);
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
    const messages = rows.slice(0, limit).map((row) => this.#decoder.decode(channel.id, row));
    return rows.length > limit ? { messages, next: messages.at(-1)?.seq ?? 0 } : { messages };
  }

  /** The figures of a channel. */
  stats(name: string, { now }: Moment): ChannelStats {
    const channel = this.#channels.peek(name);
    if (channel === undefined) return { stored: 0, ready: 0, delayed: 0, claimed: 0, lastSeq: 0 };
    const { id, lastSeq, logged } = channel;
    const row = this.#counts.get(id, now) ?? {};
    const queued = numberOf(row["queued"]);
    const claimed = numberOf(row["claimed"]);
    const delayed = numberOf(row["waiting"]) - claimed;
    // What is stored is in the log, in the queue, or both; it is counted only where it may be both.
    const unlogged = logged === 0 || queued === 0 ? queued : numberOf(this.#unlogged.get(id, 0, MAX_SEQ)?.["unlogged"]);
    const figures = { stored: logged + unlogged, ready: queued - claimed - delayed, delayed, claimed, lastSeq };
    const oldest = queued === 0 ? undefined : this.#oldest.get(id, 0, MAX_SEQ)?.["written_at"];
    return typeof oldest === "number" ? { ...figures, oldestUnacknowledgedAt: oldest } : figures;
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
    return rows.map((row) => this.#decoder.decode(channel.id, row));
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

const PLAIN = "FROM posthorn_message WHERE channel = ?1 AND wake_at";
const TURN = "FROM posthorn_turn WHERE channel = ?1";
const WAKING = `${TURN} AND place IN (${PLACE.busy}, ${PLACE.held}, ${PLACE.timed})`;

/**
 * Messages in the queue, those of them that cannot be claimed yet for their own sake, and those of these that a worker
 * holds. The first are counted in indexes alone.
 */
const COUNTS = `SELECT
  (SELECT count(*) ${PLAIN} IS NOT NULL) + (SELECT count(*) ${TURN}) AS queued,
  (SELECT count(*) ${PLAIN} > ?2)
    + (SELECT count(*) ${TURN} AND place = ${PLACE.open} AND recipient IS NULL AND wake_at > ?2)
    + (SELECT count(*) ${TURN} AND place = ${PLACE.open} AND recipient IS NOT NULL AND wake_at > ?2)
    + (SELECT count(*) ${WAKING} AND max(wake_at, coalesce(due_at, 0)) > ?2) AS waiting,
  (SELECT count(lease_until) ${PLAIN} > ?2)
    + (SELECT count(*) ${WAKING} AND place = ${PLACE.busy} AND wake_at > ?2) AS claimed`;
