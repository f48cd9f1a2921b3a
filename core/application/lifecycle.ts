/**
 * Starting and stopping an application.
 *
 * @module
 */
import type { ChannelCore } from "../channels/channel-core.ts";
import { NotRunningError } from "../errors.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanRunner } from "../outbox/plan-runner.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import type { Backends } from "./backends.ts";
import { IntakeGate } from "./intake-gate.ts";
import type { Messenger } from "./messenger.ts";
import { shutDown } from "./shutdown.ts";
import { StopDeadline } from "./stop-deadline.ts";

/** What starts and stops. */
export interface LifecycleParts {
  /** Where everything is kept. */
  readonly store: MessageStore;
  /** Whether stopping closes it. */
  readonly closesStore: boolean;
  /** Handles what came in. */
  readonly messenger: Messenger;
  /** Follows plans. */
  readonly plans: PlanRunner;
  /** The program's own channels. */
  readonly channels: readonly ChannelCore[];
  /** The record of every delivery. */
  readonly ledger: Ledger;
  /** Send. */
  readonly backends: Backends;
  /** Messages on their way in. */
  readonly inbox: Inbox;
  /** Messages on their way out. */
  readonly outbox: Outbox;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Whether workers run by themselves, or only when pumped. */
  readonly isWorking: boolean;
  /** How long stopping takes at most. @default `10_000` */
  readonly stopMs?: number;
}

const STOP_MS = 10_000;
/** A start that has not ended after this share of the time to stop is left behind. */
const START_SHARE = 0.5;

/** Starts and stops the parts of an application, whoever asks for it, when and how often. */
export class Lifecycle {
  /** By which messages come in. */
  readonly gate: IntakeGate = new IntakeGate();
  readonly #parts: LifecycleParts;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #running = false;
  #mayEmit = true;

  /**
   * Makes it.
   *
   * @param parts What starts and stops.
   */
  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /** Whether it was started and not stopped. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Throws where nobody would send what is emitted: at the end of a stop, with a store that ends with the process. */
  assertMayEmit(): void {
    if (this.#mayEmit) return;
    throw new NotRunningError("Cannot emit: the application is stopping, and its store in memory ends with it");
  }

  /** See `Application.start`. */
  async start(): Promise<void> {
    // Whoever stops it hears of what went wrong there.
    while (this.#stopping !== undefined) await this.#stopping.catch(() => {});
    this.#starting ??= this.#startAll();
    await this.#starting;
  }

  async #startAll(): Promise<void> {
    this.#running = true;
    try {
      for (const step of this.#startSteps()) {
        await step();
        if (!this.#running) return; // it is being stopped meanwhile
      }
    } catch (error) {
      this.#parts.logger.error("application did not start", errorFields(error));
      this.#running = false;
      await this.#stopParts(this.#deadline(), false);
      this.#starting = undefined;
      throw error;
    }
  }

  #startSteps(): readonly (() => Promise<void>)[] {
    const { outbox, inbox, channels, ledger, backends, plans, messenger, isWorking } = this.#parts;
    return [
      () => outbox.start(),
      () => inbox.start(),
      () => ledger.start(),
      ...channels.map((channel) => () => channel.start()),
      () => backends.open(),
      async () => {
        this.gate.open();
        if (!isWorking) return;
        plans.start();
        await messenger.start();
      },
      () => backends.start(isWorking),
    ];
  }

  /** See `Application.stop`. */
  stop(): Promise<void> {
    return this.#stopping ??= this.#stopAll().finally(() => {
      this.#starting = undefined;
      this.#stopping = undefined;
    });
  }

  async #stopAll(): Promise<void> {
    const { backends, store, closesStore } = this.#parts;
    const deadline = this.#deadline();
    const errors: unknown[] = [];
    this.#running = false;
    void this.gate.close(); // at once; what is inside is waited for below
    const starting = this.#starting;
    if (starting !== undefined) {
      await backends.giveUp(); // a start under way waits for backends no longer
      let hasFailed = false;
      const ended = starting.then(() => true, () => hasFailed = true);
      const hasEnded = await deadline.within(START_SHARE, "the start", ended).catch(() => false);
      if (!hasFailed) errors.push(...await this.#stopParts(deadline, hasEnded)); // else it has stopped them itself
    }
    if (closesStore) {
      await deadline.within(1, "the store to close", store.close()).catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw new AggregateError(errors, `Cannot stop ${errors.length} parts of the application`);
  }

  async #stopParts(deadline: StopDeadline, hasStarted: boolean): Promise<readonly unknown[]> {
    const isLost = !this.#parts.store.capabilities.durable && this.#parts.isWorking;
    try {
      return await shutDown({ ...this.#parts, gate: this.gate }, {
        deadline,
        drains: hasStarted && isLost,
        onSendersStop: () => this.#mayEmit = !isLost,
      });
    } finally {
      this.#mayEmit = true;
    }
  }

  #deadline(): StopDeadline {
    return new StopDeadline(this.#parts.clock, this.#parts.stopMs ?? STOP_MS);
  }
}
