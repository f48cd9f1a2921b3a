/**
 * Everything, built from one configuration.
 *
 * @module
 */
import type { ChannelCore } from "../channels/channel-core.ts";
import { type BackendConfig, BackendRegistry, type BackendType } from "../communicators/backend-registry.ts";
import type { Communicator } from "../communicators/communicator.ts";
import {
  CommunicationDispatcher,
  type DispatchReport,
  type StartReport,
} from "../dispatcher/communication-dispatcher.ts";
import type { RouteExplanation } from "../dispatcher/label-routes.ts";
import type { PlanExpansion } from "../dispatcher/plan-expansion.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { NotificationPayload } from "../delivery/notification.ts";
import { ConfigError, type ConfigIssue, PosthornError } from "../errors.ts";
import { Inbox } from "../inbox/inbox.ts";
import { Ledger } from "../ledger/ledger.ts";
import { deliveryIdOf } from "../message/delivery-id.ts";
import { createIdGenerator } from "../message/ids.ts";
import type { OutgoingMessage, OutgoingMessageInit, Severity } from "../message/outgoing-message.ts";
import { Outbox } from "../outbox/outbox.ts";
import { type PlanAnswer, PlanRunner } from "../outbox/plan-runner.ts";
import type { SenderPolicy } from "../outbox/sender-policy.ts";
import { SenderWorker } from "../outbox/sender-worker.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { MessageStore } from "../store/message-store.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import { type Clock, systemClock } from "../support/clock.ts";
import { raceAbort } from "../support/abort.ts";
import { errorFields, type Logger, silentLogger } from "../support/logger.ts";
import type { ApplicationConfig, InboxConfig, LedgerConfig, OutboxConfig } from "./application-config.ts";
import { extraFields, inOrderOfNeed, issuesOf } from "./backend-assembly.ts";
import { createChannels } from "./channels-from-config.ts";
import { Intake } from "./intake.ts";
import { Messenger } from "./messenger.ts";
import type { AskOptions, DeliverOptions, DurableOutcome } from "./notification-plan.ts";
import { Notifications } from "./notifications.ts";
import { senderPolicyFrom } from "./sender-policy.ts";

/** What an application is made from beside its configuration. */
export interface ApplicationOptions {
  /** The kinds of backend the configuration may name. Those of {@link registerBackend} are known too. */
  readonly backends?: readonly BackendType[];
  /** Ready-made backends, with their labels, beside the configured ones. */
  readonly communicators?: readonly { readonly communicator: Communicator; readonly labels?: readonly string[] }[];
  /** Where everything is kept. @default a memory store: what is not sent when the process ends is gone; `stop` drains */
  readonly store?: MessageStore;
  /** Whether `stop` closes the store. @default `true` for the store the application made itself */
  readonly closeStore?: boolean;
  /** Time. @default the system's */
  readonly clock?: Clock;
  /** Where it says what it does. @default nowhere */
  readonly logger?: Logger;
  /** Gives ids. @default monotonic UUIDv7 */
  readonly newId?: () => string;
  /** Gives a number from 0 to 1, for jitter. @default the platform's cryptographic chance */
  readonly random?: () => number;
  /** Names this process in leases. @default a fresh id */
  readonly workerId?: string;
  /**
   * How long a claim on a message lasts without a heart-beat: how soon work is taken up again whose process died.
   * @default `60_000`
   */
  readonly leaseMs?: number;
  /** `pump`: no workers run by themselves; call {@link Application.pump}. @default `workers` */
  readonly mode?: "workers" | "pump";
}

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
}

const globalBackends = new BackendRegistry();

/** The kinds registered by {@link registerBackend}, known to every application of the process. */
export function registeredBackends(): BackendRegistry {
  return globalBackends;
}

/** How many entries of the ledger a store in memory keeps, unless configured otherwise. */
const MEMORY_LEDGER_ENTRIES = 100_000;

/** How many deliveries may wait for each backend, unless configured otherwise: some 5 kB each in memory. */
const MAX_QUEUED_IN_MEMORY = 10_000;
const MAX_QUEUED = 1_000_000;

