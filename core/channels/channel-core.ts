/**
 * What all channels share, with or without a loop.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import type { ChannelMessage, MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import { cloneJson, type JsonValue } from "../message/json.ts";
import type { AppendMode, Gap } from "../store/message-store.ts";
import { assertId, assertInteger } from "../support/assert.ts";
import { type StandardSchemaV1, validate } from "../support/standard-schema.ts";
import {
  assertFunction,
  assertOptions,
  checkConverted,
  checkHighWaterMark,
  checkLimit,
  checkSchema,
  makeEnvelope,
  NO_METADATA,
  NO_OPTIONS,
  renamed,
  wholeMessage,
} from "./channel-input.ts";
import { ChannelContents } from "./channel-contents.ts";
import type {
  ChannelOptions,
  LogPlace,
  MessageHandler,
  ReadOptions,
  ReadPage,
  StreamOptions,
  WriteOptions,
} from "./channel-options.ts";
import { type ChannelStream, channelStream } from "./channel-stream.ts";
import { Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";
import { exclusiveOnly, sharedOnly } from "./wrong-mode.ts";

/**
 * What all channels share: a place in a store, writing, shared reading from a durable place, subscribing, streaming,
 * retention and a life cycle. Extend {@link BaseChannel}, {@link PassthroughChannel} or {@link PeriodicChannel}, not
 * this.
 *
 * A write resolves after the commit. Names follow the channel types' specification; durations are in milliseconds.
 *
 * @typeParam T The content of its messages.
 */
export abstract class ChannelCore<T = JsonValue> extends ChannelContents<T> {
  /** How messages of this kind of channel take part in the store. */
  protected readonly mode: AppendMode = "log";
  readonly #schema: StandardSchemaV1<unknown, T> | undefined;
  readonly #subscriptions: Subscriptions<T>;
  readonly #streams = new Set<ChannelStream<T>>();
  #lastSender: string | undefined;

  /**
   * Makes a channel core.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: ChannelOptions<T>) {
    super(options);
    this.#schema = checkSchema(options.schema);
    this.#subscriptions = new Subscriptions(this.store, this.key, this.clock);
  }

  /** {@inheritDoc ChannelLifecycle.drain} */
  override async drain(): Promise<void> {
    do {
      await super.drain();
      await this.#subscriptions.idle();
    } while (this.isBusy);
  }

