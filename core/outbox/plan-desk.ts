/**
 * What persons do with plans: settle them, look at those that were given up, set them going again.
 *
 * @module
 */
import { type DeadLetterInfo, deadLetterKey, readDeadLetter } from "../channels/dead-letter.ts";
import { leavesOf, type PlanEvent, type PlanOutcome, type PlanStatus, stateAt } from "../delivery/delivery-plan.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { Outbox } from "./outbox.ts";
import type { ResolveWord } from "./outbox-desk.ts";
import type { OutboxRow } from "./outbox-row.ts";
import type { LoadedPlan, PlanBook } from "./plan-book.ts";
import type { PlanContinuation, PlanListener, StepWord } from "./plan-follower.ts";
import { type PlanAnswer, type PlanRecord, recordFrom, stepFrom, stepOfDelivery } from "./plan-record.ts";

/** A plan that was given up. */
export interface DeadPlan {
  /** The plan, as it stood then. */
  readonly record: PlanRecord;
  /** `exhausted`: nothing was left to try. `unknown`: nobody can say whether it arrived. */
  readonly outcome: PlanOutcome;
  /** Why and when. */
  readonly dead: DeadLetterInfo;
  /** Its place among those given up: the `after` of the next page. */
  readonly seq: number;
}

/** Which of the plans that were given up. */
export interface DeadPlansPage {
  /** How many at most. @default `100` */
  readonly limit?: number;
  /** Only those behind this place. */
  readonly after?: number;
}

/** What a desk is made from. */
export interface PlanDeskOptions {
  /** Where deliveries are queued. */
  readonly outbox: Outbox;
  /** The plans. */
  readonly book: PlanBook;
}

const NOTHING: PlanContinuation = { operations: [], events: [] };

/** What persons do with plans. Everything is one commit, and done twice it is done once. */
export class PlanDesk implements PlanListener {
  readonly #options: PlanDeskOptions;

  /** @param options Outbox and plans. */
  constructor(options: PlanDeskOptions) {
    this.#options = options;
  }

  get #deadKey(): string {
    return deadLetterKey(this.#options.book.writer.channelKey);
  }

  /** See `PlanRunner.settle`. */
  settle(planId: string, arrived: boolean, answer?: PlanAnswer): Promise<boolean> {
    const { book } = this.#options;
    return book.change(planId, (loaded) => {
      const record = answer === undefined ? loaded.record : { ...loaded.record, answer };
      return book.advance({ ...loaded, record }, { type: "settle", arrived });
    });
  }

