// Work through the memory store: write one by one, claim 10, acknowledge 10, at bounded depth and with the whole backlog
// standing. Beside it a ring buffer with a Map, which is about what can be done at all behind an async API, and
// better-queue with its store in memory.
//
// Floors: a message costs at most twice as much among a million as among a thousand at bounded depth, five times with
// all of them standing; at least 0.15 of the ring, at least five times better-queue.
import process from "node:process";
import BetterQueue from "better-queue";
import { createIdGenerator, MemoryStore, type MessageEnvelope } from "../core/mod.ts";
import { benchmark, type BenchmarkResult } from "./harness.ts";

const BATCH = 10;
const SIZES = [1_000, 10_000, 100_000, 1_000_000] as const;
/** better-queue takes seconds for a hundred thousand. */
const PEER_SIZE = 10_000;
const CHANNEL = "jobs";

interface Job {
  readonly number: number;
  readonly text: string;
}

/** What a queue must do to take part. */
interface Contestant {
  write(job: Job): Promise<unknown>;
  /** Claims up to ten, and acknowledges them. @returns How many. */
  work(): Promise<number>;
}

class PosthornQueue implements Contestant {
  readonly #store = new MemoryStore();
  readonly #nextId = createIdGenerator(Date.now);

  write(content: Job): Promise<unknown> {
    return this.#store.append(CHANNEL, [this.#envelope({ ...content })], { mode: "queue" });
  }

  async work(): Promise<number> {
    const claimed = await this.#store.claim({ channel: CHANNEL, workerId: "w", limit: BATCH, leaseMs: 30_000 });
    const acks = claimed.map(({ seq, lease }) => ({ type: "ack", channel: CHANNEL, seq, token: lease.token }) as const);
    const { committed } = await this.#store.commit(acks);
    if (!committed) throw new Error("Cannot measure: a lease was lost");
    return claimed.length;
  }

  #envelope(content: MessageEnvelope["content"]): MessageEnvelope {
    const timestamp = Date.now();
    return { v: 1, id: this.#nextId(), namespace: "", timestamp, senderId: "bench", content, metadata: {} };
  }
}

interface RingItem {
  readonly id: string;
  readonly job: Job;
}

/** No lanes, no delays, no leases that end, no dedupe, no checks, no copies: what remains of a queue then. */
class RingQueue implements Contestant {
  #items: (RingItem | undefined)[] = new Array(16).fill(undefined);
  #head = 0;
  #length = 0;
  readonly #claimed = new Map<string, RingItem>();

