import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { EventHub, type EventHubOptions } from "../../../adapters/http/event-hub.ts";
import { encodeEvent } from "../../../adapters/http/event-frame.ts";
import {
  BroadcastChannel,
  ManualClock,
  MemoryStore,
  type SharedPage,
  type SharedReadRequest,
  silentLogger,
} from "../../../core/mod.ts";
import { EventReader, type ReceivedEvent } from "./sse-reader.ts";

interface Bench {
  readonly clock: ManualClock;
  readonly channel: BroadcastChannel<number>;
  readonly hub: EventHub;
  encoded: number;
}

async function setUp(options: Partial<EventHubOptions> = {}): Promise<Bench> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const channel = new BroadcastChannel<number>({ id: "log", store, clock });
  await channel.start();
  const bench: Bench = {
    clock,
    channel,
    encoded: 0,
    hub: new EventHub({
      store,
      key: channel.key,
      clock,
      logger: silentLogger,
      encode: (message) => {
        bench.encoded++;
        return encodeEvent({
          id: message.seq,
          event: "number",
          data: message.content,
        });
      },
      ...options,
    }),
  };
  return bench;
}

async function write(
  channel: BroadcastChannel<number>,
  from: number,
  to: number,
): Promise<void> {
  for (let value = from; value <= to; value++) {
    await channel.write("test", value);
  }
}

