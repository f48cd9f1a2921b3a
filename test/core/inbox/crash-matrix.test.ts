// The process dies before, or right after, each call it makes to its store, one after the other: whatever that call was,
// the next process goes on. Every message is handled, its answer and its state appear exactly once, in order; nothing is
// skipped, and what may have reached a person twice is marked.
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import process from "node:process";
import { Application, ManualClock, MemoryStore, type MessageStore } from "../../../core/mod.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

type Way = "route" | "loop" | "pump";

/** Two batches of a provider; one conversation gets three messages, the others one each. */
const BATCHES: readonly (readonly (readonly [conversation: string, text: string])[])[] = [
  [["ann", "1"], ["bob", "1"], ["ann", "2"]],
  [["ann", "3"], ["eve", "1"]],
];
const MESSAGES = BATCHES.flat();
const LEASE_MS = 60_000;
/** A death at every call with `POSTHORN_LONG=1`, at every third otherwise. */
const STRIDE = process.env["POSTHORN_LONG"] === "1" ? 1 : 3;

/** What is left when processes are gone: the store, the network, the provider. */
class World {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore({ clock: this.clock });
  readonly effects: string[] = [];
  readonly sent: { readonly text: string; readonly deliveryId: string; readonly possibleDuplicate: boolean }[] = [];
  readonly acknowledged = new Set<number>();
  processes = 0;
  calls = 0;

  /** Lets a process live until everything is done, or it dies at its n-th call to the store. */
  async live(way: Way, death: { readonly call: number; readonly isAfter: boolean } | undefined): Promise<void> {
    const clock = new ManualClock(this.clock.now());
    const mortalStore = mortal(this.store, death, () => this.calls++);
    const chat = new ScriptedCommunicator("chat");
    this.processes++;
    const living = this.#work(way, mortalStore.view, clock, chat);
    let isDone = false;
    void living.then(() => isDone = true);
    for (let turn = 0; turn < 400 && !isDone && !mortalStore.isDead(); turn++) {
      const byMs = turn < 12 ? 1 : 10_000;
      await Promise.all([this.clock.advance(byMs), clock.advance(byMs)]);
    }
    for (const { text, deliveryId, possibleDuplicate } of chat.seen) {
      this.sent.push({ text, deliveryId, possibleDuplicate });
    }
    if (!mortalStore.isDead()) await living;
    assert.ok(isDone || mortalStore.isDead(), "it never came to an end");
  }

  async #work(way: Way, store: MessageStore, clock: ManualClock, chat: ScriptedCommunicator): Promise<void> {
    const app = await Application.create({}, {
      store,
      clock,
      workerId: `process-${this.processes}`,
      leaseMs: LEASE_MS,
      mode: way === "pump" ? "pump" : "workers",
      communicators: [{ communicator: chat }],
      random: () => 0.5,
    });
    if (way === "loop") void this.#loop(app);
    else {
      app.messenger.route(async (context) => {
        const { conversation, text } = context.message;
        this.effects.push(`${conversation} ${text}`);
        const before = String(await context.state.get() ?? "");
        context.state.set(before + text);
        context.reply(`${conversation} ${text} after ${before}`);
      });
    }
    // A provider repeats what it was not told is kept, and at times what it was told.
    for (const [index, batch] of [...BATCHES.entries(), ...BATCHES.entries()]) {
      await chat.receive(batch.map(([conversation, text]) => said(`${conversation}-${text}`, conversation, text)));
      this.acknowledged.add(index);
    }
    while (!await this.#isDone(app, chat)) {
      if (way === "pump") await app.pump();
      await clock.sleep(5_000);
    }
    await app.stop();
  }

  async #loop(app: Application): Promise<void> {
    for (;;) {
      const message = await app.messenger.recvMsg().catch(() => undefined);
      if (message === undefined) return;
      const { conversation, text } = message;
      this.effects.push(`${conversation} ${text}`);
      await app.messenger.sendMsg(`${conversation} ${text} after`, message);
      await message.ack();
    }
  }

  async #isDone(app: Application, chat: ScriptedCommunicator): Promise<boolean> {
    const inbox = await this.store.stats(app.inbox.queue.key);
    const outbox = await this.store.stats((await app.outbox.queue(chat.name)).key);
    return this.acknowledged.size === BATCHES.length && inbox.stored === 0 && outbox.stored === 0;
  }
}

