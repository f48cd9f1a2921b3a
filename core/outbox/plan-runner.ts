/**
 * Follows plans: what stands in the store, moved on by what happens.
 *
 * @module
 */
import { burialOperations } from "../channels/dead-letter.ts";
import { QueueConsumer, type Settlement } from "../channels/queue-consumer.ts";
import type { Communicator } from "../communicators/communicator.ts";
import {
  hasAlternative,
  isPlanEnded,
  leavesOf,
  type OthersPolicy,
  type PlanEvent,
  type PlanNode,
  stateAt,
} from "../delivery/delivery-plan.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { ProviderReceipt } from "../message/receipt.ts";
import { toStoredMessage } from "../message/stored-message.ts";
import type { MessageStore, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import type { Outbox } from "./outbox.ts";
import type { OutboxRow } from "./outbox-row.ts";
import type { PlanContinuation, StepOutcome, StepPermit } from "./plan-follower.ts";
import { AwaitedSteps } from "./awaiting.ts";
import {
  isTimerOf,
  type PlanAnswer,
  type PlanRecord,
  type PlanReply,
  stepFrom,
  stepOfDelivery,
} from "./plan-record.ts";
import { EarlyReceipts, type FoundReceipt } from "./early-receipts.ts";
import { type LoadedPlan, PlanBook } from "./plan-book.ts";
import { type DeadPlan, type DeadPlansPage, PlanDesk } from "./plan-desk.ts";
import type { ResolveWord } from "./outbox-desk.ts";
import type { PlanMove } from "./plan-writer.ts";

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
  /**
   * How that is said; `{sender}` and `{backend}` in it are who answered and where.
   * @default `"Answered by {sender} on {backend}"`
   */
  readonly othersText?: string;
}

/** What follows from a reply. */
export interface ReplyContinuation {
  /** What to commit with it in any case. */
  readonly operations: readonly StoreOperation[];
  /** How a plan moves on by it, where one does. */
  readonly move?: PlanMove;
}

const TIMER_LEASE_MS = 60_000;
const NOTHING_EARLY: FoundReceipt = { operations: [] };

/**
 * Follows plans. A plan stands in the store under its id; each thing that happens to one of its deliveries is turned by the
 * pure plan into operations that are committed together with that thing: the next delivery, a timer, a cancellation, the
 * end. Timers are messages that wait for their time, so a restart loses none.
 */
export class PlanRunner {
  readonly #options: PlanRunnerOptions;
  readonly #awaited: AwaitedSteps;
  readonly #book: PlanBook;
  readonly #desk: PlanDesk;
  readonly #early: EarlyReceipts;
  readonly #moves = new WeakMap<ClaimedMessage, PlanMove>();
  #timers: QueueConsumer | undefined;

  /**
   * Makes one that follows nothing yet.
   *
   * @param options Outbox and surroundings.
   */
  constructor(options: PlanRunnerOptions) {
    this.#options = options;
    const { outbox, findBackend = () => undefined } = options;
    this.#awaited = new AwaitedSteps({ ...options, store: outbox.store, ledger: outbox.ledger, findBackend });
    this.#book = new PlanBook({ ...options, awaited: this.#awaited, findBackend });
    this.#desk = new PlanDesk({ ...options, book: this.#book });
    this.#early = new EarlyReceipts(outbox.store, options.namespace);
    outbox.followPlansWith(this.#desk);
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
    return this.#book.writer.channelKey;
  }

  #engine(): QueueConsumer {
    const { clock, logger, workerId } = this.#options;
    return this.#timers ??= new QueueConsumer({
      store: this.#store,
      channel: this.#book.writer.channelKey,
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
    const { isQuestion = false, others, othersText } = traits;
    const record: PlanRecord = {
      v: 1,
      planId,
      groupName,
      message: toStoredMessage(message),
      plan,
      state: { status: "idle" },
      startedAt: this.#options.clock.now(),
      ...(isQuestion ? { isQuestion } : {}),
      ...(others === undefined ? {} : { others }),
      ...(othersText === undefined ? {} : { othersText }),
    };
    return await this.#book.begin(record, 0, this.#book.writer.event(record, "queued", {}));
  }

