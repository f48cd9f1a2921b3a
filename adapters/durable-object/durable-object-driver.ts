/**
 * The SQL storage of a Durable Object as the SQL store wants it.
 *
 * @module
 */
import type { SqlDriver, SqlRow, SqlStatement, SqlValue } from "../sql/sql-driver.ts";

/** What a query gives, in the slice that is used of it. */
export interface SqlCursorLike {
  /** The rows. */
  toArray(): Record<string, ArrayBuffer | string | number | null>[];
  /** How many rows it wrote, those of indexes among them. */
  readonly rowsWritten: number;
}

/** The storage of a Durable Object (`ctx.storage`), in the slice that is used of it. */
export interface DurableObjectStorageLike {
  /** The object's SQLite database. */
  readonly sql: {
    /** Runs a query. */
    exec(query: string, ...bindings: (string | number | null)[]): SqlCursorLike;
  };
  /** Runs a closure in a transaction; one within another is a savepoint. */
  transactionSync<Result>(closure: () => Result): Result;
}

/** See the module. */
export class DurableObjectDriver implements SqlDriver {
  readonly #storage: DurableObjectStorageLike;

  /** @param storage The storage. */
  constructor(storage: DurableObjectStorageLike) {
    this.#storage = storage;
  }

  exec(sql: string): void {
    this.#storage.sql.exec(sql);
  }

  /** The object keeps statements it has seen before ready by their text. */
  prepare(sql: string): SqlStatement {
    return new DurableObjectStatement(this.#storage, sql);
  }

  transaction<Result>(body: () => Result): Result {
    return this.#storage.transactionSync(body);
  }

  savepoint<Result>(body: () => Result): Result {
    return this.#storage.transactionSync(body);
  }
}

class DurableObjectStatement implements SqlStatement {
  readonly #storage: DurableObjectStorageLike;
  readonly #sql: string;

  constructor(storage: DurableObjectStorageLike, sql: string) {
    this.#storage = storage;
    this.#sql = sql;
  }

  run(...parameters: SqlValue[]): number {
    const cursor = this.#storage.sql.exec(this.#sql, ...parameters);
    cursor.toArray();
    return cursor.rowsWritten;
  }

  get(...parameters: SqlValue[]): SqlRow | undefined {
    return this.all(...parameters)[0];
  }

  all(...parameters: SqlValue[]): readonly SqlRow[] {
    return this.#storage.sql.exec(this.#sql, ...parameters).toArray().filter(isRow);
  }
}

/** No column of ours holds bytes. */
function isRow(row: Record<string, ArrayBuffer | string | number | null>): row is Record<string, SqlValue> {
  return !Object.values(row).some((value) => typeof value === "object" && value !== null);
}
