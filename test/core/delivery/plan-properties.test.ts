import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import {
  advancePlan,
  beginPlan,
  type Confirmation,
  isPlanEnded,
  leavesOf,
  outcomeOf,
  type PlanEvent,
  type PlanNode,
  type PlanState,
  type PlanStatus,
  stateAt,
} from "../../../core/mod.ts";

const CONFIRMATIONS: readonly Confirmation[] = ["accepted", "delivered", "read", "reply"];
const RUNS = 2_000;

/** What comes of a delivery, in order. A timer fires at any time after it was set. */
type Fate = "accepted" | "failed" | "unknown" | "unknown-falls-back" | "left-out";

interface Network {
  readonly fate: Fate;
  /** What the provider says after it accepted. */
  readonly later?: "delivered" | "read" | "failed";
}

function leafNode(hasTerms: boolean): fc.Arbitrary<PlanNode> {
  return fc.record({
    skip: fc.boolean().map((yes) => yes && !hasTerms),
    confirm: hasTerms ? fc.constantFrom(...CONFIRMATIONS) : fc.constant<Confirmation>("accepted"),
    isTimed: hasTerms ? fc.boolean() : fc.constant(false),
  }).map(({ skip, confirm, isTimed }): PlanNode => ({
    kind: "leaf",
    backendName: "b",
    confirm,
    ...(isTimed ? { withinMs: 60_000 } : {}),
    ...(skip ? { skip: "no address" } : {}),
  }));
}

function planOf(kinds: readonly ("ordered" | "parallel" | "all")[], hasTerms: boolean): fc.Arbitrary<PlanNode> {
  const { node } = fc.letrec<{ node: PlanNode; leaf: PlanNode; group: PlanNode }>((tie) => ({
    node: fc.oneof({ maxDepth: 3, depthSize: "small" }, tie("leaf"), tie("group")),
    leaf: leafNode(hasTerms),
    group: fc.record({
      kind: fc.constantFrom(...kinds),
      children: fc.array(tie("node"), { minLength: 1, maxLength: 4 }),
    }),
  }));
  return node;
}

const network: fc.Arbitrary<Network> = fc.record({
  fate: fc.constantFrom<Fate>("accepted", "failed", "unknown", "unknown-falls-back", "left-out"),
  later: fc.constantFrom("delivered", "read", "failed", undefined),
}).map(({ fate, later }) =>
  later === undefined || fate === "failed" || fate === "left-out" ? { fate } : { fate, later }
);

interface Run {
  readonly state: PlanState;
  readonly sent: readonly string[];
  readonly accepted: readonly string[];
  readonly settled: readonly string[];
  /** The statuses at the time of each send. */
  readonly atSend: readonly { readonly leaf: string; readonly state: PlanState }[];
}

/**
 * Follows a plan with networks as given; what is under way happens in the order that `picks` chooses. A step that was called
 * off is not sent any more, unless it was on its way: `picks` decides that too.
 */
function follow(plan: PlanNode, networks: readonly Network[], picks: readonly number[]): Run {
  const leaves = leavesOf(plan);
  const networkOf = (leaf: string): Network =>
    networks[leaves.findIndex((each) => each.leaf === leaf) % networks.length] ?? { fate: "failed" };
  const sent: string[] = [];
  const accepted: string[] = [];
  const settled: string[] = [];
  const atSend: { readonly leaf: string; readonly state: PlanState }[] = [];
  let pending: PlanEvent[] = [];
  let turn = 0;
  const pick = (bound: number): number => (picks[turn++ % picks.length] ?? 0) % bound;
  let state: PlanState = { status: "idle" };
  const take = (step: ReturnType<typeof beginPlan>): void => {
    const told = step.actions.flatMap((action) => action.type === "settled" ? [action.outcome] : []);
    const outcome = outcomeOf(step.state.status);
    const isNews = outcome !== undefined && outcome !== outcomeOf(state.status);
    assert.deepEqual(told, isNews ? [outcome] : [], "each end is told once");
    state = JSON.parse(JSON.stringify(step.state));
    for (const action of step.actions) {
      if (action.type === "settled") settled.push(action.outcome);
      if (action.type === "timer") pending.push({ type: "timeout", leaf: action.leaf });
      if (action.type === "cancel" && pick(2) === 0) {
        pending = pending.filter((event) =>
          event.type === "timeout" || !("leaf" in event) || event.leaf !== action.leaf
        );
      }
      if (action.type === "send") {
        sent.push(action.leaf);
        atSend.push({ leaf: action.leaf, state });
        pending.push(first(action.leaf, networkOf(action.leaf)));
      }
    }
  };
  take(beginPlan(plan));
  for (let steps = 0; pending.length > 0; steps++) {
    assert.ok(steps < 1_000, "it does not end");
    const [event] = pending.splice(pick(pending.length), 1);
    assert.ok(event !== undefined && "leaf" in event);
    const before = state;
    take(advancePlan(plan, before, event));
    if (event.type === "accepted") accepted.push(event.leaf);
    const { later } = networkOf(event.leaf);
    if (later !== undefined && (event.type === "accepted" || event.type === "unknown")) {
      pending.push(
        later === "failed"
          ? { type: "failed", leaf: event.leaf, reason: "bounced" }
          : { type: "confirmed", leaf: event.leaf, by: later },
      );
    }
    // The same again, as after a crash between its effect and its record.
    const again = advancePlan(plan, state, event);
    assert.deepEqual([again.state, again.actions], [state, []], `${event.type} twice changes something`);
    if (settled.includes("delivered")) assert.equal(state.status, "done", "what has arrived stays so");
  }
  return { state, sent, accepted, settled, atSend };
}

