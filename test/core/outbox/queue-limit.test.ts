import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type ApplicationConfig,
  createOutgoingMessage,
  fallback,
  ManualClock,
  MemoryStore,
  QueueFullError,
  type Receipt,
  StoreError,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { ScriptedCommunicator, type ScriptStep } from "../../support/scripted-communicator.ts";

/** Never answers. */
const HANGS: ScriptStep = () => new Promise(() => {});

interface Scene {
  readonly clock: ManualClock;
  readonly app: Application;
  readonly chat: ScriptedCommunicator;
  readonly mail: ScriptedCommunicator;
}

/** Two backends; nothing is sent before `chat.start()`. */
async function scene(outbox: NonNullable<ApplicationConfig["outbox"]>, more: ApplicationConfig = {}): Promise<Scene> {
  const clock = new ManualClock();
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now() });
  const mail = new ScriptedCommunicator("mail", { now: () => clock.now() });
  const app = await Application.create(
    {
      outbox,
      communications: {
        enabled: true,
        backends: {
          chat: { type: "chat", labels: ["chat", "both"] },
          mail: { type: "mail", labels: ["mail", "both"] },
          reach: { type: "fallback", channels: ["chat", "mail"], labels: ["page"] },
        },
      },
      ...more,
    },
    {
      backends: [{ type: "chat", create: () => chat }, { type: "mail", create: () => mail }, fallback],
      clock,
      store: new MemoryStore({ clock }),
      closeStore: true,
    },
  );
  await chat.stop();
  return { clock, app, chat, mail };
}

async function stop({ app, clock }: Scene): Promise<void> {
  const stopped = app.stop();
  for (let turn = 0; turn < 40; turn++) await clock.advance(1_000);
  await stopped;
}

function isFull(error: unknown): boolean {
  return error instanceof QueueFullError && error.retryable && error.message.includes("max_queued");
}

