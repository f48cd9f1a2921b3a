/**
 * What a channel is, and when it runs.
 *
 * @module
 */
import { kindOf, NotRunningError, ValidationError } from "../errors.ts";
import type { StoredMessage } from "../message/channel-message.ts";
import { createIdGenerator } from "../message/ids.ts";
import type { JsonValue } from "../message/json.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { MessageStore } from "../store/message-store.ts";
import { assertDurationMs, assertName, assertText } from "../support/assert.ts";
import { type Clock, systemClock, type TimerHandle } from "../support/clock.ts";
import { errorFields, type Logger, silentLogger } from "../support/logger.ts";
import { WakeGate } from "../support/wake-gate.ts";
import { assertFunction, assertHasMethod, assertOptions, assertWords, resolveRetention } from "./channel-input.ts";
import type { ChannelInfo, ChannelOptions, Retention, Visibility } from "./channel-options.ts";

/** The key a channel has in its store. */
export function channelKey(namespace: string, id: string): string {
  return `${namespace}:${id}`;
}

/**
 * `running`: everything works. `closing`: what runs by itself (loops, consumers) comes to its end and may still write.
 * `draining`: writes are refused, what is in flight comes to its end.
 */
type LifeState = "stopped" | "running" | "closing" | "draining";

/**
 * What a channel is, and when it runs: identity, life cycle, upkeep and hooks, without messages. Extend
 * {@link BaseChannel}, {@link PassthroughChannel} or {@link PeriodicChannel}, not this.
 *
 * @typeParam T The content of its messages.
 */
export abstract class ChannelLifecycle<T = JsonValue> {
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
  readonly #maintenanceIntervalMs: number;
  readonly #idle = new WakeGate();
  #inFlight = 0;
  #state: LifeState = "stopped";
  #beginning: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #maintenanceTimer: TimerHandle | undefined;
  #maintenance: Promise<void> | undefined;

  /**
   * Makes a channel lifecycle.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: ChannelOptions<T>) {
    assertOptions(options);
    this.id = assertName(options.id, "id");
    this.name = assertText(options.name ?? this.id, "name");
    this.description = assertText(options.description ?? "", "description", { allowEmpty: true, multiline: true });
    this.namespace = assertName(options.namespace ?? "default", "namespace");
    this.key = channelKey(this.namespace, this.id);
    this.clock = options.clock ?? systemClock;
    assertHasMethod(this.clock, "monotonic", "clock");
    this.logger = options.logger ?? silentLogger;
    assertHasMethod(this.logger, "error", "logger");
    this.store = options.store ?? new MemoryStore({ clock: this.clock });
    assertHasMethod(this.store, "readShared", "store");
    this.visibility = checkVisibility(options.visibility ?? "public");
    this.capabilities = assertWords(options.capabilities ?? [], "capabilities");
    this.retention = resolveRetention(options.retention ?? this.defaultRetention);
    this.newId = options.newId ?? createIdGenerator(() => this.clock.now());
    assertFunction(this.newId, "newId");
    this.#maintenanceIntervalMs = assertDurationMs(options.maintenanceIntervalMs ?? 60_000, "maintenanceIntervalMs", 1);
  }

  /** The retention of this kind of channel when none is given. */
  protected get defaultRetention(): Retention {
    return { maxCount: 10_000 };
  }

  /** Whether it was started and not stopped. */
  get isRunning(): boolean {
    return this.#state !== "stopped";
  }

  /** What the channel says of itself. */
  get info(): ChannelInfo {
    const { id, name, description, kind, namespace, visibility, capabilities } = this;
    return { id, name, description, kind, namespace, visibility, capabilities, running: this.isRunning };
  }