/** How many messages that nobody handles a store in memory keeps, unless configured otherwise. */
const MAX_UNHANDLED_IN_MEMORY = 10_000;

/** How long stopping waits for what is being handled and sent, and tries to send what a store in memory still holds. */
const STOP_DEADLINE_MS = 10_000;

/**
 * Everything, built from one configuration: backends behind labels, the outbox and its workers, the inbox and its router,
 * the ledger, channels.
 *
 * @example
 * ```ts
 * import { Application, noOp } from "posthorn";
 *
 * const app = await Application.create(
 *   { communications: { enabled: true, backends: { ops: { type: "noop", labels: ["alerts"] } } } },
 *   { backends: [noOp] },
 * );
 * const report = await app.emit({ message: "Disk usage at 95%", label: "alerts", severity: "warning" });
 * console.log((await report.settled()).map((delivery) => delivery.status)); // ["accepted"]
 * await app.stop();
 * ```
 */
export class Application {
  /** Where everything is kept. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what it does. */
  readonly logger: Logger;
  /** Labels to backends; publishes messages that came in. */
  readonly dispatcher: CommunicationDispatcher;
  /** Messages on their way out. */
  readonly outbox: Outbox;
  /** Messages on their way in. */
  readonly inbox: Inbox;
  /** The record of every delivery. */
  readonly ledger: Ledger;
  /** Conversations. */
  readonly messenger: Messenger;
  /** The configured channels by id, and the ledger. */
  readonly channels: ReadonlyMap<string, ChannelCore>;
  /** Follows fallback plans. */
  readonly plans: PlanRunner;
  readonly #senders = new Map<string, SenderWorker>();
  readonly #fallsBack = new Set<string>();
  readonly #failed = new Map<string, unknown>();
  readonly #orphans = new Set<string>();
  #restarts = new AbortController();
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #notifications: Notifications;
  readonly #intake: Intake;
  readonly #closeStore: boolean;
  readonly #outboxConfig: OutboxConfig;
  readonly #mode: "workers" | "pump";
  #restarting: Promise<void> = Promise.resolve();
  #running = false;

