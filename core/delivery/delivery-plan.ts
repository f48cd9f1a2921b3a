/**
 * A fallback plan: a pure function from state and event to the next step. It reads no clock and touches no store, so every
 * case of it can be tried.
 *
 * @module
 */
import {
  type Confirmation,
  isPlanEnded,
  placeOf,
  type PlanAction,
  type PlanEvent,
  type PlanGroup,
  type PlanLeaf,
  type PlanNode,
  type PlanOutcome,
  type PlanState,
  type PlanStatus,
  type PlanStep,
} from "./plan-shape.ts";

export {
  type Confirmation,
  hasAlternative,
  isPlanEnded,
  leavesOf,
  type OthersPolicy,
  type PlanAction,
  type PlanEvent,
  type PlanGroup,
  type PlanLeaf,
  type PlanNode,
  type PlanOutcome,
  type PlanState,
  type PlanStatus,
  type PlanStep,
  stateAt,
} from "./plan-shape.ts";

const FURTHER: readonly Confirmation[] = ["accepted", "delivered", "read", "reply"];
/** For the order of an ordered group a late delivery has failed, although a receipt, or the network's yes, may still come. */
const PASSED: ReadonlySet<PlanStatus> = new Set(["failed", "skipped", "cancelled", "late", "overdue"]);
/** What is called off when something else has arrived. */
const UNSENT: ReadonlySet<PlanStatus> = new Set(["idle", "active", "overdue"]);

/**
 * Begins a plan.
 *
 * @param plan The plan.
 */
export function beginPlan(plan: PlanNode): PlanStep {
  const actions: PlanAction[] = [];
  const state = begin(plan, "", actions);
  return { state, actions: [...actions, ...settlement(state, undefined)] };
}

/**
 * Goes on after something happened. What changes nothing (a receipt for a plan that has ended, a repeated event) gives the
 * same state and no actions.
 *
 * @param plan The plan.
 * @param state Its state.
 * @param event What happened.
 */
export function advancePlan(plan: PlanNode, state: PlanState, event: PlanEvent): PlanStep {
  if (isPlanEnded(state.status)) return { state, actions: [] };
  const actions: PlanAction[] = [];
  if (event.type === "settle") {
    const next = callOff(plan, state, "", actions);
    const status: PlanStatus = event.arrived ? "done" : "cancelled";
    return {
      state: { ...next, status },
      actions: [...actions, { type: "settled", outcome: event.arrived ? "delivered" : "cancelled" }],
    };
  }
  const path = event.leaf === "" ? [] : event.leaf.split("-").map(Number);
  const next = apply(plan, state, path, "", event, actions);
  return { state: next, actions: [...actions, ...settlement(next, state)] };
}

function settlement(state: PlanState, before: PlanState | undefined): readonly PlanAction[] {
  const outcome = outcomeOf(state.status);
  return outcome === undefined || (before !== undefined && outcomeOf(before.status) === outcome)
    ? []
    : [{ type: "settled", outcome }];
}

/** How a plan ended, by the status of the whole; `undefined` while it is under way. */
export function outcomeOf(status: PlanStatus): PlanOutcome | undefined {
  switch (status) {
    case "done":
      return "delivered";
    case "failed":
    case "skipped":
    case "late":
      return "exhausted";
    case "unknown":
    case "cancelled":
      return status;
    default:
      return undefined;
  }
}

function begin(node: PlanNode, place: string, actions: PlanAction[]): PlanState {
  if (node.kind === "leaf") {
    if (node.skip !== undefined) return { status: "skipped", reason: node.skip };
    return send(node, place, actions);
  }
  const idle = node.children.map((): PlanState => ({ status: "idle" }));
  if (node.kind === "ordered") return goOn(node, { status: "active", children: idle }, place, actions);
  const children = node.children.map((child, index) => begin(child, placeOf(place, index), actions));
  return close(node, { status: summary(node, children), children }, place, actions);
}

function send(node: PlanLeaf, place: string, actions: PlanAction[]): PlanState {
  actions.push({ type: "send", leaf: place, node });
  if (node.withinMs !== undefined) actions.push({ type: "timer", leaf: place, withinMs: node.withinMs });
  return { status: "active" };
}

/** Begins the next child of an ordered group whose earlier ones have passed. */
function goOn(node: PlanGroup, state: PlanState, place: string, actions: PlanAction[]): PlanState {
  const children = [...state.children ?? []];
  for (const [index, child] of node.children.entries()) {
    const status = children[index]?.status ?? "idle";
    if (status === "idle") children[index] = begin(child, placeOf(place, index), actions);
    if (!PASSED.has(children[index]?.status ?? "idle")) break;
  }
  return close(node, { ...state, status: summary(node, children), children }, place, actions);
}

