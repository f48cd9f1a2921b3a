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
import type { Lanes } from "./lanes.ts";
import { addFailure, encodeBody, replaceContent } from "./message-codec.ts";
import { KEY, LARGE_BODY, PLACE, SEQ } from "./schema.ts";
import { numberOf, optionalTextOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { fromWall, type Moment } from "./store-time.ts";

/** What names a delivery, and the token only its holder has. */
type Delivery = Pick<AckOperation, "channel" | "seq" | "token">;

/** What an operation reports that does nothing because of what it finds. */
const DONE: OperationResult = Object.freeze({ status: "done" });
const LEASE_LOST: OperationResult = Object.freeze({ status: "lease-lost" });
const NOT_FOUND: OperationResult = Object.freeze({ status: "not-found" });
const MISSING: OperationResult = Object.freeze({ status: "missing" });
const CLAIMED: OperationResult = Object.freeze({ status: "claimed" });

/** A present delivery: the token, and a lease that has not ended. */
const DELIVERY = `key = ${KEY} AND token = ?3 AND wake_at > ?4 AND place IN (${PLACE.claimed}, ${PLACE.busy})`;

/** See the module. Every method works within a transaction. */
export class MessageTable {
  readonly #channels: ChannelRows;
  readonly #lanes: Lanes;
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
  readonly #body: SqlStatement;
  readonly #replaceBody: SqlStatement;
  readonly #remember: SqlStatement;
  #remembered = 0;

  /** @param driver The database, with its tables. @param channels The channels. @param lanes The lanes. */
  constructor(driver: SqlDriver, channels: ChannelRows, lanes: Lanes) {
    this.#channels = channels;
    this.#lanes = lanes;
    this.#insert = driver.prepare(
      `INSERT INTO posthorn_message
         (key, channel, id, sender, log, place, wake_at, due_at, attempts, stored_at, written_at, expires_at,
          remember_until, recipient, correlation, external, lane, body)
       VALUES (${KEY}, ?1, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
       ON CONFLICT (channel, id) DO NOTHING`,
    );
    this.#insertBody = driver.prepare(`INSERT OR REPLACE INTO posthorn_body (key, body) VALUES (${KEY}, ?3)`);
    this.#seqOf = driver.prepare(`SELECT ${SEQ} FROM posthorn_message WHERE channel = ?1 AND id = ?2`);
    this.#isRemembered = driver.prepare(
      "SELECT 1 FROM posthorn_remembered WHERE channel = ?1 AND id = ?2 AND until > ?3",
    );
    this.#ackPlain = driver.prepare(
      `DELETE FROM posthorn_message WHERE ${DELIVERY}
         AND log = 0 AND lane IS NULL AND remember_until IS NULL AND body IS NOT NULL`,
    );
    this.#ack = driver.prepare(
      `DELETE FROM posthorn_message WHERE ${DELIVERY} AND log = 0
       RETURNING ${SEQ}, place, lane, log, id, remember_until, body IS NULL AS large`,
    );
    this.#leaveQueue = driver.prepare(
      `UPDATE posthorn_message SET place = NULL, wake_at = NULL, due_at = NULL, token = NULL, worker = NULL
       WHERE ${DELIVERY} AND log = 1 RETURNING lane`,
    );
    this.#delivered = driver.prepare(
      `SELECT lane, attempts, worker, failures FROM posthorn_message WHERE ${DELIVERY}`,
    );
    this.#putBack = driver.prepare(
      `UPDATE posthorn_message
       SET place = ?3, wake_at = ?4, due_at = ?5, attempts = ?6, failures = ?7, token = NULL, worker = NULL
       WHERE key = ${KEY}`,
    );
    this.#extend = driver.prepare(`UPDATE posthorn_message SET wake_at = ?5 WHERE ${DELIVERY}`);
    this.#find = driver.prepare(
      `SELECT ${SEQ}, place, wake_at FROM posthorn_message WHERE channel = ?1 AND id = ?2`,
    );
    this.#delete = driver.prepare(
      `DELETE FROM posthorn_message WHERE key = ${KEY}
       RETURNING ${SEQ}, place, lane, log, id, remember_until, body IS NULL AS large`,
    );
    this.#deleteBody = driver.prepare(`DELETE FROM posthorn_body WHERE key = ${KEY}`);
    this.#body = driver.prepare(
      `SELECT coalesce(body, (SELECT large.body FROM posthorn_body AS large WHERE large.key = ${KEY})) AS body
       FROM posthorn_message WHERE key = ${KEY}`,
    );
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
    if (dedupeForMs > 0 && this.#isRemembered.get(channel.id, message.id, now) !== undefined) {
      return this.#duplicate(channel.id, message.id);
    }
    const seq = this.#channels.nextSeq(channel);
    const text = encodeBody(message);
    const { id, senderId, timestamp, notBefore, expiresAt, orderingKey = null } = message;
    const dueAt = notBefore === undefined ? now : fromWall(notBefore, moment);
    const place = mode === "log" ? null : this.#placeFor(channel.id, orderingKey, dueAt, now);
    const isParked = place === PLACE.parked;
    const written = this.#insert.run(
      channel.id,
      seq,
      id,
      senderId,
      mode === "queue" ? 0 : 1,
      place,
      place === null || isParked ? null : dueAt,
      isParked ? dueAt : null,
      now,
      timestamp,
      expiresAt === undefined ? null : fromWall(expiresAt, moment),
      dedupeForMs > 0 ? now + dedupeForMs : null,
      message.recipientId ?? null,
      message.correlationId ?? null,
      message.externalId ?? null,
      orderingKey,
      text.length > LARGE_BODY ? null : text,
    );
    if (written === 0) return this.#duplicate(channel.id, id);
    if (text.length > LARGE_BODY) this.#insertBody.run(channel.id, seq, text);
    count(this.#channels.change(channel), mode, seq, timestamp);
    return { status: "done", seq };
  }

  /** Ends a delivery well. */
  ack({ channel: name, seq, token }: Delivery, { now }: Moment): OperationResult {
    const channel = this.#channels.find(name);
    if (channel === undefined) return LEASE_LOST;
    if (this.#ackPlain.run(channel.id, seq, token, now) > 0) {
      this.#channels.change(channel).stored--;
      return DONE;
    }
    const gone = this.#ack.get(channel.id, seq, token, now);
    if (gone !== undefined) {
      this.#afterDelete(channel, gone, now);
      return DONE;
    }
    const kept = this.#leaveQueue.get(channel.id, seq, token, now);
    if (kept === undefined) return LEASE_LOST;
    const lane = optionalTextOf(kept["lane"]);
    if (lane !== undefined) this.#lanes.advance(channel.id, lane);
    this.#channels.change(channel);
    return DONE;
  }

  /** Ends a delivery badly. */
  release(operation: ReleaseOperation, { now, wall }: Moment): OperationResult {
    const { seq, token, delayMs = 0, holdLaneMs = Infinity, countAttempt = true, failure, content } = operation;
    const channel = this.#channels.find(operation.channel);
    if (channel === undefined) return LEASE_LOST;
    const row = this.#delivered.get(channel.id, seq, token, now);
    if (row === undefined) return LEASE_LOST;
    this.#channels.change(channel);
    if (content !== undefined) this.#setContent(channel.id, seq, content);
    const attempts = numberOf(row["attempts"]);
    const failures = countAttempt || failure !== undefined
      ? addFailure(row, {
        attempt: attempts,
        at: wall,
        workerId: textOf(row["worker"]),
        reason: "nacked",
        ...failure,
      })
      : optionalTextOf(row["failures"]) ?? null;
    const lane = optionalTextOf(row["lane"]);
    const dueAt = now + delayMs;
    const isHeld = lane !== undefined && delayMs > 0 && holdLaneMs > 0;
    const place = isHeld ? PLACE.held : lane === undefined ? PLACE.open : PLACE.timed;
    const wakeAt = isHeld ? Math.min(dueAt, now + holdLaneMs) : dueAt;
    const left = countAttempt ? attempts : attempts - 1;
    this.#putBack.run(channel.id, seq, place, wakeAt, isHeld ? dueAt : null, left, failures);
    if (lane !== undefined && !isHeld) {
      if (delayMs > 0) this.#lanes.advance(channel.id, lane);
      else this.#lanes.enter(channel.id, lane, seq, dueAt);
    }
    return DONE;
  }

  /** Keeps a delivery going. */
  extend({ channel: name, seq, token, leaseMs }: ExtendOperation, { now, wall }: Moment): OperationResult {
    const channel = this.#channels.find(name);
    if (channel === undefined) return LEASE_LOST;
    const written = this.#extend.run(channel.id, seq, token, now, now + leaseMs);
    return written === 0 ? LEASE_LOST : { status: "done", until: wall + leaseMs };
  }

  /** Removes a message. */
  remove(
    { channel: name, id, unlessClaimed = false, mustExist = false }: RemoveOperation,
    { now }: Moment,
  ): OperationResult {
    const channel = this.#channels.find(name);
    const row = channel === undefined ? undefined : this.#find.get(channel.id, id);
    if (channel === undefined || row === undefined) return mustExist ? MISSING : NOT_FOUND;
    const isHeldByWorker = row["place"] === PLACE.claimed || row["place"] === PLACE.busy;
    if (unlessClaimed && isHeldByWorker && numberOf(row["wake_at"]) > now) return CLAIMED;
    const gone = this.#delete.get(channel.id, numberOf(row["seq"]));
    if (gone === undefined) return mustExist ? MISSING : NOT_FOUND;
    this.#afterDelete(channel, gone, now);
    return DONE;
  }

  #placeFor(channel: number, lane: string | null, dueAt: number, now: number): number {
    if (lane === null) return PLACE.open;
    if (dueAt > now) return PLACE.timed;
    return this.#lanes.isTaken(channel, lane) ? PLACE.parked : PLACE.open;
  }

  #duplicate(channel: number, id: string): OperationResult {
    const row = this.#seqOf.get(channel, id);
    return row === undefined ? { status: "duplicate" } : { status: "duplicate", seq: numberOf(row["seq"]) };
  }

  #setContent(channel: number, seq: number, content: MessageEnvelope["content"]): void {
    const text = replaceContent(textOf(this.#body.get(channel, seq)?.["body"]), content);
    const isLarge = text.length > LARGE_BODY;
    this.#replaceBody.run(channel, seq, isLarge ? null : text);
    if (isLarge) this.#insertBody.run(channel, seq, text);
    else this.#deleteBody.run(channel, seq);
  }

  /** What the end of a message means for its lane, its body, the memory of its id, and the count. */
  #afterDelete(channel: ChannelRow, row: SqlRow, now: number): void {
    const changed = this.#channels.change(channel);
    changed.stored--;
    changed.logged -= numberOf(row["log"]);
    if (row["large"] === 1) this.#deleteBody.run(channel.id, numberOf(row["seq"]));
    const rememberUntil = row["remember_until"];
    if (typeof rememberUntil === "number" && rememberUntil > now) {
      this.#remember.run(channel.id, textOf(row["id"]), rememberUntil);
      this.#remembered++;
    }
    const lane = optionalTextOf(row["lane"]);
    const place = row["place"];
    const wasFront = place === PLACE.open || place === PLACE.busy || place === PLACE.held;
    if (lane !== undefined && wasFront) this.#lanes.advance(channel.id, lane);
  }
}

function count(channel: ChannelRow, mode: AppendMode, seq: number, timestamp: number): void {
  channel.lastSeq = seq;
  channel.stored++;
  if (mode !== "queue") channel.logged++;
  if (timestamp > channel.newestAt) channel.newestAt = timestamp;
  else if (channel.newestAt - timestamp > channel.slackMs) channel.slackMs = channel.newestAt - timestamp;
}
