import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  advancePlan,
  beginPlan,
  hasAlternative,
  leavesOf,
  type PlanAction,
  type PlanEvent,
  type PlanGroup,
  type PlanNode,
  type PlanState,
  stateAt,
} from "../../../core/mod.ts";

/** How the network and the provider answer one delivery. */
const OUTCOMES = ["accepted", "failed", "unknown", "unknown-falls-back", "skipped", "not-confirmed"] as const;
type Outcome = (typeof OUTCOMES)[number];

function leaf(index: number, outcome: Outcome): PlanNode {
  const base = { kind: "leaf", backendName: `b${index}` } as const;
  if (outcome === "skipped") return { ...base, skip: "no address" };
  return outcome === "not-confirmed" ? { ...base, confirm: "delivered", withinMs: 300_000 } : base;
}

/** What happens to a delivery after it was sent, as events. */
function eventsFor(place: string, outcome: Outcome): readonly PlanEvent[] {
  switch (outcome) {
    case "accepted":
      return [{ type: "accepted", leaf: place }];
    case "failed":
      return [{ type: "failed", leaf: place, reason: "rejected" }];
    case "unknown":
      return [{ type: "unknown", leaf: place, fallback: false }];
    case "unknown-falls-back":
      return [{ type: "unknown", leaf: place, fallback: true }];
    case "not-confirmed":
      return [{ type: "accepted", leaf: place }, { type: "timeout", leaf: place }];
    case "skipped":
      return [];
  }
}

/** Runs a plan, writing and reading its state back after every step, as a crash between any two steps would. */
function run(
  plan: PlanNode,
  outcomes: readonly Outcome[],
): { readonly sent: readonly number[]; readonly settled: readonly string[]; readonly state: PlanState } {
  const sent: number[] = [];
  const settled: string[] = [];
  const queue: PlanEvent[] = [];
  let state: PlanState;
  const take = (step: { readonly state: PlanState; readonly actions: readonly PlanAction[] }): void => {
    state = JSON.parse(JSON.stringify(step.state));
    for (const action of step.actions) {
      if (action.type === "settled") settled.push(action.outcome);
      if (action.type !== "send") continue;
      const index = Number(action.leaf.split("-").at(-1));
      sent.push(index);
      queue.push(...eventsFor(action.leaf, outcomes[index] ?? "failed"));
    }
  };
  take(beginPlan(plan));
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
    const before: PlanState = state!;
    take(advancePlan(plan, before, event));
    // The same event again, as after a crash between its effect and its record, changes nothing more.
    const again = advancePlan(plan, state!, event);
    assert.deepEqual(again.actions, []);
    assert.deepEqual(again.state, state!);
  }
  return { sent, settled, state: state! };
}

function* combinations(length: number): Generator<readonly Outcome[]> {
  for (let number = 0; number < OUTCOMES.length ** length; number++) {
    yield Array.from(
      { length },
      (_, index) => OUTCOMES[Math.floor(number / OUTCOMES.length ** index) % OUTCOMES.length] ?? "failed",
    );
  }
}

