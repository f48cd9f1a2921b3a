/**
 * The store as a set of synchronous steps over one database: what {@link SqlMessageStore} puts into transactions.
 *
 * @module
 */
import type {
  AppendMode,
  ChannelStats,
  ClaimedMessage,
  ClaimRequest,
  Clock,
  CommitResult,
  MessageEnvelope,
  OperationResult,
  PruneRequest,
  SharedReadRequest,
  StateEntry,
  StoreOperation,
} from "../../core/mod.ts";
import { ChannelRows } from "./channel-rows.ts";
import { Claims } from "./claims.ts";
import { MessageDecoder } from "./message-codec.ts";
import { MessageTable } from "./message-table.ts";
import { Reads, type SharedRead } from "./reads.ts";
import { type PruneRange, Retention } from "./retention.ts";
import { migrate } from "./schema.ts";
import type { SqlDriver } from "./sql-driver.ts";
import { StateTable } from "./state-table.ts";
import { type Moment, StoreTime } from "./store-time.ts";
import { Turns } from "./turns.ts";

/** Undoes a commit of which something cannot be done. */
class Undone extends Error {
  readonly results: readonly OperationResult[];

  constructor(results: readonly OperationResult[]) {
    super("undone");
    this.results = results;
  }
}

/** See the module. */
export class SqlEngine {
  /** Reading: needs no transaction. */
  readonly reads: Reads;
  /** Retention. */
  readonly retention: Retention;
  readonly #driver: SqlDriver;
  readonly #time: StoreTime;
  readonly #channels: ChannelRows;
  readonly #messages: MessageTable;
  readonly #state: StateTable;
  readonly #claims: Claims;
  /** Whether commits that may have to be undone are done in savepoints. */
  #isCareful = false;

