/**
 * The message store over SQL, for whatever database a driver brings.
 *
 * @module
 */
import {
  type AppendMode,
  assertFiniteMs,
  assertKey,
  assertMode,
  type ChannelStats,
  checkClaim,
  checkListState,
  checkMessages,
  checkOperations,
  checkPrune,
  checkQuery,
  checkSharedRead,
  type ClaimedMessage,
  type ClaimRequest,
  type CommitOptions,
  type CommitResult,
  kindOf,
  MAX_ID_LENGTH,
  type MessageEnvelope,
  type MessageStore,
  type OperationResult,
  type PruneRequest,
  type QueryPage,
  type QueryRequest,
  type SharedPage,
  type SharedReadRequest,
  type StateEntry,
  type StoreCapabilities,
  type StoredMessage,
  type StoreOperation,
  ValidationError,
} from "../../core/mod.ts";
import type { SqlEngine } from "./sql-engine.ts";

/** Decides when steps run: many in one transaction, or each at once. */
export interface SqlScheduler {
  /**
   * Runs a step that writes.
   *
   * @param action What it is, for errors: `"claim"`.
   * @param step The step, within a transaction.
   * @param idle Where the step would find nothing to do, what it would give: then it needs no transaction.
   */
  write<Result>(action: string, step: () => Result, idle?: () => Result | undefined): Promise<Result>;
  /** Runs a step that reads, after the writes that were asked for before. */
  read<Result>(action: string, step: () => Result): Promise<Result>;
  /** Calls back when a channel may have something new. @returns Ends it. */
  watch(channel: string, listener: () => void): () => void;
  /** Ends it, after what is under way. */
  close(): Promise<void>;
}

/** What {@link SqlMessageStore} is made of. */
export interface SqlMessageStoreParts {
  /** The steps. */
  readonly engine: SqlEngine;
  /** When they run. */
  readonly scheduler: SqlScheduler;
  /** What the whole can do. */
  readonly capabilities: StoreCapabilities;
  /** How large content, metadata or a state value may be, as UTF-8 JSON. */
  readonly maxMessageBytes: number;
}

/**
 * See {@link MessageStore}: what the store of a certain database extends.
 *
 * @internal
 */
export class SqlMessageStore implements MessageStore {
  /** {@inheritDoc MessageStore.capabilities} */
  readonly capabilities: StoreCapabilities;
  readonly #engine: SqlEngine;
  readonly #scheduler: SqlScheduler;
  readonly #maxBytes: number;

  /** @param parts What it is made of. */
  protected constructor({ engine, scheduler, capabilities, maxMessageBytes }: SqlMessageStoreParts) {
    this.#engine = engine;
    this.#scheduler = scheduler;
    this.capabilities = Object.freeze({ ...capabilities });
    this.#maxBytes = maxMessageBytes;
  }

