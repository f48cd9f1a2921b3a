/**
 * A work queue under everything that can happen to it, on a clock and a chance that are the test's: several consumers,
 * handlers that succeed, fail, dawdle or ignore their signal, consumers that stop, that are held up, that die without a
 * word, jumps of the wall clock, dead letters driven again. What happens is written down; the same seed writes the same.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  channelKey,
  type ClaimedMessage,
  type Consumer,
  MemoryStore,
  type MessageStore,
  WorkQueueChannel,
} from "../../core/mod.ts";
import { MortalStore } from "./mortal-store.ts";
import { SeededRandom } from "./random.ts";
import { START_MS, SteppedClock } from "./stepped-clock.ts";
import { WitnessStore } from "./witness-store.ts";

const MAX_DELIVERIES = 3;
const LEASE_MS = 1_000;
const LANES = 3;

/** How a simulation ended. */
export interface SimulationOutcome {
  /** What happened, a line each. */
  readonly trace: readonly string[];
  readonly written: number;
  readonly acknowledged: number;
  readonly dead: number;
  readonly crashes: number;
  readonly redriven: number;
  readonly leasesLost: number;
}

/** A process that works. */
interface Worker {
  readonly name: string;
  readonly mortal: MortalStore;
  readonly queue: WorkQueueChannel<number>;
  readonly consumer: Consumer;
}

