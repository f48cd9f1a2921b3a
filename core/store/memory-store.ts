/**
 * The store that lives in the process.
 *
 * @module
 */
import { kindOf, StoreError, ValidationError } from "../errors.ts";
import type { ClaimedMessage, MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "../message/json.ts";
import { assertInteger } from "../support/assert.ts";
import { type Clock, systemClock } from "../support/clock.ts";
import type { MemoryChannel } from "./memory-channel.ts";
import { MemoryChannels } from "./memory-channels.ts";
import { append, apply, isConflict, tryAll } from "./memory-commit.ts";
import { Moment } from "./memory-moment.ts";
import { MemoryState, type MemoryValue } from "./memory-state.ts";
import type {
  AppendMode,
  ChannelStats,
  ClaimRequest,
  CommitOptions,
  CommitResult,
  MessageStore,
  OperationResult,
  PruneRequest,
  QueryPage,
  QueryRequest,
  SharedPage,
  SharedReadRequest,
  StateEntry,
  StoreCapabilities,
  StoreOperation,
} from "./message-store.ts";
import {
  assertFiniteMs,
  assertKey,
  assertMode,
  checkClaim,
  checkListState,
  checkMessages,
  checkOperations,
  checkPrune,
  checkQuery,
  checkSharedRead,
  MAX_ID_LENGTH,
} from "./store-input.ts";

/** Some 30 MB of ids of the usual length. */
const DEFAULT_MAX_REMEMBERED_IDS = 100_000;

/** Settings of {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** Where time comes from. @default `systemClock` */
  readonly clock?: Clock;
  /**
   * How large the content of a message, its metadata or a state value may be, as UTF-8 JSON. What is larger is refused
   * with a {@link TooLargeError}. @default `1_048_576`
   */
  readonly maxMessageBytes?: number;
  /**
   * How many ids each channel remembers of messages that are gone, so that they are not taken in twice. Beyond it those
   * are forgotten first that would have been forgotten next. @default `100_000`
   */
  readonly maxRememberedIds?: number;
  /**
   * Told what a listener of {@link MemoryStore.watch} threw. The commit that called it has happened all the same, and the
   * other listeners are called. @default writes it to `console.error`
   */
  readonly onListenerError?: (error: unknown) => void;
}

/**
 * A store in memory: for tests, for tools, and for work that may be lost with the process. A commit lasts as long as the
 * process and no longer; everything else is as in any other store, and it is the fastest of them.
 *
 * Claiming, acknowledging, releasing and extending cost the same whatever is stored and whatever once was; memory is
 * held for what is stored, for readers' places, for ids that are remembered (`maxRememberedIds`), and for a few numbers
 * per channel.
 *
 * @example
 * ```ts
 * import { createIdGenerator, MemoryStore } from "posthorn";
 *
 * const nextId = createIdGenerator(Date.now);
 * const store = new MemoryStore();
 * await store.append("jobs", [{
 *   v: 1, id: nextId(), namespace: "", timestamp: Date.now(), senderId: "me", content: { resize: "a.png" }, metadata: {},
 * }], { mode: "queue" });
 * const [job] = await store.claim({ channel: "jobs", workerId: "w1", limit: 1, leaseMs: 30_000 });
 * if (job !== undefined) {
 *   await store.commit([{ type: "ack", channel: "jobs", seq: job.seq, token: job.lease.token }]);
 * }
 * await store.close();
 * ```
 */
export class MemoryStore implements MessageStore {
  /** {@inheritDoc MessageStore.capabilities} */
  readonly capabilities: StoreCapabilities = Object.freeze({
    atomicBatch: true,
    lanes: "exact",
    notBefore: true,
    notifies: "process",
    durable: false,
  });
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #onListenerError: (error: unknown) => void;
  readonly #channels: MemoryChannels;
  #state = new MemoryState();
  #trials = 0;
  #isClosed = false;

  /**
   * Makes a memory store.
   *
   * @param options Clock, limit, and whom to tell of listeners that throw.
   * @throws {ValidationError} If a limit is not an integer, or below what it may be.
   */
  constructor(options: MemoryStoreOptions = {}) {
    const {
      clock = systemClock,
      maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES,
      maxRememberedIds = DEFAULT_MAX_REMEMBERED_IDS,
      onListenerError = writeToConsole,
    } = options;
    this.#clock = clock;
    this.#channels = new MemoryChannels(assertInteger(maxRememberedIds, "maxRememberedIds", 0));
    this.#maxBytes = assertInteger(maxMessageBytes, "maxMessageBytes", 1);
    this.#onListenerError = onListenerError;
  }

