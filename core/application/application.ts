/**
 * Everything, built from one configuration.
 *
 * @module
 */
import type { ChannelCore } from "../channels/channel-core.ts";
import type { Communicator } from "../communicators/communicator.ts";
import { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { NotificationPayload } from "../delivery/notification.ts";
import { CommunicationDispatcher, type DispatchReport } from "../dispatcher/communication-dispatcher.ts";
import type { RouteExplanation } from "../dispatcher/label-routes.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { createIdGenerator } from "../message/ids.ts";
import type { OutgoingMessageInit } from "../message/outgoing-message.ts";
import type { CancelOptions, Outbox, ResolveWord } from "../outbox/outbox.ts";
import { type PlanAnswer, PlanRunner } from "../outbox/plan-runner.ts";
import { RestingBook } from "../outbox/resting-book.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { MessageStore } from "../store/message-store.ts";
import { type Clock, systemClock } from "../support/clock.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import type { ApplicationConfig } from "./application-config.ts";
import type { ApplicationOptions } from "./application-options.ts";
import { assembleBackends, type AssembledBackend } from "./backend-assembly.ts";
import { type BackendHealth, Backends } from "./backends.ts";
import { createBoxes } from "./boxes-from-config.ts";
import { createChannels } from "./channels-from-config.ts";
import { beginGroupPlan } from "./group-plan.ts";
import { Intake } from "./intake.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Messenger } from "./messenger.ts";
import type { AskOptions, DeliverOptions } from "./notification-options.ts";
import type { DurableOutcome } from "./notification-plan.ts";
import { Notifications } from "./notifications.ts";
import { withRests } from "./resting-report.ts";
import { type PumpLimits, pumpOnce, type PumpReport } from "./pump.ts";

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
  /** Which backends rest after failing again and again. */
  readonly rests: RestingBook;
  readonly #backends: Backends;
  readonly #lifecycle: Lifecycle;
  readonly #notifications: Notifications;
  readonly #intake: Intake;

  private constructor(config: ApplicationConfig, options: ApplicationOptions) {
    const { clock = systemClock, logger = silentLogger } = options;
    this.clock = clock;
    this.logger = logger;
    this.store = options.store ?? new MemoryStore({ clock });
    const newId = options.newId ?? createIdGenerator(() => clock.now());
    const workerId = options.workerId ?? newId();
    const shared = { store: this.store, clock, logger, newId };
    const { inbox = {}, outbox = {} } = config;
    const lease = options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs };
    const boxes = createBoxes(config, { ...shared, ...lease });
    this.ledger = boxes.ledger;
    this.outbox = boxes.outbox;
    this.inbox = boxes.inbox;
    const queued = outbox.enabled === false ? {} : { outbox: this.outbox };
    this.dispatcher = new CommunicationDispatcher({
      ...queued,
      clock,
      logger,
      newId,
      assertOpen: () => this.#lifecycle.assertMayEmit(),
    });
    this.rests = new RestingBook({ store: this.store, clock, logger });
    this.plans = new PlanRunner({
      outbox: this.outbox,
      clock,
      logger,
      workerId,
      findBackend: (backendName) => this.dispatcher.find(backendName),
      mayFallBack: (backendName) => this.#backends.mayFallBack(backendName),
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
    this.#notifications = new Notifications({ plans, outbox: queue, dispatcher, clock, newId, logger });
    this.#intake = new Intake({ inbox: box, outbox: queue, plans, messenger, dispatcher, logger });
    this.#backends = new Backends({
      dispatcher,
      outbox: queue,
      plans,
      rests: this.rests,
      clock,
      logger,
      workerId,
      ...(options.random === undefined ? {} : { random: options.random }),
    });
    const own = [...this.channels.values()].filter(({ id }) => id !== this.ledger.channel.id);
    this.#lifecycle = new Lifecycle({
      ...{ store: this.store, messenger, plans, channels: own, ledger: this.ledger, backends: this.#backends },
      ...{ inbox: box, outbox: queue, clock, logger },
      isWorking: options.mode !== "pump",
      closesStore: options.closeStore ?? options.store === undefined,
      ...(outbox.drain_timeout === undefined ? {} : { stopMs: outbox.drain_timeout * 1_000 }),
    });
    if (config.communications?.enabled === true) {
      assembleBackends(config.communications.backends ?? {}, {
        types: options.backends,
        context: { resolve: (other) => dispatcher.resolve(other), clock, logger, store: this.store },
        outbox,
        add: (backend) => this.#add(backend),
      });
    }
    for (const { communicator, labels = ["default"] } of options.communicators ?? []) {
      this.#add({ communicator, labels, policy: {} });
    }
    queue.observe((event, message) => dispatcher.find(event.backendName)?.observe?.(event, message));
    box.observe((event) => dispatcher.find(event.backendName)?.observe?.(event));
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
    try {
      await application.start();
    } catch (error) {
      await application.stop().catch(() => {}); // nobody else can: it closes the store, where that is its own
      throw error;
    }
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

  #add({ communicator, labels, policy, minSeverity }: AssembledBackend): void {
    const { name } = communicator;
    const { plans } = this;
    this.#backends.add(communicator, labels, policy, minSeverity);
    communicator.setIncomingHandler((messages) =>
      this.#lifecycle.gate.pass(name, () => this.#intake.receive(messages))
    );
    communicator.setReceiptHandler((backendName, receipts) => this.#intake.receipts(backendName, receipts));
    if (communicator instanceof FallbackCommunicator) {
      this.dispatcher.expandWith(name, (message) => beginGroupPlan(plans, communicator, message));
    }
  }

  /** The backends by name. */
  get communicators(): ReadonlyMap<string, Communicator> {
    return this.dispatcher.communicators;
  }

  /** Whether it was started and not stopped. */
  get isRunning(): boolean {
    return this.#lifecycle.isRunning;
  }

  /**
   * Starts everything. Called twice is harmless; called while it stops, it starts when that is over. When something fails,
   * what had started is stopped again, and it may be called again.
   *
   * A backend that does not start, or not within 10 seconds, is no reason to fail: it is tried again, or waited for, while
   * the others work.
   */
  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  /**
   * Stops everything: takes nothing in any more, finishes what is being handled and sent, and leaves the rest in the store.
   * With a store that ends with the process, it first handles and sends what is due, and takes no more messages in the end.
   *
   * All of it takes 10 seconds at most (`outbox.drain_timeout`): handlers are told to end by their signal after half of
   * them, sends are aborted after three quarters, and what does not end then is left behind; its message is taken up again
   * after the next start, where the store is durable. What was left is logged. Called twice, before or during a start is
   * harmless.
   *
   * @throws {AggregateError} If a part could not be stopped, or not in time; everything else was.
   */
  stop(): Promise<void> {
    return this.#lifecycle.stop();
  }

  /** Stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Says a message to every backend whose labels fit; see {@link CommunicationDispatcher.emit}. */
  emit(init: OutgoingMessageInit): Promise<DispatchReport> {
    return this.dispatcher.emit(init);
  }

  /**
   * Delivers a notification by the first of several backends that takes it, through the outbox: a crash at any step is
   * resumed at that step, and the same `notificationId` again is the same delivery.
   *
   * @param payload What is said, to whom; `channels` names backends in the order they are tried.
   * @param options How they are tried, what counts as arrived, and what ends the wait (not the delivery).
   * @returns What came of it, with every attempt from the ledger.
   * @throws {ValidationError} If the payload or an option is not one, or names a backend that is not there.
   * @throws {ConflictError} If a question has this `notificationId`.
   * @throws {QueueFullError} If as many deliveries wait as may for a backend it begins with; nothing is queued then.
   * @throws {NotRunningError} If the application stops meanwhile; a durable store goes on with it after the next start.
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
   * @throws {PosthornError} With code `unanswered` when nobody answered in time, or nobody could be asked: its message says
   * how each channel did.
   * @throws {ValidationError} If the payload or an option is not one, or names a backend that is not there.
   * @throws {ConflictError} If a notification has this `notificationId`.
   * @throws {QueueFullError} If as many deliveries wait as may for a backend that is asked; nobody is asked then.
   * @throws {NotRunningError} If the application stops meanwhile; the question stays open in a durable store.
   */
  ask(payload: NotificationPayload, options: AskOptions = {}): Promise<PlanAnswer> {
    return this.#notifications.ask(payload, options);
  }

  /**
   * Says of a plan (a fallback group's delivery, a notification) that somebody has seen it: nothing more is tried.
   *
   * A question ({@link Application.ask}) is answered by it.
   *
   * @param id Its delivery id, or the `notificationId` of a notification or question.
   * @param by Who says so, and what: those who were asked too hear of it.
   * @returns Whether it was under way.
   * @throws {ValidationError} If `sender` or `text` is no text.
   */
  acknowledge(id: string, by: { readonly sender?: string; readonly text?: string } = {}): Promise<boolean> {
    return this.#notifications.acknowledge(id, by);
  }

  /** Says which backends a message would reach, why not the others, and which of them rest as far as is known. */
  explain(init: OutgoingMessageInit): RouteExplanation {
    return withRests(this.dispatcher.explain(init), this.dispatcher.communicators, this.rests, this.clock.now());
  }

  /**
   * Calls off a delivery that is not being sent at this moment; that of a fallback group, or a notification, is called off
   * with what has not been sent of it. One step of such a plan calls off the whole plan, or, with `plan: "next"`, makes
   * it go on to its next channel.
   *
   * @param id The delivery id, or the `notificationId` of a notification or question.
   * @param options What becomes of the plan of a step.
   * @returns Whether it was called off.
   */
  async cancel(id: string, options: CancelOptions = {}): Promise<boolean> {
    return await this.dispatcher.cancel(id, options) || await this.#notifications.settle(id, false);
  }

  /**
   * A person's word on a delivery in doubt: one that is held after an `unknown` (`on_unknown: hold`; `outbox.held()` lists
   * them), or a delivery or plan that was given up as `unknown`.
   *
   * @param deliveryId The delivery, or the plan.
   * @param word `delivered`: it arrived. `retry`: it is sent again by the same channel, under its id. `next`: it did not
   * arrive; a plan goes on to the next channel, and without a plan it is given up.
   * @returns Whether it was in doubt. `false` too when somebody else was first, or it is being sent at this moment.
   */
  async resolve(deliveryId: string, word: ResolveWord): Promise<boolean> {
    return await this.outbox.resolve(deliveryId, word) || await this.plans.resolve(deliveryId, word);
  }

  /**
   * Sets a delivery or a plan going again that was given up (`outbox.deadLetters()`, `plans.deadPlans()`), under its id. A
   * plan begins again with its first channel.
   *
   * @param deliveryId The delivery, or the plan.
   * @returns Whether it was among those given up.
   * @throws {ConflictError} If the same delivery is queued again already. It stays among those given up.
   */
  async redrive(deliveryId: string): Promise<boolean> {
    return await this.outbox.redrive(deliveryId) || await this.plans.redrive(deliveryId);
  }

  /**
   * One bounded round of work, for places where nothing runs between requests: handles what came in, sends what is due.
   *
   * @param limits How long, and how many sends.
   * @returns How much was done, and when there is more to do.
   */
  pump(limits: PumpLimits = {}): Promise<PumpReport> {
    const { store, messenger, plans, inbox, outbox, clock } = this;
    const { senders } = this.#backends;
    return pumpOnce({ store, messenger, plans, senders, inbox, outbox, clock }, limits);
  }

  /** How the backends are; also those that are not configured any more and have deliveries left (`not-configured`). */
  health(): readonly BackendHealth[] {
    return this.#backends.health();
  }
}
