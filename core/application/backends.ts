/**
 * The backends of an application, and what sends by them.
 *
 * @module
 */
import { begin, stopBackend, untilStarted } from "../communicators/backend-lifecycle.ts";
import type { Communicator } from "../communicators/communicator.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { CommunicationDispatcher } from "../dispatcher/communication-dispatcher.ts";
import { PosthornError } from "../errors.ts";
import type { Severity } from "../message/outgoing-message.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanRunner } from "../outbox/plan-runner.ts";
import type { RestingBook } from "../outbox/resting-book.ts";
import type { SenderPolicy } from "../outbox/sender-policy.ts";
import { SenderWorker } from "../outbox/sender-worker.ts";
import { raceAbort } from "../support/abort.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import type { Clock } from "../support/clock.ts";
import { errorWord } from "../support/error-word.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import type { StopDeadline } from "./stop-deadline.ts";

/** How a backend is. */
export interface BackendHealth {
  /** The backend. */
  readonly name: string;
  /** Whether it is started. */
  readonly isStarted: boolean;
  /** Whether it works as far as is known. */
  readonly isHealthy: boolean;
  /** Why not, as a stable word. */
  readonly reason?: string;
  /**
   * Until when plans leave it out after failures in a row, in milliseconds since 1970: as this process last saw it.
   * `Application.rests` looks into the store.
   */
  readonly restsUntil?: number;
}

/** What the backends use of an application. */
export interface BackendsParts {
  /** Knows them by name and label. */
  readonly dispatcher: CommunicationDispatcher;
  /** Where their deliveries are. */
  readonly outbox: Outbox;
  /** Follows plans. */
  readonly plans: PlanRunner;
  /** Knows which backends rest. */
  readonly rests: RestingBook;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Names this process in leases. */
  readonly workerId: string;
  /** Gives a number from 0 to 1. */
  readonly random?: () => number;
}

/** The longest pause between two tries to start a backend. */
const MAX_START_PAUSE_MS = 300_000;

/** The backends of an application: starts them, keeps trying, sends by them, stops them; none of them waits for another. */
export class Backends {
  readonly #parts: BackendsParts;
  readonly #senders = new Map<string, SenderWorker>();
  readonly #fallsBack = new Set<string>();
  readonly #failed = new Map<string, unknown>();
  readonly #orphans = new Set<string>();
  /** Starts that have not ended: a backend is never started twice at once. */
  readonly #starts = new Map<string, Promise<void>>();
  /** Those that were told to start and not yet to stop. */
  readonly #told = new Set<Communicator>();
  readonly #tries = new Set<Promise<void>>();
  #run = new AbortController();

  /**
   * Makes it, without any backend.
   *
   * @param parts What it uses of an application.
   */
  constructor(parts: BackendsParts) {
    this.#parts = parts;
    this.#run.abort();
  }

  /** Those that something is sent by, by name. A fallback group is not among them: its steps are its backends' own. */
  get senders(): ReadonlyMap<string, SenderWorker> {
    return this.#senders;
  }

  /** Whether a backend can be sent by. */
  isStarted(name: string): boolean {
    return this.#parts.dispatcher.find(name)?.isStarted === true;
  }

  /** Whether a delivery in doubt on a backend goes on to the next one of its plan. */
  mayFallBack(name: string): boolean {
    return this.#fallsBack.has(name);
  }

  /**
   * Adds a backend.
   *
   * @param communicator The backend.
   * @param labels The labels it takes.
   * @param policy How its deliveries are handled.
   * @param minSeverity From which severity on.
   */
  add(communicator: Communicator, labels: readonly string[], policy: SenderPolicy, minSeverity?: Severity): void {
    const { dispatcher, outbox, plans, rests, clock, logger, workerId, random } = this.#parts;
    dispatcher.register(communicator, { labels, ...(minSeverity === undefined ? {} : { minSeverity }) });
    if (policy.onUnknown === "fallback") this.#fallsBack.add(communicator.name);
    if (communicator instanceof FallbackCommunicator) return;
    const sender = new SenderWorker({
      outbox,
      communicator,
      policy,
      clock,
      logger,
      workerId,
      followPlan: (outcome) => plans.follow(outcome),
      permit: (row) => plans.permit(row),
      rests,
      ...(random === undefined ? {} : { random }),
    });
    this.#senders.set(communicator.name, sender);
  }

