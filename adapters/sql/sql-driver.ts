/**
 * What the SQL store asks of a database: a synchronous SQLite, wherever it comes from.
 *
 * @module
 */

/** What a column holds and a parameter takes. */
export type SqlValue = null | number | string;

/** A row: columns by name. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** A statement that was prepared once. Parameters are `?1`, `?2`, … */
export interface SqlStatement {
  /** Runs it. @returns 0 when nothing was written, else more than 0. */
  run(...parameters: readonly SqlValue[]): number;
  /** Its first row. */
  get(...parameters: readonly SqlValue[]): SqlRow | undefined;
  /** All its rows. */
  all(...parameters: readonly SqlValue[]): readonly SqlRow[];
}

/** A database. */
export interface SqlDriver {
  /** Runs statements without parameters. */
  exec(sql: string): void;
  /** Prepares a statement. */
  prepare(sql: string): SqlStatement;
  /** Runs the body in a transaction that may write from its start; what it throws undoes it and is thrown on. */
  transaction<Result>(body: () => Result): Result;
  /** Within a transaction: what the body throws undoes what the body did, and is thrown on. */
  savepoint<Result>(body: () => Result): Result;
}

/** A number in a row. SQL says what a column holds, so that anything else is a fault of ours or of the file. */
export function numberOf(value: SqlValue | undefined): number {
  if (typeof value === "number") return value;
  throw new TypeError(`Cannot read column: it holds ${value === null ? "null" : typeof value}, not a number`);
}

/** A text in a row. */
export function textOf(value: SqlValue | undefined): string {
  if (typeof value === "string") return value;
  throw new TypeError(`Cannot read column: it holds ${value === null ? "null" : typeof value}, not a text`);
}

/** A text in a row, or nothing. */
export function optionalTextOf(value: SqlValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : textOf(value);
}