function numbers(events: readonly ReceivedEvent[]): readonly number[] {
  return events.filter(({ type }) => type === "number").map(({ data }) => Number(data));
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

describe("EventHub", () => {
  it("open() sends what is new, in order, to every client", async () => {
    const { channel, hub } = await setUp();
    await write(channel, 1, 3);
    const readers = [hub.open(), hub.open(), hub.open()].map((stream) => new EventReader(stream));
    // The first chunk is the opening; with the next one asked for, the client is live.
    for (const reader of readers) await reader.chunk();
    const taking = readers.map((reader) => reader.take(20));
    await settle();
    await write(channel, 4, 23);
    for (const events of await Promise.all(taking)) {
      assert.deepEqual(numbers(events), range(4, 23));
    }
    for (const reader of readers) await reader.cancel();
    assert.equal(hub.clients, 0);
  });

  it("open() encodes a message once for all live clients", async () => {
    const bench = await setUp();
    const { channel, hub } = bench;
    const readers = Array.from(
      { length: 50 },
      () => new EventReader(hub.open()),
    );
    for (const reader of readers) await reader.chunk();
    const taking = readers.map((reader) => reader.take(10));
    await settle();
    await write(channel, 1, 10);
    await Promise.all(taking);
    assert.equal(bench.encoded, 10);
    for (const reader of readers) await reader.cancel();
  });

  it("open() goes on behind a place without loss or repeat, however often the client comes back", async () => {
    const { channel, hub } = await setUp();
    const seen: number[] = [];
    let after = 0;
    let written = 0;
    let seed = 7;
    for (let cut = 0; cut < 1_000; cut++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      const reader = new EventReader(hub.open({ after }));
      const more = seed % 4;
      // Some is written while the client is away, some while it reads.
      await write(channel, written + 1, written + more);
      const wanted = written + more - seen.length + (seed % 3 === 0 ? 1 : 0);
      const taking = reader.take(wanted);
      if (seed % 3 === 0) {
        await write(channel, written + more + 1, written + more + 1);
      }
      written += more + (seed % 3 === 0 ? 1 : 0);
      for (const { data, lastEventId } of await taking) {
        seen.push(Number(data));
        after = Number(lastEventId);
      }
      await reader.cancel();
    }
    assert.deepEqual(seen, range(1, written));
    assert.equal(hub.clients, 0);
  });

  it("open() tells a client whose place was evicted, and goes on with what is kept", async () => {
    const { channel, hub } = await setUp();
    await write(channel, 1, 100);
    await channel.evict({ maxCount: 10 });
    const reader = new EventReader(hub.open({ after: 50 }));
    const [reset, ...rest] = await reader.take(11);
    assert.equal(reset?.type, "reset");
    assert.deepEqual(JSON.parse(reset?.data ?? ""), { fromSeq: 51, toSeq: 90 });
    assert.equal(reset?.lastEventId, "90");
    assert.deepEqual(numbers(rest), range(91, 100));
    await reader.cancel();
  });

  it("open() tells a client that comes with a place of another log, and begins at the beginning", async () => {
    const { channel, hub } = await setUp();
    await write(channel, 1, 5);
    for (const after of [-1, 6, 999_999]) {
      const reader = new EventReader(hub.open({ after }));
      const [reset, ...rest] = await reader.take(6);
      assert.equal(reset?.type, "reset");
      assert.equal(reset?.lastEventId, "0");
      assert.deepEqual(numbers(rest), range(1, 5));
      await reader.cancel();
    }
  });

  it("open() sends only what the filter wants, and the heartbeat moves the place on", async () => {
    const { channel, hub, clock } = await setUp();
    const reader = new EventReader(
      hub.open({ after: 0, filter: ({ content }) => content === 3 }),
    );
    await write(channel, 1, 10);
    assert.deepEqual(numbers(await reader.take(1)), [3]);
    assert.equal(reader.parser.lastEventId, "3");
    const beat = reader.chunk();
    await clock.advance(7_000);
    await beat;
    assert.equal(reader.parser.lastEventId, "10");
    await reader.cancel();
  });

  it("open() sends a comment within 8 s to a quiet connection, again and again", async () => {
    const { hub, clock } = await setUp();
    const reader = new EventReader(hub.open());
    await reader.chunk();
    for (let beat = 0; beat < 5; beat++) {
      const before = reader.parser.comments;
      const chunk = reader.chunk();
      await clock.advance(8_000);
      await chunk;
      assert.ok(reader.parser.comments > before);
    }
    await reader.cancel();
    assert.equal(clock.pending, 1, "only the channel's own upkeep is left");
  });

  it("open() keeps little for a client that is slow, and loses nothing of what is kept in the log", async () => {
    const { channel, hub } = await setUp({ maxBufferBytes: 1_000 });
    const reader = new EventReader(hub.open({ after: 0 }));
    await write(channel, 1, 1);
    assert.deepEqual(numbers(await reader.take(1)), [1]);
    const next = reader.take(1);
    await settle();
    await write(channel, 2, 5_000);
    const rest = [...await next, ...await reader.take(4_998)];
    assert.deepEqual(numbers(rest), range(2, 5_000));
    assert.equal(rest.some(({ type }) => type === "reset"), false);
    await reader.cancel();
  });

  it("open() tells a slow client what it lost when retention was faster", async () => {
    const { channel, hub } = await setUp({ maxBufferBytes: 200 });
    const reader = new EventReader(hub.open({ after: 0 }));
    await write(channel, 1, 1);
    await reader.take(1);
    const first = reader.take(1);
    await settle();
    await write(channel, 2, 500);
    await channel.evict({ maxCount: 3 });
    const events = [...await first];
    while (events.at(-1)?.data !== "500") events.push(...await reader.take(1));
    const reset = events.find(({ type }) => type === "reset");
    assert.ok(reset !== undefined);
    const before = numbers(events.slice(0, events.indexOf(reset)));
    assert.deepEqual(before, range(2, 1 + before.length));
    assert.deepEqual(numbers(events.slice(events.indexOf(reset))), [
      498,
      499,
      500,
    ]);
    await reader.cancel();
  });

  it("open() cuts a client that takes nothing any more", async () => {
    const { channel, hub, clock } = await setUp({ stallMs: 20_000 });
    const reader = hub.open({ after: 0 }).getReader();
    await reader.read();
    const pending = reader.read();
    await write(channel, 1, 1);
    await pending;
    // The runtime does not ask for more: the connection takes nothing.
    await write(channel, 2, 10);
    assert.equal(hub.clients, 1);
    await clock.advance(60_000);
    assert.equal(hub.clients, 0);
    await assert.rejects(reader.read(), /does not read/);
  });

  it("open() loses and repeats nothing when the store answers late, and each answer at another time", async () => {
    const clock = new ManualClock();
    const store = new LateStore();
    const channel = new BroadcastChannel<number>({ id: "log", store, clock });
    await channel.start();
    const encode: EventHubOptions["encode"] = ({ seq, content }) =>
      encodeEvent({ id: seq, event: "number", data: content });
    const hub = new EventHub({
      store,
      key: channel.key,
      clock,
      logger: silentLogger,
      encode,
      maxBufferBytes: 300,
    });
    async function follow(from: number, to: number): Promise<void> {
      const reader = new EventReader(hub.open({ after: from - 1 }));
      assert.deepEqual(
        numbers(await reader.take(to - from + 1)),
        range(from, to),
      );
      await reader.cancel();
    }
    const following: Promise<void>[] = [];
    for (let value = 1; value <= 600; value++) {
      if (value % 5 === 0) {
        following.push(
          follow(
            1 + (value * 7_919) % value,
            value + (value * 31) % (601 - value),
          ),
        );
      }
      await channel.write("test", value);
      if (value % 3 === 0) await late(value);
    }
    await Promise.all(following);
    assert.equal(hub.clients, 0);
  });

  it("open() leaves nothing behind for an answer that nobody reads", async () => {
    const { hub, clock } = await setUp();
    for (let count = 0; count < 100; count++) hub.open({ after: 0 });
    assert.equal(hub.clients, 0);
    assert.equal(clock.pending, 1);
  });

  it("open() leaves nothing behind after clients come and go while messages are written", async () => {
    const { channel, hub, clock } = await setUp();
    let written = 0;
    for (let round = 0; round < 20; round++) {
      const readers = Array.from(
        { length: 50 },
        () => new EventReader(hub.open({ after: written })),
      );
      const taking = readers.map((reader) => reader.take(3));
      await write(channel, written + 1, written + 3);
      for (const events of await Promise.all(taking)) {
        assert.deepEqual(numbers(events), range(written + 1, written + 3));
      }
      written += 3;
      await Promise.all(readers.map((reader) => reader.cancel()));
    }
    assert.equal(hub.clients, 0);
    assert.equal(clock.pending, 1);
  });

  it("close() ends every stream", async () => {
    const { hub } = await setUp();
    const readers = [new EventReader(hub.open()), new EventReader(hub.open())];
    const ends = readers.map(async (reader) => {
      await reader.chunk();
      return await reader.next();
    });
    await settle();
    hub.close();
    assert.deepEqual(await Promise.all(ends), [undefined, undefined]);
    assert.equal(hub.clients, 0);
  });

  it("encodeEvent() lets no text end a field or forge an event", async () => {
    const hostile = [
      "a\nb",
      "a\r\nevent: forged\r\ndata: x\r\n\r\n",
      "\r\rid: 9\r\r",
      "\u2028data: x\u2029",
      "\0",
      "\ud800",
    ];
    for (const text of hostile) {
      const reader = new EventReader(
        streamOf(encodeEvent({ id: 1, event: "message", data: { text } })),
      );
      const events = await reader.take(2);
      assert.equal(events.length, 1);
      assert.equal(events[0]?.type, "message");
      assert.equal(events[0]?.lastEventId, "1");
      assert.deepEqual(JSON.parse(events[0]?.data ?? ""), { text });
    }
  });
});

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** A store whose answers take a while after they are true, as those of a database do. */
class LateStore extends MemoryStore {
  #calls = 0;

  override async readShared(request: SharedReadRequest): Promise<SharedPage> {
    const page = await super.readShared(request);
    await late(this.#calls++);
    return page;
  }
}

async function late(count: number): Promise<void> {
  for (let turn = (count * 7) % 11; turn > 0; turn--) await Promise.resolve();
  if (count % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Lets everything that is ready to run, run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