  /** Opens the queues, and says which backends are gone and have deliveries left. */
  async open(): Promise<void> {
    const { outbox, logger } = this.#parts;
    for (const name of this.#senders.keys()) await outbox.queue(name);
    this.#orphans.clear();
    for (const name of await outbox.rememberBackends([...this.#senders.keys()])) {
      const { stored } = await (await outbox.queue(name)).stats();
      if (stored === 0) continue;
      this.#orphans.add(name);
      logger.error("deliveries wait for a backend that is not configured", { backend: name, count: stored });
    }
  }

  /**
   * Starts them, all at once, each with its sender. One that fails is tried again and again, one that takes too long is
   * waited for, and neither keeps another from starting.
   *
   * @param withSenders Whether what waits is sent from here on, or when pumped.
   */
  async start(withSenders: boolean): Promise<void> {
    this.#run = new AbortController();
    const { signal } = this.#run;
    const { communicators } = this.#parts.dispatcher;
    await Promise.all(Array.from(communicators.values(), async (communicator) => {
      await this.#startOne(communicator, signal);
      if (withSenders && !signal.aborted) await this.#senders.get(communicator.name)?.start();
    }));
  }

  async #startOne(communicator: Communicator, signal: AbortSignal): Promise<void> {
    const isUp = await this.#tryStart(communicator.name, this.#startInTime(communicator, signal), signal);
    if (isUp || signal.aborted) return;
    const tries = this.#keepTrying(communicator, signal).finally(() => this.#tries.delete(tries));
    this.#tries.add(tries);
  }

  async #keepTrying(communicator: Communicator, signal: AbortSignal): Promise<void> {
    const { clock, dispatcher } = this.#parts;
    const { name } = communicator;
    for (let failures = 1; dispatcher.find(name) === communicator; failures++) {
      let starting = this.#starts.get(name); // what has not ended is waited for, not started twice
      if (starting === undefined) {
        try {
          await clock.sleep(1_000 + backoffDelayMs(failures, { maxDelayMs: MAX_START_PAUSE_MS }), { signal });
        } catch {
          return;
        }
        starting = this.#startInTime(communicator, signal);
      }
      if (await this.#tryStart(name, starting, signal) || signal.aborted) return;
    }
  }

  /** @returns Whether it has started. */
  async #tryStart(name: string, starting: Promise<void>, signal: AbortSignal): Promise<boolean> {
    try {
      await raceAbort(starting, signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(name, error);
      return false;
    }
    if (this.#failed.delete(name)) this.#parts.logger.info("backend started", { backend: name });
    return true;
  }

  #startInTime(communicator: Communicator, signal: AbortSignal): Promise<void> {
    const { name } = communicator;
    return untilStarted(name, this.#starts.get(name) ?? this.#begin(communicator), this.#parts.clock, signal);
  }

  #begin(communicator: Communicator): Promise<void> {
    const { name } = communicator;
    this.#told.add(communicator);
    const starting = begin(() => communicator.start()).finally(() => this.#starts.delete(name));
    this.#starts.set(name, starting);
    starting.then(() => this.#stopUnwanted(communicator), () => {}); // what it threw is heard by who waits for it
    return starting;
  }

  /** What starts when nobody wants it any more is stopped again. */
  async #stopUnwanted(communicator: Communicator): Promise<void> {
    if (!this.#run.signal.aborted) return;
    try {
      await communicator.stop();
    } catch (error) {
      this.#parts.logger.error("backend did not stop", { backend: communicator.name, ...errorFields(error) });
    }
  }

  #fail(name: string, error: unknown): void {
    this.#failed.set(name, error);
    this.#parts.logger.error("backend did not start", { backend: name, ...errorFields(error) });
  }

  /** Tries to start nothing any more; who waits for a start waits no longer. */
  async giveUp(): Promise<void> {
    this.#run.abort(new PosthornError("stopping", "Cannot start: the application stops"));
    await Promise.all(this.#tries);
  }

  /**
   * Ends sending: what is being sent is finished, aborted when its time is over, and left behind after a grace.
   *
   * @param deadlineMs How long sends may go on.
   * @param graceMs How long they may take to end once they are told to.
   */
  async stopSending(deadlineMs: number, graceMs: number): Promise<void> {
    await Promise.all(Array.from(this.#senders.values(), (sender) => sender.stop(deadlineMs, graceMs)));
  }

  /**
   * Stops every backend that was told to start, all at once.
   *
   * @param deadline Until when.
   * @param share The share of it that may be over then.
   * @returns What went wrong with those that ran.
   */
  async stop(deadline: StopDeadline, share: number): Promise<readonly unknown[]> {
    const { clock, logger, dispatcher } = this.#parts;
    const errors: unknown[] = [];
    const running = [...dispatcher.communicators.values()].filter(({ isStarted }) => isStarted);
    await Promise.all(Array.from(new Set([...this.#told, ...running]), async (communicator) => {
      const { name, isStarted } = communicator;
      try {
        await stopBackend(communicator, clock, deadline.closingMs(share));
      } catch (error) {
        logger.error("backend did not stop", { backend: name, ...errorFields(error) });
        if (isStarted) errors.push(error);
      }
    }));
    this.#told.clear();
    return errors;
  }

  /** How they are; also those that are not configured any more and have deliveries left (`not-configured`). */
  health(): readonly BackendHealth[] {
    const gone = [...this.#orphans].map((name): BackendHealth => (
      { name, isStarted: false, isHealthy: false, reason: "not-configured" }
    ));
    const configured = Array.from(this.#parts.dispatcher.communicators.values(), (communicator): BackendHealth => {
      const { name, isStarted } = communicator;
      const failure = this.#failed.get(name);
      const down = this.#senders.get(name)?.downSince !== undefined;
      const reason = down ? "credentials-refused" : failure === undefined ? undefined : errorWord(failure);
      const { restsUntil = 0 } = this.#parts.rests.lastKnown(name);
      return {
        name,
        isStarted,
        isHealthy: isStarted && !down,
        ...(reason === undefined ? {} : { reason }),
        ...(restsUntil > this.#parts.clock.now() ? { restsUntil } : {}),
      };
    });
    return [...configured, ...gone];
  }
}
