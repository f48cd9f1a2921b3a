/**
 * The store in a Durable Object.
 *
 * @module
 */
import {
  assertInteger,
  type Clock,
  DEFAULT_MAX_MESSAGE_BYTES,
  kindOf,
  StoreError,
  systemClock,
  ValidationError,
} from "../../core/mod.ts";
import { Listeners, writeToConsole } from "../sql/listeners.ts";
import { SqlEngine } from "../sql/sql-engine.ts";
import { SqlMessageStore, type SqlMessageStoreParts } from "../sql/sql-message-store.ts";
import { reasonOf } from "../sql/store-failure.ts";
import { DurableObjectDriver, type DurableObjectStorageLike } from "./durable-object-driver.ts";
import { ImmediateScheduler } from "./immediate-scheduler.ts";

/** Settings of {@link DurableObjectStore}. */
export interface DurableObjectStoreOptions {
  /** Where time comes from. @default `systemClock` */
  readonly clock?: Clock;
  /**
   * How large the content of a message, its metadata or a state value may be, as UTF-8 JSON. What is larger is refused
   * with a `TooLargeError`. A row of a Durable Object holds at most 2 MB. @default `1_048_576`
   */
  readonly maxMessageBytes?: number;
  /**
   * Told what a listener of `watch()` threw. The commit that called it has happened all the same, and the other
   * listeners are called. @default writes it to `console.error`
   */
  readonly onListenerError?: (error: unknown) => void;
}

/**
 * A store in the SQL storage of a Durable Object. The class of the object must have been made with SQLite
 * (`new_sqlite_classes`).
 *
 * A promise of the store settles before the write is on the disk, as everything does in an object; but nothing leaves
 * the object, no response and no request, before it is. What fails to be written resets the object, so whoever was
 * answered was answered the truth.
 *
 * Nothing runs by itself: when an object is evicted its listeners are gone, so set the object's alarm by `nextDueAt()`.
 * The constructor reads the time no sooner than it is used, and draws no random numbers.
 *
 * @example
 * ```ts
 * import { DurableObjectStore, type DurableObjectStorageLike } from "posthorn/durable-object";
 *
 * export class Mailbox {
 *   readonly #store: DurableObjectStore;
 *
 *   constructor(ctx: { readonly storage: DurableObjectStorageLike }) {
 *     this.#store = new DurableObjectStore(ctx.storage);
 *   }
 *
 *   async fetch(): Promise<Response> {
 *     return Response.json(await this.#store.stats("inbox"));
 *   }
 * }
 * ```
 */
export class DurableObjectStore extends SqlMessageStore {
  /**
   * Brings the storage to the present schema. Its tables start with `posthorn_`; the object may have others.
   *
   * @param storage `ctx.storage`.
   * @param options Clock, limit, and whom to tell of listeners that throw.
   * @throws {ValidationError} If an option is of the wrong kind.
   * @throws {StoreError} If the object has no SQL storage, or a later version of the library wrote it.
   */
  constructor(storage: DurableObjectStorageLike, options: DurableObjectStoreOptions = {}) {
    super(assemble(storage, options));
  }
}

function assemble(storage: DurableObjectStorageLike, options: DurableObjectStoreOptions): SqlMessageStoreParts {
  const {
    clock = systemClock,
    maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES,
    onListenerError = writeToConsole,
  } = options;
  assertInteger(maxMessageBytes, "maxMessageBytes", 1);
  if (typeof storage !== "object" || storage === null || typeof storage.transactionSync !== "function") {
    throw new ValidationError(
      "storage",
      `Cannot open store: 'storage' must be the storage of a Durable Object, not ${kindOf(storage)}`,
    );
  }
  try {
    const engine = new SqlEngine(new DurableObjectDriver(storage), clock);
    return {
      engine,
      scheduler: new ImmediateScheduler(engine, new Listeners(onListenerError)),
      // Only one instance of an object runs at a time: whoever is in it is everybody.
      capabilities: { atomicBatch: true, lanes: "exact", notBefore: true, notifies: "all", durable: true },
      maxMessageBytes,
    };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(`Cannot open store: ${reasonOf(error)}`, { cause: error });
  }
}
