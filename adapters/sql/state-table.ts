/**
 * State values, their versions and their ends.
 *
 * @module
 */
import type { DeleteStateOperation, OperationResult, SetStateOperation, StateEntry } from "../../core/mod.ts";
import { numberOf, type SqlDriver, type SqlRow, type SqlStatement, textOf } from "./sql-driver.ts";
import { type Moment, toWall } from "./store-time.ts";

const ALIVE = "(expires_at IS NULL OR expires_at > ?2)";

/** See the module. */
export class StateTable {
  readonly #get: SqlStatement;
  readonly #versionOf: SqlStatement;
  readonly #nextVersion: SqlStatement;
  readonly #set: SqlStatement;
  readonly #delete: SqlStatement;
  readonly #list: SqlStatement;

  /** @param driver The database, with its tables. */
  constructor(driver: SqlDriver) {
    this.#get = driver.prepare(
      `SELECT key, value, version, expires_at FROM posthorn_state WHERE key = ?1 AND ${ALIVE}`,
    );
    this.#versionOf = driver.prepare(`SELECT version FROM posthorn_state WHERE key = ?1 AND ${ALIVE}`);
    // One count for all keys: a version never comes back, not even that of a key that was deleted and written again.
    this.#nextVersion = driver.prepare(
      `INSERT INTO posthorn_meta (name, value) VALUES ('version', 1)
       ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
    );
    this.#set = driver.prepare(
      "INSERT OR REPLACE INTO posthorn_state (key, value, version, expires_at) VALUES (?1, ?2, ?3, ?4)",
    );
    this.#delete = driver.prepare("DELETE FROM posthorn_state WHERE key = ?1");
    // Texts compare by their bytes, and no UTF-8 text has a byte greater than that of the last character there is.
    this.#list = driver.prepare(
      `SELECT key, value, version, expires_at FROM posthorn_state
       WHERE key >= ?1 AND key < ?1 || char(1114111) AND key > ?3 AND ${ALIVE} ORDER BY key LIMIT ?4`,
    );
  }

  /** A value that has not ended. */
  get(key: string, moment: Moment): StateEntry | undefined {
    const row = this.#get.get(key, moment.now);
    return row === undefined ? undefined : decode(row, moment);
  }

  /** Values by key. */
  list(prefix: string, after: string, limit: number, moment: Moment): readonly StateEntry[] {
    return this.#list.all(prefix, moment.now, after, limit).map((row) => decode(row, moment));
  }

  /** Writes a value. */
  set({ key, value, expectedVersion, ttlMs }: SetStateOperation, { now }: Moment): OperationResult {
    if (expectedVersion !== undefined && expectedVersion !== this.#version(key, now)) return { status: "conflict" };
    const version = numberOf(this.#nextVersion.get()?.["value"]);
    this.#set.run(key, JSON.stringify(value), version, ttlMs === undefined ? null : now + ttlMs);
    return { status: "done", version };
  }

  /** Deletes a value. */
  delete({ key, expectedVersion }: DeleteStateOperation, { now }: Moment): OperationResult {
    const version = this.#version(key, now);
    if (version === 0) return { status: "not-found" };
    if (expectedVersion !== undefined && expectedVersion !== version) return { status: "conflict" };
    this.#delete.run(key);
    return { status: "done" };
  }

  #version(key: string, now: number): number {
    const row = this.#versionOf.get(key, now);
    return row === undefined ? 0 : numberOf(row["version"]);
  }
}

function decode(row: SqlRow, moment: Moment): StateEntry {
  const entry = { key: textOf(row["key"]), value: JSON.parse(textOf(row["value"])), version: numberOf(row["version"]) };
  const expiresAt = row["expires_at"];
  return typeof expiresAt === "number" ? { ...entry, expiresAt: Math.round(toWall(expiresAt, moment)) } : entry;
}
