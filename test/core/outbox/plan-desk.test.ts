import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { ManualClock, MemoryStore, type MessageStore, type Receipt } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { type Scene, scene, stop, texts } from "../../support/plan-scene.ts";
import { BUSY, LOST, REFUSED, type ScriptStep } from "../../support/scripted-communicator.ts";

const HOLD = { on_unknown: "hold", hold_for: 30 };

/** What the ledger says of a message, in order. */
async function story({ app }: Scene, messageId: string): Promise<readonly string[]> {
  const events = await app.ledger.eventsOf(messageId);
  return events.map(({ backendName, status, reason }) => [backendName, status, reason].filter(Boolean).join(" "));
}

function step(planId: string, place: number): string {
  return `${planId}_s${place}`;
}

async function page(it: Scene): Promise<string> {
  const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
  return report.deliveries[0]?.deliveryId ?? "";
}

describe("Outbox.cancel() of a step of a plan", () => {
  it("ends the whole plan, in one commit, and once", async () => {
    const it = await scene({ chat: [BUSY, BUSY, BUSY] });
    const planId = await page(it);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    const ends = await Promise.all([0, 1, 2].map(() => it.app.cancel(step(planId, 0))));
    assert.deepEqual(ends.filter(Boolean), [true]);
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    assert.equal((await it.app.plans.find(planId))?.outcome, "cancelled");
    const told = await story(it, "m");
    assert.equal(told.filter((each) => each === "chat cancelled").length, 1);
    assert.equal(told.filter((each) => each === "reach cancelled cancelled").length, 1);
    assert.equal(await it.app.cancel(step(planId, 0)), false);
    await stop(it);
  });

  it("goes on to the next channel when asked to", async () => {
    const it = await scene({ chat: [BUSY, BUSY, BUSY] });
    const planId = await page(it);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    assert.equal(await it.app.cancel(step(planId, 0), { plan: "next" }), true);
    await eventually(it.clock, () => it.mail.seen.length === 1);
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], ["fire"], []]);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    await stop(it);
  });

  it("does not call off what is being sent at this moment, nor what has been", async () => {
    const { promise, resolve } = Promise.withResolvers<Receipt>();
    const it = await scene({ chat: [() => promise] });
    const planId = await page(it);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    assert.equal(await it.app.outbox.cancel(step(planId, 0)), false);
    resolve({ outcome: "accepted" });
    await eventually(it.clock, () => it.clock.pending >= 0, 1, 20);
    await it.clock.advance(1_000);
    assert.equal(await it.app.outbox.cancel(step(planId, 0)), false);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    await stop(it);
  });

  it("races the claim of a sender: called off and never sent, or sent and not called off", async () => {
    for (let round = 0; round < 40; round++) {
      const it = await scene();
      const planId = await page(it);
      for (let turn = 0; turn < round % 8; turn++) await Promise.resolve();
      const isOff = await it.app.outbox.cancel(step(planId, 0));
      await it.clock.advance(1_000);
      assert.equal(it.chat.seen.length, isOff ? 0 : 1, `round ${round}`);
      assert.equal((await it.app.plans.find(planId))?.outcome, isOff ? "cancelled" : "delivered");
      await stop(it);
    }
  });
});