/** A store as a process sees it that dies at a call: nothing is answered any more. */
function mortal(
  store: MessageStore,
  death: { readonly call: number; readonly isAfter: boolean } | undefined,
  count: () => void,
): { readonly view: MessageStore; readonly isDead: () => boolean } {
  let isDead = false;
  let calls = 0;
  const silence = new Promise<never>(() => {});
  const view = new Proxy(store, {
    get(target, key): unknown {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      if (key === "watch") {
        return (channel: string, listener: () => void) => store.watch(channel, () => isDead ? undefined : listener());
      }
      return async (...values: unknown[]): Promise<unknown> => {
        if (isDead) return await silence;
        count();
        const isLast = death !== undefined && ++calls === death.call;
        if (isLast && !death.isAfter) {
          isDead = true;
          return await silence;
        }
        const result: unknown = await Reflect.apply(value, target, values);
        if (isLast) isDead = true;
        return isDead ? await silence : result;
      };
    },
  });
  return { view, isDead: () => isDead };
}

async function check(world: World, way: Way): Promise<void> {
  const { store, effects, sent } = world;
  const wanted = MESSAGES.map(([conversation, text]) => `${conversation} ${text}`).sort();
  assert.deepEqual([...new Set(effects)].sort(), wanted, "every message is handled");
  const answers = new Map<string, Set<string>>();
  for (const { text, deliveryId } of sent) {
    answers.set(deliveryId, (answers.get(deliveryId) ?? new Set()).add(text));
  }
  assert.equal(answers.size, MESSAGES.length, "one answer each");
  const texts = [...answers.values()].map((all) => [...all]);
  assert.ok(texts.every((all) => all.length === 1), "an answer is the same on every attempt");
  if (way === "loop") {
    assert.deepEqual(texts.flat().sort(), wanted.map((each) => `${each} after`));
  } else {
    const expected = ["ann 1 after ", "ann 2 after 1", "ann 3 after 12", "bob 1 after ", "eve 1 after "];
    assert.deepEqual(texts.flat().sort(), expected, "state is as if nothing had happened");
    assert.equal((await store.getState("conversation/chat/ann"))?.value, "123");
    assert.equal((await store.getState("conversation/chat/bob"))?.value, "1");
  }
  for (const deliveryId of answers.keys()) {
    const attempts = sent.filter((each) => each.deliveryId === deliveryId);
    assert.ok(attempts.slice(1).every(({ possibleDuplicate }) => possibleDuplicate), "a second attempt is marked");
    assert.ok(attempts.length <= world.processes, "not more often than processes died");
  }
  const firstOfAnn = sent.filter(({ text }) => text.startsWith("ann")).map(({ text }) => text.split(" ")[1]);
  assert.deepEqual([...new Set(firstOfAnn)], ["1", "2", "3"], "in order");
  assert.equal((await store.stats("default:inbox")).stored, 0);
  assert.equal((await store.stats("default:inbox/dead")).stored, 0);
}

describe("A process that dies at any of its calls to the store", () => {
  for (const way of ["route", "loop", "pump"] as const) {
    it(`loses nothing and says nothing twice, by ${way}`, async () => {
      const undisturbed = new World();
      await undisturbed.live(way, undefined);
      await check(undisturbed, way);
      const calls = undisturbed.calls;
      assert.ok(calls > 30, `${calls} calls`);
      let deaths = 0;
      for (let call = 1; call <= calls; call += STRIDE) {
        for (const isAfter of [false, true]) {
          const world = new World();
          await world.live(way, { call, isAfter });
          // Death comes twice: the one who goes on dies too, at another place.
          await world.live(way, { call: 1 + (call * 7) % calls, isAfter: !isAfter });
          await world.live(way, undefined);
          await check(world, way).catch((error: unknown) => {
            throw new Error(`${way}: death ${isAfter ? "after" : "before"} call ${call} of ${calls}`, { cause: error });
          });
          deaths += world.processes - 1;
          await world.store.close();
        }
      }
      assert.equal(deaths, Math.ceil(calls / STRIDE) * 4);
    }, 300_000);
  }
});
