// A program that only watches what comes in: nothing piles up unseen, and nothing a worker may want goes without a word.
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type ApplicationConfig,
  type InboundEvent,
  type Logger,
  ManualClock,
  MemoryStore,
  QueueEventSubscriber,
  type StoreCapabilities,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
  readonly log: string[];
  readonly events: InboundEvent[];
}

async function scene(config: ApplicationConfig = {}, store?: MemoryStore): Promise<Scene> {
  const clock = new ManualClock();
  const log: string[] = [];
  const events: InboundEvent[] = [];
  const write = (text: string, fields: unknown): void => void log.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: () => {}, info: () => {}, warn: write, error: write };
  const chat = new ScriptedCommunicator("chat");
  const used = store ?? new MemoryStore({ clock });
  const app = await Application.create(config, { clock, store: used, logger, communicators: [{ communicator: chat }] });
  app.inbox.observe((event) => void events.push(event));
  return { clock, store: used, chat, app, log, events };
}

async function receive({ chat, clock }: Scene, count: number, from = 0): Promise<void> {
  for (let at = from; at < from + count; at += 100) {
    const size = Math.min(100, from + count - at);
    await chat.receive(
      Array.from({ length: size }, (_, index) => said(`m${at + index}`, `c${at % 7}`, `${at + index}`)),
    );
    await clock.advance(1);
  }
}

async function waiting({ store, app }: Scene): Promise<number> {
  return (await store.stats(app.inbox.queue.key)).stored;
}

async function stop({ app, clock }: Scene): Promise<void> {
  const stopping = app.stop();
  await clock.advance(60_000);
  await stopping;
}

/** A store on disk, as far as anybody can tell. */
class DurableStore extends MemoryStore {
  override readonly capabilities: StoreCapabilities = {
    atomicBatch: true,
    lanes: "exact",
    notBefore: true,
    notifies: "process",
    durable: true,
  };
}

describe("An inbox that nobody handles", () => {
  it("keeps at most max_unhandled, gives up the oldest, and says so in the log and to observers", async () => {
    const it = await scene({ inbox: { max_unhandled: 300 } });
    const watcher = new QueueEventSubscriber({ name: "watcher", maxSize: 5_000 });
    watcher.subscribe(it.app.dispatcher.incomingPublisher);
    await receive(it, 2_000);
    assert.equal(watcher.size, 2_000, "everything was heard");
    const kept = await waiting(it);
    assert.ok(kept >= 300 && kept < 300 + 300, `${kept} are kept`);
    const dead = it.events.filter(({ status }) => status === "dead");
    assert.equal(dead.length, 2_000 - kept);
    assert.ok(dead.every(({ detail }) => detail === "nobody-handles"));
    const given = it.log.filter((line) => line.startsWith("messages that nobody handled were given up"));
    const counted = given.reduce((sum, line) => sum + Number(/"count":(\d+)/.exec(line)?.[1]), 0);
    assert.equal(counted, dead.length);
    assert.equal(it.log.filter((line) => line.startsWith("messages wait and nobody handles them")).length, 1);
    // What is left is the latest, and a handler that comes late gets all of it, in order.
    const handled: number[] = [];
    it.app.messenger.route(({ message }) => void handled.push(Number(message.text)));
    await eventually(it.clock, () => handled.length === kept, 10);
    assert.deepEqual(handled.toSorted((left, right) => left - right), [
      ...Array.from({ length: kept }, (_, index) => 2_000 - kept + index),
    ]);
    assert.equal(watcher.size, 2_000, "nobody is told of a message twice");
    await receive(it, 5, 2_000);
    await it.clock.advance(10);
    assert.equal(watcher.size, 2_005);
    await stop(it);
  });

  it("is bounded in memory, and not where another process may be the one that handles it", async () => {
    const inMemory = await scene();
    await receive(inMemory, 10_600);
    const kept = await waiting(inMemory);
    assert.ok(kept <= 10_200, `${kept} are kept`);
    await stop(inMemory);
    const onDisk = await scene({}, new DurableStore());
    await receive(onDisk, 10_600);
    assert.equal(await waiting(onDisk), 10_600);
    assert.equal(onDisk.log.length, 1, "it is said once");
    await stop(onDisk);
  });

  it("gives up nothing that a worker holds", async () => {
    const it = await scene({ inbox: { max_unhandled: 1 } });
    await receive(it, 100);
    const held = await it.store.claim({
      channel: it.app.inbox.queue.key,
      workerId: "elsewhere",
      limit: 5,
      leaseMs: 600_000,
    });
    await receive(it, 300, 100);
    assert.equal((await it.store.stats(it.app.inbox.queue.key)).claimed, held.length);
    assert.ok(await waiting(it) <= held.length + 300);
    await stop(it);
  });

  it("loses nothing to a handler that is there", async () => {
    const it = await scene({ inbox: { max_unhandled: 10 } });
    let handled = 0;
    let isBlocked = true;
    it.app.messenger.route(async () => {
      while (isBlocked) await it.clock.sleep(1_000);
      handled++;
    });
    await receive(it, 1_000);
    assert.equal(await waiting(it), 1_000);
    isBlocked = false;
    await eventually(it.clock, () => handled === 1_000, 1_000, 5_000);
    await stop(it);
  });
});

describe("An inbox that is not enabled", () => {
  it("keeps nothing, tells subscribers of each message once, and takes neither a route nor a loop", async () => {
    const it = await scene({ inbox: { enabled: false } });
    const watcher = new QueueEventSubscriber({ name: "watcher", maxSize: 5_000 });
    watcher.subscribe(it.app.dispatcher.incomingPublisher);
    await receive(it, 1_000);
    await receive(it, 1_000);
    await it.clock.advance(60_000);
    assert.equal(await waiting(it), 0);
    await receive(it, 1_000); // repeated after everything is gone, seven days later
    it.clock.jumpWall(7 * 86_400_000);
    await receive(it, 1_000);
    assert.equal(watcher.size, 1_000);
    assert.throws(() => it.app.messenger.route(() => {}), { code: "misuse" });
    await assert.rejects(it.app.messenger.recvMsg(), { code: "misuse" });
    assert.deepEqual(it.log, []);
    await stop(it);
  });

  it("leaves what waited from before where it is", async () => {
    const store = new DurableStore();
    const before = await scene({}, store);
    await receive(before, 10);
    await stop(before);
    const between = await scene({ inbox: { enabled: false } }, store);
    await receive(between, 500, 10);
    await between.clock.advance(120_000);
    await stop(between);
    const after = await scene({}, store);
    const handled: string[] = [];
    after.app.messenger.route(({ message }) => void handled.push(message.text));
    await eventually(after.clock, () => handled.length === 10, 10);
    await after.clock.advance(1_000);
    assert.equal(handled.length, 10);
    await stop(after);
  });
});
