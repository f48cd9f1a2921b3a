/**
 * The store in a SQLite file.
 *
 * @module
 */
import {
  assertDurationMs,
  assertInteger,
  type Clock,
  DEFAULT_MAX_MESSAGE_BYTES,
  kindOf,
  type StoreCapabilities,
  StoreError,
  systemClock,
  ValidationError,
} from "../../core/mod.ts";
import { Listeners, writeToConsole } from "../sql/listeners.ts";
import { SqlEngine } from "../sql/sql-engine.ts";
import { SqlMessageStore, type SqlMessageStoreParts } from "../sql/sql-message-store.ts";
import { reasonOf } from "../sql/store-failure.ts";
import { isDatabase, openDatabase, type OwnedDatabase, type SqliteDatabaseLike } from "./sqlite-database.ts";
import { SqliteDriver } from "./sqlite-driver.ts";
import { TurnScheduler } from "./turn-scheduler.ts";

/** Settings of {@link SqliteStore}. Give a `path` or a `database`. */
export interface SqliteStoreOptions {
  /** The file, made where it is not there; or `":memory:"`, which ends with the store. Opened by `node:sqlite`. */
  readonly path?: string;
  /**
   * An open database in the place of a path, for one that is shared with tables of your own, or of another driver
   * (`bun:sqlite`, `better-sqlite3`). The store sets its pragmas, adds tables that start with `posthorn_`, runs
   * transactions only in between your own calls, and leaves it open when it is closed.
   */
  readonly database?: SqliteDatabaseLike;
  /**
   * What a commit waits for.
   *
   * - `FULL`: until it is on the disk. What was answered outlives a power cut. One wait serves all that was asked for in
   *   one turn of the event loop, so that many writers at once pay little for it.
   * - `NORMAL`: until the operating system has it. What was answered outlives the process, killed or not; after a power
   *   cut or a crash of the system the latest commits may be gone, as if they had never been. The file is never damaged.
   *
   * @default `"FULL"`
   */
  readonly synchronous?: "FULL" | "NORMAL";
  /** Where time comes from. @default `systemClock` */
  readonly clock?: Clock;
  /**
   * How large the content of a message, its metadata or a state value may be, as UTF-8 JSON. What is larger is refused
   * with a `TooLargeError`. @default `1_048_576`
   */
  readonly maxMessageBytes?: number;
  /**
   * How long to wait for other processes that write to the same file. After it, a call rejects with a `StoreError` that
   * is `retryable`, and nothing was written. @default `5_000`
   */
  readonly busyTimeoutMs?: number;
  /**
   * How often to look whether other processes have written, while somebody watches: a wake-up from another process
   * comes that late at most. It takes a microsecond or two. `Infinity` when only this process writes.
   *
   * @default `50`
   */
  readonly pollIntervalMs?: number;
  /**
   * Told what a listener of `watch()` threw. The commit that called it has happened all the same, and the other
   * listeners are called. @default writes it to `console.error`
   */
  readonly onListenerError?: (error: unknown) => void;
}

/**
 * A store in a SQLite file: durable, for one machine, for as many processes as share the file. Bun, Deno and Node bring
 * SQLite with them, so nothing is to be installed.
 *
 * Everything requested in one turn of the event loop is one transaction, so one wait for the disk; each caller still
 * gets all or nothing of what it asked for, and its own error. Processes take turns by the file's lock. Opening it blocks
 * the process while another one upgrades the file, `busyTimeoutMs` at most.
 *
 * A file that a later version of the library has written is refused; an older one is upgraded. A copy of the file is a
 * backup only together with its `-wal` file, or after `close()`.
 *
 * @example
 * ```ts
 * import { SqliteStore } from "posthorn/sqlite";
 *
 * const store = new SqliteStore({ path: ":memory:" });
 * await store.commit([{ type: "set-state", key: "greeting", value: "hello" }]);
 * console.log((await store.getState("greeting"))?.value);
 * await store.close();
 * ```
 */
export class SqliteStore extends SqlMessageStore {
  /**
   * Opens the file and brings it to the present schema.
   *
   * @param options Where it is, and how it is used.
   * @throws {ValidationError} If an option is of the wrong kind.
   * @throws {StoreError} If the file cannot be opened, is locked, or was written by a later version of the library; or if
   * a path is given on a runtime without `node:sqlite`.
   */
  constructor(options: SqliteStoreOptions) {
    super(assemble(options));
  }
}

function assemble(options: SqliteStoreOptions): SqlMessageStoreParts {
  const { synchronous, clock, maxMessageBytes, busyTimeoutMs, pollIntervalMs, onListenerError } = resolve(options);
  const [database, close] = open(options);
  try {
    const driver = new SqliteDriver(database, synchronous, busyTimeoutMs);
    const engine = new SqlEngine(driver, clock);
    driver.waitShortly(busyTimeoutMs);
    const scheduler = new TurnScheduler({
      engine,
      listeners: new Listeners(onListenerError),
      // What other processes do is done in real time, whatever clock the store counts on.
      timers: systemClock,
      busyTimeoutMs,
      pollIntervalMs,
      dataVersion: () => driver.dataVersion(),
      onClosed: close,
    });
    const capabilities: StoreCapabilities = {
      atomicBatch: true,
      lanes: "exact",
      notBefore: true,
      notifies: pollIntervalMs === Infinity ? "process" : "all",
      durable: driver.isFile,
    };
    return { engine, scheduler, capabilities, maxMessageBytes };
  } catch (error) {
    close();
    if (error instanceof StoreError) throw error;
    throw new StoreError(`Cannot open store: ${reasonOf(error)}`, { cause: error });
  }
}

function resolve(options: SqliteStoreOptions): Required<Omit<SqliteStoreOptions, "path" | "database">> {
  const {
    synchronous = "FULL",
    clock = systemClock,
    maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES,
    busyTimeoutMs = 5_000,
    pollIntervalMs = 50,
    onListenerError = writeToConsole,
  } = options;
  if (synchronous !== "FULL" && synchronous !== "NORMAL") {
    throw notA("synchronous", '"FULL" or "NORMAL"', synchronous);
  }
  return {
    synchronous,
    clock,
    maxMessageBytes: assertInteger(maxMessageBytes, "maxMessageBytes", 1),
    busyTimeoutMs: assertInteger(busyTimeoutMs, "busyTimeoutMs", 0, 2_147_483_647),
    pollIntervalMs: assertDurationMs(pollIntervalMs, "pollIntervalMs", 1),
    onListenerError,
  };
}

/** The database, and how to end it. */
function open({ path, database }: SqliteStoreOptions): readonly [SqliteDatabaseLike, () => void] {
  if (database !== undefined) {
    if (path !== undefined) throw notA("path", "absent where a database is given", path);
    if (!isDatabase(database)) throw notA("database", "a database with exec() and prepare()", database);
    return [database, () => {}];
  }
  if (typeof path !== "string" || path === "" || path.includes("\0")) throw notA("path", "the path of a file", path);
  const owned: OwnedDatabase = openDatabase(path);
  return [owned, () => owned.close()];
}

function notA(argument: string, expected: string, value: unknown): ValidationError {
  return new ValidationError(argument, `Cannot open store: '${argument}' must be ${expected}, not ${kindOf(value)}`);
}