  write(job: Job): Promise<string> {
    if (this.#length === this.#items.length) this.#grow();
    const id = crypto.randomUUID();
    this.#items[(this.#head + this.#length++) & (this.#items.length - 1)] = { id, job };
    return Promise.resolve(id);
  }

  claim(limit: number): Promise<RingItem[]> {
    const claimed: RingItem[] = [];
    while (claimed.length < limit && this.#length > 0) {
      const item = this.#items[this.#head];
      this.#items[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#items.length - 1);
      this.#length--;
      if (item === undefined) continue;
      this.#claimed.set(item.id, item);
      claimed.push(item);
    }
    return Promise.resolve(claimed);
  }

  acknowledge(ids: readonly string[]): Promise<boolean> {
    let isHeld = true;
    for (const id of ids) isHeld = this.#claimed.delete(id) && isHeld;
    return Promise.resolve(isHeld);
  }

  async work(): Promise<number> {
    const claimed = await this.claim(BATCH);
    if (!await this.acknowledge(claimed.map(({ id }) => id))) throw new Error("Cannot measure: not held");
    return claimed.length;
  }

  #grow(): void {
    const items: (RingItem | undefined)[] = [];
    for (let index = 0; index < this.#length; index++) {
      items.push(this.#items[(this.#head + index) & (this.#items.length - 1)]);
    }
    for (let index = this.#length; index < this.#length * 2; index++) items.push(undefined);
    this.#items = items;
    this.#head = 0;
  }
}

/** Ten in, ten out, until all have passed. */
async function bounded(queue: Contestant, count: number): Promise<void> {
  for (let done = 0; done < count;) {
    for (let index = 0; index < BATCH; index++) await queue.write({ number: done + index, text: "resize a.png" });
    done += await queue.work();
  }
}

/** All in, then all out. */
async function standing(queue: Contestant, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await queue.write({ number, text: "resize a.png" });
  for (let done = 0; done < count;) done += await queue.work();
}

/**
 * better-queue hands work to a function: a batch of ten is its claim, the callback its acknowledgement.
 *
 * @param depth How many are pushed before those are waited for.
 */
async function betterQueue(count: number, depth: number): Promise<void> {
  let due = 0;
  let done = 0;
  let wake: () => void = () => {};
  const options = { batchSize: BATCH, afterProcessDelay: 0, batchDelay: 0, concurrent: 1 };
  const queue = new BetterQueue<Job>((jobs: readonly Job[], acknowledge: () => void) => {
    done += jobs.length;
    acknowledge();
    if (done === due) wake();
  }, options);
  while (due < count) {
    const all = new Promise<void>((resolve, reject) => {
      wake = resolve;
      queue.once("error", reject);
    });
    for (let index = 0; index < depth; index++) queue.push({ number: due++, text: "resize a.png" });
    await all;
    queue.removeAllListeners("error");
  }
}

const failures: string[] = [];

/** Prints a ratio with its floor. */
function judge(name: string, ratio: number, floor: number, isAtMost = false): void {
  const isGood = isAtMost ? ratio <= floor : ratio >= floor;
  if (!isGood) failures.push(name);
  if (process.argv.includes("--json")) return;
  console.log(
    `  ${name}: ${ratio.toFixed(2)} (${isAtMost ? "at most" : "at least"} ${floor})${isGood ? "" : "  MISSED"}`,
  );
}

function costOf({ contenders }: BenchmarkResult, name: string): number {
  return contenders.find((each) => each.name === name)?.nanosecondsPerOperation ?? Number.NaN;
}

function ratioOf({ contenders }: BenchmarkResult, name: string): number {
  return contenders.find((each) => each.name === name)?.ratio ?? Number.NaN;
}

const sized = (work: typeof bounded, create: () => Contestant, label: string) =>
  SIZES.map((size) => ({
    name: `${label} ${size.toLocaleString("en")}`,
    operations: size,
    run: () => work(create(), size),
  }));
const options = { unit: "messages", rounds: 5, sampleMs: 300 };

// First: what a million standing messages leave of a heap slows down whoever comes after.
for (
  const [how, work, depth] of [["10 in the queue at most", bounded, BATCH], [
    "all standing",
    standing,
    PEER_SIZE,
  ]] as const
) {
  const peers = await benchmark(`memory store: ${PEER_SIZE.toLocaleString("en")} through the queue, ${how}`, [
    { name: "posthorn", operations: PEER_SIZE, run: () => work(new PosthornQueue(), PEER_SIZE) },
    { name: "better-queue", operations: PEER_SIZE, run: () => betterQueue(PEER_SIZE, depth) },
  ], { ...options, reference: "better-queue" });
  judge("posthorn to better-queue", ratioOf(peers, "posthorn"), 5);
}

const flat = await benchmark("memory store: write, claim 10, acknowledge, 10 in the queue at most", [
  ...sized(bounded, () => new PosthornQueue(), "posthorn"),
  { name: "ring", operations: 100_000, run: () => bounded(new RingQueue(), 100_000) },
], { ...options, reference: "ring" });
judge(
  "cost among 1,000,000 to that among 1,000",
  costOf(flat, "posthorn 1,000,000") / costOf(flat, "posthorn 1,000"),
  2,
  true,
);
for (const size of SIZES) {
  judge(
    `posthorn ${size.toLocaleString("en")} to the ring`,
    ratioOf(flat, `posthorn ${size.toLocaleString("en")}`),
    0.15,
  );
}

const full = await benchmark("memory store: write all, then claim 10 and acknowledge until none is left", [
  ...sized(standing, () => new PosthornQueue(), "posthorn"),
  { name: "ring", operations: 100_000, run: () => standing(new RingQueue(), 100_000) },
], { ...options, reference: "ring" });
judge(
  "cost among 1,000,000 to that among 1,000",
  costOf(full, "posthorn 1,000,000") / costOf(full, "posthorn 1,000"),
  5,
  true,
);
judge("posthorn 100,000 to the ring", ratioOf(full, "posthorn 100,000"), 0.15);

if (failures.length > 0) process.exitCode = 1;