function apply(
  node: PlanNode,
  state: PlanState,
  path: readonly number[],
  place: string,
  event: Exclude<PlanEvent, { readonly type: "settle" }>,
  actions: PlanAction[],
): PlanState {
  if (node.kind === "leaf") return applyToLeaf(node, state, place, event, actions);
  const [index = -1, ...rest] = path;
  const child = node.children[index];
  const before = state.children?.[index];
  if (child === undefined || before === undefined) return state;
  const after = apply(child, before, rest, placeOf(place, index), event, actions);
  if (after === before) return state;
  const children = (state.children ?? []).map((each, at) => at === index ? after : each);
  const next: PlanState = { ...state, status: summary(node, children), children };
  if (node.kind === "ordered" && !isPlanEnded(next.status) && PASSED.has(after.status)) {
    return goOn(node, next, place, actions);
  }
  return close(node, next, place, actions);
}

function applyToLeaf(
  node: PlanLeaf,
  state: PlanState,
  place: string,
  event: Exclude<PlanEvent, { readonly type: "settle" }>,
  actions: PlanAction[],
): PlanState {
  const { status } = state;
  const wanted = node.confirm ?? "accepted";
  switch (event.type) {
    case "accepted":
      if (isPlanEnded(status) || status === "idle") return state;
      if (wanted === "accepted") return { status: "done" };
      if (status === "sent" || status === "late") return state;
      return status === "overdue" ? LATE : { status: "sent" };
    case "failed":
      return isPlanEnded(status) ? state : { status: "failed", reason: event.reason };
    case "skipped":
      return isUnderWay(status) ? { status: "skipped", reason: event.reason } : state;
    case "cancelled":
      return isUnderWay(status) ? { status: "cancelled", reason: "called off" } : state;
    case "retry":
      return status === "unknown" ? send(node, place, actions) : state;
    case "unknown":
      if (isPlanEnded(status)) return state;
      if (event.fallback) return { status: "failed", reason: "unknown" };
      if (status === "overdue" || status === "late") return LATE;
      // Its time decides, as for what was accepted and is not confirmed.
      return node.withinMs === undefined ? UNKNOWN : { status: "sent", reason: "no answer came" };
    case "confirmed": {
      const isEnough = FURTHER.indexOf(event.by) >= FURTHER.indexOf(wanted);
      return isEnough && !isPlanEnded(status) && status !== "idle" ? { status: "done" } : state;
    }
    case "timeout":
      if (status === "active") return { status: "overdue", reason: "not accepted in time" };
      return status === "sent" ? LATE : state;
  }
}

const LATE: PlanState = { status: "late", reason: "not confirmed in time" };
const UNKNOWN: PlanState = { status: "unknown", reason: "no answer came" };

function isUnderWay(status: PlanStatus): boolean {
  return status === "active" || status === "overdue";
}

function summary(node: PlanGroup, children: readonly PlanState[]): PlanStatus {
  const statuses = children.map((child) => child.status);
  // An ordered group does not begin what stands behind an unknown: that would be another channel.
  const isStopped = node.kind === "ordered" && statuses.includes("unknown");
  const isOpen = statuses.some((status) =>
    status === "active" || status === "sent" || (status === "idle" && !isStopped)
  );
  const isDone = statuses.includes("done");
  const isOverdue = statuses.includes("overdue");
  if (isDone && (node.kind !== "all" || !(isOpen || isOverdue))) return "done";
  if (isOpen || (isOverdue && isDone)) return "active";
  if (!isOverdue) return passedAs(statuses);
  return statuses.includes("unknown") ? "active" : "overdue"; // what is unknown lets nothing pass
}

/** Nothing is left to try. While a receipt may still come for one, the whole is not over. */
function passedAs(statuses: readonly PlanStatus[]): PlanStatus {
  if (statuses.includes("unknown")) return "unknown";
  if (statuses.includes("late")) return "late";
  return statuses.every((status) => status === "skipped") ? "skipped" : "failed";
}

/** When a group has arrived, what is still under way in it is called off. */
function close(node: PlanGroup, state: PlanState, place: string, actions: PlanAction[]): PlanState {
  if (state.status !== "done") return state;
  return { ...callOff(node, state, place, actions), status: "done" };
}

function callOff(node: PlanNode, state: PlanState, place: string, actions: PlanAction[]): PlanState {
  if (node.kind === "leaf") {
    if (isUnderWay(state.status)) actions.push({ type: "cancel", leaf: place });
    return UNSENT.has(state.status) ? { ...state, status: "cancelled" } : state;
  }
  const children = node.children.map((child, index) =>
    callOff(child, state.children?.[index] ?? { status: "idle" }, placeOf(place, index), actions)
  );
  return isPlanEnded(state.status) ? { ...state, children } : { ...state, status: "cancelled", children };
}
