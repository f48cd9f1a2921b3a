import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  advancePlan,
  beginPlan,
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
});
