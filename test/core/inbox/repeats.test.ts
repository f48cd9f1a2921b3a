// G23: each of 10,000 updates comes one to five times, at the same time and across restarts and seven days; each is
// handled once, its answer and its state appear exactly once, whatever dies in between.
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, ManualClock, MemoryStore, type MessageStore, StoreError } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

const UPDATES = 10_000;
const CONVERSATIONS = 200;
const RUNS = 8;
const DAY_MS = 86_400_000;

/** A process's view of the store: from its death on, nothing gets through. */
function mortal(store: MessageStore): { readonly view: MessageStore; readonly die: () => void } {
  let isDead = false;
  const view = new Proxy(store, {
    get(target, key): unknown {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...values: unknown[]): unknown => {
        if (!isDead) return Reflect.apply(value, target, values);
        if (key === "watch") return () => {};
        return Promise.reject(new StoreError("Cannot reach store: the process is dead", { retryable: true }));
      };
    },
  });
  return { view, die: () => void (isDead = true) };
}

/** A sequence of numbers from 0 to 1 that a seed determines. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

describe("Inbox and RouterWorker", () => {
  it("handle each of 10,000 repeated updates once, over 8 processes and 7 days", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const random = chance(20_261_121);
    const sent = new Map<string, number>();
    const effects = new Map<string, number>();
    // Every update one to five times, the repeats strewn over all runs behind the first.
    const deliveries: { readonly update: number; readonly run: number }[] = [];
    for (let update = 0; update < UPDATES; update++) {
      const first = Math.floor(random() * RUNS);
      deliveries.push({ update, run: first });
      for (let repeat = Math.floor(random() * 5); repeat > 0; repeat--) {
        deliveries.push({ update, run: first + Math.floor(random() * (RUNS - first)) });
      }
    }
    for (let run = 0; run < RUNS; run++) {
      const { view, die } = mortal(store);
      const chat = new ScriptedCommunicator("chat");
      const app = await Application.create({ outbox: { concurrency: 100 } }, {
        clock,
        store: view,
        communicators: [{ communicator: chat }],
      });
      app.messenger.route(async (context) => {
        effects.set(context.message.id, (effects.get(context.message.id) ?? 0) + 1);
        const seen = Number(await context.state.get() ?? 0);
        context.state.set(seen + 1);
        context.reply(context.message.id);
      });
      const batch = deliveries.filter((delivery) => delivery.run === run);
      const accepted: Promise<unknown>[] = [];
      for (let at = 0; at < batch.length;) {
        const size = 1 + Math.floor(random() * 40);
        const messages = batch.slice(at, at + size).map(({ update }) =>
          said(`u${update}`, `c${update % CONVERSATIONS}`, `${update}`)
        );
        // A provider hears nothing of a batch that was cut off, and repeats it.
        accepted.push(chat.receive(messages).catch(() => {}));
        at += size;
      }
      await clock.advance(1);
      if (run < RUNS - 1 && run % 2 === 0) {
        die(); // with work in hand
        await Promise.all(accepted);
        for (const { update } of batch) deliveries.push({ update, run: run + 1 });
      } else {
        await Promise.all(accepted);
        await eventually(clock, () => chat.seen.length > 0 && clock.pending >= 0, 10, 5);
        for (let idle = 0, before = -1; idle < 3;) {
          await clock.advance(61_000);
          idle = chat.seen.length === before ? idle + 1 : 0;
          before = chat.seen.length;
        }
        die();
      }
      for (const { text, deliveryId } of chat.seen) {
        sent.set(`${text} ${deliveryId}`, (sent.get(`${text} ${deliveryId}`) ?? 0) + 1);
      }
      clock.jumpWall(DAY_MS);
      await clock.advance(61_000);
    }
    const answered = new Set([...sent.keys()].map((key) => key.split(" ")[0]));
    assert.equal(answered.size, UPDATES, "every update is answered");
    assert.equal(sent.size, UPDATES, "by one delivery each");
    assert.ok([...effects.values()].every((count) => count >= 1) && effects.size === UPDATES);
    let counted = 0;
    for (let conversation = 0; conversation < CONVERSATIONS; conversation++) {
      const entry = await store.getState(`conversation/chat/c${conversation}`);
      counted += Number(entry?.value ?? 0);
    }
    assert.equal(counted, UPDATES, "state counts each update once");
    assert.equal((await store.stats("default:inbox")).stored, 0, "nothing is left behind");
    await store.close();
  }, 120_000);
});
