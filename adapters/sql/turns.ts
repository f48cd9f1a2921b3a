/**
 * Whose turn it is among messages with a lane or a recipient. A lane is a queue of messages that share an ordering key:
 * one in front, those due behind it parked, those not yet due aside. See {@link PLACE} for the places.
 *
 * @module
 */
import { addFailure } from "./message-codec.ts";
import { KEY, PLACE } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { type Moment, toWall } from "./store-time.ts";

/** The lane of messages that have none. */
export const NO_LANE = "";

/** A message among the turns. */
export interface Turn {
  readonly channel: number;
  readonly lane: string;
  readonly seq: number;
}

/** See the module. Every method works within a transaction. */
export class Turns {
  readonly #insert: SqlStatement;
  readonly #move: SqlStatement;
  readonly #delete: SqlStatement;
  readonly #deleteAnywhere: SqlStatement;
  readonly #front: SqlStatement;
  readonly #firstParked: SqlStatement;
  readonly #waking: SqlStatement;
  readonly #delivery: SqlStatement;
  readonly #failLease: SqlStatement;

  /** @param driver The database, with its tables. */
  constructor(driver: SqlDriver) {
    this.#insert = driver.prepare(
      `INSERT INTO posthorn_turn (channel, lane, place, seq, recipient, wake_at, due_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
    );
    this.#move = driver.prepare(
      `UPDATE posthorn_turn SET place = ?5, wake_at = ?6, due_at = ?7
       WHERE channel = ?1 AND lane = ?2 AND place = ?3 AND seq = ?4`,
    );
    this.#delete = driver.prepare(
      "DELETE FROM posthorn_turn WHERE channel = ?1 AND lane = ?2 AND place = ?3 AND seq = ?4",
    );
    this.#deleteAnywhere = driver.prepare(
      `DELETE FROM posthorn_turn WHERE channel = ?1 AND lane = ?2 AND place IN (0, 1, 2, 3, 4) AND seq = ?3
       RETURNING place`,
    );
    this.#front = driver.prepare(
      `SELECT seq, place, wake_at FROM posthorn_turn
       WHERE channel = ?1 AND lane = ?2 AND place <= ${PLACE.held} LIMIT 1`,
    );
    this.#firstParked = driver.prepare(
      `SELECT seq, due_at FROM posthorn_turn
       WHERE channel = ?1 AND lane = ?2 AND place = ${PLACE.parked} ORDER BY seq LIMIT 1`,
    );
    this.#waking = driver.prepare(
      `SELECT lane, place, seq, wake_at, due_at FROM posthorn_turn
       WHERE channel = ?1 AND place IN (${PLACE.busy}, ${PLACE.held}, ${PLACE.timed}) AND wake_at <= ?2`,
    );
    this.#delivery = driver.prepare(
      `SELECT attempts, worker, failures FROM posthorn_message WHERE key = ${KEY}`,
    );
    this.#failLease = driver.prepare(
      `UPDATE posthorn_message SET token = NULL, worker = NULL, lease_until = NULL, failures = ?3 WHERE key = ${KEY}`,
    );
  }

  /** Adds a message that is due at `dueAt`. */
  add(turn: Turn, recipient: string | null, dueAt: number, now: number): void {
    const { channel, lane, seq } = turn;
    let place: number = PLACE.open;
    if (lane !== NO_LANE) {
      if (dueAt > now) place = PLACE.timed;
      else if (this.#front.get(channel, lane) !== undefined) place = PLACE.parked;
    }
    const isParked = place === PLACE.parked;
    this.#insert.run(channel, lane, place, seq, recipient, isParked ? null : dueAt, isParked ? dueAt : null);
  }

  /** An open message goes to a worker. */
  claim({ channel, lane, seq }: Turn, until: number): void {
    this.#move.run(channel, lane, PLACE.open, seq, PLACE.busy, until, null);
  }

  /** The worker has it for longer. */
  extend({ channel, lane, seq }: Turn, until: number): void {
    this.#move.run(channel, lane, PLACE.busy, seq, PLACE.busy, until, null);
  }

  /** The worker is done with it for good. */
  finish({ channel, lane, seq }: Turn): void {
    this.#delete.run(channel, lane, PLACE.busy, seq);
    this.#advance(channel, lane);
  }

  /** The worker gives it back. It is due at `dueAt`, and holds its lane until `holdUntil`. */
  release(turn: Turn, dueAt: number, holdUntil: number, now: number): void {
    if (turn.lane === NO_LANE) {
      this.#put(turn, PLACE.busy, PLACE.open, dueAt);
    } else if (dueAt <= now) {
      this.#enter(turn, PLACE.busy, dueAt);
    } else if (holdUntil > now) {
      this.#put(turn, PLACE.busy, PLACE.held, holdUntil, dueAt);
    } else {
      this.#put(turn, PLACE.busy, PLACE.timed, dueAt);
      this.#advance(turn.channel, turn.lane);
    }
  }

  /** It is removed, wherever it stands. */
  remove({ channel, lane, seq }: Turn): void {
    const place = this.#deleteAnywhere.get(channel, lane, seq)?.["place"];
    if (typeof place === "number" && place <= PLACE.held) this.#advance(channel, lane);
  }

  /**
   * Writes down what time has done to a channel: ended leases, ended holds, messages that became due. Each message is
   * touched once for each of these; what is due already is not looked at.
   */
  promote(channel: number, moment: Moment): void {
    for (const row of this.#waking.all(channel, moment.now)) {
      const turn: Turn = { channel, lane: textOf(row["lane"]), seq: numberOf(row["seq"]) };
      const wakeAt = numberOf(row["wake_at"]);
      switch (row["place"]) {
        case PLACE.busy:
          this.#endLease(turn, wakeAt, moment);
          break;
        case PLACE.held:
          this.#endHold(turn, numberOf(row["due_at"]), moment.now);
          break;
        default:
          this.#becomeDue(turn, wakeAt);
      }
    }
  }

  #endLease(turn: Turn, endedAt: number, moment: Moment): void {
    const row = this.#delivery.get(turn.channel, turn.seq);
    if (row !== undefined) this.#failLease.run(turn.channel, turn.seq, leaseExpired(row, endedAt, moment));
    if (turn.lane === NO_LANE) this.#put(turn, PLACE.busy, PLACE.open, endedAt);
    else this.#enter(turn, PLACE.busy, endedAt);
  }

  #endHold(turn: Turn, dueAt: number, now: number): void {
    if (dueAt <= now) {
      this.#enter(turn, PLACE.held, dueAt);
    } else {
      this.#put(turn, PLACE.held, PLACE.timed, dueAt);
      this.#advance(turn.channel, turn.lane);
    }
  }

  /** A message whose time has come: to the front of an open lane if it is the earliest of it, else parked. */
  #becomeDue(turn: Turn, dueAt: number): void {
    const { channel, lane, seq } = turn;
    const front = this.#front.get(channel, lane);
    if (front === undefined) {
      this.#put(turn, PLACE.timed, PLACE.open, dueAt);
    } else if (front["place"] === PLACE.open && seq < numberOf(front["seq"])) {
      this.#put({ channel, lane, seq: numberOf(front["seq"]) }, PLACE.open, PLACE.parked, numberOf(front["wake_at"]));
      this.#put(turn, PLACE.timed, PLACE.open, dueAt);
    } else {
      this.#put(turn, PLACE.timed, PLACE.parked, dueAt);
    }
  }

  /** Puts the message that was in front where it belongs now that it is due: the earliest due one is in front. */
  #enter(turn: Turn, from: number, dueAt: number): void {
    const { channel, lane, seq } = turn;
    const first = this.#firstParked.get(channel, lane);
    if (first === undefined || seq < numberOf(first["seq"])) {
      this.#put(turn, from, PLACE.open, dueAt);
    } else {
      this.#put(turn, from, PLACE.parked, dueAt);
      this.#open(channel, lane, first);
    }
  }

  /** Lets the first message that is parked to the front of a lane that has nothing there. */
  #advance(channel: number, lane: string): void {
    if (lane === NO_LANE) return;
    const next = this.#firstParked.get(channel, lane);
    if (next !== undefined) this.#open(channel, lane, next);
  }

  #open(channel: number, lane: string, parked: SqlRow): void {
    this.#put({ channel, lane, seq: numberOf(parked["seq"]) }, PLACE.parked, PLACE.open, numberOf(parked["due_at"]));
  }

  /** @param at When it wakes; of a parked message, since when it is due. */
  #put({ channel, lane, seq }: Turn, from: number, to: number, at: number, dueAt: number | null = null): void {
    const isParked = to === PLACE.parked;
    this.#move.run(channel, lane, from, seq, to, isParked ? null : at, isParked ? at : dueAt);
  }
}

/** The failures of a row with that of a lease that ended. */
export function leaseExpired(row: SqlRow, endedAt: number, moment: Moment): string {
  return addFailure(row, {
    attempt: numberOf(row["attempts"]),
    at: Math.round(toWall(endedAt, moment)),
    workerId: textOf(row["worker"]),
    reason: "lease-expired",
  });
}
