/**
 * The contract of a store: where channels keep messages, cursors, leases and state.
 *
 * A store knows channels only by key. A message is appended in a *mode*: `log` (read by everybody, each with a cursor),
 * `queue` (claimed by one worker at a time, gone once acknowledged) or `both`. The two sides never disturb each other:
 * claiming a message hides it from no reader, and reading it keeps it from no worker.
 *
 * Everything that changes something goes through {@link MessageStore.commit} and happens together or not at all.
 *
 * @module
 */
import type { AttemptFailure, ClaimedMessage, MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";

/** What a backend can and cannot do. Read it before you rely on it. */
export interface StoreCapabilities {
  /** Whether {@link MessageStore.commit} is all-or-nothing over several channels and state. */
  readonly atomicBatch: boolean;
  /** `exact`: one in flight per `orderingKey`. `partitioned`: keys share a bounded number of lanes. */
  readonly lanes: "exact" | "partitioned";
  /** Whether a message can wait for its `notBefore` in the store. */
  readonly notBefore: boolean;
  /** Who is told by {@link MessageStore.watch}: this process only, or every process on the same store. */
  readonly notifies: "process" | "all";
  /** Whether what is committed outlives the process. */
  readonly durable: boolean;
}

/** How a message takes part: see the module. */
export type AppendMode = "log" | "queue" | "both";

/** Adds a message. A message whose id the channel has, or remembers, is left alone and reported `duplicate`. */
export interface AppendOperation {
  /** Tells it from the other operations. */
  readonly type: "append";
  /** The channel's key. */
  readonly channel: string;
  /** The message. Its content and metadata are checked to be JSON and copied. */
  readonly message: MessageEnvelope;
  /** How it takes part. */
  readonly mode: AppendMode;
  /**
   * How long from now its id is remembered, though the message be gone. Only appends that give it look at what is
   * remembered; without it only messages still stored count, so that a dead letter can be driven again under its id.
   * @default `0`
   */
  readonly dedupeForMs?: number;
}

/** Ends a delivery well: the message leaves the queue. */
export interface AckOperation {
  /** Tells it from the other operations. */
  readonly type: "ack";
  /** The channel's key. */
  readonly channel: string;
  /** The message's place. */
  readonly seq: number;
  /** The token of the lease. */
  readonly token: string;
}

/** Ends a delivery badly: the message goes back to the queue, now or later. */
export interface ReleaseOperation {
  /** Tells it from the other operations. */
  readonly type: "release";
  /** The channel's key. */
  readonly channel: string;
  /** The message's place. */
  readonly seq: number;
  /** The token of the lease. */
  readonly token: string;
  /** How long it stays invisible. @default `0` */
  readonly delayMs?: number;
  /**
   * While it waits out `delayMs`, its lane waits with it, but at most this long; then the others of its lane pass.
   * @default `Infinity`
   */
  readonly holdLaneMs?: number;
  /** `false` when this delivery should not count: its attempt number is given out again. @default `true` */
  readonly countAttempt?: boolean;
  /** Why, for the attempt history. */
  readonly failure?: Pick<AttemptFailure, "reason" | "detail">;
  /**
   * Content to keep from now on in place of the old, for work that remembers how far it came (parts already sent).
   * Checked and copied as at append.
   */
  readonly content?: JsonValue;
}

/** Keeps a delivery going. */
export interface ExtendOperation {
  /** Tells it from the other operations. */
  readonly type: "extend";
  /** The channel's key. */
  readonly channel: string;
  /** The message's place. */
  readonly seq: number;
  /** The token of the lease. */
  readonly token: string;
  /** How long from now the lease shall last. */
  readonly leaseMs: number;
}

/** Removes a message by id, acknowledged or not: a person's decision, not retention's. */
export interface RemoveOperation {
  /** Tells it from the other operations. */
  readonly type: "remove";
  /** The channel's key. */
  readonly channel: string;
  /** The message's id. */
  readonly id: string;
  /** Leave it, and report `claimed`, when a worker holds it. @default `false` */
  readonly unlessClaimed?: boolean;
  /** Undo the commit when the message is not there: for what must happen only together with its removal. @default `false` */
  readonly mustExist?: boolean;
}

/** Moves a reader's place in the log. Going back is allowed: that is a replay. */
export interface SetCursorOperation {
  /** Tells it from the other operations. */
  readonly type: "set-cursor";
  /** The channel's key. */
  readonly channel: string;
  /** The reader. */
  readonly readerId: string;
  /** The last sequence number it has seen; 0 for the beginning. */
  readonly seq: number;
}

/** Writes a state value. */
export interface SetStateOperation {
  /** Tells it from the other operations. */
  readonly type: "set-state";
  /** The key. */
  readonly key: string;
  /** The value: JSON, checked and copied. */
  readonly value: JsonValue;
  /** Write only over this version; 0 means only where nothing is. Absent: write whatever is there. */
  readonly expectedVersion?: number;
  /** How long the value lives. Absent: until it is deleted. */
  readonly ttlMs?: number;
}

/** Deletes a state value. */
export interface DeleteStateOperation {
  /** Tells it from the other operations. */
  readonly type: "delete-state";
  /** The key. */
  readonly key: string;
  /** Delete only this version; 0: there must be none, which is `not-found` and undoes nothing. */
  readonly expectedVersion?: number;
}

/** One thing to do in a commit. */
export type StoreOperation =
  | AppendOperation
  | AckOperation
  | ReleaseOperation
  | ExtendOperation
  | RemoveOperation
  | SetCursorOperation
  | SetStateOperation
  | DeleteStateOperation;

/**
 * What became of one operation.
 *
 * - `done`: it happened.
 * - `duplicate`: an append whose id was there already; nothing changed. Does not undo a commit.
 * - `not-found`: a remove or delete of what is not there; nothing changed. Does not undo a commit.
 * - `missing`: a remove with `mustExist` of what is not there. Undoes the commit.
 * - `claimed`: a remove with `unlessClaimed` of a message somebody holds. Undoes the commit.
 * - `lease-lost`: the token is not that of the present delivery. Undoes the commit.
 * - `conflict`: the version is not the expected one. Undoes the commit.
 * - `undone`: it would have happened, but another operation undid the commit.
 */
export type OperationStatus =
  | "done"
  | "duplicate"
  | "not-found"
  | "missing"
  | "claimed"
  | "lease-lost"
  | "conflict"
  | "undone";

/** The outcome of one operation. */
export interface OperationResult {
  /** What became of it. */
  readonly status: OperationStatus;
  /** Append: the message's place, or that of the message it duplicates where that is still stored. */
  readonly seq?: number;
  /** Set-state: the version now. */
  readonly version?: number;
  /** Extend: when the lease ends now, in milliseconds since 1970. */
  readonly until?: number;
}

/** The outcome of a commit. */
export interface CommitResult {
  /** Whether it happened. With `onConflict: "skip"` always true. */
  readonly committed: boolean;
  /** One result per operation, in order. */
  readonly results: readonly OperationResult[];
}

/** How {@link MessageStore.commit} treats an operation that cannot be done. */
export interface CommitOptions {
  /** `abort`: one that cannot be done undoes all. `skip`: only that one is left out. @default `"abort"` */
  readonly onConflict?: "abort" | "skip";
}

/** What to claim. */
export interface ClaimRequest {
  /** The channel's key. */
  readonly channel: string;
  /** Who claims. */
  readonly workerId: string;
  /** How many at most. */
  readonly limit: number;
  /** How long each lease lasts. */
  readonly leaseMs: number;
  /** Only messages for this recipient or for nobody in particular. Absent: all. */
  readonly recipientId?: string;
}

/** What to read from the log. */
export interface SharedReadRequest {
  /** The channel's key. */
  readonly channel: string;
  /** Who reads: names the cursor. */
  readonly readerId: string;
  /** How many at most. */
  readonly limit: number;
  /** Read after this place in the place of the cursor, and leave the cursor alone. */
  readonly after?: number;
  /** Only messages for this recipient or for nobody in particular. Absent: all. */
  readonly recipientId?: string;
  /** Whether the cursor moves behind what is returned, in the same commit. @default `true` without `after` */
  readonly advance?: boolean;
}

/** A stretch of the log that a reader can no longer have: retention removed it before it was read. */
export interface Gap {
  /** The first sequence number that may be missing. */
  readonly fromSeq: number;
  /** The last. */
  readonly toSeq: number;
}

/** A page of the log. */
export interface SharedPage {
  /** The messages, oldest first. */
  readonly messages: readonly StoredMessage[];
  /** Where to read on: the last sequence number returned, or the old place when there was none. */
  readonly cursor: number;
  /** What the reader missed, told once: its place had been evicted. */
  readonly gap?: Gap;
}

/** What to look for among stored messages. All that is given must hold. */
export interface QueryRequest {
  /** The channel's key. */
  readonly channel: string;
  /** Written at this time or later, in milliseconds since 1970. */
  readonly fromTime?: number;
  /** Written before this time. */
  readonly toTime?: number;
  /** Equal to the envelope's field. */
  readonly correlationId?: string;
  /** Equal to the envelope's field. */
  readonly externalId?: string;
  /** Equal to the envelope's field. */
  readonly senderId?: string;
  /** Equal to the envelope's field. */
  readonly recipientId?: string;
  /** `asc`: oldest first. `desc`: latest first. @default `"asc"` */
  readonly order?: "asc" | "desc";
  /** Go on behind this sequence number: the `next` of the page before. */
  readonly after?: number;
  /** How many at most. @default `100` */
  readonly limit?: number;
}

/** A page of stored messages. */
export interface QueryPage {
  /** The messages, in the order asked for. */
  readonly messages: readonly StoredMessage[];
  /** Pass as `after` for the next page. Absent: this was the last. */
  readonly next?: number;
}

/** What retention may remove: messages of the log, and nothing a worker has still to acknowledge. */
export interface PruneRequest {
  /** The channel's key. */
  readonly channel: string;
  /** Remove what was written longer ago than this. */
  readonly olderThanMs?: number;
  /** Keep at most this many of the latest. */
  readonly keepLatest?: number;
}

/** A channel in figures. */
export interface ChannelStats {
  /** Messages stored, in whatever mode and state. */
  readonly stored: number;
  /** Waiting for a worker now, or behind another of their lane. */
  readonly ready: number;
  /** Waiting for their time. */
  readonly delayed: number;
  /** Held by workers. */
  readonly claimed: number;
  /** When the oldest message a worker has still to acknowledge was written. */
  readonly oldestUnacknowledgedAt?: number;
  /** The highest sequence number given so far; 0 when none. */
  readonly lastSeq: number;
}

/** A state value with its version. */
export interface StateEntry {
  /** The key. */
  readonly key: string;
  /** The value. */
  readonly value: JsonValue;
  /** Grows with every write of the key. */
  readonly version: number;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAt?: number;
}

/**
 * Where channels keep messages, cursors, leases and state. Write one for your own database and run the conformance
 * suite of `posthorn/testing` against it.
 *
 * Keys of channels and state values, lanes and foreign ids are texts of 1 to 1,000 characters, ids of messages, senders,
 * recipients, readers and workers of 1 to 200: any characters but zero characters and halves of surrogate pairs, which
 * many databases change. `checkMessages`, `checkClaim` and the others of their kind refuse the rest; call them first.
 *
 * Times in results are wall-clock milliseconds since 1970; a store counts leases and delays on a clock that does not
 * jump. Every method rejects with {@link StoreError} when the store is closed or cannot do it; a refused value is a
 * {@link ValidationError} and a message over the limit a {@link TooLargeError}, and nothing is written then.
 */
export interface MessageStore extends AsyncDisposable {
  /** What it can and cannot do. */
  readonly capabilities: StoreCapabilities;

  /**
   * Adds messages to one channel in one commit.
   *
   * @returns One result per message: `done` or `duplicate`.
   */
  append(
    channel: string,
    messages: readonly MessageEnvelope[],
    options: { readonly mode: AppendMode; readonly dedupeForMs?: number },
  ): Promise<readonly OperationResult[]>;

  /** Does several things together or not at all. */
  commit(operations: readonly StoreOperation[], options?: CommitOptions): Promise<CommitResult>;

  /**
   * Gives a worker messages for a while: due, unheld, at most one per lane and none of a lane that has one out,
   * the longest due first and within a lane by sequence. A message whose lease ran out is given again, with a failure
   * `lease-expired` in its history; an expired message (`expiresAt`) is given too: what to do with it is the caller's
   * to decide.
   */
  claim(request: ClaimRequest): Promise<readonly ClaimedMessage[]>;

  /** Reads the log from the reader's cursor on. Messages past their `expiresAt` are left out. */
  readShared(request: SharedReadRequest): Promise<SharedPage>;

  /** One message by id, in whatever state. */
  get(channel: string, id: string): Promise<StoredMessage | undefined>;

  /** Finds stored messages. */
  query(request: QueryRequest): Promise<QueryPage>;

  /** Applies retention. @returns How many messages it removed. */
  prune(request: PruneRequest): Promise<number>;

  /** Removes everything of a channel: messages, held or not, and cursors. Sequence numbers go on. @returns How many messages. */
  clear(channel: string): Promise<number>;

  /** Counts a channel. */
  stats(channel: string): Promise<ChannelStats>;

  /** When the next message of these channels (of all, without an argument) can be claimed: a time that may be past, or `undefined` when none waits. */
  nextDueAt(channels?: readonly string[]): Promise<number | undefined>;

  /**
   * Calls back when a channel may have something new to read or claim: after appends, releases, acknowledgements that
   * free a lane. May call without cause, never fails to call for a commit of this process.
   *
   * @returns Ends it.
   */
  watch(channel: string, listener: () => void): () => void;

  /** Reads a state value; an expired one is not there. */
  getState(key: string): Promise<StateEntry | undefined>;

  /** Lists state values whose keys start with a prefix, by key. */
  listState(
    prefix: string,
    page?: { readonly after?: string; readonly limit?: number },
  ): Promise<readonly StateEntry[]>;

  /** Ends it. Waits for what is under way; later calls reject. Harmless when called twice. */
  close(): Promise<void>;
}
