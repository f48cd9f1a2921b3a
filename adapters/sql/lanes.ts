/**
 * What time and freed lanes do to messages. A lane is a queue of messages that share an ordering key: one in front,
 * those due behind it parked, those not yet due aside. See {@link PLACE} for the places.
 *
 * @module
 */
import { addFailure } from "./message-codec.ts";
import { KEY, PLACE, SEQ } from "./schema.ts";
import { numberOf, optionalTextOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { type Moment, toWall } from "./store-time.ts";

/** Everything that moves messages between places other than by a worker's hand. */
export class Lanes {
  readonly #front: SqlStatement;
  readonly #firstParked: SqlStatement;
  readonly #open: SqlStatement;
  readonly #park: SqlStatement;
  readonly #time: SqlStatement;
  readonly #fail: SqlStatement;
  readonly #endedClaims: SqlStatement;
  readonly #waking: SqlStatement;

  /** @param driver The database, with its tables. */
  constructor(driver: SqlDriver) {
    this.#front = driver.prepare(
      `SELECT ${SEQ}, place, wake_at FROM posthorn_message
       WHERE channel = ?1 AND lane = ?2 AND place IN (${PLACE.open}, ${PLACE.busy}, ${PLACE.held}) LIMIT 1`,
    );
    this.#firstParked = driver.prepare(
      `SELECT ${SEQ}, due_at FROM posthorn_message
       WHERE channel = ?1 AND lane = ?2 AND place = ${PLACE.parked} ORDER BY key LIMIT 1`,
    );
    this.#open = driver.prepare(
      `UPDATE posthorn_message SET place = ${PLACE.open}, wake_at = ?3, due_at = NULL WHERE key = ${KEY}`,
    );
    this.#park = driver.prepare(
      `UPDATE posthorn_message SET place = ${PLACE.parked}, wake_at = NULL, due_at = ?3 WHERE key = ${KEY}`,
    );
    this.#time = driver.prepare(
      `UPDATE posthorn_message SET place = ${PLACE.timed}, wake_at = ?3, due_at = NULL WHERE key = ${KEY}`,
    );
    this.#fail = driver.prepare(
      `UPDATE posthorn_message SET token = NULL, worker = NULL, failures = ?3 WHERE key = ${KEY}`,
    );
    this.#endedClaims = driver.prepare(
      `SELECT ${SEQ}, wake_at, attempts, worker, failures FROM posthorn_message
       WHERE channel = ?1 AND place = ${PLACE.claimed} AND wake_at <= ?2 ORDER BY wake_at, key LIMIT ?3`,
    );
    this.#waking = driver.prepare(
      `SELECT ${SEQ}, place, lane, wake_at, due_at, attempts, worker, failures FROM posthorn_message
       WHERE channel = ?1 AND place IN (${PLACE.busy}, ${PLACE.held}, ${PLACE.timed}) AND wake_at <= ?2`,
    );
  }

  /** Whether a lane has a message in front. */
  isTaken(channel: number, lane: string): boolean {
    return this.#front.get(channel, lane) !== undefined;
  }

  /** Lets the first message that is parked in a lane to the front. The lane has nothing in front. */
  advance(channel: number, lane: string): void {
    const next = this.#firstParked.get(channel, lane);
    if (next !== undefined) this.#open.run(channel, seqOf(next), numberOf(next["due_at"]));
  }

  /** Puts a message of a lane with nothing in front where it belongs, due since `dueAt`. */
  enter(channel: number, lane: string, seq: number, dueAt: number): void {
    const first = this.#firstParked.get(channel, lane);
    if (first === undefined || seq < seqOf(first)) {
      this.#open.run(channel, seq, dueAt);
    } else {
      this.#park.run(channel, seq, dueAt);
      this.#open.run(channel, seqOf(first), numberOf(first["due_at"]));
    }
  }

  /**
   * Does what time has done to a channel: ended leases, ended holds, messages that became due. Each message is touched
   * once for each of these; what is due already is not looked at.
   *
   * @param limit How many ended leases of messages without a lane are enough: the earliest.
   */
  promote(channel: number, moment: Moment, limit: number): void {
    const { now } = moment;
    for (const row of this.#endedClaims.all(channel, now, limit)) {
      this.#failLease(channel, row, moment);
      this.#open.run(channel, seqOf(row), numberOf(row["wake_at"]));
    }
    for (const row of this.#waking.all(channel, now)) {
      const lane = textOf(row["lane"]);
      const wakeAt = numberOf(row["wake_at"]);
      switch (row["place"]) {
        case PLACE.busy:
          this.#failLease(channel, row, moment);
          this.enter(channel, lane, seqOf(row), wakeAt);
          break;
        case PLACE.held:
          this.#endHold(channel, lane, row, now);
          break;
        default:
          this.#becomeDue(channel, lane, seqOf(row), wakeAt);
      }
    }
  }

  #endHold(channel: number, lane: string, row: SqlRow, now: number): void {
    const dueAt = numberOf(row["due_at"]);
    if (dueAt <= now) {
      this.enter(channel, lane, seqOf(row), dueAt);
    } else {
      this.#time.run(channel, seqOf(row), dueAt);
      this.advance(channel, lane);
    }
  }

  /** A message whose time has come: first in front of an open lane if it is the earliest of it, else parked. */
  #becomeDue(channel: number, lane: string, seq: number, dueAt: number): void {
    const front = this.#front.get(channel, lane);
    if (front === undefined) {
      this.#open.run(channel, seq, dueAt);
    } else if (front["place"] === PLACE.open && seq < seqOf(front)) {
      this.#park.run(channel, seqOf(front), numberOf(front["wake_at"]));
      this.#open.run(channel, seq, dueAt);
    } else {
      this.#park.run(channel, seq, dueAt);
    }
  }

  #failLease(channel: number, row: SqlRow, moment: Moment): void {
    const failure = {
      attempt: numberOf(row["attempts"]),
      at: Math.round(toWall(numberOf(row["wake_at"]), moment)),
      workerId: optionalTextOf(row["worker"]) ?? "",
      reason: "lease-expired",
    };
    this.#fail.run(channel, seqOf(row), addFailure(row, failure));
  }
}

function seqOf(row: SqlRow): number {
  return numberOf(row["seq"]);
}
