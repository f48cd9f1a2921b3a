/**
 * A fallback plan: a pure function from state and event to the next step. It reads no clock and touches no store, so every
 * case of it can be tried.
 *
 * @module
 */

/** What counts as arrived. `accepted`: the network took it. The others wait for more, and a reply counts for each of them. */
export type Confirmation = "accepted" | "delivered" | "read" | "reply";

/**
 * What those who were asked too hear once somebody has answered. `tell`: the question is changed where the network can, and
 * elsewhere a short message is sent. `edit`: it is changed where the network can. `leave`: nothing.
 */
export type OthersPolicy = "tell" | "edit" | "leave";

/** One delivery of a plan. */
export interface PlanLeaf {
  /** A delivery. */
  readonly kind: "leaf";
  /** By which backend. */
  readonly backendName: string;
  /** To whom; absent for the backend's own destination. */
  readonly recipient?: string;
  /** What counts as arrived. @default `"accepted"` */
  readonly confirm?: Confirmation;
  /** How long it may take until it counts as not arrived. Absent: for ever. */
  readonly withinMs?: number;
  /** Why this delivery is left out, known from the start. */
  readonly skip?: string;
}

/** Several plans made into one. Plans nest. */
export interface PlanGroup {
  /**
   * `ordered`: one after the other, until one arrives. `parallel`: all at once, the first that arrives settles it. `all`:
   * every one of them; arrived when at least one has and all have ended.
   */
  readonly kind: "ordered" | "parallel" | "all";
  /** The plans. */
  readonly children: readonly PlanNode[];
}

/** A plan, or a part of one. */
export type PlanNode = PlanLeaf | PlanGroup;

/**
 * How a part of a plan is: `idle` (not begun), `active` (under way), `sent` (accepted, waiting for its confirmation),
 * `late` (not confirmed in time; still may be), `unknown` (nobody can say whether it arrived), `done`, `failed`, `skipped`, `cancelled`.
 */
export type PlanStatus = "idle" | "active" | "sent" | "late" | "unknown" | "done" | "failed" | "skipped" | "cancelled";

/** The state of a part of a plan, shaped like the plan. */
export interface PlanState {
  /** How it is. */
  readonly status: PlanStatus;
  /** The states of a group's children. */
  readonly children?: readonly PlanState[];
  /** Why, where it did not go well. */
  readonly reason?: string;
}

/** What happened. `leaf` is the place of the delivery in the plan: `"0"`, `"1-0"`. */
export type PlanEvent =
  | {
    /** The network took it. */
    readonly type: "accepted";
    /** Which delivery. */
    readonly leaf: string;
  }
  | {
    /** It was given up. */
    readonly type: "failed";
    /** Which delivery. */
    readonly leaf: string;
    /** Why. */
    readonly reason: string;
  }
  | {
    /** Nobody can say whether the network took it, and it is tried no more. */
    readonly type: "unknown";
    /** Which delivery. */
    readonly leaf: string;
    /** Whether to go on to the next one although the recipient may get it twice. */
    readonly fallback: boolean;
  }
  | {
    /** The provider says how far it came, or somebody answered. */
    readonly type: "confirmed";
    /** Which delivery. */
    readonly leaf: string;
    /** How far. */
    readonly by: Confirmation;
  }
  | {
    /** Its time is over. */
    readonly type: "timeout";
    /** Which delivery. */
    readonly leaf: string;
  }
  | {
    /** Somebody says that it is settled, or called off. */
    readonly type: "settle";
    /** Whether it counts as arrived. */
    readonly arrived: boolean;
  };

/**
 * How a plan ended: `delivered`; `exhausted`: nothing is left to try (a late receipt may still turn it into `delivered`);
 * `unknown`: it may have arrived, so no other channel was tried; `cancelled`.
 */
export type PlanOutcome = "delivered" | "exhausted" | "unknown" | "cancelled";

/** What to do next. */
export type PlanAction =
  | {
    /** Queue the delivery. */
    readonly type: "send";
    /** Which. */
    readonly leaf: string;
    /** The delivery. */
    readonly node: PlanLeaf;
  }
  | {
    /** Come back with a `timeout`. */
    readonly type: "timer";
    /** For which delivery. */
    readonly leaf: string;
    /** When from now. */
    readonly withinMs: number;
  }
  | {
    /** Call the delivery off, if it has not been sent. */
    readonly type: "cancel";
    /** Which. */
    readonly leaf: string;
  }
  | {
    /** The plan has ended. */
    readonly type: "settled";
    /** How. */
    readonly outcome: PlanOutcome;
  };