  /** The plan of an id. */
  async find(planId: string): Promise<PlanRecord | undefined> {
    return (await this.#book.load(planId))?.record;
  }

  /** What follows from the end of a step: see {@link PlanFollower}. */
  async follow({ row, outcome, event }: StepOutcome): Promise<PlanContinuation> {
    const step = stepFrom(row.plan);
    const loaded = step === undefined ? undefined : await this.#book.load(step.planId);
    if (step === undefined || loaded === undefined) return { operations: [], events: [] };
    const { leaf } = step;
    const node = leavesOf(loaded.record.plan).find((each) => each.leaf === leaf)?.node;
    const waits = outcome === "accepted" && (node?.confirm ?? "accepted") !== "accepted";
    const { receipt, operations } = waits ? await this.#early.find(event) : NOTHING_EARLY;
    const early = receipt && await this.#earlyWord(loaded, leaf, event, receipt);
    const move = early ?? await this.#book.advance(loaded, this.#eventOf(leaf, { row, outcome, event }));
    return operations.length === 0 ? move : { ...move, operations: [...operations, ...move.operations] };
  }

  /** What a provider said before it was known that it took the message, where that is enough. */
  async #earlyWord(
    loaded: LoadedPlan,
    leaf: string,
    event: DeliveryEvent,
    receipt: ProviderReceipt,
  ): Promise<PlanContinuation | undefined> {
    if (receipt.status === "sent") return undefined;
    const { status, timestamp: at, code, detail, providerMessageId } = receipt;
    const { attempt: _attempt, providerMessageIds: _ids, ...rest } = event;
    const facts = { ...(code === undefined ? {} : { code }), ...(detail === undefined ? {} : { detail }) };
    const said: DeliveryEvent = { ...rest, status, at, providerMessageId, ...facts };
    const word = wordOf(said, leaf);
    const move = word && await this.#book.advance(loaded, word);
    if (move === undefined || move.operations.length === 0) return undefined;
    const { ledger } = this.#options.outbox;
    const { life = 1 } = loaded.record;
    const entry = ledger.operation(said, `${said.deliveryId}/${status}${life > 1 ? `/${life}` : ""}`);
    return { operations: [entry, ...move.operations], events: [said, ...move.events] };
  }

  /** What keeps receipts of which nobody knows the message yet: a step may be about to say that it is its own. */
  keepReceipts(backendName: string, receipts: readonly ProviderReceipt[]): Promise<readonly StoreOperation[]> {
    return this.#early.keep(backendName, receipts);
  }

  #eventOf(leaf: string, { row, outcome, event }: StepOutcome): PlanEvent {
    switch (outcome) {
      case "accepted":
        return { type: "accepted", leaf };
      case "unknown":
        return { type: "unknown", leaf, fallback: this.#options.mayFallBack(row.backendName) };
      case "skipped":
        return { type: "skipped", leaf, reason: event.detail ?? event.reason ?? event.status };
      case "failed":
        return { type: "failed", leaf, reason: event.reason ?? event.status };
    }
  }

  /** Whether a step is still wanted, and whether something else can arrive in its place: asked before each attempt. */
  async permit(row: OutboxRow): Promise<StepPermit> {
    const step = stepFrom(row.plan);
    const loaded = step === undefined ? undefined : await this.#book.load(step.planId);
    if (step === undefined || loaded === undefined) return { isWanted: true, hasAlternative: false };
    const { plan, state } = loaded.record;
    const status = stateAt(state, step.leaf)?.status;
    return {
      isWanted: status === undefined || !isPlanEnded(status),
      hasAlternative: hasAlternative(plan, state, step.leaf),
    };
  }

  /** The plan a delivery is a step of. */
  planOf(deliveryId: string): string | undefined {
    return stepOfDelivery(deliveryId)?.planId;
  }

  /** What follows from a provider's word on a delivery. @returns `undefined` when no plan moves by it. */
  async followReceipt(event: DeliveryEvent): Promise<PlanMove | undefined> {
    const step = stepOfDelivery(event.deliveryId);
    const loaded = step === undefined ? undefined : await this.#book.load(step.planId);
    const planEvent = step === undefined ? undefined : wordOf(event, step.leaf);
    if (loaded === undefined || planEvent === undefined) return undefined;
    const move = await this.#book.advance(loaded, planEvent);
    return move.operations.length === 0 ? undefined : move;
  }

