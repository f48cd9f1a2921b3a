import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, createOutgoingMessage, ManualClock, MemoryStore, type PlanNode } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { type Scene, scene, stop, texts } from "../../support/plan-scene.ts";
import { LOST, REFUSED, ScriptedCommunicator, type ScriptStep } from "../../support/scripted-communicator.ts";

/** The entries of a plan as a whole, and how often each. */
async function endsOf({ app }: Pick<Scene, "app">, messageId: string, planId: string): Promise<readonly string[]> {
  const events = await app.ledger.eventsOf(messageId);
  return events.filter(({ deliveryId }) => deliveryId === planId).map(({ status }) => status);
}

describe("two processes that follow the same plans", () => {
  it("send every step once, and end every plan once", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const outcomes: readonly (ScriptStep | undefined)[] = [undefined, REFUSED, LOST];
    const sent = new Map<string, number>();
    const process = async (workerId: string): Promise<Application> => {
      const backends = ["c0", "c1", "c2"].map((name, place) => {
        const backend = new ScriptedCommunicator(name);
        backend.send = (message, { deliveryId, attempt }) => {
          const key = `${deliveryId}/${attempt}`;
          sent.set(key, (sent.get(key) ?? 0) + 1);
          const number = Number(message.id.slice(1));
          const step = outcomes[Math.floor(number / 3 ** place) % 3];
          return Promise.resolve(step === REFUSED ? REFUSED : step === LOST ? LOST : { outcome: "accepted" });
        };
        return backend;
      });
      return await Application.create({}, {
        communicators: backends.map((communicator) => ({ communicator, labels: ["none"] })),
        clock,
        store,
        workerId,
        random: () => 0.5,
      });
    };
    const apps = await Promise.all(["one", "other"].map(process));
    const [app] = apps as [Application];
    const plan: PlanNode = {
      kind: "ordered",
      children: ["c0", "c1", "c2"].map((backendName) => ({ kind: "leaf", backendName, recipient: "ann" })),
    };
    for (let number = 0; number < 81; number++) {
      const id = `n${number}`;
      const message = createOutgoingMessage({ id, message: "fire" }, { newId: () => id, now: () => clock.now() });
      const { operations } = await app.plans.begin(`plan${number}`, "reach", plan, message);
      assert.equal((await store.commit(operations)).committed, true);
    }
    await clock.advance(120_000);
    assert.ok([...sent.values()].every((count) => count === 1), "no attempt is made twice");
    for (let number = 0; number < 81; number++) {
      const of = [0, 1, 2].map((place) => Math.floor(number / 3 ** place) % 3);
      const stopAt = of.findIndex((outcome) => outcome !== 1);
      const wanted = stopAt === -1 ? "exhausted" : of[stopAt] === 0 ? "delivered" : "unknown";
      const record = await app.plans.find(`plan${number}`);
      assert.equal(record?.outcome, wanted, `${of}`);
      const ends = await endsOf({ app }, `n${number}`, `plan${number}`);
      assert.deepEqual(ends, ["queued", wanted === "delivered" ? "accepted" : "dead"]);
    }
    for (const each of apps) {
      let stopped = false;
      const done = each.stop().then(() => stopped = true);
      await eventually(clock, () => stopped, 1_000);
      await done;
    }
  });
});

