/**
 * What operations do to messages: append, acknowledge, release, extend, remove.
 *
 * @module
 */
import type {
  AckOperation,
  AppendMode,
  ExtendOperation,
  MessageEnvelope,
  OperationResult,
  ReleaseOperation,
  RemoveOperation,
} from "../../core/mod.ts";
import type { ChannelRow, ChannelRows } from "./channel-rows.ts";
import { addFailure, encodeMessage, type MessageDecoder, replaceContent } from "./message-codec.ts";
import { KEY, LARGE_BODY, SEQ } from "./schema.ts";
import { numberOf, optionalTextOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { fromWall, type Moment } from "./store-time.ts";
import { NO_LANE, type Turn, type Turns } from "./turns.ts";

/** What names a delivery, and the token only its holder has. */
type Delivery = Pick<AckOperation, "channel" | "seq" | "token">;

const DONE: OperationResult = Object.freeze({ status: "done" });
const LEASE_LOST: OperationResult = Object.freeze({ status: "lease-lost" });
const NOT_FOUND: OperationResult = Object.freeze({ status: "not-found" });
const MISSING: OperationResult = Object.freeze({ status: "missing" });
const CLAIMED: OperationResult = Object.freeze({ status: "claimed" });

/** A present delivery: the token, and a lease that has not ended. */
const DELIVERY = `key = ${KEY} AND token = ?3 AND lease_until > ?4`;

/** What {@link MessageTable} has to know of a message that it takes away. */
const REMAINS = `${SEQ}, channel, queued, log, lane, recipient, id, remember_until, body IS NULL AS large`;

/** See the module. Every method works within a transaction. */
export class MessageTable {
  readonly #channels: ChannelRows;
  readonly #turns: Turns;
  readonly #decoder: MessageDecoder;
  readonly #insert: SqlStatement;
  readonly #insertBody: SqlStatement;
  readonly #seqOf: SqlStatement;
  readonly #isRemembered: SqlStatement;
  readonly #ackPlain: SqlStatement;
  readonly #ack: SqlStatement;
  readonly #leaveQueue: SqlStatement;
  readonly #delivered: SqlStatement;
  readonly #putBack: SqlStatement;
  readonly #extend: SqlStatement;
  readonly #find: SqlStatement;
  readonly #delete: SqlStatement;
  readonly #deleteBody: SqlStatement;
  readonly #replaceBody: SqlStatement;
  readonly #remember: SqlStatement;
  #remembered = 0;

  /**
   * @param driver The database, with its tables.
   * @param channels The channels.
   * @param turns The turns.
   * @param decoder What reads messages.
   */
  constructor(driver: SqlDriver, channels: ChannelRows, turns: Turns, decoder: MessageDecoder) {
    this.#channels = channels;
    this.#turns = turns;
    this.#decoder = decoder;
    this.#insert = driver.prepare(
      `INSERT INTO posthorn_message
         (key, channel, id, sender, queued, log, wake_at, attempts, stored_at, written_at, expires_at, remember_until,
          recipient, correlation, external, lane, body)
       VALUES (${KEY}, ?1, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
       ON CONFLICT (channel, id) DO NOTHING`,
    );
    this.#insertBody = driver.prepare(`INSERT OR REPLACE INTO posthorn_body (key, body) VALUES (${KEY}, ?3)`);
    this.#seqOf = driver.prepare(`SELECT ${SEQ} FROM posthorn_message WHERE channel = ?1 AND id = ?2`);
    this.#isRemembered = driver.prepare(
      "SELECT 1 AS found FROM posthorn_remembered WHERE channel = ?1 AND id = ?2 AND until > ?3",
    );
    this.#ackPlain = driver.prepare(
      `DELETE FROM posthorn_message WHERE ${DELIVERY} AND log = 0 AND lane IS NULL AND recipient IS NULL
         AND remember_until IS NULL AND body IS NOT NULL`,
    );
    this.#ack = driver.prepare(`DELETE FROM posthorn_message WHERE ${DELIVERY} AND log = 0 RETURNING ${REMAINS}`);
    this.#leaveQueue = driver.prepare(
      `UPDATE posthorn_message SET queued = 0, wake_at = NULL, lease_until = NULL, token = NULL, worker = NULL
       WHERE ${DELIVERY} AND log = 1 RETURNING ${SEQ}, channel, lane, recipient`,
    );
    this.#delivered = driver.prepare(
      `SELECT ${SEQ}, channel, lane, recipient, attempts, worker, failures, body FROM posthorn_message WHERE ${DELIVERY}`,
    );
    this.#putBack = driver.prepare(
      `UPDATE posthorn_message
       SET wake_at = ?3, attempts = ?4, failures = ?5, lease_until = NULL, token = NULL, worker = NULL
       WHERE key = ${KEY}`,
    );
    this.#extend = driver.prepare(
      `UPDATE posthorn_message SET lease_until = ?5, wake_at = iif(wake_at IS NULL, NULL, ?5) WHERE ${DELIVERY}
       RETURNING ${SEQ}, channel, lane, recipient`,
    );
    this.#find = driver.prepare(`SELECT ${SEQ}, lease_until FROM posthorn_message WHERE channel = ?1 AND id = ?2`);
    this.#delete = driver.prepare(`DELETE FROM posthorn_message WHERE key = ${KEY} RETURNING ${REMAINS}`);
    this.#deleteBody = driver.prepare(`DELETE FROM posthorn_body WHERE key = ${KEY}`);
    this.#replaceBody = driver.prepare(`UPDATE posthorn_message SET body = ?3 WHERE key = ${KEY}`);
    this.#remember = driver.prepare(
      "INSERT OR REPLACE INTO posthorn_remembered (channel, id, until) VALUES (?1, ?2, ?3)",
    );
  }

  /** How many ids were noted since this was last called: as much may be tidied away. */
  takeRemembered(): number {
    const count = this.#remembered;
    this.#remembered = 0;
    return count;
  }

  /** Adds a message. */
  append(
    name: string,
    message: MessageEnvelope,
    mode: AppendMode,
    dedupeForMs: number,
    moment: Moment,
  ): OperationResult {
    const { now } = moment;
    const channel = this.#channels.open(name);
    const { id, senderId, timestamp, notBefore, expiresAt, orderingKey, recipientId } = message;
    if (dedupeForMs > 0 && this.#isRemembered.get(channel.id, id, now) !== undefined) {
      return this.#duplicate(channel.id, id);
    }
    const seq = this.#channels.nextSeq(channel);
    const text = encodeMessage(message);
    const isQueued = mode !== "log";
    const hasTurn = isQueued && (orderingKey !== undefined || recipientId !== undefined);
    const dueAt = notBefore === undefined ? now : fromWall(notBefore, moment);
    const written = this.#insert.run(
      channel.id,
      seq,
      id,
      senderId,
      isQueued ? 1 : 0,
      mode === "queue" ? 0 : 1,
      isQueued && !hasTurn ? dueAt : null,
      now,
      timestamp,
      expiresAt === undefined ? null : fromWall(expiresAt, moment),
      dedupeForMs > 0 ? now + dedupeForMs : null,
      recipientId ?? null,
      message.correlationId ?? null,
      message.externalId ?? null,
      orderingKey ?? null,
      text.length > LARGE_BODY ? null : text,
    );
    if (written === 0) return this.#duplicate(channel.id, id);
    if (text.length > LARGE_BODY) this.#insertBody.run(channel.id, seq, text);
    if (hasTurn) {
      this.#turns.add({ channel: channel.id, lane: orderingKey ?? NO_LANE, seq }, recipientId ?? null, dueAt, now);
    }
    count(this.#channels.change(channel), mode, seq, timestamp);
    return { status: "done", seq };
  }

  /** Ends a delivery well. */
  ack({ channel: name, seq, token }: Delivery, { now }: Moment): OperationResult {
    const channel = this.#channels.idOf(name);
    if (channel === undefined) return LEASE_LOST;
    if (this.#ackPlain.run(channel, seq, token, now) === 0) {
      const gone = this.#ack.get(channel, seq, token, now);
      const kept = gone === undefined ? this.#leaveQueue.get(channel, seq, token, now) : undefined;
      const turn = turnOf(gone ?? kept);
      if (gone === undefined && kept === undefined) return LEASE_LOST;
      if (turn !== undefined) this.#turns.finish(turn);
      if (gone !== undefined) this.#forget(name, gone, now);
    }
    this.#channels.touch(name);
    return DONE;
  }

  /** Ends a delivery badly. */
  release(operation: ReleaseOperation, { now, wall }: Moment): OperationResult {
    const { channel: name, seq, token, delayMs = 0, holdLaneMs = Infinity } = operation;
    const { countAttempt = true, failure, content } = operation;
    const channel = this.#channels.idOf(name);
    const row = channel === undefined ? undefined : this.#delivered.get(channel, seq, token, now);
    if (channel === undefined || row === undefined) return LEASE_LOST;
    if (content !== undefined) this.#setContent(row, content);
    const attempts = numberOf(row["attempts"]);
    let failures = optionalTextOf(row["failures"]) ?? null;
    if (countAttempt || failure !== undefined) {
      const workerId = textOf(row["worker"]);
      failures = addFailure(row, { attempt: attempts, at: wall, workerId, reason: "nacked", ...failure });
    }
    const dueAt = now + delayMs;
    const turn = turnOf(row);
    const left = countAttempt ? attempts : attempts - 1;
    this.#putBack.run(channel, seq, turn === undefined ? dueAt : null, left, failures);
    if (turn !== undefined) this.#turns.release(turn, dueAt, Math.min(dueAt, now + holdLaneMs), now);
    this.#channels.touch(name);
    return DONE;
  }

  /** Keeps a delivery going. */
  extend({ channel: name, seq, token, leaseMs }: ExtendOperation, { now, wall }: Moment): OperationResult {
    const channel = this.#channels.idOf(name);
    if (channel === undefined) return LEASE_LOST;
    const row = this.#extend.get(channel, seq, token, now, now + leaseMs);
    if (row === undefined) return LEASE_LOST;
    const turn = turnOf(row);
    if (turn !== undefined) this.#turns.extend(turn, now + leaseMs);
    return { status: "done", until: wall + leaseMs };
  }

  /** Removes a message. */
  remove(operation: RemoveOperation, { now }: Moment): OperationResult {
    const { channel: name, id, unlessClaimed = false, mustExist = false } = operation;
    const channel = this.#channels.idOf(name);
    const found = channel === undefined ? undefined : this.#find.get(channel, id);
    if (channel === undefined || found === undefined) return mustExist ? MISSING : NOT_FOUND;
    const leaseUntil = found["lease_until"];
    if (unlessClaimed && typeof leaseUntil === "number" && leaseUntil > now) return CLAIMED;
    const gone = this.#delete.get(channel, numberOf(found["seq"]));
    if (gone === undefined) return NOT_FOUND;
    const turn = gone["queued"] === 1 ? turnOf(gone) : undefined;
    if (turn !== undefined) this.#turns.remove(turn);
    this.#forget(name, gone, now);
    this.#channels.touch(name);
    return DONE;
  }

  #duplicate(channel: number, id: string): OperationResult {
    const row = this.#seqOf.get(channel, id);
    return row === undefined ? { status: "duplicate" } : { status: "duplicate", seq: numberOf(row["seq"]) };
  }

  #setContent(row: SqlRow, content: MessageEnvelope["content"]): void {
    const channel = numberOf(row["channel"]);
    const seq = numberOf(row["seq"]);
    const text = replaceContent(this.#decoder.bodyOf(channel, row), content);
    const isLarge = text.length > LARGE_BODY;
    this.#replaceBody.run(channel, seq, isLarge ? null : text);
    if (isLarge) this.#insertBody.run(channel, seq, text);
    else this.#deleteBody.run(channel, seq);
  }

  /** What the end of a message means for its body, the memory of its id, and the length of the log. */
  #forget(name: string, row: SqlRow, now: number): void {
    const channel = numberOf(row["channel"]);
    if (row["large"] === 1) this.#deleteBody.run(channel, numberOf(row["seq"]));
    if (row["log"] === 1) this.#channels.change(this.#channels.open(name)).logged--;
    const rememberUntil = row["remember_until"];
    if (typeof rememberUntil !== "number" || rememberUntil <= now) return;
    this.#remember.run(channel, textOf(row["id"]), rememberUntil);
    this.#remembered++;
  }
}

/** The turn of the message in a row with `channel`, `seq`, `lane` and `recipient`, where it has one. */
function turnOf(row: SqlRow | undefined): Turn | undefined {
  if (row === undefined) return undefined;
  const lane = optionalTextOf(row["lane"]);
  if (lane === undefined && row["recipient"] === null) return undefined;
  return { channel: numberOf(row["channel"]), lane: lane ?? NO_LANE, seq: numberOf(row["seq"]) };
}

function count(channel: ChannelRow, mode: AppendMode, seq: number, timestamp: number): void {
  channel.lastSeq = seq;
  if (mode !== "queue") channel.logged++;
  if (timestamp > channel.newestAt) channel.newestAt = timestamp;
  else if (channel.newestAt - timestamp > channel.slackMs) channel.slackMs = channel.newestAt - timestamp;
}
