/**
 * Giving messages to workers.
 *
 * @module
 */
import type { ClaimedMessage, ClaimRequest } from "../../core/mod.ts";
import type { ChannelRows } from "./channel-rows.ts";
import { decodeFailures, type MessageDecoder } from "./message-codec.ts";
import { KEY, PLACE, SEQ } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { type Moment, toWall } from "./store-time.ts";
import { leaseExpired, type Turns } from "./turns.ts";

const COLUMNS = "id, sender, written_at, attempts, worker, failures, body";
const PLAIN = "FROM posthorn_message WHERE channel = ?1 AND wake_at IS NOT NULL";
const OPEN = `FROM posthorn_turn WHERE channel = ?1 AND place = ${PLACE.open} AND recipient IS NULL`;
const ADDRESSED = `FROM posthorn_turn WHERE channel = ?1 AND place = ${PLACE.open} AND recipient IS NOT NULL`;
const WAKING = `FROM posthorn_turn WHERE channel = ?1 AND place IN (${PLACE.busy}, ${PLACE.held}, ${PLACE.timed})`;

/** Two ranges of two indexes, both in order, merged; then the messages. */
function turnsSql(other: string): string {
  return `SELECT turn.seq AS seq, turn.lane AS lane, turn.wake_at AS wake_at, ${COLUMNS} FROM (
      SELECT wake_at, seq, lane ${OPEN} AND wake_at <= ?2
      UNION ALL
      SELECT wake_at, seq, lane ${other} AND wake_at <= ?2
      ORDER BY 1, 2 LIMIT ?3) AS turn
    CROSS JOIN posthorn_message ON key = ((?1 << 40) | turn.seq)`;
}

function isDueSql(...parts: readonly string[]): string {
  return `SELECT ${parts.map((part) => `EXISTS (SELECT 1 ${part} AND wake_at <= ?2)`).join(" OR ")} AS found`;
}

function isTrue(row: SqlRow | undefined): boolean {
  return row?.["found"] === 1;
}

/** See the module. */
export class Claims {
  readonly #channels: ChannelRows;
  readonly #turns: Turns;
  readonly #decoder: MessageDecoder;
  readonly #nextToken: () => string;
  readonly #plain: SqlStatement;
  readonly #hasTurns: SqlStatement;
  readonly #turnsAny: SqlStatement;
  readonly #turnsFor: SqlStatement;
  readonly #claimPlain: SqlStatement;
  readonly #claimTurn: SqlStatement;
  readonly #isDueAny: SqlStatement;
  readonly #isDueFor: SqlStatement;
  readonly #isWaking: SqlStatement;
  readonly #nextWake: SqlStatement;
  readonly #channelAfter: SqlStatement;
  /** Channels that had little when last asked: they are looked at before a transaction is begun for them. */
  readonly #dry = new Set<string>();

