/**
 * Follows plans: what stands in the store, moved on by what happens.
 *
 * @module
 */
import { QueueConsumer, type Settlement } from "../channels/queue-consumer.ts";
import type { Communicator } from "../communicators/communicator.ts";
import {
  advancePlan,
  beginPlan,
  type OthersPolicy,
  type PlanEvent,
  type PlanNode,
  stateAt,
} from "../delivery/delivery-plan.ts";
import { ConflictError } from "../errors.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import { toStoredMessage } from "../message/stored-message.ts";
import type { MessageStore, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import type { Outbox } from "./outbox.ts";
import type { OutboxRow } from "./outbox-row.ts";
import type { PlanContinuation, StepOutcome } from "./plan-follower.ts";
import { AwaitedSteps } from "./awaiting.ts";
import {
  type PlanAnswer,
  planKey,
  type PlanRecord,
  type PlanReply,
  recordFrom,
  stepFrom,
  stepOfDelivery,
} from "./plan-record.ts";
import { type PlanMove, PlanWriter } from "./plan-writer.ts";

export type { PlanAnswer, PlanRecord, PlanReply } from "./plan-record.ts";
export type { PlanMove } from "./plan-writer.ts";

/** What a runner is made from. */
export interface PlanRunnerOptions {
  /** Where deliveries are queued. */
  readonly outbox: Outbox;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Names this worker in leases. */
  readonly workerId: string;
  /** Knows the backends: what they can change, and in which conversation answers come in. @default none */
  readonly findBackend?: (name: string) => Communicator | undefined;
  /** Whether a backend's `unknown` lets the plan go on to another channel. */
  readonly mayFallBack: (backendName: string) => boolean;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
}

/** What a plan is beside its deliveries. */
export interface PlanTraits {
  /** A reply settles it, whatever else counts as arrived. @default `false` */
  readonly isQuestion?: boolean;
  /** What those who were asked too hear once somebody has answered. @default `"tell"` */
  readonly others?: OthersPolicy;
}

/** What follows from a reply. */
export interface ReplyContinuation {
  /** What to commit with it in any case. */
  readonly operations: readonly StoreOperation[];
  /** How a plan moves on by it, where one does. */
  readonly move?: PlanMove;
}

const TIMER_LEASE_MS = 60_000;
const MAX_CONFLICTS = 20;

/**
 * Follows plans. A plan stands in the store under its id; each thing that happens to one of its deliveries is turned by the
 * pure plan into operations that are committed together with that thing: the next delivery, a timer, a cancellation, the
 * end. Timers are messages that wait for their time, so a restart loses none.
 */
export class PlanRunner {
  readonly #options: PlanRunnerOptions;
  readonly #awaited: AwaitedSteps;
  readonly #writer: PlanWriter;
  readonly #moves = new WeakMap<ClaimedMessage, PlanMove>();
  #timers: QueueConsumer | undefined;

  /**
   * Makes one that follows nothing yet.
   *
   * @param options Outbox and surroundings.
   */
  constructor(options: PlanRunnerOptions) {
    this.#options = options;
    const { outbox, clock, logger, findBackend = () => undefined } = options;
    this.#awaited = new AwaitedSteps({ store: outbox.store, ledger: outbox.ledger, clock, logger, findBackend });
    this.#writer = new PlanWriter({ ...options, awaited: this.#awaited, findBackend });
  }

  get #store(): MessageStore {
    return this.#options.outbox.store;
  }

  /** Begins to watch timers. */
  start(): void {
    this.#engine().start();
  }

  /** Stops. Timers stay in the store. */
  async stop(deadlineMs: number = 10_000, graceMs: number = 5_000): Promise<void> {
    await this.#timers?.stop(deadlineMs, graceMs);
    this.#timers = undefined;
  }

  /** Handles the timers that are due now. @returns How many. */
  pump(limits: { readonly budgetMs?: number } = {}): Promise<number> {
    return this.#engine().pump(limits);
  }

  /** The key of the channel timers wait in, for those who ask when something is due. */
  get channelKey(): string {
    return this.#writer.channelKey;
  }

  #engine(): QueueConsumer {
    const { clock, logger, workerId } = this.#options;
    return this.#timers ??= new QueueConsumer({
      store: this.#store,
      channel: this.#writer.channelKey,
      workerId,
      concurrency: 16,
      leaseMs: TIMER_LEASE_MS,
      clock,
      work: (claimed) => Promise.resolve(this.#timeout(claimed)),
      settled: (claimed, _settlement, committed) => this.#told(claimed, committed),
      onError: (error) => logger.error("plan timer error", errorFields(error)),
    });
  }

  /**
   * Makes the beginning of a plan, without committing it.
   *
   * @param planId Its own delivery id.
   * @param groupName The group it belongs to.
   * @param plan The plan.
   * @param message What is said.
   * @param traits Whether a reply settles it, and what the others hear of it.
   */
  async begin(
    planId: string,
    groupName: string,
    plan: PlanNode,
    message: OutgoingMessage,
    traits: PlanTraits = {},
  ): Promise<PlanMove> {
    const { state, actions } = beginPlan(plan);
    const startedAt = this.#options.clock.now();
    const { isQuestion = false, others } = traits;
    const record: PlanRecord = {
      v: 1,
      planId,
      groupName,
      message: toStoredMessage(message),
      plan,
      state,
      startedAt,
      ...(isQuestion ? { isQuestion } : {}),
      ...(others === undefined ? {} : { others }),
    };
    const queued = this.#writer.event(record, "queued", {});
    const move = await this.#writer.perform(record, actions, 0);
    return {
      record: move.record,
      operations: [...move.operations, this.#options.outbox.ledger.operation(queued, `${planId}/queued`)],
      events: [queued, ...move.events],
    };
  }

  /** The plan of an id. */
  async find(planId: string): Promise<PlanRecord | undefined> {
    return (await this.#load(planId))?.record;
  }

  async #load(planId: string): Promise<{ readonly record: PlanRecord; readonly version: number } | undefined> {
    const entry = await this.#store.getState(planKey(planId));
    const record = entry === undefined ? undefined : recordFrom(entry.value);
    return entry === undefined || record === undefined ? undefined : { record, version: entry.version };
  }

  /** What follows from the end of a step: see {@link PlanFollower}. */
  async follow({ row, outcome, event }: StepOutcome): Promise<PlanContinuation> {
    const step = stepFrom(row.plan);
    const loaded = step === undefined ? undefined : await this.#load(step.planId);
    if (step === undefined || loaded === undefined) return { operations: [], events: [] };
    const { leaf } = step;
    const planEvent: PlanEvent = outcome === "accepted"
      ? { type: "accepted", leaf }
      : outcome === "unknown"
      ? { type: "unknown", leaf, fallback: this.#options.mayFallBack(row.backendName) }
      : { type: "failed", leaf, reason: event.reason ?? event.status };
    return await this.#advance(loaded, planEvent);
  }

  /** Whether a delivery is still wanted: asked by the sender before each attempt. */
  async isWanted(row: OutboxRow): Promise<boolean> {
    const step = stepFrom(row.plan);
    const loaded = step === undefined ? undefined : await this.#load(step.planId);
    if (step === undefined || loaded === undefined) return true;
    return stateAt(loaded.record.state, step.leaf)?.status !== "cancelled";
  }

  /** The plan a delivery is a step of. */
  planOf(deliveryId: string): string | undefined {
    return stepOfDelivery(deliveryId)?.planId;
  }

  /** What follows from a provider's word on a delivery. @returns `undefined` when no plan moves by it. */
  async followReceipt(event: DeliveryEvent): Promise<PlanMove | undefined> {
    const step = stepOfDelivery(event.deliveryId);
    const loaded = step === undefined ? undefined : await this.#load(step.planId);
    const planEvent = step === undefined ? undefined : wordOf(event, step.leaf);
    if (loaded === undefined || planEvent === undefined) return undefined;
    const move = await this.#advance(loaded, planEvent);
    return move.operations.length === 0 ? undefined : move;
  }

  /**
   * What follows from somebody's reply on a backend: it confirms the delivery it answers, and settles a question. It answers
   * what it names; a reply that names nothing answers the newest step that waits in its conversation.
   */
  async followReply(reply: PlanReply): Promise<ReplyContinuation> {
    const { step, operations } = await this.#awaited.answeredBy(reply);
    const loaded = step === undefined ? undefined : await this.#load(step.planId);
    if (step === undefined || loaded === undefined) return { operations };
    if (loaded.record.outcome === "delivered" || loaded.record.outcome === "cancelled") return { operations };
    const answered = { ...loaded, record: { ...loaded.record, answer: reply.answer } };
    const event: PlanEvent = loaded.record.isQuestion === true
      ? { type: "settle", arrived: true }
      : { type: "confirmed", leaf: step.leaf, by: "reply" };
    return { operations, move: await this.#advance(answered, event, step.leaf) };
  }

  /**
   * Settles a plan by a person's word: acknowledged, or called off.
   *
   * @param planId The plan.
   * @param arrived `true`: it counts as arrived. `false`: called off.
   * @param answer What was said.
   * @returns Whether the plan was under way.
   */
  async settle(planId: string, arrived: boolean, answer?: PlanAnswer): Promise<boolean> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const loaded = await this.#load(planId);
      if (loaded === undefined) return false;
      const record = answer === undefined ? loaded.record : { ...loaded.record, answer };
      const move = await this.#advance({ ...loaded, record }, { type: "settle", arrived });
      if (move.operations.length === 0) return false;
      const { committed } = await this.#store.commit(move.operations);
      if (!committed) continue;
      this.tell(move);
      return true;
    }
    throw new ConflictError(`Cannot settle plan "${planId}": it changes faster than it can be written`);
  }

  /** Tells observers of what was committed. */
  tell(move: PlanContinuation): void {
    for (const event of move.events) this.#options.outbox.notify(event);
  }

  #timeout(claimed: ClaimedMessage): Settlement {
    const step = stepFrom(claimed.content);
    if (step === undefined) return { kind: "ack" };
    return {
      kind: "ack",
      operations: async () => {
        const loaded = await this.#load(step.planId);
        if (loaded === undefined) return [];
        const move = await this.#advance(loaded, { type: "timeout", leaf: step.leaf });
        this.#moves.set(claimed, move);
        return move.operations;
      },
    };
  }

  #told(claimed: ClaimedMessage, committed: boolean): void {
    const move = this.#moves.get(claimed);
    if (move !== undefined && committed) this.tell(move);
  }

  async #advance(
    loaded: { readonly record: PlanRecord; readonly version: number },
    event: PlanEvent,
    answeredLeaf?: string,
  ): Promise<PlanMove> {
    const { record, version } = loaded;
    const { state, actions } = advancePlan(record.plan, record.state, event);
    if (state === record.state && actions.length === 0) return { record, operations: [], events: [] };
    const before = { state: record.state, ...(answeredLeaf === undefined ? {} : { answeredLeaf }) };
    return await this.#writer.perform({ ...record, state }, actions, version, before);
  }
}

/** What a provider's word is to a plan. */
function wordOf({ status, code }: DeliveryEvent, leaf: string): PlanEvent | undefined {
  if (status === "failed") return { type: "failed", leaf, reason: code ?? "failed" };
  return status === "delivered" || status === "read" ? { type: "confirmed", leaf, by: status } : undefined;
}