describe("a receipt", () => {
  const TERMS = { channels: ["chat", "mail"], confirm: "read", within: 100 };

  it("and the end of the time at the same moment settle the plan once, whichever comes first", async () => {
    const seen = new Set<number>();
    for (let round = 0; round < 24; round++) {
      const it = await scene({}, TERMS);
      const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
      const planId = report.deliveries[0]?.deliveryId ?? "";
      await eventually(it.clock, () => it.chat.seen.length === 1);
      const queuedAt = (await it.app.plans.find(planId))?.startedAt ?? 0;
      await it.clock.advance(queuedAt + 100_000 - it.clock.now() - 1);
      const read = async (): Promise<void> => {
        for (let turn = 0; turn < round; turn++) await Promise.resolve();
        await it.chat.receiveReceipts([{ providerMessageId: "p1", status: "read", timestamp: it.clock.now() }]);
      };
      await Promise.all([it.clock.advance(1), round % 2 ? read() : it.clock.advance(0).then(read)]);
      await it.clock.advance(1_000);
      const record = await it.app.plans.find(planId);
      assert.equal(record?.outcome, "delivered", `round ${round}`);
      assert.equal(record?.state.children?.[0]?.status, "done");
      assert.deepEqual(await endsOf(it, "m", planId), ["queued", "accepted"]);
      const mail = record?.state.children?.[1]?.status;
      assert.ok(
        it.mail.seen.length === 0 ? mail === "idle" || mail === "cancelled" : mail === "sent" || mail === "cancelled",
        mail,
      );
      seen.add(it.mail.seen.length);
      await stop(it);
    }
    assert.ok(seen.has(0), "the receipt was first at least once");
  });

  it("that comes before the commit of its own send settles the plan, and nothing is sent by another channel", async () => {
    const it = await scene({}, TERMS);
    it.chat.script.push(async (_message, { deliveryId }) => {
      // As WhatsApp does: the status names our delivery, and overtakes the answer to our request.
      await it.chat.receiveReceipts([{
        providerMessageId: "w1",
        status: "read",
        timestamp: it.clock.now(),
        deliveryId,
      }]);
      return { outcome: "accepted", providerMessageId: "w1" };
    });
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    assert.deepEqual((await report.settled()).map(({ status }) => status), ["accepted"]);
    const steps = (await it.app.ledger.eventsOf("m")).filter(({ backendName }) => backendName === "chat");
    assert.deepEqual(steps.map(({ status }) => status), ["queued", "attempting", "read", "accepted"]);
    await stop(it);
  });

  it("that names only the network's own id, and comes before the commit of its send, is kept for that commit", async () => {
    const words = [["delivered", "read"], ["read", "delivered"], ["failed"], ["delivered"]] as const;
    for (const said of words) {
      const it = await scene({}, TERMS);
      it.chat.script.push(async () => {
        for (const status of said) {
          await it.chat.receiveReceipts([{ providerMessageId: "x1", status, timestamp: it.clock.now() }]);
        }
        return { outcome: "accepted", providerMessageId: "x1" };
      });
      const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
      await it.clock.advance(50_000);
      const isRead = said.some((status) => status === "read");
      const record = await it.app.plans.find(report.deliveries[0]?.deliveryId ?? "");
      const [first] = record?.state.children ?? [];
      const isFailed = said.some((status) => status === "failed");
      assert.equal(first?.status, isRead ? "done" : isFailed ? "failed" : "sent", said.join());
      assert.deepEqual(texts(it), [["fire"], isFailed ? ["fire"] : [], []]);
      const steps = (await it.app.ledger.eventsOf("m")).filter(({ backendName }) => backendName === "chat");
      const known = steps.map(({ status }) => status).slice(3);
      assert.deepEqual(known, isRead ? ["read"] : isFailed ? ["failed"] : [], "beside queued, attempting, accepted");
      await stop(it);
    }
  });

  it("that comes between the last look for it and that commit is not missed", async () => {
    const it = await scene({}, TERMS);
    const { store, clock, chat } = it;
    const commit = store.commit.bind(store);
    let isSaid = false;
    store.commit = async (operations, options) => {
      const isEnd = operations.some((each) => each.type === "ack" && each.channel.endsWith("outbox.chat"));
      if (isEnd && !isSaid) {
        isSaid = true;
        await chat.receiveReceipts([{ providerMessageId: "p1", status: "read", timestamp: clock.now() }]);
      }
      return await commit(operations, options);
    };
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    await eventually(clock, () => chat.seen.length === 1);
    await clock.advance(600_000);
    assert.ok(isSaid);
    assert.deepEqual(texts(it), [["fire"], [], []], "it was read, so nobody else is asked");
    assert.equal((await it.app.plans.find(report.deliveries[0]?.deliveryId ?? ""))?.outcome, "delivered");
    await stop(it);
  });

  it("for a send whose answer was lost ends the retries, and the plan", async () => {
    const it = await scene({ chat: [LOST] }, { channels: ["chat", "mail"], confirm: "delivered" });
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    const { deliveryId = "" } = it.chat.seen[0] ?? {};
    await it.chat.receiveReceipts([
      { providerMessageId: "w1", status: "delivered", timestamp: it.clock.now(), deliveryId },
    ]);
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    assert.deepEqual((await report.settled()).map(({ status }) => status), ["accepted"]);
    await stop(it);
  });

  it("that the network took it ends the doubt about a send whose answer was lost", async () => {
    const it = await scene({ chat: [LOST, LOST, LOST] }, { channels: ["chat", "mail"] });
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    await eventually(it.clock, () => it.chat.seen.length === 3, 1_000);
    assert.equal((await report.settled())[0]?.reason, "unknown");
    const { deliveryId = "" } = it.chat.seen[0] ?? {};
    await it.chat.receiveReceipts([{ providerMessageId: "w1", status: "sent", timestamp: it.clock.now(), deliveryId }]);
    assert.equal((await it.app.plans.find(report.deliveries[0]?.deliveryId ?? ""))?.outcome, "delivered");
    assert.deepEqual(await it.app.plans.deadPlans(), []);
    await stop(it);
  });

  it("after the end changes nothing, however often it comes", async () => {
    const it = await scene({}, TERMS);
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    const planId = report.deliveries[0]?.deliveryId ?? "";
    await eventually(it.clock, () => it.mail.seen.length === 1, 1_000);
    await it.mail.receiveReceipts([{ providerMessageId: "p1", status: "read", timestamp: it.clock.now() }]);
    const settled = await it.app.plans.find(planId);
    for (let count = 0; count < 3; count++) {
      await it.chat.receiveReceipts([{ providerMessageId: "p1", status: "read", timestamp: it.clock.now() }]);
      await it.chat.receiveReceipts([{ providerMessageId: "p1", status: "failed", timestamp: it.clock.now() }]);
    }
    assert.deepEqual(await it.app.plans.find(planId), settled);
    assert.deepEqual(await endsOf(it, "m", planId), ["queued", "accepted"]);
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], ["fire"], []]);
    await stop(it);
  });
});

