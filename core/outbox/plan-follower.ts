/**
 * What a sender worker and whoever follows plans say to each other.
 *
 * @module
 */
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { StoreOperation } from "../store/message-store.ts";
import type { OutboxRow } from "./outbox-row.ts";

/** How a delivery that is a step of a plan ended. */
export interface StepOutcome {
  /** The delivery. */
  readonly row: OutboxRow;
  /** `accepted`; given up as `failed` or `unknown`; `skipped`: nothing was tried. */
  readonly outcome: "accepted" | "failed" | "unknown" | "skipped";
  /** The entry that records it. */
  readonly event: DeliveryEvent;
}

/** What follows from a step: committed together with its outcome. */
export interface PlanContinuation {
  /** What to commit. */
  readonly operations: readonly StoreOperation[];
  /** Entries among the operations, to tell observers of. */
  readonly events: readonly DeliveryEvent[];
}

/** Follows plans: called with each step that ended. Called again when state it had read changed before the commit. */
export type PlanFollower = (outcome: StepOutcome) => Promise<PlanContinuation>;

/** What a sender asks about a step before each attempt. */
export interface StepPermit {
  /** `false`: the plan has arrived, or was called off. */
  readonly isWanted: boolean;
  /** Something else in the plan can arrive in its place: a channel that rests, or cannot be used, is left out. */
  readonly hasAlternative: boolean;
}

/** A person's word on a step: it arrived, it failed, it was called off alone, or with the whole plan. */
export type StepWord = "delivered" | "failed" | "cancelled" | "cancelled-all";

/** What an outbox asks whoever follows plans. */
export interface PlanListener {
  /**
   * Follows a person's word on a step that is in the outbox. Called again when state it had read changed before the commit.
   *
   * @param row The step.
   * @param word What the person says.
   */
  followWord(row: OutboxRow, word: StepWord): Promise<PlanContinuation>;
  /**
   * How a plan, or a step of one, stands.
   *
   * @param deliveryId The plan's id, or the step's.
   */
  endOf(deliveryId: string): Promise<DeliveryEvent | "under-way" | undefined>;
}