describe("a step that is held", () => {
  async function held(scripts: Readonly<Record<string, readonly ScriptStep[]>> = { chat: [LOST] }): Promise<{
    readonly it: Scene;
    readonly planId: string;
  }> {
    const it = await scene(scripts, {}, HOLD);
    const planId = await page(it);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(1_000);
    assert.deepEqual((await it.app.outbox.held()).map(({ deliveryId }) => deliveryId), [step(planId, 0)]);
    return { it, planId };
  }

  it("ends its plan well when a person says that it arrived", async () => {
    const { it, planId } = await held();
    assert.equal(await it.app.resolve(step(planId, 0), "delivered"), true);
    assert.equal(await it.app.resolve(step(planId, 0), "delivered"), false);
    await it.clock.advance(600_000);
    assert.deepEqual(texts(it), [["fire"], [], []]);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    assert.deepEqual(await it.app.outbox.held(), []);
    assert.ok((await story(it, "m")).includes("chat accepted by-hand"));
    await stop(it);
  });

  it("is sent again by the same channel under its id when a person says so", async () => {
    const { it, planId } = await held();
    assert.equal(await it.app.resolve(step(planId, 0), "retry"), true);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    assert.deepEqual(it.chat.seen.map(({ deliveryId }) => deliveryId), [step(planId, 0), step(planId, 0)]);
    assert.equal(it.chat.seen[1]?.possibleDuplicate, true);
    await it.clock.advance(1_000);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    await stop(it);
  });

  it("lets its plan go on to the next channel when a person says that it did not arrive", async () => {
    const { it, planId } = await held();
    assert.equal(await it.app.resolve(step(planId, 0), "next"), true);
    await eventually(it.clock, () => it.mail.seen.length === 1);
    await it.clock.advance(1_000);
    assert.deepEqual(texts(it), [["fire"], ["fire"], []]);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    await stop(it);
  });

  it("takes one of three words that come at once", async () => {
    const { it, planId } = await held();
    const words = ["delivered", "next", "retry"] as const;
    const ends = await Promise.all(words.map((word) => it.app.resolve(step(planId, 0), word)));
    assert.equal(ends.filter(Boolean).length, 1);
    await stop(it);
  });

  it("is resolved after its hold has run out too, by its plan", async () => {
    const { it, planId } = await held();
    await it.clock.advance(31_000);
    assert.equal((await it.app.plans.find(planId))?.outcome, "unknown");
    assert.deepEqual((await it.app.plans.deadPlans()).map(({ record }) => record.planId), [planId]);
    assert.equal(await it.app.resolve(planId, "next"), true);
    await eventually(it.clock, () => it.mail.seen.length === 1);
    await it.clock.advance(1_000);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    assert.deepEqual(await it.app.plans.deadPlans(), []);
    await stop(it);
  });

  it("without a plan is given up by 'next', and its dead letter resolved", async () => {
    const it = await scene({ chat: [LOST] }, {}, HOLD);
    const report = await it.app.emit({ message: "hello", label: "chat" });
    const id = report.deliveries[0]?.deliveryId ?? "";
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(1_000);
    assert.equal(await it.app.resolve(id, "next"), true);
    assert.deepEqual((await it.app.outbox.deadLetters()).map(({ letter }) => letter.dead.reason), ["by-hand"]);
    assert.equal(await it.app.resolve(id, "delivered"), true);
    assert.deepEqual(await it.app.outbox.deadLetters(), []);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });

  it("is not in doubt when it only waits for its retry", async () => {
    const it = await scene({ chat: [BUSY, BUSY, BUSY] });
    const planId = await page(it);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    assert.equal(await it.app.resolve(step(planId, 0), "delivered"), false);
    assert.equal(await it.app.resolve("nobody", "delivered"), false);
    await stop(it);
  });
});

describe("a plan that was given up", () => {
  it("is listed with its end, shows every attempt, and begins again under its id", async () => {
    const it = await scene({ chat: [REFUSED], mail: [REFUSED], phone: [REFUSED] });
    const planId = await page(it);
    await eventually(it.clock, () => it.phone.seen.length === 1);
    await it.clock.advance(1_000);
    const [dead, ...more] = await it.app.plans.deadPlans();
    assert.deepEqual([dead?.record.planId, dead?.outcome, more.length], [planId, "exhausted", 0]);
    const attempts = (await it.app.plans.attemptsOf(planId)).filter(({ status }) => status === "rejected");
    assert.deepEqual(attempts.map(({ backendName }) => backendName), ["chat", "mail", "phone"]);
    const ends = await Promise.all([0, 1, 2].map(() => it.app.redrive(planId)));
    assert.deepEqual(ends.filter(Boolean), [true]);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    assert.equal((await it.app.ledger.waitFor(planId)).status, "accepted");
    await it.clock.advance(60_000);
    assert.deepEqual(texts(it), [["fire", "fire"], ["fire"], ["fire"]]);
    assert.deepEqual(it.chat.seen.map(({ deliveryId }) => deliveryId), [step(planId, 0), step(planId, 0)]);
    assert.deepEqual(await it.app.plans.deadPlans(), []);
    assert.equal(await it.app.redrive(planId), false);
    await stop(it);
  });

  it("can be given up again, and redriven again", async () => {
    const it = await scene({ chat: [REFUSED, REFUSED, REFUSED] }, { channels: ["chat"] });
    const planId = await page(it);
    for (const life of [1, 2, 3]) {
      await eventually(it.clock, () => it.chat.seen.length === life);
      await it.clock.advance(1_000);
      assert.equal((await it.app.plans.deadPlans()).length, 1);
      assert.equal(await it.app.redrive(planId), true);
    }
    await eventually(it.clock, () => it.chat.seen.length === 4);
    assert.equal((await it.app.ledger.waitFor(planId)).status, "accepted");
    await stop(it);
  });

  it("has steps that end anew once it is redriven: Ledger.waitFor() waits for that", async () => {
    const { promise, resolve } = Promise.withResolvers<Receipt>();
    const it = await scene({ chat: [REFUSED, () => promise], mail: [REFUSED], phone: [REFUSED] });
    const planId = await page(it);
    await it.clock.advance(1_000);
    assert.equal(await it.app.redrive(planId), true);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    let end: string | undefined;
    const waiting = it.app.ledger.waitFor(step(planId, 0)).then(({ status }) => end = status);
    await it.clock.advance(10);
    assert.equal(end, undefined);
    resolve({ outcome: "accepted" });
    await eventually(it.clock, () => end !== undefined);
    assert.equal(await waiting, "accepted");
    await stop(it);
  });

  it("is not troubled by the timers of its earlier life", async () => {
    const it = await scene({}, { channels: ["chat", "mail"], confirm: "read", within: 100 });
    const planId = await page(it);
    await eventually(it.clock, () => it.mail.seen.length === 1, 1_000);
    await it.clock.advance(101_000);
    assert.equal((await it.app.plans.find(planId))?.outcome, "exhausted");
    assert.equal(await it.app.redrive(planId), true);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    await it.clock.advance(90_000);
    assert.equal(it.mail.seen.length, 1);
    await it.chat.receiveReceipts([{ providerMessageId: "p2", status: "read", timestamp: it.clock.now() }]);
    await it.clock.advance(600_000);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    assert.equal(it.mail.seen.length, 1);
    await stop(it);
  });

  it("is no dead letter any more when a late receipt says that it arrived", async () => {
    const it = await scene({}, { channels: ["chat"], confirm: "read", within: 100 });
    const planId = await page(it);
    await it.clock.advance(200_000);
    assert.equal((await it.app.plans.deadPlans()).length, 1);
    await it.chat.receiveReceipts([{ providerMessageId: "p1", status: "read", timestamp: it.clock.now() }]);
    assert.deepEqual(await it.app.plans.deadPlans(), []);
    assert.equal((await it.app.plans.find(planId))?.outcome, "delivered");
    await stop(it);
  });

  it("can be redriven after the store has forgotten how it stood", async () => {
    const it = await scene({ chat: [REFUSED] }, { channels: ["chat"] });
    const planId = await page(it);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(1_000);
    await it.store.commit([{ type: "delete-state", key: `plan/${planId}` }]); // as after 30 days
    assert.equal(await it.app.plans.find(planId), undefined);
    assert.equal(await it.app.redrive(planId), true);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    await stop(it);
  });
});

