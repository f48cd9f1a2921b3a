/**
 * What a fallback plan is made of, and questions to it.
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
  /**
   * How long it may take, from when it is queued, until it counts as not arrived: the next one is used as well. Whatever
   * became of it meanwhile: refused for now, accepted and not confirmed, `unknown`. Absent: for ever.
   */
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
 * How a part of a plan is: `idle` (not begun), `active` (under way), `overdue` (under way, and its time is over: the next
 * one is used as well), `sent` (with the network, waiting for its confirmation), `late` (not confirmed in time; still may
 * be), `unknown` (nobody can say whether it arrived), `done`, `failed`, `skipped`, `cancelled`.
 */
export type PlanStatus =
  | "idle"
  | "active"
  | "overdue"
  | "sent"
  | "late"
  | "unknown"
  | "done"
  | "failed"
  | "skipped"
  | "cancelled";

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
    /** It was left out, and nothing was sent. */
    readonly type: "skipped";
    /** Which delivery. */
    readonly leaf: string;
    /** Why. */
    readonly reason: string;
  }
  | {
    /** A person called it off, and it alone: what is next in its group is used. */
    readonly type: "cancelled";
    /** Which delivery. */
    readonly leaf: string;
  }
  | {
    /** A person wants a delivery that ended as `unknown` tried again. */
    readonly type: "retry";
    /** Which delivery. */
    readonly leaf: string;
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

const ENDED: ReadonlySet<PlanStatus> = new Set(["done", "failed", "skipped", "cancelled"]);

/** Every delivery of a plan with its place. */
export function leavesOf(
  plan: PlanNode,
  place: string = "",
): readonly { readonly leaf: string; readonly node: PlanLeaf }[] {
  if (plan.kind === "leaf") return [{ leaf: place, node: plan }];
  return plan.children.flatMap((child, index) => leavesOf(child, placeOf(place, index)));
}

/**
 * Whether something else in the plan may still arrive in the place of a delivery: what stands behind it in an ordered group,
 * what is under way beside it in a parallel one.
 *
 * @param plan The plan.
 * @param state Its state.
 * @param leaf The delivery.
 */
export function hasAlternative(plan: PlanNode, state: PlanState, leaf: string): boolean {
  let node = plan;
  let part: PlanState | undefined = state;
  for (const place of leaf === "" ? [] : leaf.split("-").map(Number)) {
    if (node.kind === "leaf") return false;
    const { kind } = node;
    const isThereAnother = node.children.some((child, index) => {
      const status = part?.children?.[index]?.status ?? "idle";
      if (kind === "ordered") {
        return index > place && status === "idle" && leavesOf(child).some((each) => each.node.skip === undefined);
      }
      return kind === "parallel" && index !== place && (status === "active" || status === "sent");
    });
    if (isThereAnother) return true;
    const next: PlanNode | undefined = node.children[place];
    if (next === undefined) return false;
    node = next;
    part = part?.children?.[place];
  }
  return false;
}

/** Whether nothing more is done about a part of a plan: it arrived, failed, was left out or called off. */
export function isPlanEnded(status: PlanStatus): boolean {
  return ENDED.has(status);
}

/** The state of the delivery at a place. */
export function stateAt(state: PlanState, leaf: string): PlanState | undefined {
  if (leaf === "") return state;
  return leaf.split("-").reduce<PlanState | undefined>((part, index) => part?.children?.[Number(index)], state);
}

/** The place of a child. */
export function placeOf(place: string, index: number): string {
  return place === "" ? `${index}` : `${place}-${index}`;
}
