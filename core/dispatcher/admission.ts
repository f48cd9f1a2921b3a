/**
 * Which backends have room for a message in their queues.
 *
 * @module
 */
import type { Outbox, PreparedDelivery } from "../outbox/outbox.ts";
import type { Undelivered } from "./dispatch-report.ts";
import type { PlanExpansion } from "./plan-expansion.ts";

/** What may be queued of a message. */
export interface Admission {
  /** The deliveries there is room for. */
  readonly deliveries: readonly PreparedDelivery[];
  /** The plans there is room for. */
  readonly plans: readonly PlanExpansion[];
  /** The backends there is no room for, and why. */
  readonly full: readonly Undelivered[];
  /** Call it when the commit has ended, with whether it happened. */
  readonly end: (committed: boolean) => void;
}

/**
 * Takes places for a message in the queues it goes to. A backend gets all its deliveries of the message or none: one that
 * is full keeps the message from nobody else.
 *
 * @param outbox Where the queues are.
 * @param deliveries The deliveries the message comes to.
 * @param plans The plans it begins.
 */
export async function admit(
  outbox: Outbox,
  deliveries: readonly PreparedDelivery[],
  plans: readonly PlanExpansion[],
): Promise<Admission> {
  const full: Undelivered[] = [];
  const ends: ((committed: boolean) => void)[] = [];
  const hasRoom = async (backendName: string, operations: PreparedDelivery["operations"]): Promise<boolean> => {
    const places = await outbox.takePlaces(operations);
    if ("full" in places) full.push({ reason: "queue-full", backendName, detail: places.full });
    else ends.push(places.end);
    return "end" in places;
  };
  const end = (committed: boolean): void => ends.forEach((each) => each(committed));
  const admitted: PreparedDelivery[] = [];
  const begun: PlanExpansion[] = [];
  try {
    for (const [backendName, own] of Map.groupBy(deliveries, ({ row }) => row.backendName)) {
      if (await hasRoom(backendName, own.flatMap(({ operations }) => operations))) admitted.push(...own);
    }
    for (const plan of plans) {
      if (await hasRoom(plan.entry.backendName, plan.operations)) begun.push(plan);
    }
  } catch (error) {
    end(false); // what cannot be counted keeps no place anywhere else
    throw error;
  }
  return { deliveries: admitted, plans: begun, full, end };
}
