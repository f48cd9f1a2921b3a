/**
 * Writing, and everybody reading: passthrough, broadcast, mailbox.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  BroadcastChannel,
  type ChannelMessage,
  type Gap,
  type JsonValue,
  MailboxChannel,
  NotRunningError,
  PassthroughChannel,
  type StoredMessage,
  StoreError,
  TooLargeError,
  ValidationError,
} from "../../../core/mod.ts";
import { nextTurn } from "../../../core/support/clock.ts";
import { type Bench, contents, eventually, FaultyStore, type OpenStore, settle, withBench } from "./channel-bench.ts";

class Watchful<T = JsonValue> extends BroadcastChannel<T> {
  readonly errors: unknown[] = [];
  readonly gaps: (readonly [string, Gap])[] = [];
  protected override onError(error: unknown): void {
    this.errors.push(error);
  }
  protected override onGap(readerId: string, gap: Gap): void {
    this.gaps.push([readerId, gap]);
  }
}

async function bus<T = JsonValue>({ base }: Bench, options: { readonly id?: string } = {}): Promise<Watchful<T>> {
  const channel = new Watchful<T>({ id: "bus", ...base, ...options });
  await channel.start();
  return channel;
}

export function sharedReadsSuite(name: string, open: OpenStore): void {
  const test = (body: (bench: Bench) => Promise<void>): () => Promise<void> => withBench(open, body);

  describe(`PassthroughChannel on ${name}`, () => {
    it(
      "write() returns a stable id, and the message is in the store when it resolves",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<{ value: number }>({ id: "events", name: "Events", ...base });
        await channel.start();
        const id = await channel.write("producer", { value: 42 });
        const stored = await channel.get(id);
        assert.deepEqual(stored?.content, { value: 42 });
        assert.equal(stored?.senderId, "producer");
        assert.deepEqual(contents(await channel.read("consumer", { limit: 10 })), [{ value: 42 }]);
        assert.deepEqual(await channel.read("consumer"), [], "the reader's place has moved");
        assert.equal((await channel.read("other")).length, 1, "everybody has a place of their own");
        await channel.stop();
      }),
    );

    it(
      "write() with direct stores a whole message as it is",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<JsonValue>({ id: "events", ...base });
        await channel.start();
        const message: ChannelMessage = {
          id: "mine",
          timestamp: 5,
          senderId: "sys-a",
          content: { data: "Hello" },
          metadata: { tone: "kind" },
          recipientId: "sys-b",
          correlationId: "talk",
          replyTo: "before",
        };
        assert.equal(await channel.write("sys-a", message, { direct: true }), "mine");
        const { seq: _seq, attempts: _attempts, v: _v, namespace: _namespace, ...stored } = await channel.get("mine") ??
          assert.fail("it is not there");
        assert.deepEqual(stored, message);
        await channel.stop();
      }),
    );

    it(
      "write() twice with one id stores one message (S8, S23)",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<string>({ id: "events", ...base });
        await channel.start();
        assert.equal(await channel.write("a", "first", { id: "same" }), "same");
        assert.equal(await channel.write("a", "second", { id: "same" }), "same");
        assert.deepEqual(contents(await channel.read("r")), ["first"]);
        await channel.stop();
      }),
    );

    it(
      "write() remembers an id for dedupeForMs after the message is gone, for writes that ask",
      test(async ({ base, clock }) => {
        const channel = new PassthroughChannel<string>({ id: "events", ...base });
        await channel.start();
        await channel.write("a", "one", { id: "x", dedupeForMs: 1_000 });
        await channel.remove("x");
        await channel.write("a", "two", { id: "x", dedupeForMs: 1_000 });
        assert.equal(await channel.get("x"), undefined, "a repeat");
        await channel.write("a", "three", { id: "x" });
        assert.equal((await channel.get("x"))?.content, "three", "did not ask");
        await channel.remove("x");
        await clock.advance(2_000);
        await channel.write("a", "four", { id: "x", dedupeForMs: 1_000 });
        assert.equal((await channel.get("x"))?.content, "four", "the memory has ended");
        await channel.stop();
      }),
    );

    it(
      "content, metadata and fields come back as they were written, whatever is done to the original (S22)",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<JsonValue>({ id: "events", ...base });
        await channel.start();
        const content = { list: [1, "two", null, { deep: true }], text: "ä\u0000😀" };
        const id = await channel.write("a", content, {
          metadata: { k: [1] },
          orderingKey: "lane",
          externalId: "ext",
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          expiresAt: new Date(1_800_000_000_000),
          notBefore: 1_700_000_100_000,
        });
        const before = structuredClone(content);
        content.list.push("changed");
        const stored = await channel.get(id) ?? assert.fail();
        assert.deepEqual(stored.content, before);
        assert.deepEqual(stored.metadata, { k: [1] });
        assert.deepEqual(
          [stored.orderingKey, stored.externalId, stored.expiresAt, stored.notBefore, stored.v, stored.namespace],
          ["lane", "ext", 1_800_000_000_000, 1_700_000_100_000, 1, "default"],
        );
        assert.deepEqual((await channel.query({ externalId: "ext" })).messages.map((each) => each.id), [id]);
        await channel.stop();
      }),
    );

    it(
      "claims: true lets workers claim what everybody reads, and neither disturbs the other (S10)",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<number>({ id: "both", claims: true, ...base });
        await channel.start();
        for (const value of [1, 2, 3]) await channel.write("a", value);
        const claimed = await channel.read("worker", { exclusive: true, limit: 2 });
        assert.deepEqual(contents(claimed), [1, 2]);
        assert.deepEqual(contents(await channel.read("reader")), [1, 2, 3]);
        await channel.nack("worker", [claimed[0] ?? assert.fail()]);
        await channel.acknowledge("worker", [claimed[1] ?? assert.fail()]);
        assert.deepEqual(contents(await channel.read("late")), [1, 2, 3]);
        assert.deepEqual(contents(await channel.read("worker", { exclusive: true })), [1, 3]);
        await channel.stop();
      }),
    );

    it(
      "start() twice, stop() twice and at once are harmless, and a started channel goes on after a stop",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<number>({ id: "events", ...base });
        await Promise.all([channel.start(), channel.start()]);
        await channel.write("a", 1);
        await Promise.all([channel.stop(), channel.stop(), channel.drain()]);
        await channel.stop();
        assert.equal(channel.isRunning, false);
        await channel.start();
        await channel.write("a", 2);
        assert.deepEqual(contents(await channel.read("r")), [1, 2]);
        await channel.stop();
      }),
    );

    it("a channel's own memory store keeps its messages over a stop", async () => {
      const channel = new PassthroughChannel<number>({ id: "own" });
      await channel.start();
      await channel.write("a", 1);
      await channel.stop();
      await channel.start();
      assert.deepEqual(contents(await channel.read("r")), [1]);
      await channel.stop();
    });

    it(
      "start() that fails leaves a channel that is stopped and can be started",
      test(async ({ base }) => {
        class Shy extends PassthroughChannel<number> {
          starts = 0;
          protected override onStart(): Promise<void> {
            return ++this.starts === 1 ? Promise.reject(new Error("not today")) : Promise.resolve();
          }
        }
        const channel = new Shy({ id: "shy", ...base });
        await assert.rejects(channel.start(), /not today/);
        assert.equal(channel.isRunning, false);
        await channel.start();
        await channel.write("a", 1);
        await channel.stop();
      }),
    );

    it(
      "write() while it stops is committed or refused, never lost, and stop() ends under constant writing",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<number>({ id: "busy", retention: {}, ...base });
        await channel.start();
        const written: string[] = [];
        let refused = 0;
        const writers = [1, 2, 3].map(async (sender) => {
          for (let value = 0;; value++) {
            try {
              written.push(await channel.write(`w${sender}`, value));
              if (value % 50 === 49) await nextTurn();
            } catch (error) {
              assert.ok(error instanceof NotRunningError);
              refused++;
              return;
            }
          }
        });
        await settle(3);
        await channel.stop();
        await Promise.all(writers);
        assert.equal(refused, 3);
        await channel.start();
        assert.equal((await channel.stats()).stored, written.length);
        for (const id of written.slice(-3)) assert.ok(await channel.get(id));
        await channel.stop();
      }),
    );

    it(
      "calls on a channel that does not run are refused",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<number>({ id: "off", ...base });
        for (
          const call of [
            () => channel.write("a", 1),
            () => channel.read("a"),
            () => channel.readPage("a"),
            () => channel.get("a"),
            () => channel.query(),
            () => channel.stats(),
            () => channel.remove("a"),
            () => channel.evict(),
            () => channel.clear(),
            () => channel.subscribe("a", () => {}),
            () => channel.acknowledge("a", ["x"]),
            async () => void await Promise.resolve(channel.stream("a")),
          ]
        ) await assert.rejects(call(), NotRunningError);
      }),
    );
  });

  describe(`A channel's hooks on ${name}`, () => {
    it(
      "onMessage(): the AuditChannel of the specification",
      test(async ({ base }) => {
        const lines: string[] = [];
        class AuditChannel extends PassthroughChannel<string> {
          protected override async onMessage(message: StoredMessage<string>): Promise<void> {
            lines.push(`[AUDIT] ${message.senderId} → ${message.content}`);
            await super.onMessage(message);
          }
        }
        const channel = new AuditChannel({ id: "audited", ...base });
        await channel.start();
        const heard: string[] = [];
        await channel.subscribe("s", (message) => void heard.push(message.content));
        await channel.write("me", "hello");
        assert.deepEqual(lines, ["[AUDIT] me → hello"]);
        assert.deepEqual(heard, ["hello"], "super.onMessage() waits for the subscriber");
        await channel.write("me", "hello again", { id: "x" });
        await channel.write("me", "hello again", { id: "x" });
        assert.equal(lines.length, 2, "a duplicate is no message");
        await channel.stop();
      }),
    );

    it(
      "onMessage() that throws is reported and does not fail the write: the message is stored",
      test(async ({ base }) => {
        const errors: unknown[] = [];
        class Bad extends PassthroughChannel<string> {
          protected override onMessage(): Promise<void> {
            return Promise.reject(new Error("hook"));
          }
          protected override onError(error: unknown): void {
            errors.push(error);
            throw new Error("and onError throws too");
          }
        }
        const channel = new Bad({ id: "bad", ...base });
        await channel.start();
        const id = await channel.write("me", "hello");
        assert.ok(await channel.get(id));
        assert.equal(errors.length, 1);
        await channel.stop();
      }),
    );

    it(
      "convertFn() shapes, names and drops, and one that forgets its return is an error",
      test(async ({ base }) => {
        class Shaped extends PassthroughChannel<JsonValue> {
          protected override convertFn(senderId: string, data: JsonValue, id: string): ChannelMessage | null {
            if (data === "drop") return null;
            // @ts-expect-error what a program without types can do
            if (data === "forget") return undefined;
            return { id: data === "named" ? "natural" : id, timestamp: 1, senderId, content: { data }, metadata: {} };
          }
        }
        const channel = new Shaped({ id: "shaped", ...base });
        await channel.start();
        assert.equal(await channel.write("a", "drop"), "");
        assert.equal(await channel.write("a", "named"), "natural");
        assert.equal(await channel.write("a", "x", { id: "mine" }), "mine");
        await assert.rejects(channel.write("a", "forget"), ValidationError);
        assert.deepEqual(contents(await channel.read("r")), [{ data: "named" }, { data: "x" }]);
        await channel.stop();
      }),
    );

    it(
      "onStart(), onStop() and onMaintain() are called, and upkeep runs without a loop (S16)",
      test(async ({ base, clock }) => {
        const calls: string[] = [];
        class Kept extends PassthroughChannel<number> {
          protected override onStart(): Promise<void> {
            calls.push("start");
            return Promise.resolve();
          }
          protected override onStop(): Promise<void> {
            calls.push("stop");
            return Promise.resolve();
          }
          protected override async onMaintain(): Promise<void> {
            calls.push("maintain");
            await super.onMaintain();
          }
        }
        const options = { id: "kept", retention: { maxCount: 2 }, maintenanceIntervalMs: 1_000, ...base };
        const channel = new Kept(options);
        await channel.start();
        for (let value = 0; value < 5; value++) await channel.write("a", value);
        await clock.advance(1_000);
        await eventually(async () => (await channel.stats()).stored === 2, "retention");
        await clock.advance(1_000);
        await eventually(() => calls.filter((call) => call === "maintain").length === 2);
        await channel.stop();
        await clock.advance(10_000);
        assert.deepEqual(calls, ["start", "maintain", "maintain", "stop"], "no timer is left behind");
      }),
    );

    it(
      "stop() ends everything though a hook throws, and says so",
      test(async ({ base, clock }) => {
        class Sore extends PassthroughChannel<number> {
          upkeep = 0;
          protected override onStop(): Promise<void> {
            return Promise.reject(new Error("sore"));
          }
          protected override onMaintain(): Promise<void> {
            this.upkeep++;
            return Promise.reject(new Error("upkeep"));
          }
        }
        const channel = new Sore({ id: "sore", maintenanceIntervalMs: 10, ...base });
        await channel.start();
        await clock.advance(25);
        assert.equal(channel.upkeep, 2, "upkeep that fails is tried again");
        await assert.rejects(channel.stop(), /sore/);
        assert.equal(channel.isRunning, false);
        await clock.advance(100);
        assert.equal(channel.upkeep, 2);
      }),
    );
  });

  describe(`BroadcastChannel on ${name}`, () => {
    it(
      "read() exclusively is a TypeError",
      test(async (bench) => {
        const channel = await bus(bench);
        await assert.rejects(async () => await channel.read("w", { exclusive: true }), TypeError);
        await assert.rejects(async () => await channel.readPage("w", { exclusive: true }), TypeError);
        await channel.stop();
      }),
    );

    it(
      "subscribe() hears every message from now on, in order, and late readers catch up",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        await channel.write("sensor", 0);
        const heard: number[] = [];
        await channel.subscribe("dashboard", (message) => void heard.push(message.content));
        for (let value = 1; value <= 250; value++) await channel.write("sensor", value);
        assert.deepEqual(heard, Array.from({ length: 250 }, (_, index) => index + 1), "at once");
        assert.equal((await channel.read("late-reader", { limit: 100 })).length, 100);
        await channel.stop();
      }),
    );

    it(
      "a subscriber that throws, at once or later, hurts neither the writer nor the others (S18)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const heard: number[] = [];
        await channel.subscribe("bad", () => {
          throw new Error("at once");
        });
        await channel.subscribe("worse", () => Promise.reject(new Error("later")));
        const strange = { then: (_yes: unknown, no: (error: Error) => void): void => no(new Error("thenable")) };
        // @ts-expect-error a promise of another make
        await channel.subscribe("strange", () => strange);
        await channel.subscribe("good", (message) => void heard.push(message.content));
        await channel.write("a", 1);
        await channel.write("a", 2);
        await channel.drain();
        assert.deepEqual(heard, [1, 2]);
        assert.equal(channel.errors.length, 6);
        await channel.stop();
      }),
    );

    it(
      "a slow subscriber delays no writer and misses nothing (S19)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const heard: number[] = [];
        let release: () => void = () => {};
        const slow = new Promise<void>((resolve) => release = resolve);
        await channel.subscribe("slow", async (message) => {
          await slow;
          heard.push(message.content);
        });
        for (let value = 0; value < 300; value++) await channel.write("a", value);
        assert.deepEqual(heard, []);
        release();
        await channel.drain();
        assert.equal(heard.length, 300);
        await channel.stop();
      }),
    );

    it(
      "two subscriptions of one name both hear, and each ends by itself (S28)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const heard: string[] = [];
        const first = await channel.subscribe("same", (message) => void heard.push(`first ${message.content}`));
        await channel.subscribe("same", (message) => void heard.push(`second ${message.content}`));
        await channel.write("a", 1);
        first.unsubscribe();
        first.unsubscribe();
        await channel.write("a", 2);
        assert.deepEqual(heard.toSorted(), ["first 1", "second 1", "second 2"]);
        assert.equal(channel.unsubscribe("same"), true);
        assert.equal(channel.unsubscribe("same"), false);
        await channel.write("a", 3);
        assert.equal(heard.length, 3);
        await channel.stop();
      }),
    );

    it(
      "a subscriber may write to its own channel, and the loop stays alive",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const heard: number[] = [];
        await channel.subscribe("echo", async (message) => {
          heard.push(message.content);
          if (message.content < 20) await channel.write("echo", message.content + 1);
        });
        await channel.subscribe("plain", (message) => {
          if (message.content < 20) void channel.write("plain", 100);
        });
        await channel.write("a", 1);
        await channel.drain();
        assert.ok(heard.includes(20));
        await channel.stop();
      }),
    );

    it(
      "unsubscribe() within the handler is the end of it",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const heard: number[] = [];
        const subscription = await channel.subscribe("once", (message) => {
          heard.push(message.content);
          subscription.unsubscribe();
        });
        await Promise.all([1, 2, 3].map((value) => channel.write("a", value)));
        await settle();
        assert.deepEqual(heard, [1]);
        await channel.stop();
      }),
    );

    it(
      "readers whose place was evicted are told of the gap once, and go on (S1)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        for (let value = 0; value < 5; value++) await channel.write("a", value);
        assert.deepEqual(contents(await channel.read("r", { limit: 5 })), [0, 1, 2, 3, 4]);
        assert.equal(await channel.evict({ maxCount: 0 }), 5);
        for (let value = 5; value < 12; value++) await channel.write("a", value);
        assert.deepEqual(contents(await channel.read("r", { limit: 50 })), [5, 6, 7, 8, 9, 10, 11], "none is lost");
        assert.deepEqual(channel.gaps, [], "it had read what went");
        for (let value = 12; value < 20; value++) await channel.write("a", value);
        await channel.evict({ maxCount: 3 });
        const page = await channel.readPage("r", { limit: 50 });
        assert.deepEqual(contents(page.messages), [17, 18, 19]);
        assert.deepEqual(page.gap, { fromSeq: 13, toSeq: 17 });
        assert.equal((await channel.readPage("r")).gap, undefined);
        await channel.stop();
      }),
    );

    it(
      "read() tells onGap() of what was evicted unread",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        await channel.write("a", 1);
        await channel.read("r");
        await channel.write("a", 2);
        await channel.evict({ maxCount: 0 });
        await channel.write("a", 3);
        assert.deepEqual(contents(await channel.read("r")), [3]);
        assert.deepEqual(channel.gaps, [["r", { fromSeq: 2, toSeq: 2 }]]);
        await channel.stop();
      }),
    );

    it(
      "remove() and clear() move no reader's place (S2)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const ids: string[] = [];
        for (let value = 0; value < 6; value++) ids.push(await channel.write("a", value));
        assert.deepEqual(contents(await channel.read("r", { limit: 3 })), [0, 1, 2]);
        for (const id of ids.slice(0, 3)) assert.equal(await channel.remove(id), true);
        assert.equal(await channel.remove(ids[0] ?? ""), false);
        assert.deepEqual(contents(await channel.read("r")), [3, 4, 5]);
        assert.equal(await channel.clear(), 3);
        await channel.write("a", 6);
        assert.deepEqual(contents(await channel.read("r")), [6]);
        await channel.stop();
      }),
    );

    it(
      "read() behind a message that is not there is an error, never a replay (S3)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        const first = await channel.write("a", 1);
        await channel.write("a", 2);
        await assert.rejects(channel.read("r", { after: "gone" }), { argument: "after" });
        assert.deepEqual(contents(await channel.read("r", { after: first })), [2]);
        assert.deepEqual(contents(await channel.read("r", { after: 0 })), [1, 2]);
        assert.deepEqual(contents(await channel.read("r")), [1, 2], "its own place has not moved");
        await channel.stop();
      }),
    );

    it(
      "subscribers are told of a gap once, also when nothing is left (S1)",
      test(async (bench) => {
        const channel = await bus<number>(bench);
        let release: () => void = () => {};
        const held = new Promise<void>((resolve) => release = resolve);
        const heard: number[] = [];
        await channel.subscribe("slow", async (message) => {
          heard.push(message.content);
          await held;
        });
        await channel.write("a", 1);
        // More than the page it has read ahead.
        for (let value = 2; value <= 300; value++) await channel.write("a", value);
        await channel.clear();
        release();
        await channel.drain();
        const known = heard.length;
        assert.ok(known < 300);
        for (let value = 301; value <= 303; value++) await channel.write("a", value);
        await channel.drain();
        assert.deepEqual(heard.slice(known), [301, 302, 303]);
        assert.deepEqual(channel.gaps, [["slow", { fromSeq: known + 1, toSeq: 300 }]]);
        await channel.stop();
      }),
    );

    it(
      "retention by age and by count, and none of it is final for readers in time",
      test(async (bench) => {
        const { clock } = bench;
        const channel = await bus<number>(bench);
        await channel.write("a", 1);
        await clock.advance(10_000);
        await channel.write("a", 2);
        await channel.write("a", 3);
        assert.equal(await channel.evict({ maxAgeMs: 5_000 }), 1);
        assert.equal(await channel.evict({ maxCount: 1 }), 1);
        assert.equal(await channel.evict({}), 0);
        assert.equal(await channel.evict({ maxAgeMs: Infinity, maxCount: Infinity }), 0);
        assert.deepEqual(contents(await channel.read("r")), [3]);
        await channel.stop();
      }),
    );

    it(
      "expired messages are read by nobody",
      test(async (bench) => {
        const { clock } = bench;
        const channel = await bus<number>(bench);
        await channel.write("a", 1, { expiresAt: clock.now() + 100 });
        await channel.write("a", 2);
        await clock.advance(100);
        assert.deepEqual(contents(await channel.read("r")), [2]);
        await channel.stop();
      }),
    );

    it(
      "places, messages and types outlive a channel object: the store is the truth (S21)",
      test(async (bench) => {
        const first = await bus<{ n: number }>(bench);
        for (let n = 0; n < 4; n++) await first.write("a", { n });
        await first.read("r", { limit: 3 });
        await first.stop();
        const second = await bus<{ n: number }>(bench);
        assert.deepEqual(contents(await second.read("r")), [{ n: 3 }]);
        assert.deepEqual((await second.query({ senderId: "a", order: "desc", limit: 1 })).messages[0]?.content, {
          n: 3,
        });
        await second.stop();
      }),
    );

    it(
      "two channel objects on one store are one channel",
      test(async (bench) => {
        const one = await bus<number>(bench);
        const two = await bus<number>(bench);
        const heard: number[] = [];
        await two.subscribe("s", (message) => void heard.push(message.content));
        await one.write("a", 1);
        await eventually(() => heard.length === 1);
        await one.stop();
        await two.write("a", 2);
        await eventually(() => heard.length === 2);
        await two.stop();
      }),
    );

    it(
      "channels whose names look alike share nothing (S26)",
      test(async (bench) => {
        const { base } = bench;
        assert.throws(() => new BroadcastChannel({ id: "a/b", ...base }), { argument: "id" });
        const names = ["a.b", "a_b", "a-b", "a.b.dead", "a.b.raw"];
        for (const id of names) await (await bus(bench, { id })).write("x", id);
        const other = new Watchful<JsonValue>({ id: "a.b", namespace: "tenant", ...base });
        await other.start();
        await other.write("x", "tenant");
        for (const id of names) assert.deepEqual(contents(await (await bus(bench, { id })).read("r")), [id]);
        assert.deepEqual(contents(await other.read("r")), ["tenant"]);
      }),
    );

    it(
      "a store that fails fails the write, and nothing was written (S20)",
      test(async ({ base, store }) => {
        const faulty = new FaultyStore(store);
        const channel = new Watchful<number>({ id: "bus", ...base, store: faulty });
        await channel.start();
        faulty.fault = (method) => method === "append" ? new StoreError("Cannot append: disk full") : undefined;
        await assert.rejects(channel.write("a", 1), StoreError);
        faulty.fault = () => undefined;
        assert.deepEqual(await channel.read("r"), []);
        await channel.stop();
      }),
    );

    it(
      "a subscriber outlives a store that fails for a while",
      test(async ({ base, store, clock }) => {
        const faulty = new FaultyStore(store);
        const channel = new Watchful<number>({ id: "bus", ...base, store: faulty });
        await channel.start();
        const heard: number[] = [];
        await channel.subscribe("s", (message) => void heard.push(message.content));
        faulty.fault = (method) => method === "readShared" ? new StoreError("Cannot read: gone") : undefined;
        await channel.write("a", 1);
        await channel.drain();
        assert.deepEqual(heard, []);
        assert.ok(channel.errors.length > 0);
        faulty.fault = () => undefined;
        await clock.advance(60_000);
        await eventually(() => heard.length === 1);
        faulty.fault = (method) => method === "readShared" ? new StoreError("Cannot read: gone") : undefined;
        await channel.write("a", 2);
        await channel.stop();
        const errors = channel.errors.length;
        await clock.advance(600_000);
        assert.equal(channel.errors.length, errors, "nothing goes on behind a stop");
      }),
    );

    it(
      "subscribers look for other processes' writes where the store does not tell of them",
      test(async ({ base, store, clock }) => {
        const channel = new Watchful<number>({
          id: "bus",
          ...base,
          store: new DeafStore(store, { durable: true, notifies: "process" }),
        });
        await channel.start();
        const heard: number[] = [];
        const subscription = await channel.subscribe("s", (message) => void heard.push(message.content));
        const reader = channel.stream("t").getReader();
        const next = reader.read();
        await settle();
        const other = new Watchful<number>({ id: "bus", ...base });
        await other.start();
        await other.write("elsewhere", 7);
        await settle();
        assert.deepEqual(heard, []);
        await clock.advance(1_000);
        await eventually(() => heard.length === 1);
        assert.equal((await next).value?.content, 7);
        subscription.unsubscribe();
        await Promise.all([channel.stop(), other.stop()]);
      }),
    );
  });

  describe(`MailboxChannel on ${name}`, () => {
    async function mail({ base }: Bench, claims = false): Promise<MailboxChannel<string>> {
      const channel = new MailboxChannel<string>({
        id: "messages",
        claims,
        maintenanceIntervalMs: 86_400_000,
        ...base,
      });
      await channel.start();
      return channel;
    }

    it(
      "read() gives what is for the reader, or for nobody in particular, and nothing else",
      test(async (bench) => {
        const inbox = await mail(bench);
        const message: ChannelMessage<string> = {
          id: "m",
          timestamp: bench.clock.now(),
          senderId: "sys-a",
          content: "Hello, sys-b!",
          metadata: {},
          recipientId: "sys-b",
        };
        await inbox.write("sys-a", message, { direct: true });
        await inbox.write("sys-a", "to all");
        await inbox.write("sys-a", "to c", { recipientId: "sys-c" });
        assert.deepEqual(contents(await inbox.read("sys-b", { limit: 10 })), ["Hello, sys-b!", "to all"]);
        assert.deepEqual(contents(await inbox.read("sys-c")), ["to all", "to c"]);
        assert.deepEqual(contents(await inbox.read("sys-a")), ["to all"]);
        await inbox.stop();
      }),
    );

    it(
      "read() page by page sees all of 50 messages among other people's (S11)",
      test(async (bench) => {
        const inbox = await mail(bench);
        for (let count = 0; count < 50; count++) {
          await inbox.write("a", `mine ${count}`, { recipientId: "me" });
          await inbox.write("a", `theirs ${count}`, { recipientId: "them" });
        }
        const seen: string[] = [];
        for (;;) {
          const page = await inbox.read("me", { limit: 10 });
          if (page.length === 0) break;
          seen.push(...contents(page));
        }
        assert.deepEqual(seen, Array.from({ length: 50 }, (_, count) => `mine ${count}`));
        await inbox.stop();
      }),
    );

    it(
      "claims lock nobody else's mail (S12)",
      test(async (bench) => {
        const inbox = await mail(bench, true);
        await inbox.write("x", "for bob", { recipientId: "bob" });
        await inbox.write("x", "for alice", { recipientId: "alice" });
        const [alice, ...more] = await inbox.read("alice", { exclusive: true });
        assert.equal(alice?.content, "for alice");
        assert.deepEqual(more, []);
        assert.deepEqual(contents(await inbox.read("bob", { exclusive: true })), ["for bob"]);
        await inbox.stop();
      }),
    );

    it(
      "subscribe() and stream() hear the subscriber's own mail only",
      test(async (bench) => {
        const inbox = await mail(bench);
        const heard: string[] = [];
        await inbox.subscribe("me", (message) => void heard.push(message.content));
        const reader = inbox.stream("me").getReader();
        await inbox.write("x", "theirs", { recipientId: "them" });
        await inbox.write("x", "mine", { recipientId: "me" });
        assert.deepEqual(heard, ["mine"]);
        assert.equal((await reader.read()).value?.content, "mine");
        await inbox.stop();
        assert.equal((await reader.read()).done, true);
      }),
    );

    it(
      "mail is kept for 30 days, however much there is",
      test(async (bench) => {
        const inbox = await mail(bench);
        assert.deepEqual(inbox.retention, { maxAgeMs: 30 * 86_400_000 });
        await inbox.write("x", "old", { recipientId: "me" });
        await bench.clock.advance(31 * 86_400_000);
        await eventually(async () => (await inbox.stats()).stored === 0);
        await inbox.stop();
      }),
    );
  });

  describe(`Input of channels on ${name}`, () => {
    const wrong: readonly (readonly [string, unknown])[] = [
      ["id", 7],
      ["id", ""],
      ["id", "with space"],
      ["id", "x".repeat(129)],
      ["name", 7],
      ["name", "two\nlines"],
      ["description", 7],
      ["namespace", "a:b"],
      ["visibility", "secret"],
      ["capabilities", "words"],
      ["capabilities[0]", [7]],
      ["retention", 7],
      ["retention.maxAgeMs", { maxAgeMs: -1 }],
      ["retention.maxCount", { maxCount: 1.5 }],
      ["maintenanceIntervalMs", 0],
      ["claimTimeoutMs", Infinity],
      ["claimTimeoutMs", 0],
      ["store", {}],
      ["clock", 7],
      ["logger", "console"],
      ["newId", "id"],
      ["schema", {}],
      ["schema", 7],
    ];
    for (const [argument, value] of wrong) {
      const key = argument.replace(/[[.].*$/, "");
      it(`new PassthroughChannel() refuses ${argument}: ${JSON.stringify(value)?.slice(0, 40)}`, () => {
        assert.throws(
          () => new PassthroughChannel({ id: "x", [key]: value }),
          (error) => error instanceof ValidationError && error.argument === argument,
        );
      });
    }
    it("new PassthroughChannel() refuses options that are none", () => {
      // @ts-expect-error what a program without types can do
      for (const value of [undefined, null, 7, []]) assert.throws(() => new PassthroughChannel(value), ValidationError);
    });

    it(
      "write() names what it refuses, and stores nothing",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<unknown>({ id: "strict", claims: true, ...base });
        await channel.start();
        const ok = "sender";
        const cycle: Record<string, unknown> = {};
        cycle["self"] = cycle;
        const cases: readonly (readonly [string, readonly unknown[]])[] = [
          ["senderId", [7, 1]],
          ["senderId", ["", 1]],
          ["senderId", ["a b", 1]],
          ["senderId", ["x".repeat(201), 1]],
          ["senderId", ["\u0000", 1]],
          ["content", [ok, undefined]],
          ["content", [ok, () => 1]],
          ["content", [ok, 10n]],
          ["content", [ok, Number.NaN]],
          ["content", [ok, new Map()]],
          ["content.when", [ok, { when: new Date() }]],
          ["content", [ok, Symbol("s")]],
          ["options", [ok, 1, null]],
          ["options", [ok, 1, "direct"]],
          ["data", [ok, 1, { direct: true }]],
          ["data", [ok, { id: "x" }, { direct: true }]],
          ["data.timestamp", [ok, { id: "x", senderId: "y", content: 1, timestamp: "now" }, { direct: true }]],
          ["id", [ok, 1, { id: "" }]],
          ["id", [ok, 1, { id: 7 }]],
          ["recipientId", [ok, 1, { recipientId: "a b" }]],
          ["correlationId", [ok, 1, { correlationId: {} }]],
          ["replyTo", [ok, 1, { replyTo: [] }]],
          ["externalId", [ok, 1, { externalId: "" }]],
          ["orderingKey", [ok, 1, { orderingKey: "" }]],
          ["notBefore", [ok, 1, { notBefore: "tomorrow" }]],
          ["notBefore", [ok, 1, { notBefore: new Date("never") }]],
          ["expiresAt", [ok, 1, { expiresAt: -1 }]],
          ["metadata", [ok, 1, { metadata: [] }]],
          ["metadata.f", [ok, 1, { metadata: { f: () => 1 } }]],
          ["traceparent", [ok, 1, { traceparent: "x".repeat(201) }]],
          ["traceparent", [ok, 1, { traceparent: "00-\ud83d" }]],
          ["orderingKey", [ok, 1, { orderingKey: "lane \ude00" }]],
          ["orderingKey", [ok, 1, { orderingKey: "lane\0" }]],
          ["dedupeForMs", [ok, 1, { dedupeForMs: -1 }]],
          ["dedupeForMs", [ok, 1, { dedupeForMs: Infinity }]],
        ];
        for (const [argument, args] of cases) {
          await assert.rejects(
            // @ts-expect-error what a program without types can do
            channel.write(...args),
            (error) => {
              assert.ok(error instanceof ValidationError, String(error));
              assert.equal(error.argument, argument, error.message);
              assert.match(error.message, /^Cannot /);
              return true;
            },
          );
        }
        await assert.rejects(channel.write(ok, cycle), ValidationError);
        await assert.rejects(channel.write(ok, "x".repeat(1_100_000)), TooLargeError);
        await assert.rejects(channel.write(ok, 1, { metadata: { large: "x".repeat(70_000) } }), TooLargeError);
        assert.equal((await channel.stats()).stored, 0);
        await channel.stop();
      }),
    );

    it(
      "everything that takes an argument names the one it refuses",
      test(async ({ base }) => {
        const channel = new PassthroughChannel<number>({ id: "strict", claims: true, ...base });
        await channel.start();
        await channel.write("a", 1);
        const [claimed] = await channel.read("w", { exclusive: true });
        assert.ok(claimed);
        // What a program without types can do.
        const open = channel as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
        const cases: readonly (readonly [string, string, ...unknown[]])[] = [
          ["readerId", "read", 7],
          ["readerId", "read", ""],
          ["limit", "read", "r", { limit: 0 }],
          ["limit", "read", "r", { limit: 10_001 }],
          ["limit", "read", "r", { limit: 1.5 }],
          ["limit", "read", "r", { limit: "10" }],
          ["after", "read", "r", { after: -1 }],
          ["after", "read", "r", { after: {} }],
          ["exclusive", "read", "r", { exclusive: "yes" }],
          ["options", "read", "r", null],
          ["readerId", "read", {}, { exclusive: true }],
          ["limit", "read", "r", { exclusive: true, limit: 0 }],
          ["claimTimeoutMs", "read", "r", { exclusive: true, claimTimeoutMs: 0 }],
          ["readerId", "acknowledge", "", [claimed]],
          ["claimed", "acknowledge", "w", claimed],
          ["claimed", "acknowledge", "w", "id"],
          ["claimed[0]", "acknowledge", "w", [7]],
          ["claimed[1]", "acknowledge", "w", [claimed, null]],
          ["claimed[1]", "acknowledge", "w", [claimed, ...new Array<unknown>(1)]],
          ["claimed[0]", "acknowledge", "w", new Array<unknown>(2)],
          ["claimed[0]", "acknowledge", "w", [{ id: "x" }]],
          ["claimed[0]", "acknowledge", "w", ["with space"]],
          ["claimed[0]", "acknowledge", "w", [{ ...claimed, seq: "1" }]],
          ["delayMs", "nack", "w", [claimed], { delayMs: -1 }],
          ["delayMs", "nack", "w", [claimed], { delayMs: Infinity }],
          ["detail", "nack", "w", [claimed], { detail: 7 }],
          ["options", "nack", "w", [claimed], 7],
          ["claimTimeoutMs", "extend", "w", [claimed], { claimTimeoutMs: Number.NaN }],
          ["subscriberId", "subscribe", 7, () => {}],
          ["handler", "subscribe", "s", "handler"],
          ["id", "get", 7],
          ["id", "remove", ""],
          ["request", "query", 7],
          ["limit", "query", { limit: 0 }],
          ["fromTime", "query", { fromTime: "x" }],
          ["order", "query", { order: "up" }],
          ["retention", "evict", 7],
          ["retention.maxCount", "evict", { maxCount: -1 }],
        ];
        for (const [argument, method, ...args] of cases) {
          await assert.rejects(
            async () => await open[method]?.call(channel, ...args),
            (error) => {
              assert.ok(error instanceof ValidationError, `${method}(): ${error}`);
              assert.equal(error.argument, argument, `${method}(): ${error.message}`);
              return true;
            },
          );
        }
        for (
          const [argument, ...args] of [
            ["readerId", ""],
            ["after", "r", { after: "x" }],
            ["highWaterMark", "r", { highWaterMark: 0 }],
            ["options", "r", 7],
          ] as const
        ) {
          assert.throws(() => void open["stream"]?.call(channel, ...args), { argument });
        }
        assert.equal((await channel.stats()).claimed, 1, "nothing has happened to the claim");
        await channel.stop();
      }),
    );
  });
}

/** A store whose watchers hear nothing, as of another process's writes. */
class DeafStore extends FaultyStore {
  override watch(): () => void {
    return () => {};
  }
}
