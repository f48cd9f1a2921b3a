/**
 * Channels as streams.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { BroadcastChannel, type Gap, StoreError } from "../../../core/mod.ts";
import { type Bench, contents, eventually, FaultyStore, type OpenStore, settle, withBench } from "./channel-bench.ts";

async function log({ base }: Bench, store = base.store): Promise<BroadcastChannel<number>> {
  const channel = new BroadcastChannel<number>({ id: "log", ...base, store });
  await channel.start();
  return channel;
}

async function take(
  reader: ReadableStreamDefaultReader<{ readonly content: number }>,
  count: number,
): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    taken.push(value.content);
  }
  return taken;
}

async function fill(channel: BroadcastChannel<number>, from: number, to: number): Promise<void> {
  for (let value = from; value <= to; value++) await channel.write("a", value);
}

export function streamSuite(name: string, open: OpenStore): void {
  const test = (body: (bench: Bench) => Promise<void>): () => Promise<void> => withBench(open, body);

  describe(`stream() on ${name}`, () => {
    it(
      "gives what was not read, then what is written, and ends with the channel",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 3);
        await channel.read("r", { limit: 1 });
        const reader = channel.stream("r").getReader();
        assert.deepEqual(await take(reader, 2), [2, 3]);
        const next = take(reader, 1);
        await settle();
        await channel.write("a", 4);
        assert.deepEqual(await next, [4]);
        const last = reader.read();
        await settle();
        await channel.stop();
        assert.equal((await last).done, true);
      }),
    );

    it(
      "works with for await, and a break ends it",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 10);
        const seen: number[] = [];
        for await (const message of channel.stream("r")) {
          seen.push(message.content);
          if (seen.length === 4) break;
        }
        assert.deepEqual(seen, [1, 2, 3, 4]);
        assert.deepEqual(contents(await channel.read("r", { limit: 2 })), [5, 6], "the place is behind what was taken");
        await channel.stop();
      }),
    );

    it(
      "reads no further ahead than its high-water mark, and only when asked (back-pressure)",
      test(async (bench) => {
        const { store } = bench;
        const counting = new FaultyStore(store);
        let reads = 0;
        counting.fault = (method) => {
          if (method === "readShared") reads++;
          return undefined;
        };
        const channel = await log(bench, counting);
        await fill(channel, 1, 100);
        const reader = channel.stream("r", { highWaterMark: 10 }).getReader();
        await settle();
        assert.equal(reads, 0, "nobody asked");
        await take(reader, 1);
        await settle();
        assert.equal(reads, 1);
        await take(reader, 9);
        assert.equal(reads, 1);
        await take(reader, 1);
        assert.equal(reads, 2);
        await reader.cancel();
        await channel.stop();
      }),
    );

    it(
      "goes on behind what was taken, not behind what was read ahead",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 20);
        for (const [count, expected] of [[3, [1, 2, 3]], [5, [4, 5, 6, 7, 8]], [1, [9]]] as const) {
          const reader = channel.stream("r", { highWaterMark: 4 }).getReader();
          assert.deepEqual(await take(reader, count), expected);
          await reader.cancel();
        }
        const controller = new AbortController();
        const reader = channel.stream("r", { signal: controller.signal }).getReader();
        assert.deepEqual(await take(reader, 2), [10, 11]);
        controller.abort();
        await settle();
        assert.equal((await reader.read()).done, true);
        const again = channel.stream("r").getReader();
        assert.deepEqual(await take(again, 1), [12]);
        await channel.stop();
        await channel.start();
        assert.deepEqual(contents(await channel.read("r", { limit: 1 })), [13], "also when the channel ended it");
        await channel.stop();
      }),
    );

    it(
      "after: reads from there and leaves the reader's place alone",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 5);
        const reader = channel.stream("r", { after: 3 }).getReader();
        assert.deepEqual(await take(reader, 2), [4, 5]);
        await reader.cancel();
        assert.deepEqual(contents(await channel.read("r")), [1, 2, 3, 4, 5]);
        await channel.stop();
      }),
    );

    it(
      "tells of a gap once and goes on behind it",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 10);
        const gaps: Gap[] = [];
        const reader = channel.stream("r", { highWaterMark: 2, onGap: (gap) => gaps.push(gap) }).getReader();
        assert.deepEqual(await take(reader, 4), [1, 2, 3, 4]);
        await channel.evict({ maxCount: 2 });
        assert.deepEqual(await take(reader, 2), [9, 10]);
        const waiting = take(reader, 1);
        await settle();
        await channel.clear();
        await channel.write("a", 11);
        assert.deepEqual(await waiting, [11]);
        assert.deepEqual(gaps[0], { fromSeq: 5, toSeq: 8 });
        assert.ok(gaps.length <= 2 && gaps.every((gap, index) => index === 0 || gap.fromSeq > gaps[index - 1]!.toSeq));
        await reader.cancel();
        await channel.stop();
      }),
    );

    it(
      "a new reader starts at what is there, without a gap",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 5);
        await channel.evict({ maxCount: 0 });
        const gaps: Gap[] = [];
        const reader = channel.stream("new", { onGap: (gap) => gaps.push(gap) }).getReader();
        const next = take(reader, 1);
        await settle();
        await channel.write("a", 6);
        assert.deepEqual(await next, [6]);
        assert.deepEqual(gaps, []);
        await reader.cancel();
        await channel.stop();
      }),
    );

    it(
      "a gap nobody asked for is logged",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 5);
        await channel.read("r", { limit: 1 });
        await channel.evict({ maxCount: 1 });
        const reader = channel.stream("r").getReader();
        assert.deepEqual(await take(reader, 1), [5]);
        assert.equal(bench.warnings.length, 1);
        await reader.cancel();
        await channel.stop();
      }),
    );

    it(
      "a signal that has fired gives a stream that has ended",
      test(async (bench) => {
        const channel = await log(bench);
        await fill(channel, 1, 2);
        const reader = channel.stream("r", { signal: AbortSignal.abort() }).getReader();
        assert.equal((await reader.read()).done, true);
        assert.deepEqual(contents(await channel.read("r")), [1, 2]);
        await channel.stop();
      }),
    );

    it(
      "a store that fails errors the stream, and reading again goes on where it was",
      test(async (bench) => {
        const faulty = new FaultyStore(bench.store);
        const channel = await log(bench, faulty);
        await fill(channel, 1, 4);
        const reader = channel.stream("r", { highWaterMark: 2 }).getReader();
        assert.deepEqual(await take(reader, 2), [1, 2]);
        faulty.fault = (method) => method === "readShared" ? new StoreError("Cannot read: gone") : undefined;
        await assert.rejects(reader.read(), StoreError);
        faulty.fault = () => undefined;
        assert.deepEqual(await take(channel.stream("r").getReader(), 2), [3, 4]);
        await channel.stop();
      }),
    );

    it(
      "many streams of one channel are independent",
      test(async (bench) => {
        const channel = await log(bench);
        const readers = Array.from({ length: 20 }, (_, index) => channel.stream(`r${index}`).getReader());
        const all = readers.map((reader) => take(reader, 50));
        await fill(channel, 1, 50);
        for (const taken of await Promise.all(all)) assert.equal(taken.at(-1), 50);
        await channel.stop();
        await eventually(async () => (await readers[0]!.read()).done);
      }),
    );
  });
}
