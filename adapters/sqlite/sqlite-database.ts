/**
 * The SQLite database a store works on: one it opens by path, or one it is given.
 *
 * @module
 */
import { StoreError } from "../../core/mod.ts";
import { reasonOf } from "../sql/store-failure.ts";

/** A statement, in the slice that is used of it. */
export interface SqliteStatementLike {
  /** Runs it. */
  run(...parameters: (null | number | string)[]): { readonly changes: number | bigint };
  /** Its first row; `undefined` or `null` when it has none. */
  get(...parameters: (null | number | string)[]): unknown;
  /** All its rows. */
  all(...parameters: (null | number | string)[]): unknown[];
}

/**
 * A database, in the slice that is used of it: a `DatabaseSync` of `node:sqlite` (Node, Deno, Bun), a `Database` of
 * `bun:sqlite` or of `better-sqlite3`.
 */
export interface SqliteDatabaseLike {
  /** Runs statements without parameters. */
  exec(sql: string): unknown;
  /** Prepares a statement. */
  prepare(sql: string): SqliteStatementLike;
}

/** A database that was opened here, and is therefore closed here. */
export interface OwnedDatabase extends SqliteDatabaseLike {
  close(): void;
}

/**
 * Opens a database by `node:sqlite`. Nothing is imported: a runtime without it, or a bundle for one, is not troubled
 * unless it opens a path.
 *
 * @param path The path, or `":memory:"`.
 * @throws {StoreError} If the runtime has no `node:sqlite`, or the file cannot be opened.
 */
export function openDatabase(path: string): OwnedDatabase {
  const sqlite = builtinModule("node:sqlite");
  const DatabaseSync: unknown = isObject(sqlite) ? Reflect.get(sqlite, "DatabaseSync") : undefined;
  if (typeof DatabaseSync !== "function") {
    throw new StoreError(
      `Cannot open "${path}": this runtime has no node:sqlite (Node 22.13, Deno 2.2 and Bun 1.4 have it)`,
    );
  }
  let database: unknown;
  try {
    database = Reflect.construct(DatabaseSync, [path]);
  } catch (error) {
    throw new StoreError(`Cannot open "${path}": ${reasonOf(error)}`, { cause: error });
  }
  if (isOwnedDatabase(database)) return database;
  throw new StoreError(`Cannot open "${path}": node:sqlite of this runtime gave no database`);
}

/** Whether a value has the methods of a database. */
export function isDatabase(value: unknown): value is SqliteDatabaseLike {
  return isObject(value) && typeof Reflect.get(value, "exec") === "function" &&
    typeof Reflect.get(value, "prepare") === "function";
}

/** Whether an error says that somebody else has the database locked. By code, in the three ways there are to tell it. */
export function isBusy(error: unknown): boolean {
  if (!isObject(error)) return false;
  const code: unknown = Reflect.get(error, "code");
  if (typeof code === "string" && (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"))) return true;
  const number: unknown = Reflect.get(error, "errcode") ?? Reflect.get(error, "errno");
  // The low byte is the error, the rest says more of it. 5 is SQLITE_BUSY, 6 SQLITE_LOCKED (sqlite.org/rescode.html).
  return typeof number === "number" && ((number & 0xff) === 5 || (number & 0xff) === 6);
}

function isOwnedDatabase(value: unknown): value is OwnedDatabase {
  return isDatabase(value) && typeof Reflect.get(value, "close") === "function";
}

function builtinModule(name: string): unknown {
  const process: unknown = Reflect.get(globalThis, "process");
  const getBuiltinModule: unknown = isObject(process) ? Reflect.get(process, "getBuiltinModule") : undefined;
  return typeof getBuiltinModule === "function" ? Reflect.apply(getBuiltinModule, process, [name]) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
