import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type ApplicationOptions,
  fallback,
  ManualClock,
  MemoryStore,
  NotRunningError,
  RoutingError,
  StoreError,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { BUSY, said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
}

function build(more: ApplicationOptions = {}): Scene {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now() });
  const app = Application.build({}, {
    clock,
    store,
    communicators: [{ communicator: chat }],
    random: () => 0.5,
    ...more,
  });
  return { clock, store, chat, app };
}

async function settledIn(clock: ManualClock, promise: Promise<unknown>): Promise<void> {
  let over = false;
  promise.then(() => over = true, () => over = true);
  await eventually(clock, () => over, 1_000, 100);
}

describe("Application.stop", () => {
  it("stop() called twice at once ends when everything has stopped, for both", async () => {
    const { clock, store, app } = build({ closeStore: true });
    await app.start();
    const first = app.stop();
    const second = app.stop().then(() => store.stats("default:inbox"));
    const refused = assert.rejects(second, StoreError); // the store is closed by then
    await settledIn(clock, first);
    await refused;
  });

  it("stop() during start() leaves nothing running, and no timer behind", async () => {
    const { clock, app, chat } = build();
    const started = app.start();
    await settledIn(clock, app.stop());
    await started;
    assert.equal(app.isRunning, false);
    assert.equal(chat.isStarted, false);
    assert.equal(clock.pending, 0);
  });

  it("stop() closes everything though a backend cannot be stopped, and says so", async () => {
    const { clock, store, app, chat } = build({ closeStore: true });
    chat.stop = () => Promise.reject(new Error("no"));
    await app.start();
    const stopped = app.stop();
    const refused = assert.rejects(stopped, AggregateError);
    await settledIn(clock, stopped);
    await refused;
    await assert.rejects(store.stats("default:inbox"), StoreError);
    assert.equal(clock.pending, 0);
  });

  it("stop() does not wait for a backend whose start hangs when it is tried again", async () => {
    const { clock, app, chat } = build();
    let tries = 0;
    chat.start = () => (++tries === 1 ? Promise.reject(new Error("down")) : new Promise(() => {}));
    await app.start();
    await eventually(clock, () => tries === 2, 1_000);
    await settledIn(clock, app.stop());
    assert.equal(app.isRunning, false);
  });

  it("stop() lets those go who wait for the end of a delivery", async () => {
    const { clock, app, chat } = build();
    await app.start();
    // Longer than stop() has.
    chat.script.push({ outcome: "rejected", retryable: true, reason: "unavailable", retryAfterMs: 60_000 });
    const report = await app.emit({ message: "hello" });
    const settled = report.settled();
    const refused = assert.rejects(settled, NotRunningError);
    await eventually(clock, () => chat.seen.length === 1);
    await settledIn(clock, app.stop());
    await refused;
  });

  it("stop() lets a loop go that waits for a message", async () => {
    const { clock, app } = build();
    await app.start();
    const received = app.messenger.recvMsg();
    const refused = assert.rejects(received, NotRunningError);
    await clock.advance(1);
    await settledIn(clock, app.stop());
    await refused;
  });

  it("start() after stop() works again, a loop still getting one message at a time", async () => {
    const { clock, app, chat } = build({ closeStore: false });
    await app.start();
    const none = app.messenger.recvMsg({ block: false });
    await clock.advance(1);
    assert.equal(await none, undefined);
    await settledIn(clock, app.stop());
    await app.start();
    await chat.receive([said("1", "ann", "a"), said("2", "bob", "b")]);
    const first = await app.messenger.recvMsg();
    assert.equal(first?.text, "a");
    await clock.advance(1);
    const { claimed } = await app.inbox.queue.stats();
    assert.equal(claimed, 1);
    await settledIn(clock, app.stop());
  });
});

describe("Application.start", () => {
  it("start() that fails half way stops what it had started, and can be called again", async () => {
    const { clock, app } = build();
    const start = app.inbox.start.bind(app.inbox);
    app.inbox.start = () => Promise.reject(new StoreError("Cannot open: busy"));
    const failed = app.start();
    const refused = assert.rejects(failed, StoreError);
    await settledIn(clock, failed);
    await refused;
    assert.equal(app.isRunning, false);
    assert.equal(clock.pending, 0);
    app.inbox.start = start;
    await app.start();
    assert.equal(app.isRunning, true);
    await settledIn(clock, app.stop());
  });

  it("start() says which backends are gone from the configuration and have deliveries left; they can be called off", async () => {
    const before = build();
    before.chat.start = () => Promise.reject(new Error("down"));
    await before.app.start();
    const report = await before.app.emit({ message: "hello" });
    await settledIn(before.clock, before.app.stop());
    const lines: unknown[] = [];
    const note = (message: string, fields?: unknown): void => void lines.push([message, fields]);
    const app = await Application.create({}, {
      clock: before.clock,
      store: before.store,
      logger: { debug: () => {}, info: () => {}, warn: note, error: note },
    });
    assert.deepEqual(app.health(), [{
      name: "chat",
      isStarted: false,
      isHealthy: false,
      reason: "not-configured",
    }]);
    assert.ok(JSON.stringify(lines).includes("chat"), "it is logged");
    const id = report.deliveries[0]?.deliveryId ?? "";
    assert.equal((await app.outbox.find(id))?.backendName, "chat");
    assert.equal(await app.cancel(id), true);
    await settledIn(before.clock, app.stop());
  });
});

describe("Application.cancel", () => {
  it("cancel() takes the delivery of a fallback group, as a report names it", async () => {
    const clock = new ManualClock();
    const chat = new ScriptedCommunicator("chat", { now: () => clock.now(), script: [BUSY, BUSY] });
    const app = await Application.create({
      communications: {
        enabled: true,
        backends: {
          chat: { type: "chat", labels: ["x"] },
          reach: { type: "fallback", channels: ["chat"], labels: ["page"] },
        },
      },
    }, { clock, random: () => 0.5, backends: [fallback, { type: "chat", create: () => chat }] });
    const report = await app.emit({ message: "fire", label: "page" });
    await eventually(clock, () => chat.seen.length === 1, 1, 100);
    assert.equal(await app.cancel(report.deliveries[0]?.deliveryId ?? ""), true);
    assert.equal((await report.settled())[0]?.status, "cancelled");
    await clock.advance(60_000);
    assert.equal(chat.seen.length, 1);
    // And what only a plan can reach is refused where no plan is made.
    await assert.rejects(app.messenger.sendMsg("hello", "reach:somebody"), RoutingError);
    await settledIn(clock, app.stop());
  });
});
