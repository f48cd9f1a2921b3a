import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  advanceResting,
  ManualClock,
  MemoryStore,
  type Receipt,
  RestingBook,
  type RestingState,
  silentLogger,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { type Scene, scene, stop, texts } from "../../support/plan-scene.ts";
import type { ScriptStep } from "../../support/scripted-communicator.ts";

/** The network's own trouble, for good: one failure each. */
const DOWN: Receipt = { outcome: "rejected", retryable: false, reason: "unavailable" };
const OPTIONS = { afterFailures: 3, forMs: 60_000 };

function times(count: number): readonly ScriptStep[] {
  return Array.from({ length: count }, () => DOWN);
}

describe("advanceResting()", () => {
  function failed(count: number): RestingState {
    let state: RestingState = { failures: 0 };
    for (let at = 0; at < count; at++) state = advanceResting(state, { type: "failed", at }, OPTIONS).state;
    return state;
  }

  it("rests after failures in a row, and lets nobody try it then", () => {
    assert.deepEqual(failed(2), { failures: 2 });
    const state = failed(3);
    assert.deepEqual(state, { failures: 3, restsUntil: 60_002 });
    const asked = advanceResting(state, { type: "asked", at: 60_001 }, OPTIONS);
    assert.deepEqual(asked, { state, mayTry: false });
  });

  it("lets one try it after its rest, and the others wait for what comes of that", () => {
    const trial = advanceResting(failed(3), { type: "asked", at: 60_002 }, OPTIONS);
    assert.deepEqual(trial, { state: { failures: 3, restsUntil: 120_002, isTrial: true }, mayTry: true });
    assert.equal(advanceResting(trial.state, { type: "asked", at: 60_003 }, OPTIONS).mayTry, false);
    assert.deepEqual(advanceResting(trial.state, { type: "succeeded" }, OPTIONS).state, { failures: 0 });
    const again = advanceResting(trial.state, { type: "failed", at: 60_100 }, OPTIONS);
    assert.deepEqual(again.state, { failures: 4, restsUntil: 120_100 });
  });

  it("lets the next one try when nobody hears of a trial", () => {
    const { state } = advanceResting(failed(3), { type: "asked", at: 60_002 }, OPTIONS);
    assert.equal(advanceResting(state, { type: "asked", at: 120_002 }, OPTIONS).mayTry, true);
  });

  it("rests no longer for those who had to try it all the same", () => {
    assert.deepEqual(advanceResting(failed(3), { type: "failed", at: 30_000 }, OPTIONS).state, {
      failures: 4,
      restsUntil: 60_002,
    });
  });

  it("never rests with 0", () => {
    const options = { afterFailures: 0 };
    let state: RestingState = { failures: 0 };
    for (let at = 0; at < 50; at++) state = advanceResting(state, { type: "failed", at }, options).state;
    assert.equal(advanceResting(state, { type: "asked", at: 51 }, options).mayTry, true);
  });
});

describe("RestingBook", () => {
  function two(): { readonly clock: ManualClock; readonly one: RestingBook; readonly other: RestingBook } {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const parts = { store, clock, logger: silentLogger };
    return { clock, one: new RestingBook(parts), other: new RestingBook(parts) };
  }

  it("counts the failures of several processes together, none of them lost", async () => {
    const { one, other } = two();
    await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 ? one : other).record("b", DOWN, OPTIONS)));
    assert.equal((await one.stateOf("b")).failures, 10);
    assert.deepEqual(await one.stateOf("b"), await other.stateOf("b"));
  });

  it("gives the trial after a rest to one of those who ask at once", async () => {
    const { clock, one, other } = two();
    for (let count = 0; count < 3; count++) await one.record("b", DOWN, OPTIONS);
    const before = await Promise.all([one, other].map((book) => book.ask("b", OPTIONS)));
    assert.deepEqual(before.map(({ mayTry }) => mayTry), [false, false]);
    await clock.advance(60_000);
    const after = await Promise.all([one, other, one, other].map((book) => book.ask("b", OPTIONS)));
    assert.equal(after.filter(({ mayTry }) => mayTry).length, 1);
    await other.record("b", { outcome: "accepted" }, OPTIONS);
    assert.deepEqual(await one.stateOf("b"), { failures: 0 });
    assert.equal((await one.ask("b", OPTIONS)).mayTry, true);
  });

  it("hears of a success by another process within a second, though it saw no failure itself", async () => {
    const { clock, one, other } = two();
    await one.record("b", { outcome: "accepted" }, OPTIONS);
    await other.record("b", DOWN, OPTIONS);
    await clock.advance(1_000);
    await one.record("b", { outcome: "accepted" }, OPTIONS);
    assert.deepEqual(await other.stateOf("b"), { failures: 0 });
  });

  it("takes what is wrong with one recipient, an unknown and a wish for a slower pace for no failure", async () => {
    const { one } = two();
    const receipts: readonly Receipt[] = [
      { outcome: "unknown", detail: "cut" },
      { outcome: "rejected", retryable: false, reason: "invalid-recipient" },
      { outcome: "rejected", retryable: true, reason: "rate-limited" },
      { outcome: "skipped", detail: "-" },
    ];
    for (const receipt of receipts) await one.record("b", receipt, OPTIONS);
    assert.deepEqual(await one.stateOf("b"), { failures: 0 });
  });

  it("keeps nobody from sending when the store fails", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const book = new RestingBook({ store, clock, logger: silentLogger });
    await store.close();
    await book.record("b", DOWN, OPTIONS);
    assert.equal((await book.ask("b", OPTIONS)).mayTry, true);
  });
});