  /** See `PlanRunner.deadPlans`. */
  async deadPlans({ limit = 100, after }: DeadPlansPage): Promise<readonly DeadPlan[]> {
    const { messages } = await this.#options.outbox.store.query({
      channel: this.#deadKey,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    return messages.flatMap((message) => {
      const { content, dead, seq } = readDeadLetter(message);
      const record = recordFrom(content);
      return record === undefined ? [] : [{ record, outcome: record.outcome ?? "exhausted", dead, seq }];
    });
  }

  /** See `PlanRunner.attemptsOf`. */
  async attemptsOf(planId: string): Promise<readonly DeliveryEvent[]> {
    const record = (await this.#find(planId))?.record;
    if (record === undefined) return [];
    const events = await this.#options.outbox.ledger.eventsOf(record.message.id);
    return events.filter(({ deliveryId }) => deliveryId === planId || stepOfDelivery(deliveryId)?.planId === planId);
  }

  /** See `PlanRunner.redrive`. */
  async redrive(planId: string): Promise<boolean> {
    const { book, outbox } = this.#options;
    return await book.change(planId, async (loaded) => {
      if (await outbox.store.get(this.#deadKey, planId) === undefined) return undefined;
      const { outcome: _outcome, retriedIn: _retriedIn, ...rest } = again(loaded.record);
      const record: PlanRecord = { ...rest, redrivenIn: rest.life };
      const move = await book.begin(record, loaded.version, book.writer.event(record, "redriven", {}));
      // Unless somebody else has set it going meanwhile.
      const taken = { type: "remove", channel: this.#deadKey, id: planId, mustExist: true } as const;
      return { ...move, operations: [taken, ...move.operations] };
    }, (id) => this.#find(id));
  }

  /** The plan in the store, or, when that has forgotten it, as it was given up. */
  async #find(planId: string): Promise<LoadedPlan | undefined> {
    const loaded = await this.#options.book.load(planId);
    if (loaded !== undefined) return loaded;
    const letter = await this.#options.outbox.store.get(this.#deadKey, planId);
    const record = letter === undefined ? undefined : recordFrom(letter.content);
    return record === undefined ? undefined : { record, version: 0 };
  }

  /** See `PlanRunner.resolve`. */
  async resolve(deliveryId: string, word: ResolveWord): Promise<boolean> {
    const step = stepOfDelivery(deliveryId);
    const planId = step?.planId ?? deliveryId;
    return await this.#options.book.change(planId, async (loaded) => {
      const { record } = loaded;
      const doubtful = leavesOf(record.plan).map(({ leaf }) => leaf).filter((leaf) =>
        stateAt(record.state, leaf)?.status === "unknown" && (step === undefined || step.leaf === leaf)
      );
      if (doubtful.length === 0) return undefined;
      const { book } = this.#options;
      if (word !== "retry") return await book.advanceBy(loaded, doubtful.map(RESOLUTIONS[word]));
      const next = again(record);
      const retriedIn = { ...next.retriedIn, ...Object.fromEntries(doubtful.map((leaf) => [leaf, next.life])) };
      return await book.advanceBy(
        { ...loaded, record: { ...next, retriedIn } },
        doubtful.map((leaf) => ({ type: "retry", leaf })),
      );
    }, (id) => this.#find(id));
  }

  /** How a plan, or a step of one, stands: for whoever finds no entry of it in the ledger. */
  async endOf(deliveryId: string): Promise<DeliveryEvent | "under-way" | undefined> {
    const { book } = this.#options;
    const step = stepOfDelivery(deliveryId);
    const record = (await this.#find(deliveryId) ?? (step && await this.#find(step.planId)))?.record;
    if (record === undefined) return undefined;
    if (record.planId === deliveryId) {
      return record.outcome === undefined ? "under-way" : book.writer.endEvent(record, record.outcome);
    }
    const state = stateAt(record.state, step?.leaf ?? "");
    const node = leavesOf(record.plan).find(({ leaf }) => leaf === step?.leaf)?.node;
    const status = state && STEP_ENDS[state.status];
    if (node === undefined || status === undefined) return undefined;
    const { backendName, recipient } = node;
    return {
      ...book.writer.event(record, status, state?.reason === undefined ? {} : { reason: state.reason }),
      deliveryId,
      backendName,
      ...(recipient === undefined ? {} : { recipient }),
    };
  }

  /** What follows for its plan when a person speaks of a step that is in the outbox. */
  async followWord(row: OutboxRow, word: StepWord): Promise<PlanContinuation> {
    const { book } = this.#options;
    const step = stepFrom(row.plan);
    const loaded = step === undefined ? undefined : await book.load(step.planId);
    if (step === undefined || loaded === undefined) return NOTHING;
    return await book.advance(loaded, WORDS[word](step.leaf));
  }
}

/** The plan in its next life. */
function again(record: PlanRecord): PlanRecord & { readonly life: number } {
  const { answer: _answer, ...rest } = record;
  return { ...rest, life: (record.life ?? 1) + 1 };
}

/** What the ledger would say of a step. */
const STEP_ENDS: Readonly<Partial<Record<PlanStatus, DeliveryStatus>>> = {
  sent: "accepted",
  late: "accepted",
  done: "accepted",
  failed: "dead",
  unknown: "dead",
  skipped: "skipped",
  cancelled: "cancelled",
};

const RESOLUTIONS: Readonly<Record<Exclude<ResolveWord, "retry">, (leaf: string) => PlanEvent>> = {
  delivered: (leaf) => ({ type: "confirmed", leaf, by: "reply" }),
  next: (leaf) => ({ type: "failed", leaf, reason: "a person says that it did not arrive" }),
};

const WORDS: Readonly<Record<StepWord, (leaf: string) => PlanEvent>> = {
  delivered: RESOLUTIONS.delivered,
  failed: RESOLUTIONS.next,
  cancelled: (leaf) => ({ type: "cancelled", leaf }),
  "cancelled-all": () => ({ type: "settle", arrived: false }),
};