  /**
   * What follows from somebody's reply on a backend: it confirms the delivery it answers, and settles a question. It answers
   * what it names; a reply that names nothing answers the newest step that waits in its conversation.
   */
  async followReply(reply: PlanReply): Promise<ReplyContinuation> {
    const { step, operations } = await this.#awaited.answeredBy(reply);
    const loaded = step === undefined ? undefined : await this.#book.load(step.planId);
    if (step === undefined || loaded === undefined) return { operations };
    if (loaded.record.outcome === "delivered" || loaded.record.outcome === "cancelled") return { operations };
    const answered = { ...loaded, record: { ...loaded.record, answer: reply.answer } };
    const event: PlanEvent = loaded.record.isQuestion === true
      ? { type: "settle", arrived: true }
      : { type: "confirmed", leaf: step.leaf, by: "reply" };
    return { operations, move: await this.#book.advance(answered, event, step.leaf) };
  }

  /**
   * Settles a plan by a person's word: acknowledged, or called off.
   *
   * @param planId The plan.
   * @param arrived `true`: it counts as arrived. `false`: called off.
   * @param answer What was said.
   * @returns Whether the plan was under way.
   */
  settle(planId: string, arrived: boolean, answer?: PlanAnswer): Promise<boolean> {
    return this.#desk.settle(planId, arrived, answer);
  }

  /**
   * The plans that were given up: nothing was left to try, or nobody can say whether it arrived.
   *
   * @param options How many, and behind which. @default the oldest 100
   */
  deadPlans(options: DeadPlansPage = {}): Promise<readonly DeadPlan[]> {
    return this.#desk.deadPlans(options);
  }

  /** Every step of every attempt of a plan, oldest first: from the ledger, so for as long as that keeps them. */
  attemptsOf(planId: string): Promise<readonly DeliveryEvent[]> {
    return this.#desk.attemptsOf(planId);
  }

  /**
   * Tries a plan that was given up again, from its first step, under its id.
   *
   * @param planId The plan.
   * @returns Whether it was among those given up. `false` too while one of its deliveries is being sent.
   */
  redrive(planId: string): Promise<boolean> {
    return this.#desk.redrive(planId);
  }

  /**
   * A person's word on a step that ended as `unknown`, or on a plan that did: it arrived, it is to be tried again on the
   * same channel, or the next channel is to be used. What is still held in the outbox is for `Outbox.resolve`.
   *
   * @param deliveryId The delivery of the step; or the plan, for all of its steps that are in doubt.
   * @param word What the person says.
   * @returns Whether something was in doubt there.
   */
  resolve(deliveryId: string, word: ResolveWord): Promise<boolean> {
    return this.#desk.resolve(deliveryId, word);
  }

  /** Tells observers of what was committed. */
  tell(move: PlanContinuation): void {
    this.#book.tell(move.events);
  }

  #timeout(claimed: ClaimedMessage): Settlement {
    const step = stepFrom(claimed.content);
    if (step === undefined) {
      this.#options.logger.error("plan timer cannot be read", { messageId: claimed.id });
      const { channelKey } = this.#book.writer;
      return {
        kind: "ack",
        operations: burialOperations(`${channelKey}/timers`, claimed, {
          reason: "unreadable",
          at: this.#options.clock.now(),
        }),
      };
    }
    return {
      kind: "ack",
      operations: async () => {
        const loaded = await this.#book.load(step.planId);
        if (loaded === undefined || !isTimerOf(loaded.record, step)) return [];
        const move = await this.#book.advance(loaded, { type: "timeout", leaf: step.leaf });
        this.#moves.set(claimed, move);
        return move.operations;
      },
    };
  }

  #told(claimed: ClaimedMessage, committed: boolean): void {
    const move = this.#moves.get(claimed);
    if (move !== undefined && committed) this.tell(move);
  }
}

/** What a provider's word is to a plan. */
function wordOf({ status, code }: DeliveryEvent, leaf: string): PlanEvent | undefined {
  if (status === "failed") return { type: "failed", leaf, reason: code ?? "failed" };
  if (status === "accepted") return { type: "accepted", leaf };
  return status === "delivered" || status === "read" ? { type: "confirmed", leaf, by: status } : undefined;
}
