/**
 * A channel to extend: a loop, a raw buffer, and hooks.
 *
 * @module
 */
import { PosthornError } from "../errors.ts";
import type { ChannelMessage, ClaimedMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import { assertDurationMs, assertInteger } from "../support/assert.ts";
import { WakeGate } from "../support/wake-gate.ts";
import { ChannelCore } from "./channel-core.ts";
import type { ChannelOptions, WriteOptions } from "./channel-options.ts";

/** What a channel with a loop is made from. */
export interface BaseChannelOptions<T = JsonValue> extends ChannelOptions<T> {
  /** How long it waits between one round and the next. @default `1_000` */
  readonly periodMs?: number;
  /** How many raw items may wait for conversion; a write beyond it is refused with `queue-full`. @default `1_000` */
  readonly maxBuffered?: number;
}

/** A raw item is tried this often before it is put in quarantine. */
const MAX_CONVERSIONS = 3;
const CONVERSION_LEASE_MS = 300_000;

/** What is kept of a write until it is converted. */
interface RawItem {
  readonly data: JsonValue;
  readonly options: Pick<
    WriteOptions,
    "recipientId" | "correlationId" | "replyTo" | "orderingKey" | "externalId" | "traceparent"
  >;
}

/**
 * The channel to extend. It has a loop: `onPull()` → `onProcess()` → wait a period, and hooks around everything:
 * `pullFn` and `convertFn` (fetch, shape), `onMessage`, `onPull`, `onProcess`, `onMaintain`, `onError`, `onStart`,
 * `onStop`. For data that arrives by `write`, extend {@link PassthroughChannel}, which has no loop.
 *
 * What is written first goes into a raw buffer, *in the store*: a write resolves once the raw item is committed, so what
 * was fetched survives a crash before its conversion. An item that cannot be converted three times over goes to
 * `<id>.quarantine` in the same store; nothing is dropped. The buffer is bounded: a write beyond `maxBuffered` is refused
 * with `queue-full`.
 *
 * Names follow the channel types' specification; durations are in milliseconds.
 *
 * @typeParam T The content of its messages.
 */
export abstract class BaseChannel<T = JsonValue> extends ChannelCore<T> {
  /** How long it waits between rounds. */
  readonly periodMs: number;
  readonly #maxBuffered: number;
  readonly #rawKey: string;
  readonly #quarantineKey: string;
  readonly #gate = new WakeGate();
  #waiting = 0;
  #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #round: Promise<void> | undefined;

  /**
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: BaseChannelOptions<T>) {
    super(options);
    this.periodMs = assertDurationMs(options.periodMs ?? 1_000, "periodMs", 1);
    this.#maxBuffered = assertInteger(options.maxBuffered ?? 1_000, "maxBuffered", 1);
    this.#rawKey = `${this.key}.raw`;
    this.#quarantineKey = `${this.key}.quarantine`;
  }

  /** Whether this kind of channel has a loop. Without one, writes are converted and committed inline. */
  protected get hasLoop(): boolean {
    return true;
  }

  /** Fetches, and writes what it got. Called once a period; what it throws goes to `onError`, and the loop goes on. */
  protected pullFn(): Promise<void> {
    return Promise.resolve();
  }

  /** One fetch. Override it to do something around {@link BaseChannel.pullFn}. */
  protected async onPull(): Promise<void> {
    await this.pullFn();
  }

  /** Starts it, and its loop. */
  override async start(): Promise<void> {
    if (this.isRunning) return;
    await super.start();
    if (!this.hasLoop) return;
    const { ready, delayed, claimed } = await this.store.stats(this.#rawKey);
    this.#waiting = ready + delayed + claimed;
    this.#stopping = new AbortController();
    this.#loop = this.#run(this.#stopping.signal);
  }

  /** Ends the loop after the present round, and stops. */
  override async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.#stopping.abort();
    await this.#loop;
    await super.stop();
  }

  /** Waits until everything written is converted and committed, and subscribers have seen it. */
  override async drain(): Promise<void> {
    if (this.hasLoop) await this.#processOnce();
    await super.drain();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.onPull();
      } catch (error) {
        this.onError(error);
      }
      await this.#processOnce();
      const nextRound = this.clock.monotonic() + this.periodMs;
      for (let leftMs = this.periodMs; leftMs > 0 && !signal.aborted; leftMs = nextRound - this.clock.monotonic()) {
        await this.#gate.wait(this.clock, leftMs, signal);
        if (!signal.aborted && this.#waiting > 0) await this.#processOnce();
      }
    }
  }

  /** Converts what waits. Rounds never overlap: one that is asked for while another runs begins behind it. */
  #processOnce(): Promise<void> {
    const round = (this.#round ?? Promise.resolve())
      .then(() => this.onProcess())
      .catch((error: unknown) => this.onError(error));
    this.#round = round;
    return round;
  }

  /** Commits the raw item; the loop converts it. */
  protected override async accept(
    senderId: string,
    data: T | ChannelMessage<T>,
    options: WriteOptions,
  ): Promise<string> {
    if (!this.hasLoop || options.direct === true) return await super.accept(senderId, data, options);
    this.assertRoom(this.#waiting, this.#maxBuffered);
    const { recipientId, correlationId, replyTo, orderingKey, externalId, traceparent } = options;
    const kept = { recipientId, correlationId, replyTo, orderingKey, externalId, traceparent };
    const raw = this.envelope(
      {
        id: this.newId(),
        timestamp: this.clock.now(),
        senderId,
        content: { data, options: kept } as never, // a raw item, checked to be JSON by the store
        metadata: {},
      },
      options,
    );
    this.#waiting++;
    try {
      await this.store.append(this.#rawKey, [{ ...raw, content: raw.content as JsonValue }], {
        mode: "queue",
        dedupeForMs: options.dedupeForMs ?? 0,
      });
    } catch (error) {
      this.#waiting--;
      throw error;
    }
    this.#gate.wake();
    return raw.id;
  }

  /** Converts everything in the raw buffer that is due. */
  protected async onProcess(): Promise<void> {
    for (;;) {
      const batch = await this.store.claim({
        channel: this.#rawKey,
        workerId: "converter",
        limit: 100,
        leaseMs: CONVERSION_LEASE_MS,
      });
      for (const raw of batch) await this.#convert(raw);
      if (batch.length === 0) return;
    }
  }

  async #convert(raw: ClaimedMessage): Promise<void> {
    this.enter();
    const { lease, failures: _failures, seq, attempts: _attempts, ...envelope } = raw;
    const settle = { channel: this.#rawKey, seq, token: lease.token } as const;
    try {
      const { data, options } = raw.content as unknown as RawItem;
      const converted = await this.convertFn(raw.senderId, data as T);
      if (converted !== null) {
        await this.commitMessage(
          this.envelope({ ...converted, id: raw.id }, { ...options, metadata: converted.metadata }),
        );
      }
      // The append is idempotent by id, so a crash before this line converts again and stores nothing twice.
      await this.store.commit([{ type: "ack", ...settle }], { onConflict: "skip" });
      this.#waiting--;
    } catch (error) {
      this.onError(
        new PosthornError("conversion", `Cannot convert item "${raw.id}" of channel "${this.id}"`, { cause: error }),
      );
      if (lease.attempt < MAX_CONVERSIONS) {
        await this.store.commit([{ type: "release", ...settle, delayMs: this.periodMs }], { onConflict: "skip" });
        return;
      }
      await this.store.commit([
        { type: "ack", ...settle },
        { type: "append", channel: this.#quarantineKey, message: envelope, mode: "log" },
      ]);
      this.#waiting--;
    } finally {
      this.leave();
    }
  }
}
