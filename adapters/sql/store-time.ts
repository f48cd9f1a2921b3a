/**
 * The time of a store: it goes on where the database has got to, whoever opens it.
 *
 * @module
 */
import type { Clock } from "../../core/mod.ts";
import { numberOf, type SqlDriver, type SqlStatement } from "./sql-driver.ts";

/** How far the noted time may lag behind. A commit notes it at most this often. */
const NOTE_EVERY_MS = 1_000;

/** One moment on both clocks. */
export interface Moment {
  /** The store's time: leases and delays count on it. */
  readonly now: number;
  /** The wall clock's. */
  readonly wall: number;
}

/** A time of the store as the wall clock would show it. */
export function toWall(storeMs: number, moment: Moment): number {
  return storeMs - moment.now + moment.wall;
}

/** A time of the wall clock as the store counts it. */
export function fromWall(wallMs: number, moment: Moment): number {
  return wallMs - moment.wall + moment.now;
}

/**
 * Leases and delays count on the clock's monotonic time, which starts at the wall clock's. A wall clock that was set
 * back between two runs would make them start before what is stored, and every lease last the longer: the time reached
 * is therefore noted in the database, and a store that starts earlier counts from there.
 */
export class StoreTime {
  readonly #clock: Clock;
  readonly #note: SqlStatement;
  readonly #noted: SqlStatement;
  #offsetMs: number | undefined;
  #notedMs = -Infinity;

  /** @param driver The database, with its tables. @param clock The clock. */
  constructor(driver: SqlDriver, clock: Clock) {
    this.#clock = clock;
    this.#note = driver.prepare("INSERT OR REPLACE INTO posthorn_meta (name, value) VALUES ('time', ?1)");
    this.#noted = driver.prepare("SELECT value FROM posthorn_meta WHERE name = 'time'");
  }

  /** What time it is, on both clocks. */
  read(): Moment {
    const monotonicMs = this.#clock.monotonic();
    if (this.#offsetMs === undefined) {
      const row = this.#noted.get();
      this.#offsetMs = row === undefined ? 0 : Math.max(0, numberOf(row["value"]) - monotonicMs);
    }
    return { now: monotonicMs + this.#offsetMs, wall: this.#clock.now() };
  }

  /** Within a transaction that writes: notes the time reached. */
  note(now: number): void {
    if (now - this.#notedMs < NOTE_EVERY_MS) return;
    this.#note.run(now);
    this.#notedMs = now;
  }

  /** After a transaction that was undone: what it noted is not there. */
  forgetNote(): void {
    this.#notedMs = -Infinity;
  }
}
