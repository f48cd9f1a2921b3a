/**
 * From a label to the backends that take it.
 *
 * @module
 */
import { begin, stopBackend, untilStarted } from "../communicators/backend-lifecycle.ts";
import type { Communicator, Destination } from "../communicators/communicator.ts";
import { ConflictError, NotRunningError, PosthornError, QueueFullError, RoutingError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { deliveryIdOf } from "../message/delivery-id.ts";
import { createIdGenerator } from "../message/ids.ts";
import { createOutgoingMessage, type OutgoingMessage, type OutgoingMessageInit } from "../message/outgoing-message.ts";
import type { Receipt } from "../message/receipt.ts";
import { thrownReceipt } from "../message/thrown-receipt.ts";
import type { CancelOptions, DeliveryTarget, Outbox } from "../outbox/outbox.ts";
import { receiptFrom } from "../outbox/receipt-check.ts";
import { raceAbort } from "../support/abort.ts";
import { type Clock, systemClock } from "../support/clock.ts";
import { errorFields, type Logger, silentLogger } from "../support/logger.ts";
import { nearest } from "../support/nearest.ts";
import { admit } from "./admission.ts";
import { IncomingPublisher } from "./incoming-publisher.ts";
import {
  type DispatchEntry,
  type DispatchReport,
  type SettledDelivery,
  settledEntry,
  settledFrom,
  type Undelivered,
} from "./dispatch-report.ts";
import { LabelRoutes, type Route, type RouteExplanation, type RouteOptions } from "./label-routes.ts";
import type { PlanExpander, PlanExpansion } from "./plan-expansion.ts";

/** What a dispatcher is made from. */
export interface CommunicationDispatcherOptions {
  /** Where deliveries are queued. Without one, `emit` sends at once and waits for the answers. */
  readonly outbox?: Outbox;
  /** Time. @default the system's */
  readonly clock?: Clock;
  /** Where it says what goes wrong. @default nowhere */
  readonly logger?: Logger;
  /** Gives ids to messages. @default monotonic UUIDv7 */
  readonly newId?: () => string;
  /** Throws where nothing can be queued any more. @default never */
  readonly assertOpen?: () => void;
}

export type { DispatchEntry, DispatchReport, SettledDelivery, Undelivered } from "./dispatch-report.ts";

/** What became of starting the backends. */
export interface StartReport {
  /** Those that run. */
  readonly started: readonly string[];
  /** Those that do not, or not yet, and the error. */
  readonly failed: readonly {
    /** The backend. */
    readonly backendName: string;
    /** What it threw. */
    readonly error: unknown;
  }[];
}

/** How often a message is queued again when a plan of it was begun by somebody else meanwhile. */
const MAX_CONFLICTS = 5;

/** Messages that are not aborted have this signal: making one for each would cost more than the sending. */
const NEVER: AbortSignal = new AbortController().signal;

/**
 * Sends messages to the backends whose labels fit, and publishes messages that came in.
 *
 * @example
 * ```ts
 * import { CommunicationDispatcher, NoOpCommunicator } from "posthorn";
 *
 * const dispatcher = new CommunicationDispatcher();
 * dispatcher.register(new NoOpCommunicator("ops"), { labels: ["alerts"] });
 * await dispatcher.startAll();
 * const report = await dispatcher.emit({ message: "Disk usage at 95%", label: "alerts" });
 * console.log(report.deliveries.map((entry) => entry.status)); // ["accepted"]
 * await dispatcher.stopAll();
 * ```
 */
export class CommunicationDispatcher {
  /** Publishes messages that came in. */
  readonly incomingPublisher: IncomingPublisher;
  readonly #routes = new LabelRoutes();
  readonly #outbox: Outbox | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #newId: () => string;
  readonly #assertOpen: () => void;
  readonly #expand = new Map<string, PlanExpander>();

  /**
   * Makes a communication dispatcher.
   *
   * @param options The outbox, if there is one.
   */
  constructor(options: CommunicationDispatcherOptions = {}) {
    this.#outbox = options.outbox;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#newId = options.newId ?? createIdGenerator(() => this.#clock.now());
    this.#assertOpen = options.assertOpen ?? (() => {});
    this.incomingPublisher = new IncomingPublisher(this.#logger);
  }

  /** The backends by name. */
  get communicators(): ReadonlyMap<string, Communicator> {
    return new Map(this.#routes.all.map(({ communicator }) => [communicator.name, communicator]));
  }

  /** A backend by name, if there is one. */
  find(name: string): Communicator | undefined {
    return this.#routes.find(name)?.communicator;
  }

  /** Every label somebody takes. */
  get labels(): readonly string[] {
    return this.#routes.labels;
  }

  /**
   * Adds a backend. It is not started by this.
   *
   * @param communicator The backend.
   * @param options The labels it takes, or a list of them; and from which severity on.
   * @throws {RoutingError} If its name is taken.
   */
  register(communicator: Communicator, options: RouteOptions | readonly string[] = {}): void {
    this.#routes.add(communicator, isList(options) ? { labels: options } : options);
  }

  /**
   * Says how a backend's deliveries begin where it has none of its own: a fallback group's begin as a plan.
   */
  expandWith(backendName: string, expand: PlanExpander): void {
    this.#expand.set(backendName, expand);
  }

  /** Removes a backend and stops it. */
  async unregister(name: string): Promise<void> {
    const route = this.#routes.remove(name);
    this.#expand.delete(name);
    if (route?.communicator.isStarted === true) await route.communicator.stop();
  }

  /**
   * Says a message to every backend whose labels fit. With an outbox it resolves when every delivery is committed; without
   * one, when every backend has answered.
   *
   * @param init What is said.
   * @param options A signal for sending without an outbox.
   * @throws {ValidationError} If the message is not one.
   * @throws {QueueFullError} If as many deliveries wait as may for every backend it would go to; nothing is queued then.
   * Where only some of them are full, the others get it, and the report says so (`queue-full`).
   * @throws {StoreError} If the outbox cannot keep it; nothing is queued then.
   * @throws {NotRunningError} If the application is stopping and its store ends with it: nobody would send it.
   */
  async emit(init: OutgoingMessageInit, options: { readonly signal?: AbortSignal } = {}): Promise<DispatchReport> {
    this.#assertOpen();
    const message = createOutgoingMessage(init, { newId: this.#newId, now: () => this.#clock.now() });
    const routes = this.#routes.match(message);
    return this.#outbox === undefined
      ? await this.#sendNow(message, routes, options.signal ?? NEVER)
      : await this.#queue(message, routes, this.#outbox);
  }

  async #queue(message: OutgoingMessage, routes: readonly Route[], outbox: Outbox): Promise<DispatchReport> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const report = await this.#tryToQueue(message, routes, outbox);
      if (report !== undefined) return report;
    }
    throw new ConflictError(`Cannot queue message "${message.id}": the same is being queued again and again`);
  }

  async #tryToQueue(
    message: OutgoingMessage,
    routes: readonly Route[],
    outbox: Outbox,
  ): Promise<DispatchReport | undefined> {
    const undelivered: Undelivered[] = routes.length === 0 ? [this.#unrouted(message)] : [];
    const targets: DeliveryTarget[] = [];
    const plans: PlanExpansion[] = [];
    for (const { communicator } of routes) {
      const plan = await this.#expand.get(communicator.name)?.(message);
      if (plan !== undefined) {
        plans.push(plan);
        continue;
      }
      const destinations = communicator.destinations(message);
      if (destinations.length === 0) undelivered.push(noRecipient(communicator.name));
      for (const destination of destinations) targets.push({ ...destination, backendName: communicator.name });
    }
    const prepared = await outbox.prepare(message, targets);
    const admission = await admit(outbox, prepared, plans);
    const { deliveries: admitted, plans: begun, full } = admission;
    if (admitted.length + begun.length === 0 && full.length > 0) {
      throw new QueueFullError(`Cannot emit: ${full.map(({ detail }) => detail).join("; ")}`);
    }
    undelivered.push(...full);
    let isNew: readonly boolean[] | undefined;
    try {
      isNew = await outbox.enqueue(message, admitted, begun.flatMap((plan) => plan.operations));
    } finally {
      admission.end(isNew !== undefined);
    }
    if (isNew === undefined) return undefined;
    for (const event of begun.flatMap((plan) => plan.events)) outbox.notify(event, message);
    const deliveries = [
      ...admitted.map(({ row }, index): DispatchEntry => ({
        deliveryId: row.deliveryId,
        backendName: row.backendName,
        status: isNew[index] === true ? "queued" : "duplicate",
        ...(row.recipient === undefined ? {} : { recipient: row.recipient }),
      })),
      ...begun.map((plan) => plan.entry),
    ];
    this.#warn(message, undelivered);
    return {
      messageId: message.id,
      deliveries,
      undelivered,
      settled: ({ signal } = {}) => Promise.all(deliveries.map((delivery) => endOf(delivery, outbox.ledger, signal))),
    };
  }

  #sendNow(message: OutgoingMessage, routes: readonly Route[], signal: AbortSignal): Promise<DispatchReport> {
    const undelivered: Undelivered[] = routes.length === 0 ? [this.#unrouted(message)] : [];
    const sends: Promise<DispatchEntry>[] = [];
    for (const { communicator } of routes) {
      const destinations = communicator.destinations(message);
      if (destinations.length === 0) undelivered.push(noRecipient(communicator.name));
      for (const destination of destinations) sends.push(this.#attempt(message, communicator, destination, signal));
    }
    this.#warn(message, undelivered);
    return Promise.all(sends).then((deliveries) => ({
      messageId: message.id,
      deliveries,
      undelivered,
      settled: () => Promise.resolve(deliveries.map(settledEntry)),
    }));
  }

  async #attempt(
    message: OutgoingMessage,
    communicator: Communicator,
    { recipient }: Destination,
    signal: AbortSignal,
  ): Promise<DispatchEntry> {
    const id = deliveryIdOf(message.id, communicator.name, recipient);
    const deliveryId = typeof id === "string" ? id : await id;
    const context = recipient === undefined
      ? { deliveryId, attempt: 1, signal }
      : { deliveryId, attempt: 1, signal, recipient };
    let receipt: Receipt;
    try {
      if (!communicator.isStarted) {
        receipt = notStarted(communicator.name);
      } else {
        const sent = communicator.send(message, context);
        receipt = receiptFrom(signal === NEVER ? await sent : await raceAbort(sent, signal), (fault) => {
          this.#logger.error("receipt is not what it must be", { backend: communicator.name, deliveryId, fault });
        });
      }
    } catch (error) {
      this.#logger.error("backend threw", { backend: communicator.name, deliveryId, ...errorFields(error) });
      receipt = thrownReceipt(error);
    }
    return recipient === undefined
      ? { deliveryId, backendName: communicator.name, status: receipt.outcome, receipt }
      : { deliveryId, backendName: communicator.name, status: receipt.outcome, receipt, recipient };
  }

  #unrouted(message: OutgoingMessage): Undelivered {
    const { label, severity } = message;
    const { labels } = this.#routes;
    if (labels.includes(label) || labels.includes("*")) {
      return { reason: "severity", detail: `every backend of label "${label}" takes only worse than ${severity}` };
    }
    const guess = nearest(label, labels);
    const hint = guess === undefined ? `known labels are ${labels.join(", ") || "none"}` : `did you mean "${guess}"?`;
    return { reason: "unknown-label", detail: `no backend takes label "${label}"; ${hint}` };
  }

  #warn(message: OutgoingMessage, undelivered: readonly Undelivered[]): void {
    for (const { reason, backendName } of undelivered) {
      this.#logger.warn("message reached nobody", {
        messageId: message.id,
        label: message.label,
        reason,
        backend: backendName,
      });
    }
  }

  /** Says which backends a message would reach, and why not the others. Sends nothing. */
  explain(init: OutgoingMessageInit): RouteExplanation {
    return this.#routes.explain(createOutgoingMessage(init, { newId: this.#newId, now: () => this.#clock.now() }));
  }

  /**
   * Calls off a delivery that is not being sent at this moment.
   *
   * @param deliveryId The delivery.
   * @param options What becomes of the plan of a step.
   * @returns Whether it was called off.
   * @throws {NotRunningError} Without an outbox, where nothing waits.
   */
  async cancel(deliveryId: string, options: CancelOptions = {}): Promise<boolean> {
    if (this.#outbox === undefined) {
      throw new NotRunningError("Cannot cancel: this dispatcher has no outbox, so nothing waits to be sent");
    }
    return await this.#outbox.cancel(deliveryId, options);
  }

  /**
   * Starts every backend, all at once. One that fails, or takes longer than 10 seconds, keeps nobody else from starting; the
   * latter is reported as failed with the code `timeout`, and its start goes on.
   */
  async startAll(): Promise<StartReport> {
    const communicators = this.#routes.all.map((route) => route.communicator);
    const ends = await Promise.allSettled(
      communicators.map((communicator) =>
        untilStarted(communicator.name, begin(() => communicator.start()), this.#clock)
      ),
    );
    const started: string[] = [];
    const failed: StartReport["failed"][number][] = [];
    for (const [index, { name: backendName }] of communicators.entries()) {
      const end = ends[index];
      if (end?.status === "fulfilled") started.push(backendName);
      else failed.push({ backendName, error: end?.reason });
    }
    return { started, failed };
  }

  /**
   * Stops every backend that runs, waiting for each 10 seconds at most.
   *
   * @throws {AggregateError} If some could not be stopped, or not in time; all were told to.
   */
  async stopAll(): Promise<void> {
    const running = this.#routes.all.map((route) => route.communicator).filter((communicator) =>
      communicator.isStarted
    );
    const ends = await Promise.allSettled(running.map((communicator) => stopBackend(communicator, this.#clock)));
    const errors = ends.filter((end) => end.status === "rejected").map((end): unknown => end.reason);
    if (errors.length > 0) throw new AggregateError(errors, `Cannot stop ${errors.length} backends`);
  }

  /** A backend by name. @throws {RoutingError} If there is none. */
  resolve(name: string): Communicator {
    const route = this.#routes.find(name);
    if (route !== undefined) return route.communicator;
    const guess = nearest(name, this.#routes.all.map(({ communicator }) => communicator.name));
    throw new RoutingError(`Cannot find backend "${name}"${guess === undefined ? "" : `: did you mean "${guess}"?`}`);
  }
}

/** How a delivery ended; `unknown`, with the reason, where neither the ledger nor the outbox knows any more. */
async function endOf(delivery: DispatchEntry, ledger: Ledger, signal?: AbortSignal): Promise<SettledDelivery> {
  const { deliveryId, backendName, recipient } = delivery;
  try {
    return settledFrom(await ledger.waitFor(deliveryId, signal === undefined ? {} : { signal }));
  } catch (error) {
    if (!(error instanceof PosthornError) || error.code !== "no-record") throw error;
    return {
      deliveryId,
      backendName,
      status: "unknown",
      reason: error.code,
      detail: error.message,
      ...(recipient === undefined ? {} : { recipient }),
    };
  }
}

function notStarted(name: string): Receipt {
  return { outcome: "rejected", retryable: true, reason: "not-configured", detail: `backend "${name}" is not started` };
}

function isList(options: RouteOptions | readonly string[]): options is readonly string[] {
  return Array.isArray(options);
}

function noRecipient(backendName: string): Undelivered {
  const detail = `backend "${backendName}" has no recipient for this message: name some, or configure a default`;
  return { reason: "no-recipient", backendName, detail };
}