describe("the time of a step", () => {
  it("runs on while nobody runs: the next process uses the next channel when it is over", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const first = await scene({}, { confirm: "read", within: 100 }, {}, { clock, store });
    await first.app.emit({ id: "m", message: "fire", label: "page" });
    await eventually(clock, () => first.chat.seen.length === 1);
    await stop(first);
    await clock.advance(60_000);
    const second = await scene({}, { confirm: "read", within: 100 }, {}, { clock, store });
    await clock.advance(30_000);
    assert.deepEqual(texts(second), [[], [], []]);
    await clock.advance(20_000);
    assert.deepEqual(texts(second), [[], ["fire"], []]);
    await stop(second);
    await store.close();
  });

  it("is over too for a channel that never takes it: the next one is used as well, and the first that takes it wins", async () => {
    const busy: ScriptStep = { outcome: "rejected", retryable: true, reason: "unavailable", retryAfterMs: 30_000 };
    const it = await scene({ chat: Array(50).fill(busy) }, { within: 100 });
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    await it.clock.advance(99_000);
    assert.equal(it.mail.seen.length, 0);
    await it.clock.advance(2_000);
    assert.equal(it.mail.seen.length, 1);
    assert.equal((await report.settled())[0]?.status, "accepted");
    const tries = it.chat.seen.length;
    await it.clock.advance(600_000);
    assert.equal(it.chat.seen.length, tries, "what is not sent yet is called off");
    await stop(it);
  });

  it("is over too for a send whose answer was lost: that is the way to say that a page must get through", async () => {
    const it = await scene({ chat: [LOST, LOST, LOST] }, { within: 100 });
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    await it.clock.advance(99_000);
    assert.deepEqual(texts(it), [["fire", "fire", "fire"], [], []]);
    await it.clock.advance(2_000);
    assert.deepEqual(texts(it), [["fire", "fire", "fire"], ["fire"], []]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });
});