function first(leaf: string, { fate }: Network): PlanEvent {
  switch (fate) {
    case "accepted":
      return { type: "accepted", leaf };
    case "failed":
      return { type: "failed", leaf, reason: "rejected" };
    case "left-out":
      return { type: "skipped", leaf, reason: "resting" };
    default:
      return { type: "unknown", leaf, fallback: fate === "unknown-falls-back" };
  }
}

/** What holds for every plan. */
function checkAlways(plan: PlanNode, run: Run): void {
  assert.equal(new Set(run.sent).size, run.sent.length, "nothing is sent twice");
  const outcome = outcomeOf(run.state.status);
  // A plan that ended in doubt goes on when the provider says that nothing arrived.
  if (outcome !== undefined) assert.equal(run.settled.at(-1), outcome, "the end that was told is the one that stands");
  const delivered = run.settled.indexOf("delivered");
  assert.ok(delivered === -1 || delivered === run.settled.length - 1);
  for (const { leaf, node } of leavesOf(plan)) {
    const status = stateAt(run.state, leaf)?.status ?? "idle";
    const isSent = run.sent.includes(leaf);
    // The list of attempts is complete: what was sent has an end, and what has an end by a network was sent.
    const ends: readonly PlanStatus[] = isSent
      ? ["done", "failed", "skipped", "unknown", "sent", "late", "cancelled"]
      : ["idle", "skipped", "cancelled"];
    assert.ok(ends.includes(status), `${leaf} was ${isSent ? "" : "not "}sent and is ${status}`);
    if (status === "sent" && !isPlanEnded(run.state.status)) {
      assert.ok(node.withinMs === undefined, "what has a time does not wait for ever");
    }
  }
  if (isPlanEnded(run.state.status)) {
    for (const { leaf } of leavesOf(plan)) {
      assert.ok(
        !["active", "overdue"].includes(stateAt(run.state, leaf)?.status ?? "idle"),
        "nothing is left under way",
      );
    }
  }
}

/** What stands before each send in the ordered groups around it. */
function before(plan: PlanNode, state: PlanState, leaf: string): readonly PlanStatus[] {
  const statuses: PlanStatus[] = [];
  let node = plan;
  let part: PlanState | undefined = state;
  for (const place of leaf === "" ? [] : leaf.split("-").map(Number)) {
    if (node.kind === "leaf") break;
    if (node.kind === "ordered") {
      statuses.push(...(part?.children ?? []).slice(0, place).map((child) => child.status));
    }
    part = part?.children?.[place];
    const next: PlanNode | undefined = node.children[place];
    if (next === undefined) break;
    node = next;
  }
  return statuses;
}

const picks = fc.array(fc.nat(1_000), { minLength: 20, maxLength: 60 });
const networks = fc.array(network, { minLength: 1, maxLength: 9 });

describe("a random plan", () => {
  it("ends, tells each end once, keeps a complete list, and sends nothing twice, in whatever order things happen", () => {
    fc.assert(
      fc.property(planOf(["ordered", "parallel", "all"], true), networks, picks, (plan, nets, order) => {
        checkAlways(plan, follow(plan, nets, order));
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
  });

  it("does the same twice", () => {
    fc.assert(
      fc.property(planOf(["ordered", "parallel", "all"], true), networks, picks, (plan, nets, order) => {
        assert.deepEqual(follow(plan, nets, order), follow(plan, nets, order));
      }),
      { numRuns: RUNS / 4 },
    );
  });

  it("of ordered groups never has two deliveries accepted, and begins nothing before what stands ahead of it is over", () => {
    fc.assert(
      fc.property(planOf(["ordered"], false), networks, picks, (plan, nets, order) => {
        const run = follow(plan, nets, order);
        checkAlways(plan, run);
        assert.ok(run.accepted.length <= 1, `accepted ${run.accepted.join()}`);
        for (const { leaf, state } of run.atSend) {
          const ahead = before(plan, state, leaf);
          assert.ok(ahead.every((status) => status === "failed" || status === "skipped"), `${leaf} behind ${ahead}`);
        }
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
  });

  it("of ordered groups with a time begins nothing behind an unknown, nor before its time", () => {
    fc.assert(
      fc.property(planOf(["ordered"], true), networks, picks, (plan, nets, order) => {
        const run = follow(plan, nets, order);
        for (const { leaf, state } of run.atSend) {
          const ahead = before(plan, state, leaf);
          const passed: readonly PlanStatus[] = ["failed", "skipped", "late", "overdue"];
          assert.ok(ahead.every((status) => passed.includes(status)), `${leaf} behind ${ahead}`);
        }
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
  });

  it("of parallel groups begins all at once, and the first that arrives calls the rest off", () => {
    fc.assert(
      fc.property(planOf(["parallel"], false), networks, picks, (plan, nets, order) => {
        const run = follow(plan, nets, order);
        checkAlways(plan, run);
        const all = leavesOf(plan).filter(({ node }) => node.skip === undefined);
        assert.equal(run.sent.length, all.length);
        if (run.state.status !== "done") return;
        const statuses = all.map(({ leaf }) => stateAt(run.state, leaf)?.status);
        assert.equal(statuses.filter((status) => status === "done").length, 1);
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
  });
});