  private constructor(config: ApplicationConfig, options: ApplicationOptions) {
    const { clock = systemClock, logger = silentLogger } = options;
    this.clock = clock;
    this.logger = logger;
    this.#mode = options.mode ?? "workers";
    this.store = options.store ?? new MemoryStore({ clock });
    this.#closeStore = options.closeStore ?? options.store === undefined;
    const newId = options.newId ?? createIdGenerator(() => clock.now());
    const workerId = options.workerId ?? newId();
    const shared = { store: this.store, clock, logger, newId };
    const { ledger = {}, inbox = {}, outbox = {} } = config;
    this.#outboxConfig = outbox;
    this.ledger = new Ledger({
      ...shared,
      ...(ledger.max_age === undefined ? {} : { retentionMs: ledger.max_age * 1_000 }),
      ...maxCountOf(ledger, this.store),
    });
    const lease = options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs };
    const maxQueued = outbox.max_queued ?? (this.store.capabilities.durable ? MAX_QUEUED : MAX_QUEUED_IN_MEMORY);
    this.outbox = new Outbox({ ...shared, ...lease, ledger: this.ledger, maxQueued });
    this.inbox = new Inbox({
      ...shared,
      ...lease,
      ...(inbox.dedupe === undefined ? {} : { dedupeForMs: inbox.dedupe * 1_000 }),
      ...(inbox.claim_timeout === undefined ? {} : { leaseMs: inbox.claim_timeout * 1_000 }),
      ...(inbox.max_deliveries === undefined ? {} : { maxDeliveries: inbox.max_deliveries }),
      ...(inbox.enabled === undefined ? {} : { keeps: inbox.enabled }),
      ...maxUnhandledOf(inbox, this.store),
    });
    const queued = outbox.enabled === false ? {} : { outbox: this.outbox };
    this.dispatcher = new CommunicationDispatcher({ ...queued, clock, logger, newId });
    this.plans = new PlanRunner({
      outbox: this.outbox,
      clock,
      logger,
      workerId,
      findBackend: (backendName) => this.dispatcher.find(backendName),
      mayFallBack: (backendName) => this.#fallsBack.has(backendName),
    });
    this.channels = new Map<string, ChannelCore>([
      ...createChannels(config.channels ?? {}, shared),
      ["ledger", this.ledger.channel as unknown as ChannelCore],
    ]);
    const defaultBackend = config.communications?.default_backend;
    this.messenger = new Messenger({
      inbox: this.inbox,
      outbox: this.outbox,
      dispatcher: this.dispatcher,
      clock,
      logger,
      newId,
      workerId,
      ...(defaultBackend === undefined ? {} : { defaultBackend }),
      ...(inbox.concurrency === undefined ? {} : { concurrency: inbox.concurrency }),
    });
    const { inbox: box, outbox: queue, dispatcher, plans, messenger } = this;
    this.#notifications = new Notifications({ plans, outbox: queue, dispatcher, clock, newId });
    this.#intake = new Intake({ inbox: box, outbox: queue, plans, messenger, dispatcher, logger });
    if (config.communications?.enabled === true) {
      this.#createBackends(config.communications.backends ?? {}, options, workerId);
    }
    for (const { communicator, labels } of options.communicators ?? []) {
      this.#add(communicator, labels ?? ["default"], undefined, {}, options, workerId);
    }
    this.outbox.observe((event, message) => this.#communicator(event.backendName)?.observe?.(event, message));
    this.inbox.observe((event) => this.#communicator(event.backendName)?.observe?.(event));
  }

  /**
   * Builds an application and starts it: everything when `communications.enabled` is true, and nothing that talks to
   * anybody when it is not. A backend that cannot start keeps nobody else from starting: it is tried again and again, its
   * messages wait in the outbox, and {@link Application.health} says so.
   *
   * @param config The configuration.
   * @param options The kinds of backend, the store, the surroundings.
   * @throws {ConfigError} If the configuration cannot be used, with everything that is wrong.
   */
  static async create(config: ApplicationConfig, options: ApplicationOptions = {}): Promise<Application> {
    const application = Application.build(config, options);
    await application.start();
    return application;
  }

  /**
   * Builds an application and starts nothing: to ask it what it would do ({@link Application.explain}), or to start it
   * later.
   *
   * @param config The configuration.
   * @param options The kinds of backend, the store, the surroundings.
   * @throws {ConfigError} If the configuration cannot be used, with everything that is wrong.
   */
  static build(config: ApplicationConfig, options: ApplicationOptions = {}): Application {
    return new Application(config, options);
  }

  #createBackends(
    backends: Readonly<Record<string, BackendConfig>>,
    options: ApplicationOptions,
    workerId: string,
  ): void {
    const registry = new BackendRegistry(options.backends);
    const issues: ConfigIssue[] = [];
    for (const [name, config] of inOrderOfNeed(backends)) {
      const path = `communications.backends.${name}`;
      try {
        const type = globalBackends.has(config.type) && !registry.has(config.type)
          ? globalBackends.get(config.type, `${path}.type`)
          : registry.get(config.type, `${path}.type`);
        const communicator = type.create(name, config, {
          resolve: (other) => this.dispatcher.resolve(other),
          clock: this.clock,
          logger: this.logger,
          store: this.store,
          extraFields: extraFields(config, type.schema !== undefined),
        });
        const { policy, minSeverity } = senderPolicyFrom(config, path, this.#outboxConfig);
        this.#add(communicator, config.labels ?? ["default"], minSeverity, policy, options, workerId);
      } catch (error) {
        issues.push(...issuesOf(error, path));
      }
    }
    if (issues.length > 0) throw new ConfigError(issues);
  }

  #add(
    communicator: Communicator,
    labels: readonly string[],
    minSeverity: Severity | undefined,
    policy: SenderPolicy,
    options: ApplicationOptions,
    workerId: string,
  ): void {
    this.dispatcher.register(communicator, { labels, ...(minSeverity === undefined ? {} : { minSeverity }) });
    communicator.setIncomingHandler((messages) => this.#intake.receive(messages));
    communicator.setReceiptHandler((backendName, receipts) => this.#intake.receipts(backendName, receipts));
    if (policy.onUnknown === "fallback") this.#fallsBack.add(communicator.name);
    if (communicator instanceof FallbackCommunicator) {
      this.dispatcher.expandWith(communicator.name, (message) => this.#beginPlan(communicator, message));
      return; // its steps are deliveries of the backends it is made of
    }
    const sender = new SenderWorker({
      outbox: this.outbox,
      communicator,
      policy,
      clock: this.clock,
      logger: this.logger,
      workerId,
      followPlan: (outcome) => this.plans.follow(outcome),
      isWanted: (row) => this.plans.isWanted(row),
      ...(options.random === undefined ? {} : { random: options.random }),
    });
    this.#senders.set(communicator.name, sender);
  }

  #communicator(name: string): Communicator | undefined {
    return this.dispatcher.find(name);
  }

  /** The backends by name. */
  get communicators(): ReadonlyMap<string, Communicator> {
    return this.dispatcher.communicators;
  }

  /** Whether it was started and not stopped. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Starts everything. Called twice is harmless. When something fails, what had started is stopped again. */
  async start(): Promise<void> {
    if (this.#stopping !== undefined) await this.#stopping;
    this.#starting ??= this.#startAll();
    const starting = this.#starting;
    try {
      await starting;
    } catch (error) {
      if (this.#starting === starting) await this.#stopAfter(error);
      throw error;
    }
  }

  async #stopAfter(error: unknown): Promise<void> {
    this.logger.error("application did not start", errorFields(error));
    this.#starting = undefined;
    this.#running = false;
    await this.#stopParts().catch((other: unknown) => {
      this.logger.error("application did not stop after a start that failed", errorFields(other));
    });
  }

  async #startAll(): Promise<void> {
    this.#running = true;
    this.#restarts = new AbortController();
    await this.outbox.start();
    await this.inbox.start();
    for (const channel of this.channels.values()) await channel.start();
    for (const name of this.#senders.keys()) await this.outbox.queue(name);
    await this.#findOrphans();
    const report = await this.dispatcher.startAll();
    this.#retryStarts(report);
    if (this.#mode === "pump") return;
    for (const sender of this.#senders.values()) await sender.start();
    this.plans.start();
    await this.messenger.start();
  }

  #retryStarts({ failed }: StartReport): void {
    for (const { backendName, error } of failed) {
      this.#failed.set(backendName, error);
      this.logger.error("backend did not start", { backend: backendName, ...errorFields(error) });
      this.#restarting = Promise.all([this.#restarting, this.#restart(backendName)]).then(() => {});
    }
  }

  async #restart(name: string): Promise<void> {
    const { signal } = this.#restarts;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.clock.sleep(1_000 + backoffDelayMs(failures, { maxDelayMs: 300_000 }), { signal });
        const communicator = this.#communicator(name);
        const starting = Promise.resolve(communicator?.start());
        starting.then(() => signal.aborted ? communicator?.stop() : undefined).catch(() => {}); // reported below, or too late
        await raceAbort(starting, signal);
        this.#failed.delete(name);
        this.logger.info("backend started", { backend: name });
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#failed.set(name, error);
        this.logger.error("backend did not start", { backend: name, ...errorFields(error) });
      }
    }
  }

  /**
   * Stops everything: takes nothing in any more, finishes what is being handled and sent, and leaves the rest in the store.
   * With a store that ends with the process, it first tries to send what is due.
   */
  async stop(): Promise<void> {
    const starting = this.#starting;
    if (starting !== undefined && this.#stopping === undefined) {
      this.#stopping = starting.then(() => this.#stopAll(), () => {
        this.#stopping = undefined; // a start that fails stops by itself
      });
    }
    await this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.#running = false;
    try {
      const deadlineMs = (this.#outboxConfig.drain_timeout ?? STOP_DEADLINE_MS / 1_000) * 1_000;
      await this.#stopParts(deadlineMs);
    } finally {
      if (this.#closeStore) await this.store.close();
      this.#starting = undefined;
      this.#stopping = undefined;
    }
  }

  /** Stops one after the other; what cannot be stopped keeps nothing else from it. */
  async #stopParts(deadlineMs: number = 0): Promise<void> {
    const errors: unknown[] = [];
    this.#restarts.abort();
    const steps: readonly (() => Promise<unknown>)[] = [
      () => this.#restarting,
      () => this.messenger.stop(deadlineMs),
      () => this.plans.stop(deadlineMs),
      async () => {
        if (!this.store.capabilities.durable && this.#mode === "workers") await this.#drain(deadlineMs);
      },
      () => Promise.all([...this.#senders.values()].map((sender) => sender.stop(deadlineMs))),
      () => this.dispatcher.stopAll(),
      ...[...this.channels.values()].map((channel) => () => channel.stop()),
      () => this.inbox.stop(),
      () => this.outbox.stop(),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `Cannot stop ${errors.length} parts of the application`);
  }

  /** Backends that had deliveries, and are not in the configuration any more: their queues are opened, and it is said. */
  async #findOrphans(): Promise<void> {
    this.#orphans.clear();
    for (const name of await this.outbox.rememberBackends([...this.#senders.keys()])) {
      const { stored } = await (await this.outbox.queue(name)).stats();
      if (stored === 0) continue;
      this.#orphans.add(name);
      this.logger.error("deliveries wait for a backend that is not configured", { backend: name, count: stored });
    }
  }

  /** What a store in memory holds is gone with it: send what is due, and say what had to stay. */
  async #drain(deadlineMs: number): Promise<void> {
    const deadline = this.clock.monotonic() + deadlineMs;
    for (const [name] of this.#senders) {
      const queue = await this.outbox.queue(name);
      for (let stats = await queue.stats(); stats.ready + stats.claimed > 0; stats = await queue.stats()) {
        if (this.clock.monotonic() > deadline || this.#communicator(name)?.isStarted !== true) break;
        await this.clock.sleep(10);
      }
      const { stored } = await queue.stats();
      if (stored > 0) {
        this.logger.error("messages were not sent and end with the process", { backend: name, count: stored });
      }
    }
  }

  /** Stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Says a message to every backend whose labels fit; see {@link CommunicationDispatcher.emit}. */
  emit(init: OutgoingMessageInit): Promise<DispatchReport> {
    return this.dispatcher.emit(init);
  }

  async #beginPlan(
    group: FallbackCommunicator,
    message: OutgoingMessage,
  ): Promise<PlanExpansion> {
    const planId = await deliveryIdOf(message.id, group.name);
    const entry = { deliveryId: planId, backendName: group.name };
    if (await this.plans.find(planId) !== undefined) {
      return { entry: { ...entry, status: "duplicate" }, operations: [], events: [] };
    }
    const { others } = group;
    const move = await this.plans.begin(planId, group.name, group.planFor(message), message, { others });
    return { entry: { ...entry, status: "queued" }, operations: move.operations, events: move.events };
  }

  /**
   * Delivers a notification by the first of several backends that takes it, through the outbox: a crash at any step is
   * resumed at that step, and the same `notificationId` again is the same delivery.
   *
   * @param payload What is said, to whom; `channels` names backends in the order they are tried.
   * @param options How they are tried, what counts as arrived, and what ends the wait (not the delivery).
   * @returns What came of it, with every attempt from the ledger.
   * @throws {ValidationError} If the payload is not one, or names a backend that is not there.
   */
  deliver(payload: NotificationPayload, options: DeliverOptions = {}): Promise<DurableOutcome> {
    return this.#notifications.deliver(payload, options);
  }

  /**
   * Asks the same question on several backends; the first answer settles it for all, and those who were asked elsewhere are
   * told.
   *
   * @param payload The question, and whom to ask; `channels` names backends.
   * @param options Whether all are asked at once (the default) or one after the other, and for how long.
   * @returns The answer, and where it came from.
   * @throws {PosthornError} With code `unanswered` when nobody answered in time, or nobody could be asked.
   */
  ask(payload: NotificationPayload, options: AskOptions = {}): Promise<PlanAnswer> {
    return this.#notifications.ask(payload, options);
  }

  /**
   * Says of a plan (a fallback group's delivery, a notification) that somebody has seen it: nothing more is tried.
   *
   * @param planId Its delivery id.
   * @returns Whether it was under way.
   */
  acknowledge(planId: string): Promise<boolean> {
    return this.plans.settle(planId, true);
  }

  /** Says which backends a message would reach, and why not the others. */
  explain(init: OutgoingMessageInit): RouteExplanation {
    return this.dispatcher.explain(init);
  }

  /**
   * Calls off a delivery that is not being sent at this moment; that of a fallback group, or a notification, is called off
   * with what has not been sent of it.
   *
   * @returns Whether it was called off.
   */
  async cancel(deliveryId: string): Promise<boolean> {
    return await this.dispatcher.cancel(deliveryId) || await this.plans.settle(deliveryId, false);
  }

  /**
   * One bounded round of work, for places where nothing runs between requests: handles what came in, sends what is due.
   *
   * @param limits How long, and how many sends.
   * @returns How much was done, and when there is more to do.
   */
  async pump(limits: { readonly budgetMs?: number; readonly maxSends?: number } = {}): Promise<{
    /** Messages handled. */
    readonly handled: number;
    /** Attempts to send. */
    readonly sent: number;
    /** When to pump again, in milliseconds since 1970; `undefined`: when something comes in. */
    readonly nextDueAt: number | undefined;
  }> {
    const { budgetMs = 10_000, maxSends = Infinity } = limits;
    const deadline = this.clock.monotonic() + budgetMs;
    const left = (): number => Math.max(0, deadline - this.clock.monotonic());
    const handled = await this.messenger.pump({ budgetMs: left() });
    await this.plans.pump({ budgetMs: left() });
    const counts = await Promise.all(
      [...this.#senders.values()].map((sender) => sender.pump({ budgetMs: left(), maxMessages: maxSends })),
    );
    const sent = counts.reduce((sum, count) => sum + count, 0);
    const queues = await Promise.all([...this.#senders.keys()].map((name) => this.outbox.queue(name)));
    const keys = [this.inbox.queue.key, this.plans.channelKey, ...queues.map((queue) => queue.key)];
    return { handled, sent, nextDueAt: await this.store.nextDueAt(keys) };
  }

  /** How the backends are; also those that are not configured any more and have deliveries left (`not-configured`). */
  health(): readonly BackendHealth[] {
    const gone = [...this.#orphans].map((name): BackendHealth => (
      { name, isStarted: false, isHealthy: false, reason: "not-configured" }
    ));
    const configured = [...this.communicators.values()].map((communicator): BackendHealth => {
      const { name, isStarted } = communicator;
      const failure = this.#failed.get(name);
      const down = this.#senders.get(name)?.downSince !== undefined;
      const reason = down ? "credentials-refused" : failure === undefined ? undefined : wordOf(failure);
      return { name, isStarted, isHealthy: isStarted && !down, ...(reason === undefined ? {} : { reason }) };
    });
    return [...configured, ...gone];
  }
}

function wordOf(error: unknown): string {
  return error instanceof PosthornError ? error.code : error instanceof Error ? error.name : typeof error;
}

/** What a store in memory keeps is kept in memory: without a limit of its own, the ledger gets one there. */
function maxCountOf({ max_count }: LedgerConfig, store: MessageStore): { readonly maxCount?: number } {
  if (max_count !== undefined) return { maxCount: max_count };
  return store.capabilities.durable ? {} : { maxCount: MEMORY_LEDGER_ENTRIES };
}

/** What nobody handles must not fill the memory. On disk it may wait: another process may be the one that handles it. */
function maxUnhandledOf({ max_unhandled }: InboxConfig, store: MessageStore): { readonly maxUnhandled?: number } {
  if (max_unhandled !== undefined) return { maxUnhandled: max_unhandled };
  return store.capabilities.durable ? {} : { maxUnhandled: MAX_UNHANDLED_IN_MEMORY };
}
