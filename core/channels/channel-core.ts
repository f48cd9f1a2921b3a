/**
 * What all channels share, with or without a loop.
 *
 * @module
 */
import { kindOf, NotRunningError, QueueFullError, ValidationError } from "../errors.ts";
import type { ChannelMessage, MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import { createIdGenerator } from "../message/ids.ts";
import { cloneJson, type JsonObject, type JsonValue } from "../message/json.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type {
  AppendMode,
  ChannelStats,
  Gap,
  MessageStore,
  OperationResult,
  QueryPage,
  QueryRequest,
} from "../store/message-store.ts";
import { assertDurationMs, assertId, assertInteger, assertName, assertText } from "../support/assert.ts";
import { type Clock, systemClock, type TimerHandle } from "../support/clock.ts";
import { errorFields, type Logger, silentLogger } from "../support/logger.ts";
import { type StandardSchemaV1, validate } from "../support/standard-schema.ts";
import { WakeGate } from "../support/wake-gate.ts";
import type {
  ChannelInfo,
  ChannelOptions,
  MessageHandler,
  ReadOptions,
  ReadPage,
  Retention,
  StreamOptions,
  Visibility,
  WriteOptions,
} from "./channel-options.ts";
import { channelStream } from "./channel-stream.ts";
import { Subscription } from "./subscription.ts";

/** The key a channel has in its store. */
export function channelKey(namespace: string, id: string): string {
  return `${namespace}:${id}`;
}

const MAX_METADATA_BYTES = 65_536;
const MAX_LIMIT = 10_000;
const DEFAULT_RETENTION: Retention = { maxCount: 10_000 };

/**
 * What all channels share: a place in a store, writing, shared reading from a durable place, subscribing, streaming,
 * retention and a life cycle. Extend {@link BaseChannel}, {@link PassthroughChannel} or {@link PeriodicChannel}, not
 * this.
 *
 * A write resolves after the commit. Names follow the channel types' specification; durations are in milliseconds.
 *
 * @typeParam T The content of its messages.
 */
export abstract class ChannelCore<T = JsonValue> {
  /** Its id. */
  readonly id: string;
  /** Its name for people. */
  readonly name: string;
  /** What it is for. */
  readonly description: string;
  /** Its namespace. */
  readonly namespace: string;
  /** Its key in the store: namespace and id. */
  readonly key: string;
  /** Where its messages are. */
  readonly store: MessageStore;
  /** What kind of channel it is. */
  readonly kind: string = "channel";
  /** Who may find it. */
  readonly visibility: Visibility;
  /** What it can do. */
  readonly capabilities: readonly string[];
  /** How long messages are kept. */
  readonly retention: Retention;
  /** Time. */
  protected readonly clock: Clock;
  /** Where it says what goes wrong. */
  protected readonly logger: Logger;
  /** Gives ids. */
  protected readonly newId: () => string;
  /** How messages of this kind of channel take part in the store. */
  protected readonly mode: AppendMode = "log";
  readonly #schema: StandardSchemaV1<unknown, T> | undefined;
  readonly #ownsStore: boolean;
  readonly #maintenanceIntervalMs: number;
  readonly #subscriptions = new Set<Subscription<T>>();
  #inFlight = 0;
  readonly #idle = new WakeGate();
  #running = false;
  #maintenanceTimer: TimerHandle | undefined;
  #maintenance: Promise<void> | undefined;
  #unwatch: (() => void) | undefined;

  /**
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: ChannelOptions<T>) {
    if (typeof options !== "object" || options === null) {
      throw new ValidationError(
        "options",
        `Cannot create channel as 'options' must be an object, not ${kindOf(options)}`,
      );
    }
    this.id = assertName(options.id, "id");
    this.name = assertText(options.name ?? this.id, "name");
    this.description = assertText(options.description ?? "", "description", { allowEmpty: true, multiline: true });
    this.namespace = assertName(options.namespace ?? "default", "namespace");
    this.key = channelKey(this.namespace, this.id);
    this.clock = options.clock ?? systemClock;
    this.logger = options.logger ?? silentLogger;
    this.#ownsStore = options.store === undefined;
    this.store = options.store ?? new MemoryStore({ clock: this.clock });
    this.visibility = options.visibility ?? "public";
    this.capabilities = (options.capabilities ?? []).map((word, index) => assertText(word, `capabilities[${index}]`));
    this.retention = resolveRetention(options.retention ?? this.defaultRetention);
    this.newId = options.newId ?? createIdGenerator(() => this.clock.now());
    this.#schema = options.schema;
    this.#maintenanceIntervalMs = assertDurationMs(options.maintenanceIntervalMs ?? 60_000, "maintenanceIntervalMs", 1);
  }

  /** The retention of this kind of channel when none is given. */
  protected get defaultRetention(): Retention {
    return DEFAULT_RETENTION;
  }

