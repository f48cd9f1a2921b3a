import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type ApplicationOptions,
  type Logger,
  ManualClock,
  MemoryStore,
  silentLogger,
} from "../../../core/mod.ts";
import { BUSY, LOST, REFUSED, ScriptedCommunicator, type ScriptStep } from "../../support/scripted-communicator.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
  readonly store: MemoryStore;
}

async function scene(
  script: readonly ScriptStep[] = [],
  config: Record<string, unknown> = {},
  more: ApplicationOptions = {},
): Promise<Scene> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now(), script });
  const app = await Application.create(
    { communications: { enabled: true, backends: { chat: { type: "chat", labels: ["*"], ...config } } } },
    { backends: [{ type: "chat", create: () => chat }], clock, store, random: () => 0.5, closeStore: true, ...more },
  );
  return { clock, chat, app, store };
}

/** Stops with time passing, so that nothing waits for a clock that stands still. */
async function stop({ app, clock }: Scene): Promise<void> {
  const stopped = app.stop();
  for (let turn = 0; turn < 40; turn++) await clock.advance(1_000);
  await stopped;
}

async function statuses(app: Application, messageId: string): Promise<readonly string[]> {
  return (await app.ledger.eventsOf(messageId)).map((event) => event.status);
}

describe("SenderWorker", () => {
  it("sends what emit queued, and records every step", async () => {
    const it = await scene();
    const report = await it.app.emit({ message: "hello" });
    assert.deepEqual(report.deliveries.map((entry) => entry.status), ["queued"]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.deepEqual(await statuses(it.app, report.messageId), ["queued", "attempting", "accepted"]);
    await stop(it);
  });

  it("retries a transient refusal with full jitter, three attempts in all", async () => {
    const it = await scene([BUSY, BUSY, BUSY]);
    const start = it.clock.now();
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(60_000);
    assert.deepEqual(it.chat.seen.map((attempt) => attempt.at - start), [0, 500, 1_500]);
    assert.deepEqual(it.chat.seen.map((attempt) => attempt.attempt), [1, 2, 3]);
    const [settled] = await report.settled();
    assert.equal(settled?.status, "dead");
    assert.equal(settled?.reason, "max-attempts");
    const [dead] = await it.app.outbox.deadLetters();
    assert.equal(dead?.letter.dead.reason, "max-attempts");
    assert.equal(dead?.letter.dead.failures.length, 3);
    await stop(it);
  });

  it("gives a permanent refusal up at once, and redrives it on demand", async () => {
    const it = await scene([REFUSED]);
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(1);
    assert.deepEqual(await statuses(it.app, report.messageId), ["queued", "attempting", "rejected", "dead"]);
    const [delivery] = report.deliveries;
    assert.equal(await it.app.outbox.redrive(delivery?.deliveryId ?? ""), true);
    await it.clock.advance(1);
    assert.deepEqual((await statuses(it.app, report.messageId)).slice(4), ["redriven", "attempting", "accepted"]);
    assert.equal((await it.app.outbox.deadLetters()).length, 0);
    assert.equal(it.chat.seen[0]?.deliveryId, it.chat.seen[1]?.deliveryId);
    await stop(it);
  });

  it("waits as long as the network asks, at no attempt's cost, and holds up only that lane", async () => {
    const slow: ScriptStep = {
      outcome: "rejected",
      retryable: true,
      reason: "rate-limited",
      code: "429",
      retryAfterMs: 40_000,
    };
    const it = await scene([slow, slow, slow, slow]);
    const start = it.clock.now();
    await it.app.emit({ message: "a1", recipients: ["a"] });
    await it.clock.advance(1);
    it.chat.script.length = 0;
    it.chat.script.push(slow);
    await it.app.emit({ message: "a2", recipients: ["a"] });
    await it.app.emit({ message: "b1", recipients: ["b"] });
    await it.clock.advance(1);
    assert.equal(it.chat.seen.at(-1)?.text, "b1", "lane b is not held up by lane a");
    await it.clock.advance(39_000);
    assert.equal(it.chat.seen.length, 2, "nothing of lane a while the network asked to wait");
    await it.clock.advance(200_000);
    const ofA = it.chat.seen.filter((attempt) => attempt.recipient === "a");
    assert.deepEqual(ofA.map((attempt) => attempt.text), ["a1", "a1", "a2"]);
    assert.equal(ofA[1]?.attempt, 1, "the wait cost no attempt");
    assert.ok((ofA[1]?.at ?? 0) - start >= 40_000);
    await stop(it);
  });

  it("lets others of a lane pass a message that waits longer than laneHoldMs", async () => {
    const retry = { max_attempts: 3, schedule: [300] };
    const it = await scene([BUSY], { retry, lane_hold: 30 });
    const start = it.clock.now();
    await it.app.emit({ message: "one", recipients: ["a"] });
    await it.clock.advance(1);
    await it.app.emit({ message: "two", recipients: ["a"] });
    await it.clock.advance(29_000);
    assert.deepEqual(it.chat.texts, ["one"]);
    await it.clock.advance(2_000);
    assert.deepEqual(it.chat.texts, ["one", "two"]);
    await it.clock.advance(400_000);
    assert.deepEqual(it.chat.texts, ["one", "two", "one"]);
    assert.ok((it.chat.seen[2]?.at ?? 0) - start >= 270_000);
    await stop(it);
  });

  it("retries an unknown outcome on the same channel under the same id, marked", async () => {
    const it = await scene([LOST]);
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(60_000);
    assert.equal(it.chat.seen.length, 2);
    assert.equal(it.chat.seen[0]?.deliveryId, it.chat.seen[1]?.deliveryId);
    assert.equal(it.chat.seen[0]?.possibleDuplicate, false);
    assert.equal(it.chat.seen[1]?.possibleDuplicate, true);
    const events = await it.app.ledger.eventsOf(report.messageId);
    assert.deepEqual(events.map((event) => event.status), [
      "queued",
      "attempting",
      "unknown",
      "attempting",
      "accepted",
    ]);
    assert.equal(events.at(-1)?.possibleDuplicate, true);
    await stop(it);
  });

  it("does not send again what its provider has meanwhile said to have arrived", async () => {
    const it = await scene([LOST]);
    const report = await it.app.emit({ message: "hello", recipients: ["a"] });
    const [deliveryId] = report.deliveries.map((entry) => entry.deliveryId);
    await it.clock.advance(100);
    assert.equal(it.chat.seen.length, 1);
    const receipt = { providerMessageId: "wamid.1", status: "delivered" as const, timestamp: it.clock.now() };
    await it.chat.receiveReceipts([{ ...receipt, deliveryId: deliveryId ?? "" }]);
    await it.clock.advance(600_000);
    assert.equal(it.chat.seen.length, 1);
    assert.deepEqual(await statuses(it.app, report.messageId), ["queued", "attempting", "unknown", "delivered"]);
    assert.equal((await report.settled())[0]?.status, "delivered");
    assert.equal((await (await it.app.outbox?.queue("chat"))?.stats())?.stored, 0);
    await stop(it);
  });

  it("holds an unknown for a person when told to, and gives it up after hold_for", async () => {
    const it = await scene([LOST], { on_unknown: "hold", hold_for: 600 });
    const report = await it.app.emit({ message: "hello", recipients: ["a"] });
    await it.clock.advance(1);
    await it.app.emit({ message: "next", recipients: ["a"] });
    await it.clock.advance(1);
    assert.deepEqual(it.chat.texts, ["hello", "next"], "what is held does not hold up its lane");
    assert.equal((await it.app.outbox.find(report.deliveries[0]?.deliveryId ?? ""))?.held, true);
    await it.clock.advance(600_001);
    assert.deepEqual(await statuses(it.app, report.messageId), ["queued", "attempting", "unknown", "held", "dead"]);
    await stop(it);
  });

  it("takes a backend that throws for an unknown, and says nothing of what it threw but its word", async () => {
    const it = await scene([new Error("token 123:SECRET refused")]);
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(60_000);
    const events = await it.app.ledger.eventsOf(report.messageId);
    assert.equal(events[2]?.status, "unknown");
    assert.ok(!JSON.stringify(events).includes("SECRET"));
    await stop(it);
  });

  it("takes a delivery whose worker died for an unknown", async () => {
    const it = await scene();
    await it.app.stop();
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const chat = new ScriptedCommunicator("chat");
    const options = { backends: [{ type: "chat", create: () => chat }], clock, store, random: () => 0.5 };
    const config = { communications: { enabled: true, backends: { chat: { type: "chat" } } } };
    const first = await Application.create(config, { ...options, mode: "pump" });
    const report = await first.emit({ message: "hello" });
    const queue = await first.outbox.queue("chat");
    const [claimed] = await store.claim({ channel: queue.key, workerId: "dead", limit: 1, leaseMs: 60_000 });
    assert.equal(claimed?.id, report.deliveries[0]?.deliveryId);
    await clock.advance(60_001);
    await first.pump();
    assert.deepEqual(chat.seen.map((attempt) => [attempt.attempt, attempt.possibleDuplicate]), [[2, true]]);
    assert.deepEqual(await statuses(first, report.messageId), ["queued", "unknown", "attempting", "accepted"]);
    await first.stop();
  });

  it("keeps what an attempt did already, and hands it to the next", async () => {
    const half: ScriptStep = { outcome: "rejected", retryable: true, reason: "unavailable", progress: { parts: 2 } };
    const it = await scene([half]);
    await it.app.emit({ message: "hello" });
    await it.clock.advance(60_000);
    assert.deepEqual(it.chat.seen.map((attempt) => attempt.progress), [undefined, { parts: 2 }]);
    await stop(it);
  });

  it("does not send what has expired", async () => {
    const it = await scene([BUSY]);
    const report = await it.app.emit({ message: "hello", expiresAt: it.clock.now() + 400 });
    await it.clock.advance(10_000);
    assert.equal(it.chat.seen.length, 1);
    const [settled] = await report.settled();
    assert.equal(settled?.reason, "expired");
    await stop(it);
  });

  it("does not send before notBefore", async () => {
    const it = await scene();
    await it.app.emit({ message: "later", notBefore: it.clock.now() + 5_000 });
    await it.clock.advance(4_999);
    assert.deepEqual(it.chat.texts, []);
    await it.clock.advance(1);
    assert.deepEqual(it.chat.texts, ["later"]);
    await stop(it);
  });

  it("says in the log what was given up, without words that may name somebody", async () => {
    const warnings: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (...line) => void warnings.push(line) };
    const refused: ScriptStep = {
      outcome: "rejected",
      retryable: false,
      reason: "recipient-unreachable",
      code: "403",
      detail: "bob@example.com is no member",
    };
    const it = await scene([refused, { outcome: "accepted" }], {}, { logger });
    const [delivery] = (await it.app.emit({ message: "a" })).deliveries;
    await it.app.emit({ message: "b" });
    await it.clock.advance(10_000);
    assert.deepEqual(warnings, [
      ["a delivery was given up: it is among the dead letters or in its plan", {
        backend: "chat",
        deliveryId: delivery?.deliveryId,
        reason: "recipient-unreachable",
        code: "403",
      }],
    ]);
    await stop(it);
  });

  it("burns no attempts while the network refuses our credentials, and says so", async () => {
    const down: ScriptStep = { outcome: "rejected", retryable: false, reason: "auth", code: "401", backendDown: true };
    const errors: unknown[] = [];
    const logger: Logger = { ...silentLogger, error: (...line) => void errors.push(line) };
    const it = await scene([down, down, down, down, down], {}, { logger });
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(1);
    assert.deepEqual(errors, [
      ["backend is down: its messages wait until its configuration is right", {
        backend: "chat",
        reason: "auth",
        code: "401",
      }],
    ]);
    assert.deepEqual(it.app.health().map((each) => [each.isHealthy, each.reason]), [[false, "credentials-refused"]]);
    await it.clock.advance(600_000);
    assert.equal((await report.settled())[0]?.status, "accepted");
    assert.deepEqual(it.app.health().map((each) => each.isHealthy), [true]);
    await stop(it);
  });

  it("paces by token buckets", async () => {
    const it = await scene([], {
      rate: { backend: { count: 10, per: 1, burst: 1 }, destination: { count: 1, per: 1 } },
    });
    for (let index = 0; index < 40; index++) await it.app.emit({ message: `${index}`, recipients: [`r${index % 4}`] });
    await it.clock.advance(60_000);
    assert.equal(it.chat.seen.length, 40);
    for (const [index, { at }] of it.chat.seen.entries()) {
      const within = it.chat.seen.slice(index).filter((other) => other.at < at + 1_000);
      assert.ok(within.length <= 10, `${within.length} in a second`);
      for (let lane = 0; lane < 4; lane++) {
        const own = within.filter((other) => other.recipient === `r${lane}`);
        assert.ok(own.length <= 1 + 1, `${own.length} to one destination in a second`);
      }
    }
    const order = it.chat.seen.filter((attempt) => attempt.recipient === "r1").map((attempt) => Number(attempt.text));
    assert.deepEqual(order, [...order].sort((a, b) => a - b), "first in, first out in each lane");
    await stop(it);
  });

  it("aborts an attempt that takes longer than send_timeout", async () => {
    const hang: ScriptStep = (_message, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    const it = await scene([hang], { send_timeout: 5 });
    const report = await it.app.emit({ message: "hello" });
    await it.clock.advance(5_000);
    assert.deepEqual((await statuses(it.app, report.messageId)).slice(-1), ["unknown"]);
    await it.clock.advance(60_000);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await stop(it);
  });

  it("holds up no other backend when one hangs (G16)", async () => {
    const clock = new ManualClock();
    const hung = new ScriptedCommunicator("hung");
    hung.script.push(
      ...Array.from({ length: 64 }, (): ScriptStep => (_message, { signal }) =>
        new Promise((resolve) => {
          const timer = clock.setTimer(30_000, () => resolve({ outcome: "accepted" }));
          signal.addEventListener("abort", () => {
            timer.cancel();
            resolve(LOST);
          }, { once: true });
        })),
    );
    const others = Array.from(
      { length: 9 },
      (_, index) => new ScriptedCommunicator(`b${index}`, { now: () => clock.now() }),
    );
    const app = await Application.create({}, {
      clock,
      communicators: [hung, ...others].map((communicator) => ({ communicator, labels: ["all"] })),
    });
    const start = clock.now();
    for (let index = 0; index < 64; index++) {
      await app.emit({ message: `${index}`, label: "all", recipients: [`r${index}`] });
    }
    await clock.advance(10);
    for (const other of others) {
      assert.equal(other.seen.length, 64);
      assert.ok(other.seen.every((attempt) => attempt.at === start));
    }
    assert.ok(hung.seen.length <= 16, "the hung backend holds its own workers only");
    const stopped = app.stop();
    for (let turn = 0; turn < 200; turn++) await clock.advance(1_000);
    await stopped;
  });

  it("waits for a backend that is not started, and sends once it is", async () => {
    const clock = new ManualClock();
    class Late extends ScriptedCommunicator {
      failures = 2;
      override start(): Promise<void> {
        return this.failures-- > 0 ? Promise.reject(new Error("no network")) : super.start();
      }
    }
    const chat = new Late("chat");
    const app = await Application.create({}, { clock, communicators: [{ communicator: chat }], random: () => 0.5 });
    assert.deepEqual(app.health().map((each) => [each.name, each.isStarted, each.reason]), [["chat", false, "Error"]]);
    const report = await app.emit({ message: "hello" });
    await clock.advance(1);
    assert.deepEqual(chat.texts, []);
    await clock.advance(300_000);
    assert.deepEqual(chat.texts, ["hello"]);
    assert.equal((await report.settled())[0]?.status, "accepted");
    await app.stop();
  });

  it("cancels what has not been sent, and only that", async () => {
    const it = await scene();
    const later = await it.app.emit({ message: "later", notBefore: it.clock.now() + 60_000 });
    const sent = await it.app.emit({ message: "now" });
    await it.clock.advance(1);
    assert.equal(await it.app.cancel(later.deliveries[0]?.deliveryId ?? ""), true);
    assert.equal(await it.app.cancel(later.deliveries[0]?.deliveryId ?? ""), false);
    assert.equal(await it.app.cancel(sent.deliveries[0]?.deliveryId ?? ""), false);
    assert.equal(await it.app.cancel("nobody"), false);
    await it.clock.advance(120_000);
    assert.deepEqual(it.chat.texts, ["now"]);
    assert.deepEqual(await statuses(it.app, later.messageId), ["queued", "cancelled"]);
    await stop(it);
  });

  it("sends what was emitted twice under one id once", async () => {
    const it = await scene();
    await it.app.emit({ id: "order-7", message: "hello" });
    await it.clock.advance(1);
    const again = await it.app.emit({ id: "order-7", message: "hello" });
    assert.deepEqual(again.deliveries.map((entry) => entry.status), ["duplicate"]);
    assert.equal((await again.settled())[0]?.status, "accepted");
    await it.clock.advance(60_000);
    assert.deepEqual(it.chat.texts, ["hello"]);
    await stop(it);
  });

  it("stop sends what is due before a store in memory ends with the process (P7)", async () => {
    const it = await scene();
    for (let index = 0; index < 50; index++) await it.app.emit({ message: `${index}`, recipients: ["a"] });
    await stop(it);
    assert.deepEqual(it.chat.texts, Array.from({ length: 50 }, (_, index) => `${index}`));
  });

  it("stop waits for the pace and for retries as long as it may, before a store in memory ends with the process", async () => {
    const it = await scene([BUSY], { rate: { destination: { count: 1, per: 1, burst: 1 } } });
    for (let index = 0; index < 4; index++) await it.app.emit({ message: `${index}`, recipients: ["a"] });
    await stop(it);
    assert.deepEqual(new Set(it.chat.texts), new Set(["0", "1", "2", "3"]));
    assert.ok(it.chat.texts.length >= 5, "the one that was refused is tried again");
  });

  it("carries attachments' bytes through the outbox unchanged", async () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => index % 256);
    let got: Uint8Array | undefined;
    const it = await scene([(message) => {
      got = message.attachments[0]?.bytes;
      return Promise.resolve({ outcome: "accepted" });
    }]);
    await it.app.emit({
      message: "file",
      attachments: [{ filename: "a.bin", contentType: "application/octet-stream", bytes }],
    });
    await it.clock.advance(1);
    assert.deepEqual(got, bytes);
    await stop(it);
  });
});