  /** {@inheritDoc MessageStore.append} */
  append(
    channel: string,
    messages: readonly MessageEnvelope[],
    options: { readonly mode: AppendMode; readonly dedupeForMs?: number },
  ): Promise<readonly OperationResult[]> {
    try {
      assertKey(channel, "channel");
      const { mode, dedupeForMs = 0 } = options;
      assertMode(mode, "options.mode");
      assertFiniteMs(dedupeForMs, "options.dedupeForMs");
      const checked = checkMessages(messages, this.#maxBytes);
      return this.#scheduler.write("append", () => this.#engine.append(channel, checked, mode, dedupeForMs));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@inheritDoc MessageStore.commit} */
  commit(operations: readonly StoreOperation[], options: CommitOptions = {}): Promise<CommitResult> {
    try {
      const { onConflict = "abort" } = options;
      if (onConflict !== "abort" && onConflict !== "skip") {
        throw notA("options.onConflict", '"abort" or "skip"', onConflict);
      }
      const checked = checkOperations(operations, this.#maxBytes);
      return this.#scheduler.write("commit", () => this.#engine.commit(checked, onConflict === "skip"));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@inheritDoc MessageStore.claim} */
  claim(request: ClaimRequest): Promise<readonly ClaimedMessage[]> {
    try {
      checkClaim(request);
      const engine = this.#engine;
      return this.#scheduler.write(
        "claim",
        () => engine.claim(request),
        () => engine.mayHaveDue(request) ? undefined : [],
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@inheritDoc MessageStore.readShared} */
  async readShared(request: SharedReadRequest): Promise<SharedPage> {
    checkSharedRead(request);
    const engine = this.#engine;
    const found = await this.#scheduler.read("read", () => engine.readShared(request));
    if (found.move === undefined) return found.page;
    const isMoved = await this.#scheduler.write("read", () => engine.follow(request, found));
    if (isMoved) return found.page;
    // The same reader was moved meanwhile: read on from where it is now.
    return this.#scheduler.write("read", () => {
      const again = engine.readShared(request);
      engine.follow(request, again);
      return again.page;
    });
  }

  /** {@inheritDoc MessageStore.get} */
  async get(channel: string, id: string): Promise<StoredMessage | undefined> {
    assertKey(channel, "channel");
    assertKey(id, "id", MAX_ID_LENGTH);
    return await this.#scheduler.read("get", () => this.#engine.reads.get(channel, id));
  }

  /** {@inheritDoc MessageStore.query} */
  async query(request: QueryRequest): Promise<QueryPage> {
    checkQuery(request);
    const { reads } = this.#engine;
    if (await this.#scheduler.read("query", () => reads.needsSenderIndex(request))) {
      await this.#scheduler.write("query", () => reads.indexSenders());
    }
    return await this.#scheduler.read("query", () => reads.query(request));
  }

  /** {@inheritDoc MessageStore.prune} It removes a bounded number in one transaction, and lets others in between. */
  async prune(request: PruneRequest): Promise<number> {
    checkPrune(request);
    let range = await this.#scheduler.read("prune", () => this.#engine.prunable(request));
    let count = 0;
    while (range.after < range.upTo) {
      const { after, upTo } = range;
      const pruned = await this.#scheduler.write(
        "prune",
        () => this.#engine.prune(request.channel, { after, upTo }),
      );
      count += pruned.count;
      range = pruned.left;
    }
    return count;
  }

  /** {@inheritDoc MessageStore.clear} */
  async clear(channel: string): Promise<number> {
    assertKey(channel, "channel");
    return await this.#scheduler.write("clear", () => this.#engine.retention.clear(channel));
  }

  /** {@inheritDoc MessageStore.stats} */
  async stats(channel: string): Promise<ChannelStats> {
    assertKey(channel, "channel");
    return await this.#scheduler.read("count", () => this.#engine.stats(channel));
  }

  /** {@inheritDoc MessageStore.nextDueAt} */
  async nextDueAt(channels?: readonly string[]): Promise<number | undefined> {
    if (channels !== undefined && !Array.isArray(channels)) throw notA("channels", "an array", channels);
    channels?.forEach((key, index) => assertKey(key, `channels[${index}]`));
    const engine = this.#engine;
    const waking = await this.#scheduler.read("look ahead", () => engine.waking(channels));
    if (waking.length > 0) await this.#scheduler.write("look ahead", () => engine.promote(waking));
    return await this.#scheduler.read("look ahead", () => engine.nextDueAt(channels));
  }

  /**
   * {@inheritDoc MessageStore.watch}
   *
   * Listeners are called before the promise of the commit settles. What comes with time (a delay or a lease that ends)
   * calls nobody: {@link MessageStore.nextDueAt} says when to look.
   *
   * @throws {StoreError} If the store is closed.
   */
  watch(channel: string, listener: () => void): () => void {
    assertKey(channel, "channel");
    if (typeof listener !== "function") throw notA("listener", "a function", listener);
    return this.#scheduler.watch(channel, listener);
  }

  /** {@inheritDoc MessageStore.getState} */
  async getState(key: string): Promise<StateEntry | undefined> {
    assertKey(key, "key");
    return await this.#scheduler.read("get state", () => this.#engine.getState(key));
  }

  /** {@inheritDoc MessageStore.listState} Without a limit, all of them. */
  async listState(
    prefix: string,
    page: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly StateEntry[]> {
    checkListState(prefix, page);
    const { after = "", limit = Number.MAX_SAFE_INTEGER } = page;
    return await this.#scheduler.read("list state", () => this.#engine.listState(prefix, after, limit));
  }

  /** {@inheritDoc MessageStore.close} */
  close(): Promise<void> {
    return this.#scheduler.close();
  }

  /** Closes the store: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function notA(argument: string, expected: string, value: unknown): ValidationError {
  return new ValidationError(argument, `Cannot accept '${argument}': it must be ${expected}, not ${kindOf(value)}`);
}