  /**
   * Starts it: reading and writing work from here on. Called twice is harmless; after a stop it goes on with what the
   * store has.
   */
  async start(): Promise<void> {
    // Whoever stops it hears of what went wrong there.
    await this.#ending?.catch(() => {});
    if (this.#state === "stopped") this.#beginning = this.#begin();
    await this.#beginning;
  }

  /**
   * Stops it, after what is in flight: consumers have ended, writes are finished, subscribers have seen everything
   * written. Called twice is harmless. A store given in the options stays open; its owner closes it. Do not wait for it
   * in a handler of this channel: it waits for that handler.
   *
   * @param deadlineMs How long the handlers of its consumers may go on; then their signal fires. @default `30_000`
   */
  stop(deadlineMs?: number): Promise<void> {
    this.#ending ??= this.#end(deadlineMs).finally(() => this.#ending = undefined);
    return this.#ending;
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Waits until every write under way is committed and every subscriber has seen what was written. Where writers never
   * pause it does not end.
   */
  async drain(): Promise<void> {
    while (this.#inFlight > 0) await this.#idle.wait(this.clock);
  }

  async #begin(): Promise<void> {
    this.#state = "running";
    this.#scheduleMaintenance();
    try {
      await this.onStart();
      this.launch();
    } catch (error) {
      this.#maintenanceTimer?.cancel();
      this.#state = "stopped";
      throw error;
    }
  }

  async #end(deadlineMs: number | undefined): Promise<void> {
    if (this.#state === "stopped") return;
    // Whoever started it hears of what went wrong there.
    await this.#beginning?.catch(() => {});
    if (!this.isRunning) return;
    const failures: unknown[] = [];
    const attempt = (step: () => Promise<void>): Promise<void> =>
      step().catch((error: unknown) => void failures.push(error));
    this.#state = "closing";
    await attempt(() => this.windDown(deadlineMs));
    this.#state = "draining";
    await attempt(() => this.drain());
    this.#maintenanceTimer?.cancel();
    await this.#maintenance;
    await attempt(() => this.letGo());
    await attempt(() => this.onStop());
    this.#state = "stopped";
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, `Cannot stop channel "${this.id}" without errors`);
  }

  /** Begins what this kind of channel does by itself. For your own channel override {@link ChannelLifecycle.onStart}. */
  protected launch(): void {}

  /** Ends what this kind of channel does by itself; it may write until then. */
  protected windDown(_deadlineMs?: number): Promise<void> {
    return Promise.resolve();
  }

  /** Lets readers go who wait for more. */
  protected letGo(): Promise<void> {
    return Promise.resolve();
  }

  /** Called when the channel starts. Override it to open what the channel needs. */
  protected onStart(): Promise<void> {
    return Promise.resolve();
  }

  /** Called when the channel stops. Override it to close what {@link ChannelLifecycle.onStart} opened. */
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

  /** Tells `onError`, of which nobody knows whether it throws. */
  protected report(error: unknown, message?: StoredMessage<T>): void {
    try {
      this.onError(error, message);
    } catch (second) {
      this.logger.error("onError threw", { channel: this.id, ...errorFields(second) });
    }
  }

  /** Upkeep, every `maintenanceIntervalMs`. Override it to add to it, and call `super.onMaintain()`. */
  protected onMaintain(): Promise<void> {
    return Promise.resolve();
  }

  /** Throws unless the channel runs, be it to its end. */
  protected assertRunning(doing: string): void {
    if (this.#state === "stopped") {
      throw new NotRunningError(`Cannot ${doing} channel "${this.id}": it is not running; call start() first`);
    }
  }

  /** Throws unless the channel takes writes. */
  protected assertWritable(): void {
    this.assertRunning("write to");
    if (this.#state === "draining") throw new NotRunningError(`Cannot write to channel "${this.id}": it is stopping`);
  }

  /** Throws unless the channel runs on: for what would have to be ended again. */
  protected assertOpen(doing: string): void {
    this.assertRunning(doing);
    if (this.#state !== "running") throw new NotRunningError(`Cannot ${doing} channel "${this.id}": it is stopping`);
  }

  /** Counts something in flight, for {@link ChannelLifecycle.drain}. */
  protected enter(): void {
    this.#inFlight++;
  }

  /** Counts it out. */
  protected leave(): void {
    if (--this.#inFlight === 0) this.#idle.wake();
  }

  /** Whether anything is in flight. */
  protected get isBusy(): boolean {
    return this.#inFlight > 0;
  }

  #scheduleMaintenance(): void {
    this.#maintenanceTimer = this.clock.setTimer(this.#maintenanceIntervalMs, () => {
      this.#maintenance = this.#maintain();
    });
  }

  async #maintain(): Promise<void> {
    try {
      await this.onMaintain();
    } catch (error) {
      this.report(error);
    }
    if (this.#state === "running") this.#scheduleMaintenance();
  }
}

/** Checks who may find something. */
export function checkVisibility(value: unknown, argument = "visibility"): Visibility {
  if (value === "public" || value === "private") return value;
  throw new ValidationError(
    argument,
    `Cannot accept '${argument}': it must be "public" or "private", not ${kindOf(value)}`,
  );
}
