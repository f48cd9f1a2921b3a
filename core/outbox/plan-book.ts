/**
 * The plans in a store: read, moved on, written.
 *
 * @module
 */
import { advancePlan, beginPlan, type PlanAction, type PlanEvent } from "../delivery/delivery-plan.ts";
import { ConflictError } from "../errors.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import { planKey, type PlanRecord, recordFrom } from "./plan-record.ts";
import { type PlanMove, PlanWriter, type PlanWriterOptions } from "./plan-writer.ts";

/** A plan as it was read, with the version to write over. */
export interface LoadedPlan {
  /** The record. */
  readonly record: PlanRecord;
  /** Its version; 0 for one that is not there yet. */
  readonly version: number;
}

/** How often a plan is read again that somebody else moved on meanwhile. */
const MAX_CONFLICTS = 20;

/** Reads plans, and writes what becomes of them: over the version that was read, or not at all. */
export class PlanBook {
  /** Makes operations of what a plan wants done. */
  readonly writer: PlanWriter;
  readonly #options: PlanWriterOptions;

  /** @param options Outbox and time. */
  constructor(options: PlanWriterOptions) {
    this.#options = options;
    this.writer = new PlanWriter(options);
  }

  /** The plan of an id, with its version. */
  async load(planId: string): Promise<LoadedPlan | undefined> {
    const entry = await this.#options.outbox.store.getState(planKey(planId, this.#options.namespace));
    const record = entry === undefined ? undefined : recordFrom(entry.value);
    return entry === undefined || record === undefined ? undefined : { record, version: entry.version };
  }

  /**
   * What follows from an event. Nothing is committed; what changes nothing has no operations.
   *
   * @param loaded The plan.
   * @param event What happened.
   * @param answeredLeaf The delivery that somebody has answered, if so.
   */
  advance(loaded: LoadedPlan, event: PlanEvent, answeredLeaf?: string): Promise<PlanMove> {
    return this.advanceBy(loaded, [event], answeredLeaf);
  }

  /** As {@link PlanBook.advance}, for several events at once, in their order. */
  async advanceBy(
    { record, version }: LoadedPlan,
    planEvents: readonly PlanEvent[],
    answeredLeaf?: string,
  ): Promise<PlanMove> {
    let { state } = record;
    const actions: PlanAction[] = [];
    for (const event of planEvents) {
      const step = advancePlan(record.plan, state, event);
      state = step.state;
      actions.push(...step.actions);
    }
    if (state === record.state && actions.length === 0) return { record, operations: [], events: [] };
    const before = { state: record.state, ...(answeredLeaf === undefined ? {} : { answeredLeaf }) };
    return await this.writer.perform({ ...record, state }, actions, version, before);
  }

  /**
   * The plan from its beginning. Nothing is committed.
   *
   * @param record The plan, in whatever state.
   * @param version The version to write over; 0 where there is none.
   * @param first The entry of the ledger that says so.
   */
  async begin(record: PlanRecord, version: number, first: DeliveryEvent): Promise<PlanMove> {
    const { state, actions } = beginPlan(record.plan);
    const move = await this.writer.perform({ ...record, state }, actions, version);
    // What is queued first stands first in the ledger, though the plan may end at once.
    const entry = this.#options.outbox.ledger.operation(first);
    return { record: move.record, operations: [entry, ...move.operations], events: [first, ...move.events] };
  }

  /**
   * Moves a plan on and commits that, as often as somebody else changes it meanwhile.
   *
   * @param planId The plan.
   * @param move What becomes of it; `undefined`, or no operations: nothing.
   * @param load Reads it. @default as it stands in the store
   * @returns Whether something was committed. `false`: there was nothing to do, or no such plan.
   * @throws {ConflictError} If it changes faster than it can be written.
   */
  async change(
    planId: string,
    move: (loaded: LoadedPlan) => Promise<PlanMove | undefined>,
    load: (planId: string) => Promise<LoadedPlan | undefined> = (id) => this.load(id),
  ): Promise<boolean> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const loaded = await load(planId);
      const next = loaded === undefined ? undefined : await move(loaded);
      if (next === undefined || next.operations.length === 0) return false;
      const { committed, results } = await this.#options.outbox.store.commit(next.operations);
      if (committed) {
        this.tell(next.events);
        return true;
      }
      // A step that is being sent at this moment cannot be queued again.
      if (results.some(({ status }) => status === "claimed" || status === "missing")) return false;
    }
    throw new ConflictError(`Cannot move plan "${planId}" on: it changes faster than it can be written`);
  }

  /** Tells observers of what was committed. */
  tell(events: readonly DeliveryEvent[]): void {
    for (const event of events) this.#options.outbox.notify(event);
  }
}
