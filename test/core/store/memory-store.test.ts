import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import { ValidationError } from "../../../core/errors.ts";
import type { MessageEnvelope } from "../../../core/message/channel-message.ts";
import { MemoryStore } from "../../../core/store/memory-store.ts";
import { ManualClock } from "../../../core/support/clock.ts";
import { describeMessageStore } from "../../contract/message-store.contract.ts";

function envelope(id: string): MessageEnvelope {
  return { v: 1, id, namespace: "", timestamp: 0, senderId: "s", content: id, metadata: {} };
}

describeMessageStore("MemoryStore", (options) => Promise.resolve(new MemoryStore(options)), {
  capabilities: { atomicBatch: true, lanes: "exact", notBefore: true, notifies: "process", durable: false },
});

describe("MemoryStore", () => {
  it("MemoryStore refuses a limit that is none", () => {
    assert.throws(() => new MemoryStore({ maxRememberedIds: -1 }), /maxRememberedIds/);
    for (const maxMessageBytes of [0, -1, 1.5, Number.NaN, Infinity]) {
      assert.throws(
        () => new MemoryStore({ maxMessageBytes }),
        (error) => error instanceof ValidationError && error.argument === "maxMessageBytes",
      );
    }
  });

  it("MemoryStore takes messages of 1 MiB by default, and none larger", async () => {
    const store = new MemoryStore();
    const fits = { ...envelope("a"), content: "x".repeat(1_048_576 - 2) };
    assert.equal((await store.append("c", [fits], { mode: "log" }))[0]?.status, "done");
    const over = { ...envelope("b"), content: "x".repeat(1_048_576 - 1) };
    await assert.rejects(store.append("c", [over], { mode: "log" }), { code: "too-large", limitBytes: 1_048_576 });
  });

  it("MemoryStore remembers so many ids of messages that are gone, and forgets those first that end first", async () => {
    const store = new MemoryStore({ maxRememberedIds: 3 });
    const add = async (id: string, dedupeForMs: number): Promise<string | undefined> => {
      const [result] = await store.append("c", [envelope(id)], { mode: "queue", dedupeForMs });
      return result?.status;
    };
    for (const [id, dedupeForMs] of [["a", 4_000], ["b", 1_000], ["c", 3_000], ["d", 2_000]] as const) {
      assert.equal(await add(id, dedupeForMs), "done");
      const [{ seq, lease: { token } } = assert.fail()] = await store.claim({
        channel: "c",
        workerId: "w",
        limit: 1,
        leaseMs: 1_000,
      });
      await store.commit([{ type: "ack", channel: "c", seq, token }]);
    }
    for (const [id, status] of [["a", "duplicate"], ["c", "duplicate"], ["d", "duplicate"], ["b", "done"]] as const) {
      assert.equal(await add(id, 1_000), status, id);
    }
  });

  it("MemoryStore tells onListenerError what a listener threw, once for each call", async () => {
    const errors: unknown[] = [];
    const store = new MemoryStore({ onListenerError: (error) => void errors.push(error) });
    const thrown = new Error("broken");
    store.watch("c", () => {
      throw thrown;
    });
    await store.append("c", [envelope("a")], { mode: "log" });
    await store.append("other", [envelope("a")], { mode: "log" });
    assert.deepEqual(errors, [thrown]);
  });

  it("MemoryStore writes to the console what a listener threw when nobody else wants to know", async () => {
    const lines: unknown[][] = [];
    const original = console.error;
    console.error = (...line: unknown[]): void => void lines.push(line);
    try {
      const thrown = new Error("broken");
      const second = new Error("the handler too");
      const store = new MemoryStore();
      store.watch("c", () => {
        throw thrown;
      });
      assert.equal((await store.append("c", [envelope("a")], { mode: "log" }))[0]?.status, "done");
      const other = new MemoryStore({
        onListenerError: () => {
          throw second;
        },
      });
      other.watch("c", () => {
        throw thrown;
      });
      assert.equal((await other.append("c", [envelope("a")], { mode: "log" }))[0]?.status, "done");
      assert.deepEqual(lines.map((line) => line.at(-1)), [thrown, second]);
    } finally {
      console.error = original;
    }
  });

  it("MemoryStore gives tokens that another store does not take", async () => {
    const [one, two] = [new MemoryStore(), new MemoryStore()];
    const claims = [];
    for (const store of [one, two]) {
      await store.append("c", [envelope("a")], { mode: "queue" });
      claims.push(...await store.claim({ channel: "c", workerId: "w", limit: 1, leaseMs: 1_000 }));
    }
    const [{ seq, lease: { token } } = assert.fail()] = claims;
    const foreign = await two.commit([{ type: "ack", channel: "c", seq, token }]);
    assert.equal(foreign.results[0]?.status, "lease-lost");
    assert.equal((await one.commit([{ type: "ack", channel: "c", seq, token }])).committed, true);
  });

  it("MemoryStore tells of no time before a message is due when its clock counts parts of milliseconds", async () => {
    class FineClock extends ManualClock {
      override monotonic(): number {
        return super.monotonic() + 0.25;
      }
    }
    const clock = new FineClock();
    const store = new MemoryStore({ clock });
    await store.append("c", [{ ...envelope("a"), notBefore: clock.now() + 10 }], { mode: "queue" });
    const next = await store.nextDueAt(["c"]);
    await clock.advance((next ?? 0) - clock.now());
    assert.equal((await store.claim({ channel: "c", workerId: "w", limit: 1, leaseMs: 1_000 })).length, 1);
  });
});