  /**
   * Brings the database to the present schema.
   *
   * @param driver The database.
   * @param clock The clock.
   * @throws {StoreError} If a later version of the library wrote it.
   */
  constructor(driver: SqlDriver, clock: Clock) {
    migrate(driver);
    this.#driver = driver;
    this.#time = new StoreTime(driver, clock);
    this.#channels = new ChannelRows(driver);
    const decoder = new MessageDecoder(driver);
    const turns = new Turns(driver);
    this.#messages = new MessageTable(driver, this.#channels, turns, decoder);
    this.#claims = new Claims(driver, this.#channels, turns, decoder, createTokens());
    this.reads = new Reads(driver, this.#channels, decoder);
    this.#state = new StateTable(driver);
    this.retention = new Retention(driver, this.#channels);
  }

  /** What time it is. */
  moment(): Moment {
    return this.#time.read();
  }

  /**
   * Runs steps in one transaction.
   *
   * A savepoint costs a copy of every page that is written in it, and hardly ever is there something to undo. So there
   * are none at first; where a commit turns out to have to be undone, all steps are, and are run again with them.
   *
   * @param steps The steps, perhaps twice. What is thrown in them undoes all.
   * @returns What they give, and the names of the channels whose messages changed.
   */
  transaction<Result>(steps: () => Result): { readonly result: Result; readonly touched: Iterable<string> } {
    try {
      return this.#run(steps);
    } catch (error) {
      if (!(error instanceof Undone)) throw error;
    }
    this.#isCareful = true;
    try {
      return this.#run(steps);
    } finally {
      this.#isCareful = false;
    }
  }

  #run<Result>(steps: () => Result): { readonly result: Result; readonly touched: Iterable<string> } {
    try {
      return this.#driver.transaction(() => {
        const result = steps();
        const { now } = this.moment();
        this.#channels.flush();
        this.retention.purge(now, this.#messages.takeRemembered());
        this.#time.note(now);
        return { result, touched: this.#channels.touched };
      });
    } catch (error) {
      this.#time.forgetNote();
      throw error;
    } finally {
      this.#channels.reset();
    }
  }

  /** Within a transaction: does several things together or not at all, or those that can be done. */
  commit(operations: readonly StoreOperation[], isSkipping: boolean): CommitResult {
    const moment = this.moment();
    const mayUndo = !isSkipping && operations.length > 1;
    const apply = (): CommitResult => {
      const results = operations.map((operation) => this.#apply(operation, moment));
      const hasFailed = !isSkipping && results.some(isFailure);
      if (hasFailed && mayUndo) throw new Undone(results);
      return { committed: !hasFailed, results };
    };
    if (!mayUndo || !this.#isCareful) return apply();
    try {
      return this.#channels.savepoint(() => this.#driver.savepoint(apply));
    } catch (error) {
      if (error instanceof Undone) return { committed: false, results: error.results.map(undone) };
      throw error;
    }
  }

  /** Within a transaction: adds messages to one channel. */
  append(
    channel: string,
    messages: readonly MessageEnvelope[],
    mode: AppendMode,
    dedupeForMs: number,
  ): readonly OperationResult[] {
    const moment = this.moment();
    return messages.map((message) => this.#messages.append(channel, message, mode, dedupeForMs, moment));
  }

  /** Within a transaction: gives messages to a worker. */
  claim(request: ClaimRequest): readonly ClaimedMessage[] {
    return this.#claims.claim(request, this.moment());
  }

  /** Whether a claim would find something to do, as far as that is known without much ado. */
  mayHaveDue(request: ClaimRequest): boolean {
    return this.#claims.mayHaveDue(request, this.moment());
  }

  /** A page of the log, and where it leaves the reader. */
  readShared(request: SharedReadRequest): SharedRead {
    return this.reads.readShared(request, this.moment());
  }

  /** Within a transaction: moves a reader to where a read leaves it, if it is still where the read found it. */
  follow({ channel, readerId }: SharedReadRequest, { move, before }: SharedRead): boolean {
    return move === undefined || this.reads.moveReader(channel, readerId, move, before ?? null);
  }

  /** What a request allows retention to remove. */
  prunable(request: PruneRequest): PruneRange {
    return this.retention.rangeOf(request, this.moment());
  }

  /** Within a transaction: removes the beginning of that. */
  prune(channel: string, range: PruneRange): { readonly count: number; readonly left: PruneRange } {
    return this.retention.prune(channel, range, this.moment());
  }

  /** The figures of a channel. */
  stats(channel: string): ChannelStats {
    return this.reads.stats(channel, this.moment());
  }

  /** Those of the channels (of all that have a queue) whose messages time has moved. */
  waking(channels: readonly string[] | undefined): readonly string[] {
    const moment = this.moment();
    return (channels ?? this.#claims.queued()).filter((channel) => this.#claims.isWaking(channel, moment));
  }

  /** Within a transaction: writes down what time has moved. */
  promote(channels: readonly string[]): void {
    const moment = this.moment();
    for (const channel of channels) this.#claims.promote(channel, moment);
  }

  /** When the next message of these channels, or of all, can be claimed. */
  nextDueAt(channels: readonly string[] | undefined): number | undefined {
    const moment = this.moment();
    let earliest: number | undefined;
    for (const channel of channels ?? this.#claims.queued()) {
      const at = this.#claims.nextDueAt(channel, moment);
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
    }
    return earliest;
  }

  /** A state value. */
  getState(key: string): StateEntry | undefined {
    return this.#state.get(key, this.moment());
  }

  /** State values by key. */
  listState(prefix: string, after: string, limit: number): readonly StateEntry[] {
    return this.#state.list(prefix, after, limit, this.moment());
  }

  #apply(operation: StoreOperation, moment: Moment): OperationResult {
    switch (operation.type) {
      case "append": {
        const { channel, message, mode, dedupeForMs = 0 } = operation;
        return this.#messages.append(channel, message, mode, dedupeForMs, moment);
      }
      case "ack":
        return this.#messages.ack(operation, moment);
      case "release":
        return this.#messages.release(operation, moment);
      case "extend":
        return this.#messages.extend(operation, moment);
      case "remove":
        return this.#messages.remove(operation, moment);
      case "set-cursor":
        this.reads.moveReader(operation.channel, operation.readerId, { seq: operation.seq, told: 0 });
        return { status: "done" };
      case "set-state":
        return this.#state.set(operation, moment);
      case "delete-state":
        return this.#state.delete(operation, moment);
    }
  }
}

function isFailure({ status }: OperationResult): boolean {
  return status === "lease-lost" || status === "conflict" || status === "claimed" || status === "missing";
}

function undone(result: OperationResult): OperationResult {
  return result.status === "done" ? { status: "undone" } : result;
}

/** Tokens no other process and no earlier run gives: one random part each, drawn by the first claim. */
function createTokens(): () => string {
  let prefix: string | undefined;
  let count = 0;
  return () => {
    prefix ??= Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join("") + ".";
    return prefix + (count++).toString(36);
  };
}