describe("a fallback group with a channel that keeps failing", () => {
  const RESTS = { resting: { after_failures: 3, for: 600 } };

  async function tired(scripts: Readonly<Record<string, readonly ScriptStep[]>>): Promise<Scene> {
    const it = await scene(scripts, {}, RESTS);
    for (let count = 1; count <= 3; count++) {
      await it.app.emit({ message: `m${count}`, label: "page" });
      await eventually(it.clock, () => it.mail.seen.length === count, 100);
    }
    return it;
  }

  it("leaves it out while it rests, says so, and tries it with one message after that", async () => {
    const it = await tired({ chat: times(3) });
    const report = await it.app.emit({ id: "m4", message: "m4", label: "page" });
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.deepEqual(texts(it), [["m1", "m2", "m3"], ["m1", "m2", "m3", "m4"], []]);
    const left = (await it.app.ledger.eventsOf("m4")).find(({ backendName, status }) =>
      backendName === "chat" && status === "skipped"
    );
    assert.equal(left?.reason, "resting");
    assert.match(left?.detail ?? "", /^resting until 20\d\d-.*Z after 3 failures in a row$/);
    const record = await it.app.plans.find(report.deliveries[0]?.deliveryId ?? "");
    assert.equal(record?.state.children?.[0]?.status, "skipped");
    assert.match(record?.state.children?.[0]?.reason ?? "", /^resting until/);
    // It shows in the public state of the backends.
    const { restsUntil = 0 } = await it.app.rests.stateOf("chat");
    assert.ok(restsUntil > it.clock.now());
    assert.equal(it.app.health().find(({ name }) => name === "chat")?.restsUntil, restsUntil);
    assert.deepEqual(it.app.explain({ message: "x", label: "page" }).resting, [{ backendName: "chat", restsUntil }]);
    await it.clock.advance(600_000);
    assert.equal(it.app.explain({ message: "x", label: "page" }).resting, undefined);
    await it.app.emit({ message: "m5", label: "page" });
    await eventually(it.clock, () => it.chat.texts.includes("m5"));
    await it.clock.advance(1_000);
    assert.deepEqual(await it.app.rests.stateOf("chat"), { failures: 0 });
    await stop(it);
  });

  it("tries it with one of many messages after its rest, and rests anew when that fails", async () => {
    const it = await tired({ chat: [...times(3), ...times(1)] });
    await it.clock.advance(600_000);
    for (let count = 4; count <= 13; count++) await it.app.emit({ message: `m${count}`, label: "page" });
    await eventually(it.clock, () => it.mail.seen.length === 13, 100);
    assert.equal(it.chat.seen.length, 4);
    assert.equal((await it.app.rests.stateOf("chat")).failures, 4);
    await stop(it);
  });

  it("uses it all the same where no other is left, and for messages that are for it alone", async () => {
    const it = await tired({ chat: [...times(3)], mail: [], phone: [] });
    await it.app.emit({ message: "alone", label: "chat" });
    await eventually(it.clock, () => it.chat.texts.includes("alone"), 100);
    await stop(it);
    const last = await scene({ chat: times(20) }, { channels: ["chat"] }, RESTS);
    for (let count = 1; count <= 5; count++) {
      await last.app.emit({ message: `m${count}`, label: "page" });
      await eventually(last.clock, () => last.chat.seen.length === count, 100);
    }
    await stop(last);
  });

  it("does not leave the message to another channel that may have arrived on this one", async () => {
    const it = await scene({ chat: [{ outcome: "unknown", detail: "cut" }] }, {}, RESTS);
    await it.app.emit({ message: "doubtful", label: "page" });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    for (let count = 1; count <= 3; count++) await it.app.rests.record("chat", DOWN, OPTIONS);
    await eventually(it.clock, () => it.chat.seen.length === 2, 500);
    await it.clock.advance(60_000);
    assert.deepEqual(texts(it), [["doubtful", "doubtful"], [], []]);
    await stop(it);
  });

  it("goes on at once past a channel that is not started, or whose credentials are refused", async () => {
    const it = await scene({
      mail: [{ outcome: "rejected", retryable: false, reason: "auth", backendDown: true }],
    });
    await it.chat.stop();
    const report = await it.app.emit({ id: "m", message: "fire", label: "page" });
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.deepEqual(texts(it), [[], ["fire"], ["fire"]]);
    const story = (await it.app.ledger.eventsOf("m")).map(({ backendName, status, reason }) =>
      [backendName, status, reason].filter(Boolean).join(" ")
    );
    assert.ok(story.includes("chat skipped not-available"), story.join());
    assert.ok(story.includes("mail dead auth"), story.join());
    await stop(it);
  });
});
