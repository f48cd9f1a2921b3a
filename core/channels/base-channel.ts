/**
 * A channel to extend: a loop, a raw buffer, and hooks.
 *
 * @module
 */
import { PosthornError, QueueFullError, SchemaError, ValidationError } from "../errors.ts";
import type { ChannelMessage, ClaimedMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { AppendOperation } from "../store/message-store.ts";
import { checkEnvelope } from "../store/store-input.ts";
import { assertDurationMs, assertId, assertInteger } from "../support/assert.ts";
import { describeError } from "../support/redact.ts";
import { WakeGate } from "../support/wake-gate.ts";
import { ChannelCore } from "./channel-core.ts";
import { checkConverted, makeEnvelope, renamed } from "./channel-input.ts";
import type { ChannelOptions, WriteOptions } from "./channel-options.ts";
import { DeadLetterBox } from "./dead-letter-box.ts";
import { burialOperations } from "./dead-letter.ts";
import { QueueConsumer } from "./queue-consumer.ts";
import type { Settlement } from "./queue-consumer-options.ts";
import { rawMessage, readRaw } from "./raw-item.ts";

/** What a channel with a loop is made from. */
export interface BaseChannelOptions<T = JsonValue> extends ChannelOptions<T> {
  /** How long it waits between one round and the next. @default `1_000` */
  readonly periodMs?: number;
  /** How many raw items may wait for conversion; a write beyond it is refused with `queue-full`. @default `1_000` */
  readonly maxBuffered?: number;
}

/** A raw item is tried this often before it is put in quarantine. */
const MAX_CONVERSIONS = 3;

/** How long a conversion that failed waits for the next try at most. */
const LONGEST_RETRY_MS = 1_000;

const CONVERSION_LEASE_MS = 60_000;

/**
 * The channel to extend. It has a loop: `onPull()` → `onProcess()` → wait a period, and hooks around everything:
 * `pullFn` and `convertFn` (fetch, shape), `onMessage`, `onPull`, `onProcess`, `onMaintain`, `onError`, `onStart`,
 * `onStop`. For data that arrives by `write`, extend {@link PassthroughChannel}, which has no loop.
 *
 * What is written first goes into a raw buffer, *in the store*: a write resolves once the raw item is committed, so what
 * was fetched survives a crash before its conversion. Conversion and removal from the buffer are one commit. An item that
 * cannot be converted three times over goes into `quarantine`, in the same store; nothing is dropped. The buffer is
 * bounded: a write beyond `maxBuffered` is refused with `queue-full`.
 *
 * Names follow the channel types' specification; durations are in milliseconds.
 *
 * @typeParam T The content of its messages.
 */
export abstract class BaseChannel<T = JsonValue> extends ChannelCore<T> {
  /** How long it waits between rounds. */
  readonly periodMs: number;
  /** What could not be converted: look at it, convert it again (`redrive`), or throw it away. */
  readonly quarantine: DeadLetterBox;
  readonly #maxBuffered: number;
  readonly #rawKey: string;
  readonly #gate = new WakeGate();
  #writing = 0;
  #stopping = new AbortController();
  #converter: QueueConsumer | undefined;
  #loop: Promise<void> | undefined;
  #round: Promise<void> | undefined;

  /**
   * Makes a base channel.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: BaseChannelOptions<T>) {
    super(options);
    this.periodMs = assertDurationMs(options.periodMs ?? 1_000, "periodMs", 1);
    this.#maxBuffered = assertInteger(options.maxBuffered ?? 1_000, "maxBuffered", 1);
    // No channel id has a slash, so it is nobody else's.
    this.#rawKey = `${this.key}/raw`;
    this.quarantine = new DeadLetterBox(this.store, this.#rawKey);
  }

  /** Whether this kind of channel has a loop. Without one, writes are converted and committed inline. */
  protected get hasLoop(): boolean {
    return true;
  }

  /** Fires when the channel stops: give it to what `pullFn` waits for. */
  protected get stopSignal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Fetches, and writes what it got. Called once a period; what it throws goes to `onError`, and the loop goes on. */
  protected pullFn(): Promise<void> {
    return Promise.resolve();
  }

  /** One fetch. Override it to do something around {@link BaseChannel.pullFn}. */
  protected async onPull(): Promise<void> {
    await this.pullFn();
  }

  /** Converts everything in the raw buffer that is due. Override it to do something around it. */
  protected async onProcess(): Promise<void> {
    await this.#converter?.pump();
  }

  /** {@inheritDoc ChannelCore.launch} */
  protected override launch(): void {
    this.#stopping = new AbortController();
    if (!this.hasLoop) return;
    this.#converter = new QueueConsumer({
      store: this.store,
      channel: this.#rawKey,
      workerId: "converter",
      // One at a time: what was written first is converted first.
      concurrency: 1,
      leaseMs: CONVERSION_LEASE_MS,
      clock: this.clock,
      work: (raw) => this.#convert(raw),
      settled: async (_raw, settlement, committed, results) => {
        const { operations } = settlement;
        const [append] = committed && Array.isArray(operations) ? operations : [];
        const result = results[1];
        if (append?.type !== "append" || append.channel !== this.key || result?.status !== "done") return;
        await this.announce(append.message, result.seq ?? 0);
      },
      onError: (error) => this.report(error),
    });
    this.#loop = this.#run(this.#stopping.signal);
  }

  /** {@inheritDoc ChannelCore.windDown} The present round is the last. */
  protected override async windDown(deadlineMs?: number): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await super.windDown(deadlineMs);
  }

  /** {@inheritDoc ChannelCore.letGo} */
  protected override async letGo(): Promise<void> {
    await this.#converter?.stop();
    await super.letGo();
  }

  /** Waits until everything written is converted or in quarantine, and subscribers have seen it. */
  override async drain(): Promise<void> {
    await super.drain();
    if (this.#converter === undefined) return;
    for (let round = 0; round <= MAX_CONVERSIONS; round++) {
      await this.#processOnce();
      const { ready, delayed } = await this.store.stats(this.#rawKey);
      if (ready + delayed === 0) break;
      await this.#gate.wait(this.clock, await this.#untilDueMs(LONGEST_RETRY_MS));
    }
    await super.drain();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.onPull().catch((error: unknown) => this.report(error));
      await this.#processOnce();
      const nextRound = this.clock.monotonic() + this.periodMs;
      for (let leftMs = this.periodMs; leftMs > 0 && !signal.aborted; leftMs = nextRound - this.clock.monotonic()) {
        await this.#gate.wait(this.clock, await this.#untilDueMs(leftMs), signal);
        if (!signal.aborted && this.clock.monotonic() < nextRound) await this.#processOnce();
      }
    }
  }

  /** How long no raw item can be due, unless one is written meanwhile. */
  async #untilDueMs(mostMs: number): Promise<number> {
    try {
      const dueAt = await this.store.nextDueAt([this.#rawKey]);
      if (dueAt === undefined) return mostMs;
      // Never at once: what is due already and was not converted could not be.
      return Math.min(mostMs, Math.max(dueAt - this.clock.now(), 50));
    } catch (error) {
      this.report(error);
      return mostMs;
    }
  }

  /** Converts what waits. Rounds never overlap: one that is asked for while another runs begins behind it. */
  #processOnce(): Promise<void> {
    const round = (this.#round ?? Promise.resolve())
      .then(() => this.onProcess())
      .catch((error: unknown) => this.report(error));
    this.#round = round;
    return round;
  }

  /** Commits the raw item; the loop converts it. */
  protected override accept(senderId: string, data: T | ChannelMessage<T>, options: WriteOptions): Promise<string> {
    const isBuffered = this.hasLoop && options.direct !== true;
    return isBuffered ? this.#buffer(senderId, data, options) : super.accept(senderId, data, options);
  }

  async #buffer(senderId: string, data: unknown, options: WriteOptions): Promise<string> {
    const id = options.id === undefined ? this.newId() : assertId(options.id, "id");
    const raw = rawMessage({ id, timestamp: this.clock.now(), senderId, data, options, namespace: this.namespace });
    this.enter();
    const place = ++this.#writing;
    try {
      const { stored } = await this.store.stats(this.#rawKey);
      this.#assertRoom(stored + place - 1);
      await this.store.append(this.#rawKey, [raw], { mode: "queue" });
    } catch (error) {
      throw renamed(error);
    } finally {
      this.#writing--;
      this.leave();
    }
    this.#gate.wake();
    return id;
  }

  #assertRoom(waiting: number): void {
    if (waiting < this.#maxBuffered) return;
    throw new QueueFullError(
      `Cannot write to channel "${this.id}": ${waiting} items wait, limit is ${this.#maxBuffered}`,
    );
  }

  async #convert(raw: ClaimedMessage): Promise<Settlement> {
    const { attempt } = raw.lease;
    try {
      if (attempt > MAX_CONVERSIONS) throw new PosthornError("conversion", "Cannot try again: it was tried too often");
      const { data, options } = readRaw(raw);
      const converted = checkConverted(await this.convertFn(raw.senderId, data as T, raw.id));
      if (converted === null) return { kind: "ack" };
      const message = await this.checked(makeEnvelope(converted, options, this.namespace));
      const append: AppendOperation = {
        type: "append",
        channel: this.key,
        mode: this.mode,
        message: checkEnvelope(message, "message", Infinity),
        ...(options.dedupeForMs === undefined ? undefined : { dedupeForMs: options.dedupeForMs }),
      };
      return { kind: "ack", operations: [append] };
    } catch (error) {
      return this.#notConverted(raw, error);
    }
  }

  #notConverted(raw: ClaimedMessage, error: unknown): Settlement {
    const text = `Cannot convert item "${raw.id}" of channel "${this.id}"`;
    this.report(new PosthornError("conversion", text, { cause: error }));
    const reason = "conversion-error";
    const detail = describeError(error);
    const isForGood = error instanceof SchemaError || error instanceof ValidationError;
    if (raw.lease.attempt < MAX_CONVERSIONS && !isForGood) {
      const delayMs = Math.min(this.periodMs, LONGEST_RETRY_MS);
      return { kind: "release", release: { delayMs, failure: { reason, detail } } };
    }
    return { kind: "ack", operations: burialOperations(this.#rawKey, raw, { reason, detail, at: this.clock.now() }) };
  }
}