/** Runs one simulation. It throws when something happens that must not. */
export class QueueSimulation {
  readonly #random: SeededRandom;
  readonly #clock = new SteppedClock();
  readonly #witness: WitnessStore;
  readonly #store: MessageStore;
  readonly #writer: WorkQueueChannel<number>;
  readonly #workers: Worker[] = [];
  readonly #trace: string[] = [];
  #ids = 0;
  #names = 0;
  #crashes = 0;
  #redriven = 0;
  #failure: unknown;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    const key = channelKey("default", "work");
    // A message whose every worker died is claimed once more, to be buried.
    this.#witness = new WitnessStore(new MemoryStore({ clock: this.#clock }), this.#clock, key, MAX_DELIVERIES + 1);
    this.#store = this.#witness.view;
    this.#writer = this.#open(this.#store);
  }

  async run(steps: number): Promise<SimulationOutcome> {
    await this.#writer.start();
    for (let count = 0; count < 3; count++) await this.#hire();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      this.#assertSound();
    }
    await this.#bringToRest();
    const { written, ends, leasesLost } = this.#witness;
    const { acknowledged, dead } = ends;
    const trace = this.#trace;
    return { trace, written, acknowledged, dead, crashes: this.#crashes, redriven: this.#redriven, leasesLost };
  }

  #open(store: MessageStore): WorkQueueChannel<number> {
    return new WorkQueueChannel<number>({
      id: "work",
      store,
      clock: this.#clock,
      newId: () => `m${this.#ids++}`,
      claimTimeoutMs: LEASE_MS,
      maxDeliveries: MAX_DELIVERIES,
      maintenanceIntervalMs: 10_000,
      backoff: { baseDelayMs: 200, maxDelayMs: 2_000, random: () => this.#random.next() },
    });
  }

  #note(what: string): void {
    this.#trace.push(`${this.#clock.monotonic() - START_MS} ${what}`);
  }

  #assertSound(): void {
    const failure = this.#failure ?? this.#witness.failure;
    if (failure !== undefined) throw failure;
  }

  async #step(): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 45) await this.#write();
    else if (dice < 90) await this.#clock.advance(this.#random.below(300));
    else if (dice < 93) await this.#crash(this.#anyWorker(), "");
    else if (dice < 94) await this.#stopOne();
    else if (dice < 96) this.#holdUp(this.#anyWorker());
    else if (dice < 97) this.#jump();
    else await this.#redrive();
  }

  #anyWorker(): Worker {
    return this.#workers[this.#random.below(this.#workers.length)] ?? assert.fail("nobody works");
  }

  async #write(): Promise<void> {
    const lane = this.#random.chance(0.5) ? `lane${this.#random.below(LANES)}` : undefined;
    const isDelayed = lane === undefined && this.#random.chance(0.2);
    const id = await this.#writer.write("writer", this.#ids, {
      ...(lane === undefined ? {} : { orderingKey: lane }),
      ...(isDelayed ? { notBefore: this.#clock.now() + this.#random.below(2_000) } : {}),
    });
    this.#note(`write ${id} ${lane ?? "-"}`);
  }

  /** A process comes. */
  async #hire(): Promise<void> {
    const mortal = new MortalStore(this.#store);
    const queue = this.#open(mortal.view);
    const name = `w${this.#names++}`;
    await queue.start();
    const consumer = queue.consume(name, (message, { signal }) => this.#handle(name, message, signal), {
      concurrency: 1 + this.#random.below(3),
    });
    this.#workers.push({ name, mortal, queue, consumer });
    this.#note(`hire ${name}`);
  }

  /** A process dies: no stop, no release, no word. Another comes. */
  async #crash(worker: Worker, where: string): Promise<void> {
    worker.mortal.isDead = true;
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.#crashes++;
    this.#note(`crash ${worker.name}${where}`);
    await this.#hire();
  }

  /** A process is stopped as it should be. Another comes. */
  async #stopOne(): Promise<void> {
    const worker = this.#anyWorker();
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.#note(`stop ${worker.name}`);
    void worker.consumer.stop(this.#random.below(500)).then(() => this.#note(`stopped ${worker.name}`));
    await this.#hire();
  }

  /** A process is held up: what it asks for happens later, perhaps on a lease that has ended meanwhile. */
  #holdUp({ name, mortal }: Worker): void {
    if (mortal.heldUp !== undefined) return;
    const forMs = this.#random.below(3 * LEASE_MS);
    this.#note(`hold up ${name} for ${forMs}`);
    mortal.heldUp = this.#clock.sleep(forMs).then(() => {
      mortal.heldUp = undefined;
    });
  }

  #jump(): void {
    const byMs = (this.#random.chance(0.5) ? 1 : -1) * this.#random.below(3_600_000);
    this.#clock.jumpWall(byMs);
    this.#note(`jump ${byMs}`);
  }

  async #redrive(): Promise<void> {
    const letters = await this.#writer.deadLetters();
    const letter = letters[this.#random.below(Math.max(1, letters.length))];
    if (letter === undefined) return;
    assert.equal(this.#witness.endOf(letter.id), "dead", `${letter.id} is among the dead`);
    assert.equal(await this.#writer.get(letter.id), undefined, `${letter.id} is alive and dead`);
    assert.equal(await this.#writer.redrive(letter.id), true);
    this.#redriven++;
    this.#note(`redrive ${letter.id}`);
  }

  async #handle(name: string, message: ClaimedMessage<number>, signal: AbortSignal): Promise<void> {
    const { id, lease } = message;
    if (lease.attempt > MAX_DELIVERIES) this.#failure ??= new Error(`${id} is handled for the ${lease.attempt}th time`);
    this.#note(`begin ${id} ${name} ${lease.attempt}`);
    // All that is left to chance, before anything is awaited.
    const heedsSignal = this.#random.chance(0.8);
    const workMs = this.#random.chance(0.1) ? this.#random.below(5_000) : this.#random.below(300);
    const succeeds = this.#random.chance(0.65);
    const crashesHere = this.#random.chance(0.02);
    if (heedsSignal) await Promise.race([this.#clock.sleep(workMs), rejectionOf(signal)]);
    else await this.#clock.sleep(workMs);
    const worker = this.#workers.find((each) => each.name === name);
    if (crashesHere && worker !== undefined && !worker.mortal.isDead) await this.#crash(worker, ` in ${id}`);
    this.#note(`end ${id} ${name} ${succeeds ? "well" : "badly"}`);
    if (!succeeds) throw new Error("bad luck");
  }

  /** No more trouble: everything that was written comes to its end. */
  async #bringToRest(): Promise<void> {
    const { key } = this.#writer;
    for (let round = 0; round < 300 && this.#witness.unfinished.length > 0; round++) {
      await this.#clock.advance(1_000);
      this.#assertSound();
    }
    assert.deepEqual(this.#witness.unfinished, [], "these are lost: neither acknowledged nor dead");
    assert.equal((await this.#store.stats(key)).stored, 0);
    const letters = await this.#writer.deadLetters({ limit: 10_000 });
    assert.equal(letters.length, this.#witness.ends.dead - this.#redriven, "each dead message is a dead letter");
    for (const { id, dead } of letters) {
      assert.equal(this.#witness.endOf(id), "dead");
      assert.ok(dead.failures.length > 0 && dead.failures.every(({ attempt }) => attempt <= MAX_DELIVERIES), id);
    }
    const all = [this.#writer, ...this.#workers.map(({ queue }) => queue)];
    const stopping = Promise.all(all.map((queue) => queue.stop()));
    await this.#clock.advance(60_000);
    await stopping;
    this.#assertSound();
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("told to end")), { once: true });
  });
}