  /**
   * @param driver The database, with its tables.
   * @param channels The channels.
   * @param turns The turns.
   * @param decoder What reads messages.
   * @param nextToken Gives a text that no claim had before.
   */
  constructor(
    driver: SqlDriver,
    channels: ChannelRows,
    turns: Turns,
    decoder: MessageDecoder,
    nextToken: () => string,
  ) {
    this.#channels = channels;
    this.#turns = turns;
    this.#decoder = decoder;
    this.#nextToken = nextToken;
    this.#plain = driver.prepare(
      `SELECT ${SEQ}, wake_at, ${COLUMNS} ${PLAIN} AND wake_at <= ?2 ORDER BY wake_at, key LIMIT ?3`,
    );
    this.#hasTurns = driver.prepare("SELECT EXISTS (SELECT 1 FROM posthorn_turn WHERE channel = ?1) AS found");
    this.#turnsAny = driver.prepare(turnsSql(ADDRESSED));
    this.#turnsFor = driver.prepare(turnsSql(`${ADDRESSED} AND recipient = ?4`));
    const lease = "lease_until = ?3, token = ?4, worker = ?5, attempts = attempts + 1, failures = ?6";
    this.#claimPlain = driver.prepare(`UPDATE posthorn_message SET wake_at = ?3, ${lease} WHERE key = ${KEY}`);
    this.#claimTurn = driver.prepare(`UPDATE posthorn_message SET ${lease} WHERE key = ${KEY}`);
    this.#isDueAny = driver.prepare(isDueSql(PLAIN, OPEN, ADDRESSED, WAKING));
    this.#isDueFor = driver.prepare(isDueSql(PLAIN, OPEN, `${ADDRESSED} AND recipient = ?3`, WAKING));
    this.#isWaking = driver.prepare(isDueSql(WAKING));
    const parts = [PLAIN, OPEN, ADDRESSED, WAKING];
    this.#nextWake = driver.prepare(
      `SELECT min(at) AS at FROM (${parts.map((part) => `SELECT min(wake_at) AS at ${part}`).join(" UNION ALL ")})`,
    );
    this.#channelAfter = driver.prepare(
      `SELECT id, name FROM posthorn_channel WHERE id = (SELECT min(channel) FROM (
         SELECT min(channel) AS channel ${PLAIN.replace("= ?1", "> ?1")}
         UNION ALL SELECT min(channel) FROM posthorn_turn WHERE channel > ?1))`,
    );
  }

  /** Whether a claim would find something to do. Says yes without looking where there was much the last time. */
  mayHaveDue({ channel: name, recipientId }: ClaimRequest, { now }: Moment): boolean {
    if (!this.#dry.has(name)) return true;
    const channel = this.#channels.idOf(name);
    if (channel === undefined) return false;
    return isTrue(
      recipientId === undefined ? this.#isDueAny.get(channel, now) : this.#isDueFor.get(channel, now, recipientId),
    );
  }

  /** Within a transaction: gives messages to a worker. */
  claim(request: ClaimRequest, moment: Moment): readonly ClaimedMessage[] {
    const { channel: name, limit } = request;
    const channel = this.#channels.idOf(name);
    if (channel === undefined) return [];
    const rows = this.#candidates(channel, request, moment);
    if (rows.length === limit) this.#dry.delete(name);
    else this.#dry.add(name);
    return rows.map((row) => this.#give(channel, row, request, moment));
  }

  /** Whether time has moved messages of a channel without its being written down. */
  isWaking(name: string, { now }: Moment): boolean {
    const channel = this.#channels.idOf(name);
    return channel !== undefined && isTrue(this.#isWaking.get(channel, now));
  }

  /** Within a transaction: writes it down. */
  promote(name: string, moment: Moment): void {
    const channel = this.#channels.idOf(name);
    if (channel !== undefined) this.#turns.promote(channel, moment);
  }

  /** When the next message of a channel can be claimed, by the wall clock. */
  nextDueAt(name: string, moment: Moment): number | undefined {
    const channel = this.#channels.idOf(name);
    const at = channel === undefined ? undefined : this.#nextWake.get(channel)?.["at"];
    // Rounded up: at that time it is due, not a fraction of a millisecond later.
    return typeof at === "number" ? Math.ceil(toWall(at, moment)) : undefined;
  }

  /** The channels that have messages in their queues. */
  queued(): readonly string[] {
    const names: string[] = [];
    for (let last = 0;;) {
      const next = this.#channelAfter.get(last);
      if (next === undefined) return names;
      names.push(textOf(next["name"]));
      last = numberOf(next["id"]);
    }
  }

  /** The messages to give, the longest due first. */
  #candidates(channel: number, { limit, recipientId }: ClaimRequest, moment: Moment): readonly SqlRow[] {
    const { now } = moment;
    const plain = this.#plain.all(channel, now, limit);
    if (!isTrue(this.#hasTurns.get(channel))) return plain;
    this.#turns.promote(channel, moment);
    const turns = recipientId === undefined
      ? this.#turnsAny.all(channel, now, limit)
      : this.#turnsFor.all(channel, now, limit, recipientId);
    if (turns.length === 0) return plain;
    return [...plain, ...turns].sort(byTurn).slice(0, limit);
  }

  #give(channel: number, row: SqlRow, { workerId, leaseMs }: ClaimRequest, moment: Moment): ClaimedMessage {
    const seq = numberOf(row["seq"]);
    const until = moment.now + leaseMs;
    const token = this.#nextToken();
    const lane = row["lane"];
    let { failures } = row;
    if (typeof lane === "string") {
      this.#turns.claim({ channel, lane, seq }, until);
      this.#claimTurn.run(channel, seq, until, token, workerId, failures ?? null);
    } else {
      // The lease of a delivery before ran out, and nobody had to notice until now.
      if (row["worker"] !== null) failures = leaseExpired(row, numberOf(row["wake_at"]), moment);
      this.#claimPlain.run(channel, seq, until, token, workerId, failures ?? null);
    }
    const message = this.#decoder.decode(channel, row);
    const attempts = message.attempts + 1;
    return {
      ...message,
      attempts,
      lease: { token, workerId, attempt: attempts, until: moment.wall + leaseMs },
      failures: decodeFailures({ failures: failures ?? null }),
    };
  }
}

/** The longest due first. */
function byTurn(left: SqlRow, right: SqlRow): number {
  return numberOf(left["wake_at"]) - numberOf(right["wake_at"]) || numberOf(left["seq"]) - numberOf(right["seq"]);
}