describe("outbox.max_queued", () => {
  it("refuses what is beyond it with a typed error, and keeps nothing of it", async () => {
    const it = await scene({ max_queued: 3 });
    for (let number = 1; number <= 3; number++) await it.app.emit({ message: `m${number}`, label: "chat" });
    await assert.rejects(it.app.emit({ id: "refused", message: "m4", label: "chat" }), isFull);
    await assert.rejects(it.app.messenger.sendMsg({ id: "refused", message: "m4" }, "chat:a"), isFull);
    assert.deepEqual(await it.app.ledger.eventsOf("refused"), []);
    assert.equal((await (await it.app.outbox.queue("chat")).stats()).stored, 3);
    await stop(it);
  });

  it("takes messages again once some were sent, and the refused one under its id", async () => {
    const it = await scene({ max_queued: 2 });
    await it.app.emit({ message: "m1", label: "chat" });
    await it.app.emit({ message: "m2", label: "chat" });
    await assert.rejects(it.app.emit({ id: "third", message: "m3", label: "chat" }), isFull);
    await it.chat.start();
    await eventually(it.clock, () => it.chat.texts.length === 2, 1_000);
    const report = await it.app.emit({ id: "third", message: "m3", label: "chat" });
    assert.equal(report.deliveries[0]?.status, "queued");
    await eventually(it.clock, () => it.chat.texts.includes("m3"), 1_000);
    await stop(it);
  });

  it("keeps a message from nobody else when one backend is full, and says so in the report", async () => {
    const it = await scene({ max_queued: 1 });
    await it.app.emit({ message: "m1", label: "chat" });
    const report = await it.app.emit({ id: "m2", message: "m2", label: "both" });
    assert.deepEqual(report.deliveries.map(({ backendName, status }) => [backendName, status]), [["mail", "queued"]]);
    assert.deepEqual(report.undelivered.map(({ backendName, reason }) => [backendName, reason]), [[
      "chat",
      "queue-full",
    ]]);
    await it.chat.start();
    await eventually(it.clock, () => it.mail.texts.length === 1 && it.chat.texts.length === 1, 1_000);
    const again = await it.app.emit({ id: "m2", message: "m2", label: "both" });
    assert.deepEqual(again.deliveries.map(({ backendName, status }) => [backendName, status]), [
      ["chat", "queued"],
      ["mail", "duplicate"],
    ]);
    await stop(it);
  });

  it("gives a backend all recipients of a message, or none", async () => {
    const it = await scene({ max_queued: 3 });
    await it.app.emit({ message: "m1", label: "chat", recipients: ["a", "b"] });
    await assert.rejects(it.app.emit({ message: "m2", label: "chat", recipients: ["a", "b"] }), isFull);
    assert.equal((await (await it.app.outbox.queue("chat")).stats()).stored, 2);
    assert.equal((await it.app.emit({ message: "m3", label: "chat", recipients: ["a"] })).deliveries.length, 1);
    await stop(it);
  });

  it("refuses a fallback group's message when its first channel is full, but never a later step", async () => {
    const it = await scene({ max_queued: 1 });
    const { promise: answer, resolve: refuse } = Promise.withResolvers<Receipt>();
    it.chat.script.push(() => answer);
    await it.chat.start();
    const report = await it.app.emit({ message: "m1", label: "page" });
    await assert.rejects(it.app.emit({ message: "m2", label: "page" }), isFull);
    it.mail.script.push(HANGS);
    await it.app.emit({ message: "m3", label: "mail" });
    await assert.rejects(it.app.emit({ message: "m4", label: "mail" }), isFull);
    refuse({ outcome: "rejected", retryable: false, reason: "policy" });
    await eventually(it.clock, () => it.mail.texts.includes("m1"), 1_000);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });

  it("holds though messages come all at once, to the message", async () => {
    const it = await scene({ max_queued: 100 });
    const ends = await Promise.allSettled(
      Array.from({ length: 1_000 }, (_, number) => it.app.emit({ message: `m${number}`, label: "chat" })),
    );
    assert.equal(ends.filter((end) => end.status === "fulfilled").length, 100);
    assert.ok(ends.every((end) => end.status === "fulfilled" || isFull(end.reason)));
    assert.equal((await (await it.app.outbox.queue("chat")).stats()).stored, 100);
    await stop(it);
  });

  it("keeps no place for what could not be counted", async () => {
    const it = await scene({ max_queued: 2 });
    const mail = await it.app.outbox.queue("mail");
    const stats = it.app.store.stats.bind(it.app.store);
    it.app.store.stats = (key) =>
      key === mail.key ? Promise.reject(new StoreError("Cannot count: the disk is full")) : stats(key);
    for (let round = 0; round < 3; round++) {
      await assert.rejects(it.app.emit({ message: "m", label: "both" }), StoreError);
      const both = await it.app.outbox.prepare(
        createOutgoingMessage({ message: "m" }, { newId: () => `${round}`, now: () => 0 }),
        [
          { backendName: "chat" },
          { backendName: "mail" },
        ],
      );
      await assert.rejects(it.app.outbox.commit(both.flatMap(({ operations }) => operations)), StoreError);
    }
    it.app.store.stats = stats;
    for (let number = 1; number <= 2; number++) await it.app.emit({ message: `m${number}`, label: "chat" });
    assert.equal((await (await it.app.outbox.queue("chat")).stats()).stored, 2);
    await stop(it);
  });

  it("has a default for a store in memory", async () => {
    const it = await scene({});
    const emits = Array.from({ length: 10_100 }, () => it.app.emit({ message: "m", label: "chat" }));
    const ends = await Promise.allSettled(emits);
    assert.equal(ends.filter((end) => end.status === "fulfilled").length, 10_000);
    await stop(it);
  });
});

describe("ledger.max_count", () => {
  it("holds under load too, between two upkeeps of the channel", async () => {
    const it = await scene({}, { ledger: { max_count: 5_000 } });
    await it.chat.start();
    for (let number = 0; number < 6_000; number++) await it.app.emit({ message: "m", label: "chat" });
    const { stored } = await it.app.ledger.channel.stats();
    assert.ok(stored <= 6_000, `it keeps ${stored} entries`);
    await stop(it);
  });
});
