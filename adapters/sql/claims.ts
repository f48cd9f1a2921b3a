/**
 * Giving messages to workers.
 *
 * @module
 */
import type { ClaimedMessage, ClaimRequest } from "../../core/mod.ts";
import type { ChannelRows } from "./channel-rows.ts";
import type { Lanes } from "./lanes.ts";
import { decodeFailures, decodeMessage, MESSAGE_COLUMNS } from "./message-codec.ts";
import { MAX_SEQ, PLACE } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { type Moment, toWall } from "./store-time.ts";

const OPEN_TO_ALL = `channel = ?1 AND place = ${PLACE.open} AND recipient IS NULL`;
const ADDRESSED = `channel = ?1 AND place = ${PLACE.open} AND recipient IS NOT NULL`;

/** Two ranges of two indexes, both in order, merged. */
function claimSql(other: string): string {
  return `UPDATE posthorn_message
    SET place = CASE WHEN lane IS NULL THEN ${PLACE.claimed} ELSE ${PLACE.busy} END,
      due_at = wake_at, wake_at = ?4, token = ?5 || (key & ${MAX_SEQ}), worker = ?6, attempts = attempts + 1
    WHERE key IN (SELECT key FROM (
      SELECT key, wake_at FROM posthorn_message WHERE ${OPEN_TO_ALL} AND wake_at <= ?2
      UNION ALL
      SELECT key, wake_at FROM posthorn_message WHERE ${other} AND wake_at <= ?2
      ORDER BY 2, 1 LIMIT ?3))
    RETURNING ${MESSAGE_COLUMNS}, due_at, token, failures`;
}

function isDueSql(...parts: readonly string[]): string {
  const found = parts.map((part) => `EXISTS (SELECT 1 FROM posthorn_message WHERE ${part} AND wake_at <= ?2)`);
  return `SELECT ${found.join(" OR ")} AS found`;
}

const CLAIMED = `channel = ?1 AND place = ${PLACE.claimed}`;
const WAKING = `channel = ?1 AND place IN (${PLACE.busy}, ${PLACE.held}, ${PLACE.timed})`;

/** See the module. */
export class Claims {
  readonly #channels: ChannelRows;
  readonly #lanes: Lanes;
  readonly #nextToken: () => string;
  readonly #claimAny: SqlStatement;
  readonly #claimFor: SqlStatement;
  readonly #isDueAny: SqlStatement;
  readonly #isDueFor: SqlStatement;
  readonly #isWaking: SqlStatement;
  readonly #nextWake: SqlStatement;
  readonly #channelAfter: SqlStatement;
  readonly #nameOf: SqlStatement;

  /**
   * @param driver The database, with its tables.
   * @param channels The channels.
   * @param lanes The lanes.
   * @param nextToken Gives a text that no claim had before.
   */
  constructor(driver: SqlDriver, channels: ChannelRows, lanes: Lanes, nextToken: () => string) {
    this.#channels = channels;
    this.#lanes = lanes;
    this.#nextToken = nextToken;
    this.#claimAny = driver.prepare(claimSql(ADDRESSED));
    this.#claimFor = driver.prepare(claimSql(`${ADDRESSED} AND recipient = ?7`));
    this.#isDueAny = driver.prepare(isDueSql(OPEN_TO_ALL, ADDRESSED, CLAIMED, WAKING));
    this.#isDueFor = driver.prepare(isDueSql(OPEN_TO_ALL, `${ADDRESSED} AND recipient = ?3`, CLAIMED, WAKING));
    this.#isWaking = driver.prepare(isDueSql(CLAIMED, WAKING));
    const first = (part: string): string => `(SELECT min(wake_at) AS at FROM posthorn_message WHERE ${part})`;
    this.#nextWake = driver.prepare(
      `SELECT min(at) AS at FROM (SELECT at FROM ${first(OPEN_TO_ALL)} UNION ALL SELECT at FROM ${first(ADDRESSED)}
       UNION ALL SELECT at FROM ${first(CLAIMED)} UNION ALL SELECT at FROM ${first(WAKING)})`,
    );
    const next = (part: string): string =>
      `(SELECT min(channel) AS channel FROM posthorn_message WHERE ${part.replace("channel = ?1", "channel > ?1")})`;
    this.#channelAfter = driver.prepare(
      `SELECT min(channel) AS channel FROM (SELECT channel FROM ${next(OPEN_TO_ALL)}
       UNION ALL SELECT channel FROM ${next(ADDRESSED)} UNION ALL SELECT channel FROM ${next(CLAIMED)}
       UNION ALL SELECT channel FROM ${next(WAKING)})`,
    );
    this.#nameOf = driver.prepare("SELECT name FROM posthorn_channel WHERE id = ?1");
  }

  /** Whether a claim would find something to do. */
  hasDue({ channel: name, recipientId }: ClaimRequest, { now }: Moment): boolean {
    const channel = this.#channels.peek(name);
    if (channel === undefined) return false;
    const row = recipientId === undefined
      ? this.#isDueAny.get(channel.id, now)
      : this.#isDueFor.get(channel.id, now, recipientId);
    return row?.["found"] === 1;
  }

  /** Within a transaction: gives messages to a worker. */
  claim(request: ClaimRequest, moment: Moment): readonly ClaimedMessage[] {
    const { channel: name, workerId, limit, leaseMs, recipientId } = request;
    const channel = this.#channels.find(name);
    if (channel === undefined) return [];
    const { now, wall } = moment;
    this.#lanes.promote(channel.id, moment, recipientId === undefined ? limit : Number.MAX_SAFE_INTEGER);
    const parameters = [channel.id, now, limit, now + leaseMs, this.#nextToken(), workerId] as const;
    const rows = recipientId === undefined
      ? this.#claimAny.all(...parameters)
      : this.#claimFor.all(...parameters, recipientId);
    const until = wall + leaseMs;
    return [...rows].sort(byTurn).map((row): ClaimedMessage => {
      const message = decodeMessage(row);
      return {
        ...message,
        lease: { token: textOf(row["token"]), workerId, attempt: message.attempts, until },
        failures: decodeFailures(row),
      };
    });
  }

  /** Whether time has done something to a channel that {@link Lanes.promote} has still to write down. */
  isWaking(name: string, { now }: Moment): boolean {
    const channel = this.#channels.peek(name);
    return channel !== undefined && this.#isWaking.get(channel.id, now)?.["found"] === 1;
  }

  /** Within a transaction: writes down what time has done. */
  promote(name: string, moment: Moment): void {
    const channel = this.#channels.find(name);
    if (channel !== undefined) this.#lanes.promote(channel.id, moment, Number.MAX_SAFE_INTEGER);
  }

  /** When the next message of a channel can be claimed, by the wall clock. */
  nextDueAt(name: string, moment: Moment): number | undefined {
    const channel = this.#channels.peek(name);
    const at = channel && this.#nextWake.get(channel.id)?.["at"];
    // Rounded up: at that time it is due, not a fraction of a millisecond later.
    return typeof at === "number" ? Math.ceil(toWall(at, moment)) : undefined;
  }

  /** The channels that have messages in their queues. */
  queued(): readonly string[] {
    const names: string[] = [];
    for (let last = 0;;) {
      const next = this.#channelAfter.get(last)?.["channel"];
      if (typeof next !== "number") return names;
      names.push(textOf(this.#nameOf.get(next)?.["name"]));
      last = next;
    }
  }
}

/** The longest due first. */
function byTurn(left: SqlRow, right: SqlRow): number {
  return numberOf(left["due_at"]) - numberOf(right["due_at"]) || numberOf(left["seq"]) - numberOf(right["seq"]);
}
