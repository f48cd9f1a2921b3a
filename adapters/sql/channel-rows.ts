/**
 * The rows of channels within one transaction: read once, written once, undone with the savepoint they changed in.
 *
 * @module
 */
import { StoreError } from "../../core/mod.ts";
import { MAX_CHANNEL, MAX_SEQ } from "./schema.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement } from "./sql-driver.ts";

/** How many numbers of channels are remembered. */
const MOST_IDS = 10_000;

/** A channel in figures. Change it only through {@link ChannelRows.change}. */
export interface ChannelRow {
  readonly id: number;
  readonly name: string;
  /** The highest sequence number given so far. */
  lastSeq: number;
  /** Messages in the log. */
  logged: number;
  /** The highest sequence number of a log message that retention or `clear` removed. */
  prunedTo: number;
  /** The latest timestamp of a message, and how much earlier than the latest before it one was at most. */
  newestAt: number;
  slackMs: number;
}

/** Finds and keeps rows of channels. */
export class ChannelRows {
  readonly #find: SqlStatement;
  readonly #create: SqlStatement;
  readonly #update: SqlStatement;
  readonly #rows = new Map<string, ChannelRow>();
  readonly #changed = new Set<ChannelRow>();
  readonly #touched = new Set<string>();
  readonly #ids = new Map<string, number>();
  /** How to undo what changed since the savepoint, where one is open. */
  #undo: (() => void)[] | undefined;

  /** @param driver The database, with its tables. */
  constructor(driver: SqlDriver) {
    this.#find = driver.prepare(
      "SELECT id, last_seq, logged, pruned_to, newest_at, slack_ms FROM posthorn_channel WHERE name = ?1",
    );
    this.#create = driver.prepare(
      `INSERT INTO posthorn_channel (name, last_seq, logged, pruned_to, newest_at, slack_ms)
       VALUES (?1, 0, 0, 0, -1e300, 0)
       RETURNING id, last_seq, logged, pruned_to, newest_at, slack_ms`,
    );
    this.#update = driver.prepare(
      `UPDATE posthorn_channel
       SET last_seq = ?2, logged = ?3, pruned_to = ?4, newest_at = ?5, slack_ms = ?6 WHERE id = ?1`,
    );
  }

  /** The names of the channels whose messages changed. */
  get touched(): Iterable<string> {
    return new Set(this.#touched);
  }

  /**
   * The number of a channel, where it exists. It never changes, so it is remembered.
   *
   * @param name The channel.
   */
  idOf(name: string): number | undefined {
    const known = this.#rows.get(name)?.id ?? this.#ids.get(name);
    if (known !== undefined) return known;
    const row = this.#find.get(name);
    if (row === undefined) return undefined;
    const id = numberOf(row["id"]);
    if (this.#ids.size >= MOST_IDS) this.#ids.clear();
    this.#ids.set(name, id);
    return id;
  }

  /** Within a transaction: says that messages of a channel changed. */
  touch(name: string): void {
    this.#touched.add(name);
  }

  /** A channel to look at, within a transaction or outside of one. */
  peek(name: string): ChannelRow | undefined {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const row = this.#find.get(name);
    return row === undefined ? undefined : decode(name, row);
  }

  /** Within a transaction: a channel, where it exists. */
  find(name: string): ChannelRow | undefined {
    const found = this.peek(name);
    if (found !== undefined) this.#rows.set(name, found);
    return found;
  }

  /** Within a transaction: a channel, made where it does not exist. */
  open(name: string): ChannelRow {
    const found = this.find(name);
    if (found !== undefined) return found;
    const made = this.#create.get(name);
    if (made === undefined) throw new StoreError(`Cannot create channel "${name}": the database gave no row`);
    const row = decode(name, made);
    if (row.id > MAX_CHANNEL) throw new StoreError(`Cannot create channel "${name}": there are ${MAX_CHANNEL} already`);
    this.#rows.set(name, row);
    this.#undo?.push(() => this.#rows.delete(name));
    return row;
  }

  /** Within a transaction: says that a row is about to change. */
  change(row: ChannelRow): ChannelRow {
    if (this.#undo !== undefined) {
      const before = { ...row };
      this.#undo.push(() => void Object.assign(row, before));
    }
    this.#changed.add(row);
    this.touch(row.name);
    return row;
  }

  /** The next sequence number of a channel. */
  nextSeq(row: ChannelRow): number {
    if (row.lastSeq < MAX_SEQ) return row.lastSeq + 1;
    throw new StoreError(`Cannot append to channel "${row.name}": its sequence numbers are used up`);
  }

  /** Runs a part of a transaction that may be undone alone. */
  savepoint<Result>(body: () => Result): Result {
    this.#undo = [];
    try {
      return body();
    } catch (error) {
      for (const undo of this.#undo.reverse()) undo();
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  /** Writes what changed, at the end of a transaction. */
  flush(): void {
    for (const { id, lastSeq, logged, prunedTo, newestAt, slackMs } of this.#changed) {
      this.#update.run(id, lastSeq, logged, prunedTo, newestAt, slackMs);
    }
  }

  /** Forgets everything, after a transaction: other processes write too. */
  reset(): void {
    this.#rows.clear();
    this.#changed.clear();
    this.#touched.clear();
  }
}

function decode(name: string, row: SqlRow): ChannelRow {
  return {
    id: numberOf(row["id"]),
    name,
    lastSeq: numberOf(row["last_seq"]),
    logged: numberOf(row["logged"]),
    prunedTo: numberOf(row["pruned_to"]),
    newestAt: numberOf(row["newest_at"]),
    slackMs: numberOf(row["slack_ms"]),
  };
}
