import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, fallback, ManualClock, MemoryStore } from "../../../core/mod.ts";
import { ScriptedCommunicator } from "../../support/scripted-communicator.ts";

/** An application whose delivery by `chat` was claimed by a worker that died while it sent it. */
async function scene(label: string, { chatStarts = true, expiresInMs }: {
  readonly chatStarts?: boolean;
  readonly expiresInMs?: number;
} = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const [chat, mail] = ["chat", "mail"].map((name) => new ScriptedCommunicator(name)) as [
    ScriptedCommunicator,
    ScriptedCommunicator,
  ];
  const app = await Application.create(
    {
      communications: {
        enabled: true,
        backends: {
          chat: { type: "chat", labels: ["chat"] },
          mail: { type: "mail" },
          reach: { type: "fallback", channels: ["chat", "mail"], labels: ["page"] },
        },
      },
    },
    {
      backends: [fallback, ...[chat, mail].map((each) => ({ type: each.name, create: () => each }))],
      clock,
      store,
      mode: "pump",
    },
  );
  const report = await app.emit({
    message: "fire",
    label,
    ...(expiresInMs === undefined ? {} : { expiresAt: clock.now() + expiresInMs }),
  });
  const { key } = await app.outbox.queue("chat");
  const [claimed] = await store.claim({ channel: key, workerId: "dead", limit: 1, leaseMs: 60_000 });
  assert.notEqual(claimed, undefined);
  if (!chatStarts) await chat.stop();
  return { clock, store, chat, mail, app, report };
}

describe("a delivery whose worker died while it sent it", () => {
  it("waits for a backend that is not started, and is sent once it is", async () => {
    const { clock, chat, app, report } = await scene("chat", { chatStarts: false });
    for (let round = 0; round < 3; round++) {
      await clock.advance(60_001);
      await app.pump();
    }
    assert.deepEqual(chat.texts, []);
    await chat.start();
    await clock.advance(60_001);
    await app.pump();
    assert.deepEqual(chat.seen.map(({ attempt, possibleDuplicate }) => [attempt, possibleDuplicate]), [[2, true]]);
    const statuses = (await app.ledger.eventsOf(report.messageId)).map(({ status }) => status);
    assert.deepEqual(statuses, ["queued", "unknown", "attempting", "accepted"]);
    await app.stop();
  });

  it("moves its plan to no other channel when it is given up as expired: it may have arrived", async () => {
    const { clock, chat, mail, app, report } = await scene("page", { expiresInMs: 30_000 });
    await clock.advance(60_001);
    for (let round = 0; round < 3; round++) await app.pump();
    assert.deepEqual([chat.texts, mail.texts], [[], []]);
    const [planId = ""] = report.deliveries.map(({ deliveryId }) => deliveryId);
    assert.equal((await app.plans.find(planId))?.outcome, "unknown");
    const story = (await app.ledger.eventsOf(report.messageId)).map(({ backendName, status, reason }) =>
      [backendName, status, reason].filter(Boolean).join(" ")
    );
    assert.deepEqual(story, ["reach queued", "chat queued", "chat unknown", "chat dead expired", "reach dead unknown"]);
    await app.stop();
  });

  it("is a dead letter in doubt when it has expired by then", async () => {
    const { clock, app, report } = await scene("chat", { expiresInMs: 30_000 });
    await clock.advance(60_001);
    await app.pump();
    const [dead] = await app.outbox.deadLetters();
    assert.deepEqual([dead?.letter.dead.reason, dead?.row.possibleDuplicate], ["expired", true]);
    const statuses = (await app.ledger.eventsOf(report.messageId)).map(({ status }) => status);
    assert.deepEqual(statuses, ["queued", "unknown", "dead"]);
    assert.equal(await app.resolve(report.deliveries[0]?.deliveryId ?? "", "delivered"), true);
    await app.stop();
  });
});
