/**
 * Channels with a loop: pull, keep, convert.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  BaseChannel,
  type BaseChannelOptions,
  type ChannelMessage,
  type JsonValue,
  PeriodicChannel,
  QueueFullError,
  type StoredMessage,
  StoreError,
  ValidationError,
} from "../../../core/mod.ts";
import {
  advanceUntil,
  type Bench,
  contents,
  eventually,
  FaultyStore,
  type OpenStore,
  settle,
  withBench,
} from "./channel-bench.ts";

class Prices extends PeriodicChannel<JsonValue> {
  readonly calls: string[] = [];
  readonly errors: unknown[] = [];
  readonly announced: JsonValue[] = [];
  pull: () => Promise<void> = () => Promise.resolve();
  convert: ((data: JsonValue, id: string) => ChannelMessage | null | Promise<ChannelMessage | null>) | undefined;

  get stops(): AbortSignal {
    return this.stopSignal;
  }
  protected override pullFn(): Promise<void> {
    return this.pull();
  }
  protected override async onPull(): Promise<void> {
    this.calls.push("pull");
    await super.onPull();
  }
  protected override async onProcess(): Promise<void> {
    this.calls.push("process");
    await super.onProcess();
  }
  protected override convertFn(
    senderId: string,
    data: JsonValue,
    id: string,
  ): ChannelMessage | null | Promise<ChannelMessage | null> {
    return this.convert === undefined ? super.convertFn(senderId, data, id) : this.convert(data, id);
  }
  protected override async onMessage(message: StoredMessage<JsonValue>): Promise<void> {
    this.announced.push(message.content);
    await super.onMessage(message);
  }
  protected override onError(error: unknown): void {
    this.errors.push(error);
  }
}

function prices({ base }: Bench, options: Partial<BaseChannelOptions<JsonValue>> = {}): Prices {
  return new Prices({ id: "stocks", name: "Stock Prices", periodMs: 5_000, ...base, ...options });
}

export function periodicSuite(name: string, open: OpenStore): void {
  const test = (body: (bench: Bench) => Promise<void>): () => Promise<void> => withBench(open, body);

  describe(`PeriodicChannel on ${name}`, () => {
    it(
      "pulls, processes and waits a period, over and over, until it stops",
      test(async (bench) => {
        const { clock } = bench;
        const channel = prices(bench);
        let price = 0;
        channel.pull = async () => void await channel.write("stock-api", { price: ++price });
        await channel.start();
        await eventually(() => channel.announced.length === 1);
        await advanceUntil(clock, 2_500, () => channel.announced.length === 3);
        assert.deepEqual(contents(await channel.read("r")), [{ price: 1 }, { price: 2 }, { price: 3 }]);
        assert.deepEqual(channel.calls.slice(0, 2), ["pull", "process"]);
        await channel.stop();
        const pulls = price;
        await clock.advance(50_000);
        assert.equal(price, pulls);
        assert.deepEqual(channel.errors, []);
      }),
    );

    it(
      "read() exclusively is a TypeError",
      test(async (bench) => {
        const channel = prices(bench);
        await channel.start();
        await assert.rejects(channel.read("w", { exclusive: true }), TypeError);
        await channel.stop();
      }),
    );

    it(
      "a pull that throws is reported, and the loop goes on",
      test(async (bench) => {
        const channel = prices(bench);
        let pulls = 0;
        channel.pull = () => Promise.reject(new Error(`pull ${++pulls}`));
        await channel.start();
        await advanceUntil(bench.clock, 5_000, () => pulls === 3);
        assert.equal(channel.errors.length, 3);
        await channel.stop();
      }),
    );

    it(
      "stopSignal fires for a pull that hangs, and stop() waits for it",
      test(async (bench) => {
        const channel = prices(bench);
        channel.pull = () =>
          new Promise((_resolve, reject) =>
            channel.stops.addEventListener("abort", () => reject(new Error("called off")), { once: true })
          );
        await channel.start();
        await settle();
        await channel.stop();
        assert.match(String(channel.errors[0]), /called off/);
      }),
    );

    it(
      "write() is converted soon, not at the end of the period, and gives the id the message will have",
      test(async (bench) => {
        const channel = prices(bench);
        await channel.start();
        await settle();
        const id = await channel.write("a", "now");
        await eventually(() => channel.announced.length === 1);
        assert.equal((await channel.get(id))?.content, "now");
        assert.equal(await channel.write("a", "named", { id: "mine" }), "mine");
        await channel.drain();
        assert.equal((await channel.get("mine"))?.content, "named");
        await channel.stop();
      }),
    );

    it(
      "what options say goes with the item to its message",
      test(async (bench) => {
        const { clock } = bench;
        const channel = prices(bench);
        await channel.start();
        const expiresAt = clock.now() + 60_000;
        const id = await channel.write("a", 1, {
          recipientId: "you",
          correlationId: "talk",
          replyTo: "before",
          orderingKey: "lane",
          externalId: "ext",
          traceparent: "00-trace",
          metadata: { mine: true },
          notBefore: new Date(clock.now() + 600_000),
          expiresAt,
        });
        await channel.drain();
        const stored = await channel.get(id);
        assert.ok(stored, "notBefore does not hold up the conversion");
        assert.deepEqual(
          [stored.recipientId, stored.correlationId, stored.replyTo, stored.orderingKey, stored.externalId],
          ["you", "talk", "before", "lane", "ext"],
        );
        assert.deepEqual([stored.metadata, stored.expiresAt, stored.traceparent], [
          { mine: true },
          expiresAt,
          "00-trace",
        ]);
        await channel.stop();
      }),
    );

    it(
      "write() with direct goes past the buffer",
      test(async (bench) => {
        const channel = prices(bench);
        await channel.start();
        const message = { id: "d", timestamp: 1, senderId: "s", content: "whole", metadata: {} };
        await channel.write("s", message, { direct: true });
        assert.equal((await channel.get("d"))?.content, "whole");
        await channel.stop();
      }),
    );

    it(
      "write() of the same id twice makes one message, also long after the first",
      test(async (bench) => {
        const channel = prices(bench);
        await channel.start();
        await Promise.all([channel.write("a", 1, { id: "x" }), channel.write("a", 2, { id: "x" })]);
        await channel.drain();
        await channel.write("a", 3, { id: "x" });
        await channel.drain();
        assert.deepEqual(contents(await channel.read("r")), [1]);
        await channel.stop();
      }),
    );

    it(
      "write() refuses what cannot be kept, and nothing is stored",
      test(async (bench) => {
        const channel = prices(bench);
        await channel.start();
        // @ts-expect-error what a program without types can do
        await assert.rejects(channel.write("a", undefined), { argument: "data" });
        // @ts-expect-error what a program without types can do
        await assert.rejects(channel.write("a", () => 1), ValidationError);
        await assert.rejects(channel.write("a", 1, { notBefore: -1 }), { argument: "notBefore" });
        await assert.rejects(channel.write("a", 1, { dedupeForMs: -1 }), { argument: "dedupeForMs" });
        await assert.rejects(channel.write("a", 1, { traceparent: "\ud83d" }), { argument: "traceparent" });
        await assert.rejects(channel.write("a", 1, { orderingKey: "\ude00" }), { argument: "orderingKey" });
        await channel.drain();
        assert.equal((await channel.stats()).stored, 0);
        await channel.stop();
      }),
    );

    it(
      "drain() waits for a conversion that is under way (S17)",
      test(async (bench) => {
        const channel = prices(bench);
        let release: () => void = () => {};
        const held = new Promise<void>((resolve) => release = resolve);
        channel.convert = async (data, id) => {
          await held;
          return { id, timestamp: 1, senderId: "s", content: data, metadata: {} };
        };
        await channel.start();
        await channel.write("a", 1);
        await settle();
        let drained = false;
        const draining = channel.drain().then(() => drained = true);
        await settle();
        assert.equal(drained, false);
        release();
        await draining;
        assert.deepEqual(contents(await channel.read("r")), [1]);
        await channel.stop();
      }),
    );

    it(
      "stop() converts what was accepted before it ends (S17)",
      test(async (bench) => {
        const channel = prices(bench);
        await channel.start();
        await Promise.all(Array.from({ length: 200 }, (_, value) => channel.write("a", value)));
        await channel.stop();
        await channel.start();
        assert.equal((await channel.stats()).stored, 200);
        assert.deepEqual(
          contents(await channel.read("r", { limit: 200 })),
          Array.from({ length: 200 }, (_, value) => value),
          "in the order they came",
        );
        await channel.stop();
      }),
    );

    it(
      "a conversion that fails is tried again, and nothing is lost meanwhile (S27)",
      test(async (bench) => {
        const channel = prices(bench);
        let tries = 0;
        channel.convert = (data, id) => {
          if (++tries < 3) throw new Error("not today");
          return { id, timestamp: 1, senderId: "s", content: data, metadata: {} };
        };
        await channel.start();
        await channel.write("a", "survivor");
        await advanceUntil(bench.clock, 500, () => channel.announced.length === 1);
        assert.equal(tries, 3);
        assert.equal(channel.errors.length, 2);
        assert.deepEqual(await channel.quarantine.list(), []);
        await channel.stop();
      }),
    );

    it(
      "what cannot be converted goes into quarantine with its history, and can be converted again (S27)",
      test(async (bench) => {
        const channel = prices(bench);
        let works = false;
        channel.convert = (data, id) => {
          if (!works) throw new RangeError("too far");
          return { id, timestamp: 1, senderId: "s", content: data, metadata: {} };
        };
        await channel.start();
        const id = await channel.write("a", { price: -1 }, { correlationId: "c" });
        await channel.write("a", { price: -2 });
        const drained = channel.drain();
        await advanceUntil(bench.clock, 500, () => channel.errors.length === 6);
        await drained;
        const [letter, second] = await channel.quarantine.list();
        assert.equal(letter?.id, id);
        assert.equal(letter?.dead.reason, "conversion-error");
        assert.deepEqual(letter?.dead.failures.map(({ detail }) => detail), Array(3).fill("RangeError: too far"));
        works = true;
        assert.equal(await channel.quarantine.redrive(id), true);
        await channel.drain();
        assert.deepEqual((await channel.get(id))?.content, { price: -1 });
        assert.equal((await channel.get(id))?.correlationId, "c");
        assert.equal(await channel.quarantine.discard(second?.id ?? ""), true);
        assert.deepEqual(await channel.quarantine.list(), []);
        await channel.stop();
      }),
    );

    it(
      "what convertFn() makes is checked: no content that is not JSON, no id that is none",
      test(async (bench) => {
        const channel = prices(bench);
        channel.convert = (data, id) => {
          const message = { id, timestamp: 1, senderId: "s", content: data, metadata: {} };
          // What a program without types can do.
          if (data === "function") Object.assign(message, { content: () => 1 });
          return data === "id" ? { ...message, id: "not an id" } : message;
        };
        await channel.start();
        for (const data of ["function", "id", "fine"]) await channel.write("a", data);
        await channel.drain();
        assert.deepEqual(contents(await channel.read("r")), ["fine"]);
        assert.equal((await channel.quarantine.list()).length, 2, "at once: it will not get better");
        await channel.stop();
      }),
    );

    it(
      "convertFn() may drop, and may give an id of the data's own",
      test(async (bench) => {
        const channel = prices(bench);
        channel.convert = (data) =>
          data === "drop"
            ? null
            : { id: `natural-${String(data)}`, timestamp: 1, senderId: "s", content: data, metadata: {} };
        await channel.start();
        await channel.write("a", "drop");
        await channel.write("a", "x");
        await channel.write("a", "x");
        await channel.drain();
        assert.deepEqual((await channel.read("r")).map(({ id }) => id), ["natural-x"]);
        await channel.stop();
      }),
    );

    it(
      "write() is refused when too much waits, and taken again afterwards (back-pressure)",
      test(async (bench) => {
        const channel = prices(bench, { maxBuffered: 3 });
        let release: () => void = () => {};
        const held = new Promise<void>((resolve) => release = resolve);
        channel.convert = async (data, id) => {
          await held;
          return { id, timestamp: 1, senderId: "s", content: data, metadata: {} };
        };
        await channel.start();
        const results = await Promise.allSettled(Array.from({ length: 10 }, (_, value) => channel.write("a", value)));
        assert.equal(results.filter(({ status }) => status === "fulfilled").length, 3);
        for (const result of results) {
          if (result.status === "rejected") {
            assert.ok(result.reason instanceof QueueFullError && result.reason.retryable);
          }
        }
        release();
        await channel.drain();
        await channel.write("a", "again");
        await channel.drain();
        assert.equal((await channel.stats()).stored, 4);
        await channel.stop();
      }),
    );

    it(
      "back-pressure counts what is there, whichever object wrote or converted it",
      test(async (bench) => {
        const [one, two] = [prices(bench, { maxBuffered: 5 }), prices(bench, { maxBuffered: 5 })];
        await one.start();
        await two.start();
        for (let value = 0; value < 40; value++) {
          await one.write("a", value);
          await Promise.all([one.drain(), two.drain()]);
        }
        assert.equal((await one.stats()).stored, 40);
        await Promise.all([one.stop(), two.stop()]);
      }),
    );

    it(
      "raw items of a process that died are converted by the next, none twice (S21, S27)",
      test(async (bench) => {
        const { clock, store } = bench;
        const faulty = new FaultyStore(store);
        // It takes raw items and dies before it converts any.
        faulty.fault = (method) => method === "claim" ? new StoreError("Cannot claim: killed") : undefined;
        const dead = prices(bench, { store: faulty });
        await dead.start();
        for (const value of [1, 2, 3]) await dead.write("a", value);
        await settle();
        const next = prices(bench);
        await next.start();
        await next.drain();
        assert.deepEqual(contents(await next.read("r")), [1, 2, 3]);
        await next.stop();
        await Promise.all([dead.stop(), clock.advance(120_000)]);
      }),
    );

    it(
      "drain() and stop() end though the store fails",
      test(async (bench) => {
        const faulty = new FaultyStore(bench.store);
        const channel = prices(bench, { store: faulty });
        await channel.start();
        await channel.write("a", 1);
        faulty.fault = () => new StoreError("Cannot reach store: gone");
        let drained = false;
        const draining = assert.rejects(channel.drain(), StoreError).then(() => drained = true);
        await advanceUntil(bench.clock, 10_000, () => drained);
        await draining;
        const stopping = assert.rejects(channel.stop(), StoreError);
        await advanceUntil(bench.clock, 10_000, () => !channel.isRunning);
        await stopping;
      }),
    );
  });

  describe(`BaseChannel on ${name}`, () => {
    it(
      "is there to be extended, with a loop and no pull of its own",
      test(async ({ base }) => {
        class Upper extends BaseChannel<string> {
          protected override convertFn(senderId: string, data: string, id: string): ChannelMessage<string> {
            return { id, timestamp: this.clock.now(), senderId, content: data.toUpperCase(), metadata: {} };
          }
        }
        const channel = new Upper({ id: "upper", ...base });
        await channel.start();
        const heard: string[] = [];
        await channel.subscribe("s", (message) => void heard.push(message.content));
        await channel.write("a", "hello");
        await channel.drain();
        assert.deepEqual(heard, ["HELLO"]);
        await channel.stop();
      }),
    );

    it("refuses options that make no sense", () => {
      class Plain extends BaseChannel {}
      for (const [argument, options] of [["periodMs", { periodMs: 0 }], ["maxBuffered", { maxBuffered: 0 }]] as const) {
        assert.throws(() => new Plain({ id: "x", ...options }), { argument });
      }
    });
  });
}