  /** {@inheritDoc MessageStore.append} */
  append(
    channel: string,
    messages: readonly MessageEnvelope[],
    options: { readonly mode: AppendMode; readonly dedupeForMs?: number },
  ): Promise<readonly OperationResult[]> {
    try {
      this.#assertOpen("append");
      assertKey(channel, "channel");
      const { mode, dedupeForMs = 0 } = options;
      assertMode(mode, "options.mode");
      assertFiniteMs(dedupeForMs, "options.dedupeForMs");
      const checked = checkMessages(messages, this.#maxBytes);
      const moment = this.#moment();
      const target = this.#channels.open(channel, moment);
      const [first] = checked;
      // Most come alone: then there is nothing to go through.
      const results = first !== undefined && checked.length === 1
        ? [append(target, first, mode, dedupeForMs, moment)]
        : checked.map((message) => append(target, message, mode, dedupeForMs, moment));
      if (target.listeners.length > 0 && results.some(isDone)) this.#notify(target);
      return Promise.resolve(results);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@inheritDoc MessageStore.commit} */
  commit(operations: readonly StoreOperation[], options: CommitOptions = {}): Promise<CommitResult> {
    try {
      this.#assertOpen("commit");
      const { onConflict = "abort" } = options;
      if (onConflict !== "abort" && onConflict !== "skip") {
        throw notA("options.onConflict", '"abort" or "skip"', onConflict);
      }
      const checked = checkOperations(operations, this.#maxBytes);
      const moment = this.#moment();
      const scene = { moment, state: this.#stateAt(moment), channels: this.#channels };
      if (onConflict === "abort" && checked.length > 1) {
        const undone = tryAll(checked, scene, ++this.#trials);
        if (undone !== undefined) return Promise.resolve({ committed: false, results: undone });
      }
      const results: OperationResult[] = [];
      const watched: MemoryChannel[] = [];
      let committed = true;
      for (const operation of checked) {
        const result = apply(operation, scene);
        results.push(result);
        if (onConflict === "abort" && isConflict(result.status)) committed = false;
        if (result.status !== "done" || !("channel" in operation)) continue;
        const channel = this.#channels.at(operation.channel, moment);
        if (channel.listeners.length > 0 && !watched.includes(channel)) watched.push(channel);
      }
      for (const channel of watched) this.#notify(channel);
      return Promise.resolve({ committed, results });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@inheritDoc MessageStore.claim} */
  claim(request: ClaimRequest): Promise<readonly ClaimedMessage[]> {
    try {
      this.#assertOpen("claim");
      checkClaim(request);
      const moment = this.#moment();
      return Promise.resolve(this.#channels.at(request.channel, moment).queue.claim(request, moment));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@inheritDoc MessageStore.readShared} */
  readShared(request: SharedReadRequest): Promise<SharedPage> {
    return this.#run("read", (moment) => {
      checkSharedRead(request);
      const { advance = request.after === undefined } = request;
      const target = advance
        ? this.#channels.open(request.channel, moment)
        : this.#channels.at(request.channel, moment);
      return target.log.read(request, moment.now);
    });
  }

  /** {@inheritDoc MessageStore.get} */
  get(channel: string, id: string): Promise<StoredMessage | undefined> {
    return this.#run("get", (moment) => {
      assertKey(channel, "channel");
      assertKey(id, "id", MAX_ID_LENGTH);
      return this.#channels.at(channel, moment).find(id)?.snapshot();
    });
  }

  /** {@inheritDoc MessageStore.query} */
  query(request: QueryRequest): Promise<QueryPage> {
    return this.#run("query", (moment) => {
      checkQuery(request);
      return this.#channels.at(request.channel, moment).query(request);
    });
  }

  /** {@inheritDoc MessageStore.prune} */
  prune(request: PruneRequest): Promise<number> {
    return this.#run("prune", (moment) => {
      checkPrune(request);
      return this.#channels.at(request.channel, moment).prune(request, moment.now);
    });
  }

  /** {@inheritDoc MessageStore.clear} */
  clear(channel: string): Promise<number> {
    return this.#run("clear", (moment) => {
      assertKey(channel, "channel");
      const target = this.#channels.at(channel, moment);
      const count = target.clear(moment.now);
      this.#notify(target);
      return count;
    });
  }

  /** {@inheritDoc MessageStore.stats} */
  stats(channel: string): Promise<ChannelStats> {
    return this.#run("count", (moment) => {
      assertKey(channel, "channel");
      return this.#channels.at(channel, moment).stats();
    });
  }

  /** {@inheritDoc MessageStore.nextDueAt} */
  nextDueAt(channels?: readonly string[]): Promise<number | undefined> {
    return this.#run("look ahead", (moment) => {
      if (channels !== undefined && !Array.isArray(channels)) throw notA("channels", "an array", channels);
      channels?.forEach((key, index) => assertKey(key, `channels[${index}]`));
      let earliest = Infinity;
      for (const key of channels ?? this.#channels.keys()) {
        earliest = Math.min(earliest, this.#channels.at(key, moment).queue.nextDueAt());
      }
      // Rounded up: at that time it is due, not a fraction of a millisecond later.
      return earliest === Infinity ? undefined : Math.ceil(moment.wall + (earliest - moment.now));
    });
  }

  /**
   * {@inheritDoc MessageStore.watch}
   *
   * Listeners are called before the promise of the commit settles. What comes with time (a delay or a lease that ends)
   * calls nobody: {@link MemoryStore.nextDueAt} says when to look.
   *
   * @throws {StoreError} If the store is closed.
   */
  watch(channel: string, listener: () => void): () => void {
    this.#assertOpen("watch");
    assertKey(channel, "channel");
    if (typeof listener !== "function") throw notA("listener", "a function", listener);
    return this.#channels.open(channel, this.#moment()).watch(listener);
  }

  /** {@inheritDoc MessageStore.getState} */
  getState(key: string): Promise<StateEntry | undefined> {
    return this.#run("get state", (moment) => {
      assertKey(key, "key");
      const found = this.#stateAt(moment).get(key);
      return found === undefined ? undefined : entryOf(found, moment);
    });
  }

  /** {@inheritDoc MessageStore.listState} Without a limit, all of them. */
  listState(
    prefix: string,
    page: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly StateEntry[]> {
    return this.#run("list state", (moment) => {
      checkListState(prefix, page);
      return this.#stateAt(moment).list(prefix, page.after, page.limit).map((found) => entryOf(found, moment));
    });
  }

  /** {@inheritDoc MessageStore.close} What was stored is gone. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#channels.clear();
    this.#state = new MemoryState();
    return Promise.resolve();
  }

  /** Closes the store: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(action: string): void {
    if (this.#isClosed) throw new StoreError(`Cannot ${action}: store is closed`);
  }

  #moment(): Moment {
    return new Moment(this.#clock);
  }

  #run<Result>(action: string, work: (moment: Moment) => Result): Promise<Result> {
    try {
      this.#assertOpen(action);
      return Promise.resolve(work(this.#moment()));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #stateAt({ now }: Moment): MemoryState {
    this.#state.advance(now);
    return this.#state;
  }

  #notify(channel: MemoryChannel): void {
    for (const listener of channel.listeners) {
      try {
        listener();
      } catch (error) {
        this.#reportListenerError(error);
      }
    }
  }

  /** The commit has happened, so not even a handler that throws may make it look as if it had not. */
  #reportListenerError(error: unknown): void {
    try {
      this.#onListenerError(error);
    } catch (second) {
      writeToConsole(second);
    }
  }
}

function isDone(result: OperationResult): boolean {
  return result.status === "done";
}

function entryOf({ key, value, version, expiresAt }: MemoryValue, { now, wall }: Moment): StateEntry {
  if (expiresAt === Infinity) return { key, value, version };
  return { key, value, version, expiresAt: Math.round(wall + (expiresAt - now)) };
}

function notA(argument: string, expected: string, value: unknown): ValidationError {
  return new ValidationError(argument, `Cannot accept '${argument}': it must be ${expected}, not ${kindOf(value)}`);
}

function writeToConsole(error: unknown): void {
  // deno-lint-ignore no-console -- the last resort, where nobody said whom to tell
  console.error("Cannot call a listener of MemoryStore.watch():", error);
}
