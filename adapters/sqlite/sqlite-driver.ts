/**
 * SQLite as the SQL store wants it.
 *
 * @module
 */
import { StoreError } from "../../core/mod.ts";
import type { SqlDriver, SqlRow, SqlStatement, SqlValue } from "../sql/sql-driver.ts";
import { isBusy, type SqliteDatabaseLike, type SqliteStatementLike } from "./sqlite-database.ts";

/** How hard SQLite sees to it that a commit is on the disk. */
export type Synchronous = "FULL" | "NORMAL";

/** How long SQLite itself may wait for another process, holding up this one, before the store waits asynchronously. */
const SHORT_WAIT_MS = 8;

/** See the module. */
export class SqliteDriver implements SqlDriver {
  readonly #database: SqliteDatabaseLike;
  readonly #begin: SqliteStatementLike;
  readonly #commit: SqliteStatementLike;
  readonly #rollback: SqliteStatementLike;
  readonly #save: SqliteStatementLike;
  readonly #release: SqliteStatementLike;
  readonly #rollbackTo: SqliteStatementLike;
  readonly #dataVersion: SqlStatement;

  /**
   * @param database The database.
   * @param synchronous What to set.
   * @param busyTimeoutMs How long to wait for other processes while it is made ready.
   */
  constructor(database: SqliteDatabaseLike, synchronous: Synchronous, busyTimeoutMs: number) {
    this.#database = database;
    database.exec(`PRAGMA busy_timeout = ${Math.ceil(busyTimeoutMs)}`);
    setWriteAheadLog(database, busyTimeoutMs);
    database.exec(`PRAGMA synchronous = ${synchronous}`);
    // Pages change many times while messages pass through: the longer they stay in the log, the fewer are written twice.
    // 16 MB of log are read in no time when a killed process left them; what a burst made it more is given back.
    database.exec("PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864");
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#rollback = database.prepare("ROLLBACK");
    this.#save = database.prepare("SAVEPOINT posthorn");
    this.#release = database.prepare("RELEASE posthorn");
    this.#rollbackTo = database.prepare("ROLLBACK TO posthorn");
    this.#dataVersion = this.prepare("PRAGMA data_version");
  }

  /** From now on SQLite waits for other processes so short that a turn of the event loop can bear it. */
  waitShortly(busyTimeoutMs: number): void {
    this.#database.exec(`PRAGMA busy_timeout = ${Math.min(SHORT_WAIT_MS, Math.ceil(busyTimeoutMs))}`);
  }

  /** Whether the database is a file. */
  get isFile(): boolean {
    const [main] = this.prepare("PRAGMA database_list").all();
    return typeof main?.["file"] === "string" && main["file"] !== "";
  }

  /** A number that changes when another connection has written. */
  dataVersion(): number {
    const version = this.#dataVersion.get()?.["data_version"];
    return typeof version === "number" ? version : 0;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare(sql: string): SqlStatement {
    return new SqliteStatement(this.#database, sql);
  }

  transaction<Result>(body: () => Result): Result {
    this.#begin.run();
    let result: Result;
    try {
      result = body();
      this.#commit.run();
    } catch (error) {
      this.#undo(error);
    }
    return result;
  }

  savepoint<Result>(body: () => Result): Result {
    this.#save.run();
    try {
      return body();
    } catch (error) {
      this.#rollbackTo.run();
      throw error;
    } finally {
      this.#release.run();
    }
  }

  /** SQLite ends a transaction by itself after the worst errors (full disk, failed read); then there is none to undo. */
  #undo(error: unknown): never {
    try {
      this.#rollback.run();
    } catch (second) {
      if (isBusy(second)) throw new StoreError("Cannot undo transaction: the database is busy", { cause: second });
    }
    throw error;
  }
}

/**
 * A statement, prepared when it is first used: most programs never use most of them. Its rows are taken for what the SQL
 * says they are.
 */
class SqliteStatement implements SqlStatement {
  readonly #database: SqliteDatabaseLike;
  readonly #sql: string;
  #prepared: SqliteStatementLike | undefined;

  constructor(database: SqliteDatabaseLike, sql: string) {
    this.#database = database;
    this.#sql = sql;
  }

  run(...parameters: SqlValue[]): number {
    this.#prepared ??= this.#database.prepare(this.#sql);
    return Number(this.#prepared.run(...parameters).changes);
  }

  get(...parameters: SqlValue[]): SqlRow | undefined {
    this.#prepared ??= this.#database.prepare(this.#sql);
    const row = this.#prepared.get(...parameters);
    return isRow(row) ? row : undefined;
  }

  all(...parameters: SqlValue[]): readonly SqlRow[] {
    this.#prepared ??= this.#database.prepare(this.#sql);
    return this.#prepared.all(...parameters).filter(isRow);
  }
}

function isRow(row: unknown): row is SqlRow {
  return typeof row === "object" && row !== null;
}

/**
 * Switches to the write-ahead log, which readers and one writer use side by side. It stays with the file. Two processes
 * that switch at once get SQLITE_BUSY without waiting, so the wait is made here.
 */
function setWriteAheadLog(database: SqliteDatabaseLike, busyTimeoutMs: number): void {
  const deadline = performance.now() + busyTimeoutMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (performance.now() > deadline) {
        const message = "Cannot open store: the database is locked by another process";
        throw new StoreError(message, { cause: error, retryable: true });
      }
      // Waits until the other is done: this one waits as busy_timeout says.
      database.exec("BEGIN IMMEDIATE; COMMIT");
    }
  }
}
