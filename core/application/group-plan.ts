/**
 * How a message to a fallback group begins.
 *
 * @module
 */
import type { FallbackCommunicator } from "../delivery/fallback-group.ts";
import type { PlanExpansion } from "../dispatcher/plan-expansion.ts";
import { deliveryIdOf } from "../message/delivery-id.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { PlanRunner } from "../outbox/plan-runner.ts";

/** Begins the plan of a message to a group, or finds that it was begun. */
export async function beginGroupPlan(
  plans: PlanRunner,
  group: FallbackCommunicator,
  message: OutgoingMessage,
): Promise<PlanExpansion> {
  const planId = await deliveryIdOf(message.id, group.name);
  const entry = { deliveryId: planId, backendName: group.name };
  if (await plans.find(planId) !== undefined) {
    return { entry: { ...entry, status: "duplicate" }, operations: [], events: [] };
  }
  const { others, othersText } = group;
  const traits = { others, ...(othersText === undefined ? {} : { othersText }) };
  const { operations, events } = await plans.begin(planId, group.name, group.planFor(message), message, traits);
  return { entry: { ...entry, status: "queued" }, operations, events };
}
