/**
 * How a backend's deliveries begin where it has none of its own: a fallback group's begin as a plan.
 *
 * @module
 */
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { StoreOperation } from "../store/message-store.ts";
import type { DispatchEntry } from "./dispatch-report.ts";

/** The beginning of a plan. */
export interface PlanExpansion {
  /** The entry of the report: the plan as a whole. */
  readonly entry: DispatchEntry;
  /** What begins it. */
  readonly operations: readonly StoreOperation[];
  /** What to tell observers of once that is committed. */
  readonly events: readonly DeliveryEvent[];
}

/** Makes the beginning of a plan for a message. */
export type PlanExpander = (message: OutgoingMessage) => Promise<PlanExpansion>;
