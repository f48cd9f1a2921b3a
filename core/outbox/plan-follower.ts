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
  /** `accepted`, or given up as `failed`, or `unknown` under the policy `fallback`. */
  readonly outcome: "accepted" | "failed" | "unknown";
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
