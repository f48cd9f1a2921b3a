/**
 * What goes away: old messages of the log, channels that are cleared, ids and state values whose time is over.
 *
 * @module
 */
import type { PruneRequest } from "../../core/mod.ts";
import type { ChannelRow, ChannelRows } from "./channel-rows.ts";
import { KEY, MAX_SEQ, SEQ } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import type { Moment } from "./store-time.ts";

/** How many messages one transaction of {@link Retention.prune} removes at most. */
const PRUNED_AT_ONCE = 1_000;

/** How many ids and values one transaction tidies away, besides twice as many as it added. */
const PURGED_AT_ONCE = 256;

/** How long after a transaction found nothing more to tidy away the next one looks again. */
const PURGE_EVERY_MS = 100;

/** A stretch of a channel's log that retention may remove. */
export interface PruneRange {
  readonly after: number;
  readonly upTo: number;
}

/** See the module. */
export class Retention {
  readonly #channels: ChannelRows;
  readonly #nthOfLog: SqlStatement;
  readonly #storedAt: SqlStatement;
  readonly #lastOfChunk: SqlStatement;
  readonly #prune: SqlStatement;
  readonly #remember: SqlStatement;
  readonly #deleteBody: SqlStatement;
  readonly #lastOfLog: SqlStatement;
  readonly #count: SqlStatement;
  readonly #clear: readonly SqlStatement[];
  readonly #purgeRemembered: SqlStatement;
  readonly #purgeState: SqlStatement;
  #nextPurgeAt = -Infinity;

