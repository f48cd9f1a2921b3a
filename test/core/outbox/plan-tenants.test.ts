import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  createIdGenerator,
  createOutgoingMessage,
  Ledger,
  ManualClock,
  MemoryStore,
  type MessageStore,
  Outbox,
  PlanRunner,
  silentLogger,
} from "../../../core/mod.ts";
import { AwaitedSteps } from "../../../core/outbox/awaiting.ts";

interface Tenant {
  readonly clock: ManualClock;
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  readonly plans: PlanRunner;
}

function tenant(store: MessageStore, clock: ManualClock, namespace: string): Tenant {
  const shared = { store, clock, logger: silentLogger, newId: createIdGenerator(() => clock.now()), namespace };
  const ledger = new Ledger(shared);
  const outbox = new Outbox({ ...shared, ledger });
  const plans = new PlanRunner({ ...shared, outbox, workerId: namespace, mayFallBack: () => false });
  return { clock, ledger, outbox, plans };
}

async function ask({ plans, outbox, clock }: Tenant, planId: string): Promise<boolean> {
  const message = createOutgoingMessage({ id: planId, message: "Who comes?" }, {
    newId: () => planId,
    now: () => clock.now(),
  });
  const plan = { kind: "leaf", backendName: "chat", recipient: "ann", confirm: "reply" } as const;
  const move = await plans.begin(planId, "reach", plan, message, { isQuestion: true });
  return (await outbox.commit(move.operations)).committed;
}

describe("PlanRunner of two tenants on one store", () => {
  it("keeps their plans and their questions apart, though they have the same ids", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const [one, two] = [tenant(store, clock, "one"), tenant(store, clock, "default")] as const;
    assert.equal(await ask(one, "p"), true);
    const reply = {
      backendName: "chat",
      conversation: "ann",
      messageId: "chat:1",
      answer: { text: "I", backendName: "chat", at: clock.now() },
    };
    assert.equal((await two.plans.followReply(reply)).move, undefined, "nobody has asked there");
    assert.equal(await ask(two, "p"), true);
    assert.equal((await two.plans.followReply(reply)).move?.record.outcome, "delivered");
    assert.equal(await two.plans.settle("p", false), true);
    assert.equal((await one.plans.find("p"))?.outcome, undefined);
    const { move, operations } = await one.plans.followReply(reply);
    assert.equal((await store.commit([...operations, ...move?.operations ?? []])).committed, true);
    assert.deepEqual([await one.plans.find("p"), await two.plans.find("p")].map((each) => each?.outcome), [
      "delivered",
      "cancelled",
    ]);
    await store.close();
  });
});

describe("AwaitedSteps.answeredBy()", () => {
  it("finds the newest question behind hundreds that were settled in the last minute", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const { ledger } = tenant(store, clock, "default");
    const awaited = new AwaitedSteps({ store, ledger, clock, logger: silentLogger, findBackend: () => undefined });
    for (let number = 100; number < 500; number++) {
      const step = { planId: `a${number}`, leaf: "0" };
      await store.commit(await awaited.open("chat", "ann", step));
      await store.commit(await awaited.close("chat", "ann", step));
    }
    await clock.advance(10);
    await store.commit(await awaited.open("chat", "ann", { planId: "z", leaf: "0" }));
    const { step } = await awaited.answeredBy({
      backendName: "chat",
      conversation: "ann",
      messageId: "chat:1",
      answer: { text: "I", backendName: "chat", at: clock.now() },
    });
    assert.equal(step?.planId, "z");
    await store.close();
  });
});