describe("an end that the ledger has forgotten", () => {
  async function prune(store: MessageStore, it: Scene): Promise<void> {
    await store.prune({ channel: it.app.ledger.channel.key, keepLatest: 0 });
  }

  it("of a plan is told by the plan", async () => {
    const it = await scene();
    const report = await it.app.emit({ message: "fire", label: "page" });
    assert.equal((await report.settled())[0]?.status, "accepted");
    await prune(it.store, it);
    assert.deepEqual((await report.settled()).map(({ status, reason }) => [status, reason]), [[
      "accepted",
      "delivered",
    ]]);
    await stop(it);
  });

  it("of a notification is told when it is delivered again", async () => {
    const it = await scene();
    const payload = { notificationId: "n", recipient: { chat: "ann" }, textContent: "x" };
    const first = it.app.deliver(payload);
    await eventually(it.clock, () => it.chat.seen.length === 1);
    assert.equal((await first).channel, "chat");
    await prune(it.store, it);
    assert.equal((await it.app.deliver(payload)).channel, "chat");
    assert.equal(it.chat.seen.length, 1);
    await stop(it);
  });

  it("of a delivery that is under way is waited for, and of one given up told by its dead letter", async () => {
    const it = await scene({ chat: [BUSY, REFUSED] });
    const report = await it.app.emit({ message: "hello", label: "chat" });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await prune(it.store, it);
    const settled = report.settled();
    await eventually(it.clock, () => it.chat.seen.length === 2, 1_000);
    assert.equal((await settled)[0]?.status, "dead");
    await prune(it.store, it);
    assert.deepEqual((await report.settled()).map(({ status, reason }) => [status, reason]), [[
      "dead",
      "invalid-recipient",
    ]]);
    await stop(it);
  });

  it("of a delivery nobody knows any more is said to be unknown, and is an error of waitFor()", async () => {
    const it = await scene();
    const report = await it.app.emit({ message: "hello", label: "chat" });
    await report.settled();
    await prune(it.store, it);
    assert.deepEqual((await report.settled()).map(({ status, reason }) => [status, reason]), [[
      "unknown",
      "no-record",
    ]]);
    await assert.rejects(it.app.ledger.waitFor(report.deliveries[0]?.deliveryId ?? ""), { code: "no-record" });
    await stop(it);
  });

  it("that is removed before those who wait have read it is found all the same", async () => {
    const clock = new ManualClock();
    const memory = new MemoryStore({ clock });
    const it = await scene({}, {}, {}, { clock, store: memory });
    const report = await it.app.emit({ message: "fire", label: "page" });
    const settled = report.settled();
    // A reader behind retention: it reads on only when what it waits for has been removed.
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const readShared = memory.readShared.bind(memory);
    memory.readShared = async (request) => {
      if (request.channel === it.app.ledger.channel.key) await opened;
      return await readShared(request);
    };
    await eventually(it.clock, () => it.chat.seen.length === 1);
    await it.clock.advance(1_000);
    await it.app.emit({ message: "next", label: "mail" });
    await eventually(it.clock, () => it.mail.seen.length === 1);
    await it.clock.advance(1_000);
    await memory.prune({ channel: it.app.ledger.channel.key, keepLatest: 1 });
    open();
    assert.deepEqual((await settled).map(({ status }) => status), ["accepted"]);
    await stop(it);
    await memory.close();
  });
});