  /** {@inheritDoc ChannelLifecycle.letGo} */
  protected override async letGo(): Promise<void> {
    this.#subscriptions.endAll();
    await Promise.all([...this.#streams].map((stream) => stream.end()));
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
  write(senderId: string, data: T | ChannelMessage<T>, options: WriteOptions = NO_OPTIONS): Promise<string> {
    try { // One layer of promises above the store: each costs as much as a store in memory.
      this.assertWritable();
      if (senderId !== this.#lastSender) this.#lastSender = assertId(senderId, "senderId");
      if (options !== NO_OPTIONS) assertOptions(options);
      return this.accept(senderId, data, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes one write: converts it and commits it. Kinds of channel that buffer do something else first. */
  protected async accept(senderId: string, data: T | ChannelMessage<T>, options: WriteOptions): Promise<string> {
    this.enter();
    try {
      const made = this.#make(senderId, data, options);
      const message = made instanceof Promise ? await made : made;
      if (message === null) return "";
      const envelope = makeEnvelope(message, options, this.namespace);
      const checked = this.#schema === undefined ? this.untypedEnvelope(envelope) : await this.checked(envelope);
      await this.#append(checked, options.dedupeForMs);
      return checked.id;
    } catch (error) {
      throw renamed(error);
    } finally {
      this.leave();
    }
  }

  #make(
    senderId: string,
    data: T | ChannelMessage<T>,
    options: WriteOptions,
  ): ChannelMessage<T> | null | Promise<ChannelMessage<T> | null> {
    if (options.direct === true) return wholeMessage<T>(data);
    const id = options.id === undefined ? this.newId() : assertId(options.id, "id");
    const made = this.convertFn(senderId, data as T, id);
    if (this.convertFn === ChannelCore.prototype.convertFn) return made;
    return made instanceof Promise ? made.then(checkConverted) : checkConverted(made);
  }

  /** Checks content against the schema. The store checks that it is JSON. */
  protected async checked(envelope: MessageEnvelope<T>): Promise<MessageEnvelope> {
    if (this.#schema === undefined) return this.untypedEnvelope(envelope);
    const content = await validate(this.#schema, envelope.content, `content of channel "${this.id}"`);
    return this.untypedEnvelope({ ...envelope, content });
  }

  #append(envelope: MessageEnvelope, dedupeForMs: number | undefined): Promise<unknown> {
    const appended = this.store.append(this.key, [envelope], { mode: this.mode, dedupeForMs: dedupeForMs ?? 0 });
    if (this.#subscriptions.size === 0 && this.onMessage === ChannelCore.prototype.onMessage) return appended;
    return appended.then(async ([result]) => {
      if (result?.status === "done") await this.announce(envelope, result.seq ?? 0);
    });
  }

  /** Tells hooks and subscribers of a message that was just committed. */
  protected async announce(envelope: MessageEnvelope, seq: number): Promise<void> {
    if (this.onMessage === ChannelCore.prototype.onMessage) {
      if (this.#subscriptions.size > 0) await this.#subscriptions.reached(seq);
      return;
    }
    // Not read back from the store: a worker may be done with it already.
    const content = cloneJson(envelope.content, "content", { maxBytes: Infinity });
    const message = this.typed({ ...envelope, content, seq, attempts: 0 });
    try {
      await this.onMessage(message);
    } catch (error) {
      this.report(error, message);
    }
  }

  /**
   * Called with each message this object wrote, after its commit and before `write` resolves. What it throws goes to
   * `onError`, not to the writer: the message is stored. Call `super.onMessage` so that `write` waits until subscribers
   * who are free have been called.
   *
   * @param message The message as stored.
   */
  protected async onMessage(message: StoredMessage<T>): Promise<void> {
    await this.#subscriptions.reached(message.seq);
  }

  /** Called when a reader's or subscriber's place was evicted before it could read on. By default it logs a warning. */
  protected onGap(readerId: string, gap: Gap): void {
    this.logger.warn("messages were evicted before they were read", { channel: this.id, readerId, ...gap });
  }

  /**
   * Makes a message of what was written. Return `null` to drop it on purpose.
   *
   * @param senderId Who wrote.
   * @param data What was written.
   * @param id The id `write` gives to the writer. Use another one where the data has an id by nature.
   */
  protected convertFn(
    senderId: string,
    data: T,
    id: string,
  ): ChannelMessage<T> | null | Promise<ChannelMessage<T> | null> {
    return { id, timestamp: this.clock.now(), senderId, content: data, metadata: NO_METADATA };
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
    if (this.mode === "queue") throw exclusiveOnly("read", this);
    assertId(readerId, "readerId");
    assertOptions(options);
    const { limit, exclusive = false, after } = options;
    if (exclusive !== false) {
      if (exclusive === true) throw sharedOnly(this);
      throw new ValidationError(
        "exclusive",
        `Cannot read as 'exclusive' must be true or false, not ${kindOf(exclusive)}`,
      );
    }
    const place = after === undefined ? {} : { after: await this.seqOf(after) };
    return await this.readLog(readerId, checkLimit(limit), place);
  }

  /** Reads the log for one reader. Kinds of channel that filter do it here. */
  protected async readLog(readerId: string, limit: number, place: LogPlace): Promise<ReadPage<T>> {
    return this.typedPage(await this.store.readShared({ channel: this.key, readerId, limit, ...place }));
  }

  /**
   * Calls back with every message written from now on, in order, one at a time. The subscriber reads the log at its own
   * pace: a slow one delays nobody and loses nothing while retention keeps what it has not seen.
   *
   * @param subscriberId A name for people and logs. Two subscriptions may share it.
   * @param handler What to call.
   * @returns The subscription; end it with `unsubscribe()`.
   * @throws {TypeError} If this kind of channel has no shared reads.
   */
  async subscribe(subscriberId: string, handler: MessageHandler<T>): Promise<Subscription<T>> {
    this.assertOpen("subscribe to");
    if (this.mode === "queue") throw exclusiveOnly("subscribe to", this);
    assertId(subscriberId, "subscriberId");
    assertFunction(handler, "handler");
    const { lastSeq } = await this.store.stats(this.key);
    this.assertOpen("subscribe to");
    const subscription: Subscription<T> = new Subscription(subscriberId, handler, lastSeq, {
      clock: this.clock,
      readAfter: (after) => this.readLog(subscriberId, 100, { after }),
      onError: (error, message) => this.report(error, message),
      onGap: (gap) => this.onGap(subscriberId, gap),
      onEnd: () => this.#subscriptions.forget(subscription),
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Ends a subscription, or every one of that name. @returns Whether there was one. */
  unsubscribe(subscription: Subscription<T> | string): boolean {
    return this.#subscriptions.end(subscription);
  }

  /**
   * The messages as a stream: what this reader has not read, then what is written. Reads no further ahead than
   * `highWaterMark`; the reader's place moves as the consumer takes messages. The stream ends when the channel stops.
   *
   * @param readerId Who reads.
   * @param options Where to start, when to end.
   * @throws {TypeError} If this kind of channel has no shared reads.
   */
  stream(readerId: string, options: StreamOptions = {}): ReadableStream<StoredMessage<T>> {
    this.assertOpen("stream from");
    if (this.mode === "queue") throw exclusiveOnly("stream", this);
    assertId(readerId, "readerId");
    assertOptions(options);
    if (options.after !== undefined) assertInteger(options.after, "after", 0);
    checkHighWaterMark(options.highWaterMark);
    const stream: ChannelStream<T> = channelStream<T>({
      clock: this.clock,
      store: this.store,
      key: this.key,
      readerId,
      options,
      peek: (after, limit) => this.readLog(readerId, limit, after === undefined ? { advance: false } : { after }),
      onGap: (gap) => this.onGap(readerId, gap),
      onError: (error) => this.report(error),
      onEnd: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    return stream.readable;
  }
}
