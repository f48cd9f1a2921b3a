// A message's way through a work queue: write, claim (ten at a time), acknowledge. In memory, against better-queue and
// against what the machine can do: a bare ring with a Map of what is claimed, UUIDs and the same asynchronous calls.
//
// "bounded" keeps at most 1,000 messages waiting; "standing" writes all of them before it takes the first. A queue whose
// cost depends on its history or its length shows here. better-queue is compared at the same depth and in the same
// batches; it is pushed into without waiting for each to be taken in, which is how it is fastest.
import BetterQueue from "better-queue";
import { MemoryStore, WorkQueueChannel } from "../core/mod.ts";
import { benchmark, type Contender } from "./harness.ts";

const BATCH = 10;
const DEPTH = 1_000;
const MOST = 1_000_000;
/** What better-queue is measured with: a million would take it minutes. */
const PEER_SIZES = [10_000, 100_000];

interface Job {
  readonly task: string;
  readonly file: string;
}

const JOB: Job = { task: "resize", file: "img.png" };

async function openQueue(): Promise<WorkQueueChannel<Job>> {
  const queue = new WorkQueueChannel<Job>({ id: "jobs", store: new MemoryStore() });
  await queue.start();
  return queue;
}

async function throughChannel(queue: WorkQueueChannel<Job>, messages: number, depth: number): Promise<void> {
  for (let written = 0; written < messages;) {
    for (let waiting = 0; waiting < depth && written < messages; waiting++, written++) await queue.write("bench", JOB);
    for (;;) {
      const claimed = await queue.read("worker", { exclusive: true, limit: BATCH });
      if (claimed.length === 0) break;
      await queue.acknowledge("worker", claimed);
    }
  }
}

interface Slot {
  readonly id: string;
  readonly job: Job;
}

/** The limit: nothing but what hand-over and a claim need. No lease ends, no lane, no copy, no check, no history. */
class Ring {
  #slots: (Slot | undefined)[] = new Array<Slot | undefined>(1_024);
  #head = 0;
  #tail = 0;
  readonly #claimed = new Map<string, Slot>();

  // deno-lint-ignore require-await -- the asynchronous interface is part of what is compared
  async write(job: Job): Promise<string> {
    if (this.#tail - this.#head === this.#slots.length) this.#grow();
    const id = crypto.randomUUID();
    this.#slots[this.#tail++ % this.#slots.length] = { id, job };
    return id;
  }

  // deno-lint-ignore require-await -- as above
  async claim(limit: number): Promise<readonly Slot[]> {
    const taken: Slot[] = [];
    while (taken.length < limit && this.#head < this.#tail) {
      const place = this.#head++ % this.#slots.length;
      const slot = this.#slots[place];
      this.#slots[place] = undefined;
      if (slot === undefined) continue;
      this.#claimed.set(slot.id, slot);
      taken.push(slot);
    }
    return taken;
  }

  // deno-lint-ignore require-await -- as above
  async acknowledge(slots: readonly Slot[]): Promise<void> {
    for (const { id } of slots) this.#claimed.delete(id);
  }

  #grow(): void {
    const { length } = this.#slots;
    const larger = new Array<Slot | undefined>(length * 2);
    for (let index = this.#head; index < this.#tail; index++) {
      larger[index % (length * 2)] = this.#slots[index % length];
    }
    this.#slots = larger;
  }
}

async function throughRing(messages: number, depth: number): Promise<void> {
  const ring = new Ring();
  for (let written = 0; written < messages;) {
    for (let waiting = 0; waiting < depth && written < messages; waiting++, written++) await ring.write(JOB);
    for (;;) {
      const claimed = await ring.claim(BATCH);
      if (claimed.length === 0) break;
      await ring.acknowledge(claimed);
    }
  }
}

async function throughBetterQueue(messages: number, depth: number): Promise<void> {
  let left = 0;
  let done: () => void = () => {};
  const queue = new BetterQueue((batch: readonly Job[], finish: () => void) => {
    left -= batch.length;
    finish();
    if (left === 0) done();
  }, { batchSize: BATCH });
  for (let written = 0; written < messages; written += depth) {
    const count = Math.min(depth, messages - written);
    left = count;
    const drained = new Promise<void>((resolve) => done = resolve);
    for (let each = 0; each < count; each++) queue.push({ ...JOB });
    await drained;
  }
  await new Promise<void>((resolve) => queue.destroy(() => resolve()));
}

const names = (count: number): string => count >= 1_000_000 ? `${count / 1_000_000}M` : `${count / 1_000}k`;
const RING = "ring with UUIDs (the limit)";
const PEER = "better-queue bounded";
const sizes = [1_000, 10_000, 100_000, MOST];

/** One queue for all rounds, as a program has it. */
async function boundedOf(size: number): Promise<Contender> {
  const queue = await openQueue();
  const run = (): Promise<void> => throughChannel(queue, size, DEPTH);
  return { name: `${names(size)} bounded`, operations: size, run, close: () => queue.stop() };
}

/** A queue for each round: what a million messages need is given back, or it would weigh on the others. */
function standingOf(size: number): Contender {
  const run = async (): Promise<void> => {
    const queue = await openQueue();
    await throughChannel(queue, size, size);
    await queue.stop();
  };
  return { name: `${names(size)} standing`, operations: size, run };
}

const { contenders } = await benchmark("write, claim(10), acknowledge: through WorkQueueChannel in memory", [
  ...await Promise.all(sizes.map(boundedOf)),
  ...sizes.slice(1).map(standingOf),
  { name: RING, operations: 100_000, run: () => throughRing(100_000, DEPTH) },
  { name: PEER, operations: 10_000, run: () => throughBetterQueue(10_000, DEPTH) },
  ...PEER_SIZES.map((size) => ({
    name: `better-queue ${names(size)} standing`,
    operations: size,
    run: () => throughBetterQueue(size, size),
  })),
], { reference: PEER, unit: "messages", rounds: 5 });

const pace = (name: string): number => contenders.find((each) => each.name === name)?.operationsPerSecond ?? Number.NaN;
const floors: readonly (readonly [what: string, figure: number, floor: number])[] = [
  ...sizes.map((size) =>
    [`${names(size)} bounded, of ${PEER}`, pace(`${names(size)} bounded`) / pace(PEER), 5] as const
  ),
  ...PEER_SIZES.map((size) => {
    const how = `${names(size)} standing`;
    return [`${how}, of better-queue alike`, pace(how) / pace(`better-queue ${how}`), 5] as const;
  }),
  ["100k bounded, of the ring", pace("100k bounded") / pace(RING), 0.15],
  ["1M against 1k, bounded depth", pace("1M bounded") / pace("1k bounded"), 1 / 2],
  ["1M against 1k, all standing", pace("1M standing") / pace("1k bounded"), 1 / 5],
];
for (const [what, figure, floor] of floors) {
  console.error(`${figure >= floor ? "ok   " : "BELOW"} ${what}: ${figure.toFixed(3)}, floor ${floor.toFixed(3)}`);
}