  /** @param driver The database, with its tables. @param channels The channels. */
  constructor(driver: SqlDriver, channels: ChannelRows) {
    this.#channels = channels;
    const range = `key > ${KEY} AND key <= ((?1 << 40) | ?3)`;
    const prunable = `${range} AND log = 1 AND queued = 0`;
    this.#nthOfLog = driver.prepare(
      `SELECT ${SEQ} FROM posthorn_message WHERE ${range} AND log = 1 ORDER BY key LIMIT 1 OFFSET ?4`,
    );
    this.#storedAt = driver.prepare(
      `SELECT ${SEQ}, stored_at FROM posthorn_message WHERE key >= ${KEY} AND key <= ((?1 << 40) | ?3)
       ORDER BY key LIMIT 1`,
    );
    this.#lastOfChunk = driver.prepare(
      `SELECT max(seq) AS seq FROM (SELECT ${SEQ} FROM posthorn_message WHERE ${prunable} ORDER BY key LIMIT ?4)`,
    );
    this.#prune = driver.prepare(
      `DELETE FROM posthorn_message WHERE ${prunable}
       RETURNING ${SEQ}, id, remember_until, body IS NULL AS large`,
    );
    this.#remember = driver.prepare(
      "INSERT OR REPLACE INTO posthorn_remembered (channel, id, until) VALUES (?1, ?2, ?3)",
    );
    this.#deleteBody = driver.prepare(`DELETE FROM posthorn_body WHERE key = ${KEY}`);
    this.#lastOfLog = driver.prepare(
      `SELECT ${SEQ} FROM posthorn_message WHERE ${range} AND log = 1 ORDER BY key DESC LIMIT 1`,
    );
    this.#count = driver.prepare(`SELECT count(*) AS count FROM posthorn_message WHERE ${range}`);
    const all = `WHERE key > (?1 << 40) AND key < ((?1 + 1) << 40)`;
    this.#clear = [
      driver.prepare(`DELETE FROM posthorn_message ${all}`),
      driver.prepare(`DELETE FROM posthorn_body ${all}`),
      driver.prepare("DELETE FROM posthorn_turn WHERE channel = ?1"),
      driver.prepare("DELETE FROM posthorn_cursor WHERE channel = ?1"),
      driver.prepare("DELETE FROM posthorn_remembered WHERE channel = ?1"),
    ];
    this.#purgeRemembered = driver.prepare(
      `DELETE FROM posthorn_remembered WHERE (channel, id) IN
         (SELECT channel, id FROM posthorn_remembered WHERE until <= ?1 ORDER BY until LIMIT ?2)`,
    );
    this.#purgeState = driver.prepare(
      `DELETE FROM posthorn_state WHERE key IN
         (SELECT key FROM posthorn_state WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)`,
    );
  }

  /** What a request allows to remove: the log is in the order of time, so both its conditions are a beginning of it. */
  rangeOf({ channel: name, olderThanMs = Infinity, keepLatest = Infinity }: PruneRequest, { now }: Moment): PruneRange {
    const channel = this.#channels.peek(name);
    if (channel === undefined) return { after: 0, upTo: 0 };
    const excess = channel.logged - keepLatest;
    const nth = excess > 0 ? this.#nthOfLog.get(channel.id, 0, MAX_SEQ, excess - 1) : undefined;
    const byCount = nth === undefined ? 0 : numberOf(nth["seq"]);
    const byAge = olderThanMs === Infinity ? 0 : this.#lastStoredBefore(channel, now - olderThanMs);
    return { after: 0, upTo: Math.max(byCount, byAge) };
  }

  /**
   * Within a transaction: removes the first messages of a range that a worker has not still to acknowledge.
   *
   * @returns How many, and what is left of the range.
   */
  prune(
    name: string,
    { after, upTo }: PruneRange,
    { now }: Moment,
  ): { readonly count: number; readonly left: PruneRange } {
    const channel = this.#channels.find(name);
    const last = channel && this.#lastOfChunk.get(channel.id, after, upTo, PRUNED_AT_ONCE)?.["seq"];
    if (channel === undefined || typeof last !== "number") return { count: 0, left: { after: upTo, upTo } };
    const rows = this.#prune.all(channel.id, after, last);
    for (const row of rows) this.#forget(channel, row, now);
    const changed = this.#channels.change(channel);
    changed.logged -= rows.length;
    changed.prunedTo = Math.max(changed.prunedTo, last);
    return { count: rows.length, left: { after: rows.length < PRUNED_AT_ONCE ? upTo : last, upTo } };
  }

  /** Within a transaction: removes everything of a channel but its sequence. @returns How many messages. */
  clear(name: string): number {
    const channel = this.#channels.find(name);
    if (channel === undefined) return 0;
    const count = numberOf(this.#count.get(channel.id, 0, MAX_SEQ)?.["count"]);
    const last = channel.logged === 0 ? undefined : this.#lastOfLog.get(channel.id, 0, MAX_SEQ);
    for (const statement of this.#clear) statement.run(channel.id);
    const changed = this.#channels.change(channel);
    changed.logged = 0;
    if (last !== undefined) changed.prunedTo = Math.max(changed.prunedTo, numberOf(last["seq"]));
    return count;
  }

  /** At the end of a transaction: tidies away a bounded number of what has ended. @param added What it added. */
  purge(now: number, added: number): void {
    if (now < this.#nextPurgeAt && added === 0) return;
    const limit = PURGED_AT_ONCE + 2 * added;
    const isMoreLeft = [this.#purgeRemembered.run(now, limit), this.#purgeState.run(now, limit)]
      .some((count) => count >= limit);
    this.#nextPurgeAt = isMoreLeft ? -Infinity : now + PURGE_EVERY_MS;
  }

  #forget(channel: ChannelRow, row: SqlRow, now: number): void {
    if (row["large"] === 1) this.#deleteBody.run(channel.id, numberOf(row["seq"]));
    const rememberUntil = row["remember_until"];
    if (typeof rememberUntil !== "number" || rememberUntil <= now) return;
    this.#remember.run(channel.id, textOf(row["id"]), rememberUntil);
  }

  /** The last message that was stored before a time, by halving: a channel is in the order of storing. */
  #lastStoredBefore(channel: ChannelRow, time: number): number {
    let low = 1;
    let high = channel.lastSeq + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#storedAt.get(channel.id, middle, high - 1);
      if (row === undefined || numberOf(row["stored_at"]) >= time) high = middle;
      else low = numberOf(row["seq"]) + 1;
    }
    return low - 1;
  }
}