describe("advancePlan()", () => {
  it("tries 6 outcomes on 4 ordered channels, 1,296 cases, with a crash after every step (G14)", () => {
    let cases = 0;
    for (const outcomes of combinations(4)) {
      cases++;
      const plan: PlanGroup = { kind: "ordered", children: outcomes.map((outcome, index) => leaf(index, outcome)) };
      const { sent, settled, state } = run(plan, outcomes);
      const stop = outcomes.findIndex((outcome) => outcome === "accepted" || outcome === "unknown");
      const tried = outcomes.slice(0, stop === -1 ? 4 : stop + 1);
      const expected = tried.flatMap((outcome, index) => (outcome === "skipped" ? [] : [index]));
      assert.deepEqual(sent, expected, outcomes.join());
      assert.ok(outcomes.filter((outcome, index) => outcome === "accepted" && sent.includes(index)).length <= 1);
      const end = stop === -1 ? "exhausted" : outcomes[stop] === "accepted" ? "delivered" : "unknown";
      assert.deepEqual(settled, [end], outcomes.join());
      // The record says of every channel what became of it.
      for (const { leaf: place } of leavesOf(plan)) {
        const status = stateAt(state, place)?.status;
        const index = Number(place);
        const wanted = stop !== -1 && index > stop ? ["cancelled", "idle", "skipped"] : {
          accepted: ["done"],
          failed: ["failed"],
          unknown: ["unknown"],
          "unknown-falls-back": ["failed"],
          skipped: ["skipped"],
          "not-confirmed": ["late"],
        }[outcomes[index] ?? "failed"];
        assert.ok(wanted.includes(status ?? ""), `${outcomes.join()} at ${place}: ${status}`);
      }
    }
    assert.equal(cases, 1_296);
  });

  it("sends to all at once in a parallel group, and the first that arrives calls the others off", () => {
    const plan: PlanGroup = {
      kind: "parallel",
      children: [leaf(0, "accepted"), leaf(1, "accepted"), leaf(2, "accepted")],
    };
    const begun = beginPlan(plan);
    assert.deepEqual(begun.actions.map((action) => action.type), ["send", "send", "send"]);
    const first = advancePlan(plan, begun.state, { type: "accepted", leaf: "1" });
    assert.deepEqual(first.actions, [{ type: "cancel", leaf: "0" }, { type: "cancel", leaf: "2" }, {
      type: "settled",
      outcome: "delivered",
    }]);
    const late = advancePlan(plan, first.state, { type: "accepted", leaf: "0" });
    assert.deepEqual(late.actions, []);
  });

  it("nests: a group within a group is one of its channels", () => {
    const plan: PlanGroup = {
      kind: "ordered",
      children: [
        { kind: "parallel", children: [leaf(0, "failed"), leaf(1, "failed")] },
        { kind: "ordered", children: [leaf(2, "failed"), leaf(3, "accepted")] },
      ],
    };
    const { sent, settled } = run(plan, []);
    assert.deepEqual(sent, [0, 1, 0, 1], "each leaf by its place in its own group");
    assert.deepEqual(settled, ["exhausted"]);
  });

  it("takes a late receipt of an escalated channel for arrived, even when all were exhausted", () => {
    const plan: PlanGroup = { kind: "ordered", children: [leaf(0, "not-confirmed"), leaf(1, "not-confirmed")] };
    let { state } = run(plan, ["not-confirmed", "not-confirmed"]);
    assert.equal(state.status, "late");
    const late = advancePlan(plan, state, { type: "confirmed", leaf: "0", by: "read" });
    ({ state } = late);
    assert.equal(state.status, "done");
    assert.deepEqual(late.actions, [{ type: "settled", outcome: "delivered" }]);
  });

  it("waits for the confirmation that was asked for, and takes a further one as well", () => {
    const plan: PlanNode = { kind: "leaf", backendName: "b", confirm: "read", withinMs: 10 };
    const begun = beginPlan(plan);
    assert.deepEqual(begun.actions, [{ type: "send", leaf: "", node: plan }, {
      type: "timer",
      leaf: "",
      withinMs: 10,
    }]);
    const sent = advancePlan(plan, begun.state, { type: "accepted", leaf: "" });
    assert.deepEqual(sent.actions, []);
    const delivered = advancePlan(plan, sent.state, { type: "confirmed", leaf: "", by: "delivered" });
    assert.equal(delivered.state.status, "sent");
    assert.equal(advancePlan(plan, delivered.state, { type: "confirmed", leaf: "", by: "reply" }).state.status, "done");
  });

  it("settles by a person's word, once", () => {
    const plan: PlanGroup = { kind: "ordered", children: [leaf(0, "accepted"), leaf(1, "accepted")] };
    const { state } = beginPlan(plan);
    const settled = advancePlan(plan, state, { type: "settle", arrived: true });
    assert.deepEqual(settled.actions, [{ type: "cancel", leaf: "0" }, { type: "settled", outcome: "delivered" }]);
    assert.deepEqual(advancePlan(plan, settled.state, { type: "settle", arrived: false }).actions, []);
  });

  it("goes on past a step that a person calls off alone, or that is left out", () => {
    const plan: PlanGroup = { kind: "ordered", children: [0, 1, 2].map((index) => leaf(index, "accepted")) };
    const off = advancePlan(plan, beginPlan(plan).state, { type: "cancelled", leaf: "0" });
    assert.deepEqual(off.actions.map((action) => action.type === "send" && action.leaf), ["1"]);
    assert.deepEqual(advancePlan(plan, off.state, { type: "cancelled", leaf: "0" }).actions, []);
    const out = advancePlan(plan, off.state, { type: "skipped", leaf: "1", reason: "resting" });
    assert.deepEqual(out.state.children?.[1], { status: "skipped", reason: "resting" });
    const end = advancePlan(plan, out.state, { type: "skipped", leaf: "2", reason: "resting" });
    assert.deepEqual(end.actions, [{ type: "settled", outcome: "exhausted" }]);
  });

  it("tries a step in doubt again when a person says so, and nothing else", () => {
    const plan: PlanGroup = { kind: "ordered", children: [leaf(0, "unknown"), leaf(1, "accepted")] };
    const { state } = run(plan, ["unknown", "accepted"]);
    assert.equal(state.status, "unknown");
    assert.deepEqual(advancePlan(plan, state, { type: "retry", leaf: "1" }).actions, []);
    const again = advancePlan(plan, state, { type: "retry", leaf: "0" });
    assert.deepEqual(again.actions.map((action) => action.type === "send" && action.leaf), ["0"]);
    assert.equal(again.state.status, "active");
    assert.deepEqual(advancePlan(plan, again.state, { type: "retry", leaf: "0" }).actions, []);
    assert.equal(advancePlan(plan, again.state, { type: "accepted", leaf: "0" }).state.status, "done");
  });

  it("uses the next channel when the time of one is over, whatever that does, and takes its late yes", () => {
    const timed: PlanNode = { kind: "leaf", backendName: "b0", withinMs: 10 };
    const plan: PlanGroup = { kind: "ordered", children: [timed, leaf(1, "accepted")] };
    for (const first of ["nothing", "unknown"] as const) {
      let { state } = beginPlan(plan);
      if (first === "unknown") {
        const lost = advancePlan(plan, state, { type: "unknown", leaf: "0", fallback: false });
        assert.deepEqual(lost.actions, [], "not before its time");
        ({ state } = lost);
      }
      const over = advancePlan(plan, state, { type: "timeout", leaf: "0" });
      assert.deepEqual(over.actions.map((action) => action.type === "send" && action.leaf), ["1"]);
      const late = advancePlan(plan, over.state, { type: "accepted", leaf: "0" });
      assert.deepEqual(late.actions, [{ type: "cancel", leaf: "1" }, { type: "settled", outcome: "delivered" }]);
    }
  });
});

describe("hasAlternative()", () => {
  const plan: PlanGroup = {
    kind: "ordered",
    children: [
      { kind: "parallel", children: [leaf(0, "accepted"), leaf(1, "accepted")] },
      { kind: "all", children: [leaf(2, "accepted"), leaf(3, "accepted")] },
      leaf(4, "skipped"),
    ],
  };

  it("is what stands behind a step, or is under way beside it; not what is sent as well, nor what is left out", () => {
    const { state } = beginPlan(plan);
    assert.equal(hasAlternative(plan, state, "0-0"), true);
    const one = advancePlan(plan, state, { type: "failed", leaf: "0-0", reason: "x" });
    assert.equal(hasAlternative(plan, one.state, "0-1"), true, "the group behind it");
    const both = advancePlan(plan, one.state, { type: "failed", leaf: "0-1", reason: "x" });
    assert.equal(hasAlternative(plan, both.state, "1-0"), false, "the last channel is left out from the start");
  });

  it("is nothing for a plan of one step", () => {
    const single = leaf(0, "accepted");
    assert.equal(hasAlternative(single, beginPlan(single).state, ""), false);
  });
});