  /** Whether it was started and not stopped. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** What the channel says of itself. */
  get info(): ChannelInfo {
    return {
      id: this.id,
      name: this.name,
      description: this.description,
      kind: this.kind,
      namespace: this.namespace,
      visibility: this.visibility,
      capabilities: this.capabilities,
      running: this.#running,
    };
  }

  /** Starts it: reading and writing work from here on. Called twice is harmless. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#scheduleMaintenance();
    await this.onStart();
  }

  /**
   * Stops it, after what is in flight: writes are finished, subscribers have seen everything written.
   * Called twice is harmless. A store given in the options stays open; its owner closes it.
   */
  async stop(): Promise<void> {
    if (!this.#running) return;
    await this.drain();
    this.#running = false;
    this.#maintenanceTimer?.cancel();
    await this.#maintenance;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await this.onStop();
    if (this.#ownsStore) await this.store.close();
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Waits until every write under way is committed and every subscriber has seen what was written. */
  async drain(): Promise<void> {
    for (;;) {
      while (this.#inFlight > 0) await this.#idle.wait(this.clock);
      await Promise.all([...this.#subscriptions].map((subscription) => subscription.idle()));
      if (this.#inFlight === 0) return;
    }
  }

  /**
   * Writes a message. Resolves after it is committed and subscribers who wait have been called.
   *
   * @param senderId Who writes.
   * @param data The content, or with `direct` a whole {@link ChannelMessage}.
   * @param options Id, recipient, lane, times and the rest.
   * @returns The message's id; `""` when `convertFn` dropped it. The same id written again is the same message, and is
   * not stored again.
   * @throws {ValidationError} If an argument is of the wrong kind, or the content is not JSON.
   * @throws {SchemaError} If the content does not fit the channel's schema.
   * @throws {TooLargeError} If the content is over the store's limit.
   * @throws {NotRunningError} If the channel is not running.
   * @throws {StoreError} If the store cannot do it.
   */
  async write(senderId: string, data: T | ChannelMessage<T>, options: WriteOptions = {}): Promise<string> {
    this.assertRunning("write to");
    assertId(senderId, "senderId");
    this.enter();
    try {
      return await this.accept(senderId, data, options);
    } finally {
      this.leave();
    }
  }

  /** Takes one write: converts it and commits it. Kinds of channel that buffer do something else first. */
  protected async accept(senderId: string, data: T | ChannelMessage<T>, options: WriteOptions): Promise<string> {
    const message = options.direct === true ? wholeMessage<T>(data) : await this.convertFn(senderId, data as T);
    if (message === null) return "";
    const envelope = this.envelope(message, options);
    await this.commitMessage(envelope, options.dedupeForMs);
    return envelope.id;
  }

  /** Completes and checks a message on its way into the store. */
  protected envelope(message: ChannelMessage<T>, options: WriteOptions): MessageEnvelope<T> {
    const { orderingKey, externalId, traceparent } = options;
    const recipientId = options.recipientId ?? message.recipientId;
    const correlationId = options.correlationId ?? message.correlationId;
    const replyTo = options.replyTo ?? message.replyTo;
    const notBefore = timeOf(options.notBefore, "notBefore");
    const expiresAt = timeOf(options.expiresAt, "expiresAt");
    return {
      v: 1,
      id: options.id === undefined ? message.id : assertId(options.id, "id"),
      timestamp: message.timestamp,
      senderId: message.senderId,
      content: message.content,
      metadata: options.metadata === undefined ? message.metadata : checkMetadata(options.metadata),
      namespace: this.namespace,
      ...(recipientId === undefined ? undefined : { recipientId: assertId(recipientId, "recipientId") }),
      ...(correlationId === undefined ? undefined : { correlationId: assertId(correlationId, "correlationId") }),
      ...(replyTo === undefined ? undefined : { replyTo: assertId(replyTo, "replyTo") }),
      ...(notBefore === undefined ? undefined : { notBefore }),
      ...(expiresAt === undefined ? undefined : { expiresAt }),
      ...(orderingKey === undefined ? undefined : { orderingKey: assertText(orderingKey, "orderingKey") }),
      ...(externalId === undefined ? undefined : { externalId: assertId(externalId, "externalId") }),
      ...(traceparent === undefined
        ? undefined
        : { traceparent: assertText(traceparent, "traceparent", { maxLength: 200 }) }),
    };
  }

  /** Checks, commits and announces one message. */
  protected async commitMessage(envelope: MessageEnvelope<T>, dedupeForMs = 0): Promise<void> {
    const content = this.#schema === undefined
      ? envelope.content
      : await validate(this.#schema, envelope.content, `content of channel "${this.id}"`);
    const message = { ...envelope, content: asJson(content) };
    const [result] = await this.store.append(this.key, [message], { mode: this.mode, dedupeForMs });
    if (result?.status === "done") await this.#announce(envelope.id, result);
  }

  /** Tells hooks and subscribers of a message that was just committed. */
  async #announce(id: string, result: OperationResult): Promise<void> {
    const hooked = this.onMessage !== ChannelCore.prototype.onMessage;
    if (!hooked && this.#subscriptions.size === 0) return;
    const message = await this.store.get(this.key, id);
    if (message === undefined || message.seq !== result.seq) return;
    try {
      await this.onMessage(this.typed(message));
    } catch (error) {
      this.onError(error, this.typed(message));
    }
  }

  /**
   * Called with each message this process wrote, after its commit and before `write` resolves. What it throws goes to
   * `onError`, not to the writer: the message is stored. Call `super.onMessage` so that `write` waits until subscribers
   * who are free have been called.
   *
   * @param message The message as stored.
   */
  protected async onMessage(message: StoredMessage<T>): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.reached(message.seq)));
  }

  /** Called when the channel starts. Override it to open what the channel needs. */
  protected onStart(): Promise<void> {
    return Promise.resolve();
  }

  /** Called when the channel stops. Override it to close what {@link ChannelCore.onStart} opened. */
  protected onStop(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Called when something goes wrong that nobody else hears of: a subscriber, a hook, a pull, upkeep. By default it logs.
   *
   * @param error What went wrong.
   * @param message The message it went wrong with, where there is one.
   */
  protected onError(error: unknown, message?: StoredMessage<T>): void {
    this.logger.error("channel error", { channel: this.id, messageId: message?.id, ...errorFields(error) });
  }

  /** Called when a reader's or subscriber's place was evicted before it could read on. By default it logs a warning. */
  protected onGap(readerId: string, gap: Gap): void {
    this.logger.warn("messages were evicted before they were read", { channel: this.id, readerId, ...gap });
  }

  /** Upkeep, every `maintenanceIntervalMs`: applies retention. Override it to add to it, and call `super.onMaintain()`. */
  protected async onMaintain(): Promise<void> {
    await this.evict(this.retention);
  }

  /**
   * Makes a message of what was written. Return `null` to drop it on purpose.
   *
   * @param senderId Who wrote.
   * @param data What was written.
   */
  protected convertFn(senderId: string, data: T): ChannelMessage<T> | null | Promise<ChannelMessage<T> | null> {
    return { id: this.newId(), timestamp: this.clock.now(), senderId, content: data, metadata: NO_METADATA };
  }

  /**
   * Reads on from where this reader is. Its place is kept in the store.
   *
   * @param readerId Who reads.
   * @param options How many, or from where.
   * @returns The messages, oldest first. For what was evicted unread see {@link ChannelCore.readPage}.
   * @throws {TypeError} If `exclusive` is asked for and this kind of channel has no claims.
   * @throws {ValidationError} If an argument is of the wrong kind.
   * @throws {NotRunningError} If the channel is not running.
   */
  async read(readerId: string, options: ReadOptions = {}): Promise<readonly StoredMessage<T>[]> {
    const page = await this.readPage(readerId, options);
    if (page.gap !== undefined) this.onGap(readerId, page.gap);
    return page.messages;
  }

  /** As {@link ChannelCore.read}, with the reader's place and the gap, if something was evicted before it was read. */
  async readPage(readerId: string, options: ReadOptions = {}): Promise<ReadPage<T>> {
    this.assertRunning("read from");
    assertId(readerId, "readerId");
    if (options.exclusive === true) {
      throw new TypeError(`Cannot read channel "${this.id}" exclusively: a ${this.kind} channel has shared reads only`);
    }
    const limit = checkLimit(options.limit);
    const after = await this.#resolveAfter(options.after);
    return this.readLog(readerId, limit, after);
  }

  /** Reads the log for one reader. Kinds of channel that filter do it here. */
  protected async readLog(readerId: string, limit: number, after: number | undefined): Promise<ReadPage<T>> {
    const page = await this.store.readShared({
      channel: this.key,
      readerId,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    return { ...page, messages: page.messages.map((message) => this.typed(message)) };
  }

  async #resolveAfter(after: number | string | undefined): Promise<number | undefined> {
    if (after === undefined) return undefined;
    if (typeof after === "number") return assertInteger(after, "after", 0);
    const message = await this.store.get(this.key, assertId(after, "after"));
    if (message !== undefined) return message.seq;
    throw new ValidationError(
      "after",
      `Cannot read behind message "${after}": channel "${this.id}" has no such message`,
    );
  }

  /**
   * Calls back with every message written from now on, in order, one at a time. The subscriber reads the log at its own
   * pace: a slow one delays nobody and loses nothing while retention keeps what it has not seen.
   *
   * @param subscriberId A name for people and logs. Two subscriptions may share it.
   * @param handler What to call.
   * @returns The subscription; end it with `unsubscribe()`.
   */
  async subscribe(subscriberId: string, handler: MessageHandler<T>): Promise<Subscription<T>> {
    this.assertRunning("subscribe to");
    assertId(subscriberId, "subscriberId");
    if (typeof handler !== "function") {
      throw new ValidationError("handler", `Cannot subscribe as 'handler' must be a function, not ${kindOf(handler)}`);
    }
    const { lastSeq } = await this.store.stats(this.key);
    const subscription: Subscription<T> = new Subscription(subscriberId, handler, lastSeq, {
      readAfter: (after) => this.readLog(subscriberId, 100, after),
      onError: (error, message) => this.onError(error, message),
      onGap: (gap) => this.onGap(subscriberId, gap),
      onEnd: () => this.#forget(subscription),
    });
    this.#subscriptions.add(subscription);
    this.#unwatch ??= this.store.watch(this.key, () => {
      for (const subscription of this.#subscriptions) subscription.wake();
    });
    subscription.wake();
    return subscription;
  }

  #forget(subscription: Subscription<T>): void {
    this.#subscriptions.delete(subscription);
    if (this.#subscriptions.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Ends a subscription, or every one of that name. @returns Whether there was one. */
  unsubscribe(subscription: Subscription<T> | string): boolean {
    let found = false;
    for (const known of this.#subscriptions) {
      if (known !== subscription && known.id !== subscription) continue;
      known.unsubscribe();
      found = true;
    }
    return found;
  }

  /**
   * The messages as a stream: what this reader has not read, then what is written. Reads no further ahead than
   * `highWaterMark`; the reader's place moves as the consumer takes messages.
   *
   * @param readerId Who reads.
   * @param options Where to start, when to end.
   */
  stream(readerId: string, options: StreamOptions = {}): ReadableStream<StoredMessage<T>> {
    this.assertRunning("stream from");
    assertId(readerId, "readerId");
    return channelStream<T>({
      clock: this.clock,
      store: this.store,
      key: this.key,
      readerId,
      options,
      read: (after, limit) => this.readLog(readerId, limit, after),
      onGap: (gap) => this.onGap(readerId, gap),
    });
  }

  /** One message by id, in whatever state. */
  async get(id: string): Promise<StoredMessage<T> | undefined> {
    this.assertRunning("read from");
    const message = await this.store.get(this.key, assertId(id, "id"));
    return message === undefined ? undefined : this.typed(message);
  }

  /** Finds stored messages. */
  async query(
    request: Omit<QueryRequest, "channel"> = {},
  ): Promise<Omit<QueryPage, "messages"> & { readonly messages: readonly StoredMessage<T>[] }> {
    this.assertRunning("query");
    const page = await this.store.query({ ...request, limit: checkLimit(request.limit ?? 100), channel: this.key });
    return { ...page, messages: page.messages.map((message) => this.typed(message)) };
  }

  /** The channel in figures. */
  async stats(): Promise<ChannelStats> {
    this.assertRunning("count");
    return await this.store.stats(this.key);
  }

  /** Removes one message, acknowledged or not. @returns Whether it was there. */
  async remove(id: string): Promise<boolean> {
    this.assertRunning("remove from");
    const { results } = await this.store.commit([{ type: "remove", channel: this.key, id: assertId(id, "id") }]);
    return results[0]?.status === "done";
  }

  /** Applies a retention now. Work that is not acknowledged stays. @returns How many messages went. */
  async evict(retention: Retention = this.retention): Promise<number> {
    this.assertRunning("evict from");
    const { maxAgeMs, maxCount } = resolveRetention(retention);
    if (maxAgeMs === undefined && maxCount === undefined) return 0;
    return await this.store.prune({
      channel: this.key,
      ...(maxAgeMs === undefined ? {} : { olderThanMs: maxAgeMs }),
      ...(maxCount === undefined ? {} : { keepLatest: maxCount }),
    });
  }

  /** Removes everything: messages, held or not, and readers' places. @returns How many messages went. */
  async clear(): Promise<number> {
    this.assertRunning("clear");
    return await this.store.clear(this.key);
  }

  /** Gives a stored message its type: content was checked, or trusted, when it was written. */
  protected typed<M extends StoredMessage>(message: M): M & StoredMessage<T> {
    return message as M & StoredMessage<T>;
  }

  /** Throws unless the channel runs. */
  protected assertRunning(doing: string): void {
    if (!this.#running) {
      throw new NotRunningError(`Cannot ${doing} channel "${this.id}": it is not running; call start() first`);
    }
  }

  /** Counts something in flight, for {@link ChannelCore.drain}. */
  protected enter(): void {
    this.#inFlight++;
  }

  /** Counts it out. */
  protected leave(): void {
    if (--this.#inFlight === 0) this.#idle.wake();
  }

  /** Throws when too much is waiting. */
  protected assertRoom(waiting: number, most: number): void {
    if (waiting >= most) {
      throw new QueueFullError(`Cannot write to channel "${this.id}": ${waiting} items wait, limit is ${most}`);
    }
  }

  #scheduleMaintenance(): void {
    this.#maintenanceTimer = this.clock.setTimer(this.#maintenanceIntervalMs, () => {
      this.#maintenance = this.onMaintain()
        .catch((error: unknown) => this.onError(error))
        .then(() => {
          this.#maintenance = undefined;
          if (this.#running) this.#scheduleMaintenance();
        });
    });
  }
}

const NO_METADATA: JsonObject = Object.freeze({});

function asJson(value: unknown): JsonValue {
  return value as JsonValue; // the store checks that it is
}

function wholeMessage<T>(data: T | ChannelMessage<T>): ChannelMessage<T> {
  if (typeof data !== "object" || data === null || !("content" in data) || !("id" in data) || !("senderId" in data)) {
    throw new ValidationError("data", `Cannot write directly as 'data' must be a ChannelMessage, not ${kindOf(data)}`);
  }
  return {
    ...data,
    id: assertId(data.id, "data.id"),
    senderId: assertId(data.senderId, "data.senderId"),
    timestamp: timeOf(data.timestamp, "data.timestamp") ?? 0,
    metadata: checkMetadata(data.metadata ?? NO_METADATA),
  };
}

function checkMetadata(value: unknown): JsonObject {
  const copy = cloneJson(value, "metadata", { maxBytes: MAX_METADATA_BYTES });
  if (typeof copy === "object" && copy !== null && !Array.isArray(copy)) return copy as JsonObject;
  throw new ValidationError("metadata", `Cannot write as 'metadata' must be an object, not ${kindOf(value)}`);
}

function timeOf(value: unknown, argument: string): number | undefined {
  if (value === undefined) return undefined;
  const time = value instanceof Date ? value.getTime() : value;
  if (typeof time === "number" && Number.isFinite(time) && time >= 0) return time;
  throw new ValidationError(argument, `Cannot write as '${argument}' must be a time, not ${kindOf(value)}`);
}

/** Checks `limit`. */
export function checkLimit(limit: number | undefined): number {
  return limit === undefined ? 10 : assertInteger(limit, "limit", 1, MAX_LIMIT);
}

function resolveRetention(retention: Retention): Retention {
  const { maxAgeMs, maxCount } = retention;
  return {
    ...(maxAgeMs === undefined ? {} : { maxAgeMs: assertDurationMs(maxAgeMs, "retention.maxAgeMs") }),
    ...(maxCount === undefined ? {} : { maxCount: assertInteger(maxCount, "retention.maxCount", 0) }),
  };
}
