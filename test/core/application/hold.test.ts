import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, fallback, ManualClock, MemoryStore } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { LOST, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

const MINUTE_MS = 60_000;

/** A page whose first channel gave no answer, and waits for a person. */
async function heldPage(group: Record<string, unknown> = {}) {
  const clock = new ManualClock();
  const chat = new ScriptedCommunicator("chat", { script: [LOST] });
  const mail = new ScriptedCommunicator("mail");
  const app = await Application.create(
    {
      communications: {
        enabled: true,
        backends: {
          chat: { type: "chat", on_unknown: "hold", hold_for: 600 },
          mail: { type: "mail" },
          on_call: { type: "fallback", channels: ["chat", "mail"], labels: ["page"], ...group },
        },
      },
    },
    {
      backends: [fallback, ...[chat, mail].map((each) => ({ type: each.name, create: () => each }))],
      clock,
      store: new MemoryStore({ clock }),
      closeStore: true,
      random: () => 0.5,
    },
  );
  const report = await app.emit({ message: "fire", label: "page" });
  await eventually(clock, () => chat.seen.length === 1);
  await clock.advance(20);
  const deliveryId = chat.seen[0]?.deliveryId ?? "";
  const events = async () =>
    (await app.ledger.eventsOf(report.messageId)).map(({ backendName, status }) => `${backendName} ${status}`);
  const stop = async (): Promise<void> => {
    let stopped = false;
    const done = app.stop().then(() => stopped = true);
    await eventually(clock, () => stopped, 1_000);
    await done;
  };
  return { clock, chat, mail, app, report, deliveryId, events, stop };
}

describe("a step that is held after an unknown", () => {
  it("waits for a person, and no other channel is used", async () => {
    const { clock, chat, mail, app, deliveryId, events, stop } = await heldPage();
    await clock.advance(9 * MINUTE_MS);
    assert.deepEqual([chat.seen.length, mail.seen.length], [1, 0]);
    assert.deepEqual((await app.outbox.held()).map((row) => row.deliveryId), [deliveryId]);
    assert.equal((await events()).at(-1), "chat held");
    await stop();
  });

  it("Application.resolve(delivered) settles the plan", async () => {
    const { clock, chat, mail, app, report, deliveryId, stop } = await heldPage();
    assert.equal(await app.resolve(deliveryId, "delivered"), true);
    assert.equal(await app.resolve(deliveryId, "next"), false, "somebody has decided");
    assert.equal((await report.settled())[0]?.status, "accepted");
    await clock.advance(20 * MINUTE_MS);
    assert.deepEqual([chat.seen.length, mail.seen.length], [1, 0]);
    assert.deepEqual(await app.plans.deadPlans(), []);
    await stop();
  });

  it("Application.resolve(retry) sends it again by the same channel, marked", async () => {
    const { clock, chat, mail, app, report, deliveryId, stop } = await heldPage();
    assert.equal(await app.resolve(deliveryId, "retry"), true);
    await eventually(clock, () => chat.seen.length === 2);
    assert.deepEqual([chat.seen[1]?.deliveryId, chat.seen[1]?.possibleDuplicate], [deliveryId, true]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.equal(mail.seen.length, 0);
    await stop();
  });

  it("Application.resolve(next) goes on to the next channel", async () => {
    const { clock, chat, mail, app, report, deliveryId, stop } = await heldPage();
    assert.equal(await app.resolve(deliveryId, "next"), true);
    await eventually(clock, () => mail.seen.length === 1);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await clock.advance(20 * MINUTE_MS);
    assert.deepEqual([chat.seen.length, mail.seen.length], [1, 1]);
    await stop();
  });

  it("ends as unknown when nobody decides in time, and can still be decided then", async () => {
    const { clock, mail, app, report, stop } = await heldPage();
    await clock.advance(11 * MINUTE_MS);
    const [settled] = await report.settled();
    assert.deepEqual([settled?.status, settled?.reason], ["dead", "unknown"]);
    assert.equal(mail.seen.length, 0);
    const [dead] = await app.plans.deadPlans();
    assert.equal(dead?.outcome, "unknown");
    assert.equal(await app.resolve(dead?.record.planId ?? "", "next"), true);
    await eventually(clock, () => mail.seen.length === 1);
    await clock.advance(20);
    assert.deepEqual(await app.plans.deadPlans(), []);
    await stop();
  });

  it("does not hold up a plan that gives each channel its time", async () => {
    const { clock, mail, deliveryId, app, report, stop } = await heldPage({ confirm: "read", within: 300 });
    await eventually(clock, () => mail.seen.length === 1, 10_000);
    assert.equal(await app.resolve(deliveryId, "delivered"), true);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop();
  });
});