/** A state, and what to do about it. */
export interface PlanStep {
  /** The state of the whole plan. */
  readonly state: PlanState;
  /** What to do, in order. */
  readonly actions: readonly PlanAction[];
}

const FURTHER: readonly Confirmation[] = ["accepted", "delivered", "read", "reply"];
const ENDED: ReadonlySet<PlanStatus> = new Set(["done", "failed", "skipped", "cancelled"]);
/** For the order of an ordered group a late delivery has failed, although a receipt may still come. */
const PASSED: ReadonlySet<PlanStatus> = new Set(["failed", "skipped", "cancelled", "late"]);

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
  if (ENDED.has(state.status)) return { state, actions: [] };
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

/** Every delivery of a plan with its place. */
export function leavesOf(
  plan: PlanNode,
  place: string = "",
): readonly { readonly leaf: string; readonly node: PlanLeaf }[] {
  if (plan.kind === "leaf") return [{ leaf: place, node: plan }];
  return plan.children.flatMap((child, index) => leavesOf(child, placeOf(place, index)));
}

/** The state of the delivery at a place. */
export function stateAt(state: PlanState, leaf: string): PlanState | undefined {
  if (leaf === "") return state;
  return leaf.split("-").reduce<PlanState | undefined>((part, index) => part?.children?.[Number(index)], state);
}

function placeOf(place: string, index: number): string {
  return place === "" ? `${index}` : `${place}-${index}`;
}

function settlement(state: PlanState, before: PlanState | undefined): readonly PlanAction[] {
  const outcome = outcomeOf(state.status);
  return outcome === undefined || (before !== undefined && outcomeOf(before.status) === outcome)
    ? []
    : [{ type: "settled", outcome }];
}

function outcomeOf(status: PlanStatus): PlanOutcome | undefined {
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
    actions.push({ type: "send", leaf: place, node });
    return { status: "active" };
  }
  const idle = node.children.map((): PlanState => ({ status: "idle" }));
  if (node.kind === "ordered") return goOn(node, { status: "active", children: idle }, place, actions);
  const children = node.children.map((child, index) => begin(child, placeOf(place, index), actions));
  return close(node, { status: summary(node, children), children }, place, actions);
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
  if (node.kind === "ordered" && !ENDED.has(next.status) && PASSED.has(after.status)) {
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
      if (status !== "active") return state;
      if (wanted === "accepted") return { status: "done" };
      if (node.withinMs !== undefined) actions.push({ type: "timer", leaf: place, withinMs: node.withinMs });
      return { status: "sent" };
    case "failed":
      return ENDED.has(status) ? state : { status: "failed", reason: event.reason };
    case "unknown":
      if (ENDED.has(status)) return state;
      return event.fallback ? { status: "failed", reason: "unknown" } : { status: "unknown", reason: "no answer came" };
    case "confirmed": {
      const isEnough = FURTHER.indexOf(event.by) >= FURTHER.indexOf(wanted);
      return isEnough && !ENDED.has(status) && status !== "idle" ? { status: "done" } : state;
    }
    case "timeout":
      return status === "sent" ? { status: "late", reason: "not confirmed in time" } : state;
  }
}

function summary(node: PlanGroup, children: readonly PlanState[]): PlanStatus {
  const statuses = children.map((child) => child.status);
  // An ordered group does not begin what stands behind an unknown: that would be another channel.
  const isStopped = node.kind === "ordered" && statuses.includes("unknown");
  const isOpen = statuses.some((status) =>
    status === "active" || status === "sent" || (status === "idle" && !isStopped)
  );
  const isDone = statuses.includes("done");
  if (node.kind === "all") return isOpen ? "active" : isDone ? "done" : passedAs(statuses);
  return isDone ? "done" : isOpen ? "active" : passedAs(statuses);
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
    if (state.status === "active") actions.push({ type: "cancel", leaf: place });
    return state.status === "active" || state.status === "idle" ? { ...state, status: "cancelled" } : state;
  }
  const children = node.children.map((child, index) =>
    callOff(child, state.children?.[index] ?? { status: "idle" }, placeOf(place, index), actions)
  );
  return ENDED.has(state.status) ? { ...state, children } : { ...state, status: "cancelled", children };
}
