/**
 * Work queues: claims, leases, dead letters, consumers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  type ClaimedMessage,
  ConflictError,
  LeaseLostError,
  NotRunningError,
  PosthornError,
  StoreError,
  ValidationError,
  WorkQueueChannel,
  type WorkQueueChannelOptions,
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

const LEASE_MS = 30_000;

type Job = number | string;

class Jobs extends WorkQueueChannel<Job> {
  readonly errors: unknown[] = [];
  protected override onError(error: unknown): void {
    this.errors.push(error);
  }
}

async function jobs({ base }: Bench, options: Partial<WorkQueueChannelOptions<Job>> = {}): Promise<Jobs> {
  const queue = new Jobs({
    id: "jobs",
    claimTimeoutMs: LEASE_MS,
    backoff: { baseDelayMs: 1_000, random: () => 0.999 },
    ...base,
    ...options,
  });
  await queue.start();
  return queue;
}

async function claimOne(queue: Jobs, worker = "w"): Promise<ClaimedMessage<Job>> {
  const [message] = await queue.read(worker, { limit: 1, exclusive: true });
  return message ?? assert.fail("nothing to claim");
}

/** A promise that is settled from outside. */
function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open: () => void = () => {};
  const promise = new Promise<void>((resolve) => open = resolve);
  return { promise, open };
}

function claimSuite(name: string, open: OpenStore): void {
  const test = (body: (bench: Bench) => Promise<void>): () => Promise<void> => withBench(open, body);

  describe(`WorkQueueChannel claims on ${name}`, () => {
    it(
      "shared reads, pages, streams and subscriptions are TypeErrors",
      test(async (bench) => {
        const queue = await jobs(bench);
        await assert.rejects(async () => await queue.read("w"), TypeError);
        await assert.rejects(async () => await queue.read("w", { exclusive: false }), TypeError);
        await assert.rejects(async () => await queue.readPage("w"), TypeError);
        await assert.rejects(async () => await queue.subscribe("w", () => {}), TypeError);
        assert.throws(() => queue.stream("w"), TypeError);
        await queue.stop();
      }),
    );

    it(
      "the specification's worker: claim five, acknowledge what succeeds, give back what fails",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (let job = 0; job < 7; job++) await queue.write("scheduler", job);
        const claimed = await queue.read("worker-1", { limit: 5, exclusive: true });
        assert.deepEqual(contents(claimed), [0, 1, 2, 3, 4]);
        for (const message of claimed) {
          const results = message.content === 3
            ? await queue.nack("worker-1", [message.id])
            : await queue.acknowledge("worker-1", [message.id]);
          assert.deepEqual(results, [{ id: message.id, status: "done" }]);
        }
        const rest = await queue.read("worker-2", { exclusive: true });
        assert.deepEqual(contents(rest).toSorted(), [3, 5, 6]);
        assert.deepEqual(rest.find((each) => each.content === 3)?.failures.map((each) => each.reason), ["nacked"]);
        await queue.stop();
      }),
    );

    it(
      "a claimed message is invisible to other workers until its lease ends, and never given before (G8)",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", 1);
        const first = await claimOne(queue, "dead-worker");
        assert.equal(first.lease.until, clock.now() + LEASE_MS);
        await clock.advance(LEASE_MS - 1);
        assert.deepEqual(await queue.read("w", { exclusive: true }), []);
        await clock.advance(1);
        const second = await claimOne(queue);
        assert.equal(second.lease.attempt, 2);
        assert.deepEqual(second.failures.map(({ reason, workerId }) => [reason, workerId]), [
          ["lease-expired", "dead-worker"],
        ]);
        await queue.stop();
      }),
    );

    it(
      "acknowledged messages are gone for good (S9)",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (let job = 0; job < 1_000; job++) await queue.write("s", job);
        for (let round = 0; round < 10; round++) {
          const claimed = await queue.read("w", { limit: 100, exclusive: true });
          await queue.acknowledge("w", claimed);
        }
        const { stored, ready, claimed } = await queue.stats();
        assert.deepEqual([stored, ready, claimed], [0, 0, 0]);
        await queue.stop();
      }),
    );

    it(
      "thousands of claims are settled in one call (S25)",
      test(async (bench) => {
        const queue = await jobs(bench);
        await Promise.all(Array.from({ length: 3_000 }, (_, job) => queue.write("s", job)));
        const claimed = await queue.read("w", { limit: 3_000, exclusive: true });
        assert.equal(claimed.length, 3_000);
        const extended = await queue.extend("w", claimed, { claimTimeoutMs: 2 * LEASE_MS });
        assert.ok(extended.every(({ status }) => status === "done"));
        const results = await queue.acknowledge("w", claimed.map(({ id }) => id));
        assert.ok(results.every(({ status }) => status === "done"));
        assert.equal((await queue.stats()).stored, 0);
        await queue.stop();
      }),
    );

    it(
      "nobody settles what another worker holds (S4)",
      test(async (bench) => {
        const queue = await jobs(bench);
        await queue.write("s", 1);
        const mine = await claimOne(queue, "mine");
        for (const reference of [mine, mine.id]) {
          for (const call of ["acknowledge", "nack", "extend"] as const) {
            assert.deepEqual(await queue[call]("other", [reference]), [{ id: mine.id, status: "not-found" }]);
          }
        }
        assert.deepEqual(await queue.acknowledge("mine", [mine]), [{ id: mine.id, status: "done" }]);
        await queue.stop();
      }),
    );

    it(
      "the token of an earlier delivery changes nothing, whoever has the message now (S5, S6, G7)",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maxDeliveries: 1_000 });
        await queue.write("s", 1);
        let stale = await claimOne(queue, "worker");
        for (let round = 0; round < 50; round++) {
          await clock.advance(LEASE_MS);
          // Half of the time by the same worker id.
          const now = await claimOne(queue, round % 2 === 0 ? "worker" : "other");
          for (const call of ["acknowledge", "nack", "extend"] as const) {
            const [result] = await queue[call](stale.lease.workerId, [stale]);
            assert.equal(result?.status, "lease-lost", call);
          }
          assert.equal((await queue.stats()).claimed, 1);
          stale = now;
        }
        assert.equal((await queue.acknowledge(stale.lease.workerId, [stale]))[0]?.status, "done");
        await queue.stop();
      }),
    );

    it(
      "ids that were never claimed are refused and not remembered (S7)",
      test(async (bench) => {
        const queue = await jobs(bench);
        await queue.write("s", 1, { id: "real" });
        const junk = Array.from({ length: 1_000 }, (_, index) => `junk-${index}`);
        const results = await queue.acknowledge("w", [...junk, "real"]);
        assert.ok(results.every(({ status }) => status === "not-found"));
        assert.equal((await queue.stats()).stored, 1);
        assert.deepEqual(await queue.acknowledge("w", []), []);
        await queue.stop();
      }),
    );

    it(
      "a bare id means this reader's latest claim, while it lives",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maintenanceIntervalMs: 10_000 });
        await queue.write("s", 1);
        const first = await claimOne(queue);
        for (let hour = 0; hour < 20; hour++) {
          await clock.advance(LEASE_MS - 1);
          assert.equal((await queue.extend("w", [first.id]))[0]?.status, "done");
        }
        assert.equal((await queue.acknowledge("w", [first.id]))[0]?.status, "done", "extended for long, still known");
        assert.equal((await queue.acknowledge("w", [first.id]))[0]?.status, "not-found");
        await queue.stop();
      }),
    );

    it(
      "a bare id whose lease has ended is known for as long again, whatever is claimed meanwhile, and then forgotten",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maintenanceIntervalMs: 1_000 });
        for (let job = 0; job < 3; job++) await queue.write("s", job, { id: `early${job}` });
        assert.equal((await queue.read("w", { exclusive: true })).length, 3);
        const statusOf = async (id: string): Promise<string | undefined> =>
          (await queue.acknowledge("w", [id]))[0]?.status;
        await clock.advance(LEASE_MS + 1);
        assert.equal(await statusOf("early0"), "lease-lost");
        await clock.advance(LEASE_MS - 1_500);
        assert.equal(await statusOf("early1"), "lease-lost");
        for (let second = 0; second < 3 * LEASE_MS / 1_000; second++) await clock.advance(1_000);
        assert.equal(await statusOf("early2"), "not-found");
        await queue.stop();
      }),
    );

    it(
      "results are about what was passed, whatever becomes of the caller's array meanwhile",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (const id of ["a", "b", "c"]) await queue.write("s", 1, { id });
        const claimed = [...await queue.read("w", { exclusive: true, limit: 3 })];
        const released = queue.nack("w", claimed);
        claimed.length = 0;
        assert.deepEqual((await released).map(({ id, status }) => `${id} ${status}`), ["a done", "b done", "c done"]);
        await queue.read("w", { exclusive: true, limit: 3 });
        const ids = ["c", "nobody's", "a"];
        const acknowledged = queue.acknowledge("w", ids);
        ids.reverse();
        assert.deepEqual(await acknowledged, [
          { id: "c", status: "done" },
          { id: "nobody's", status: "not-found" },
          { id: "a", status: "done" },
        ]);
        await queue.stop();
      }),
    );

    it(
      "extend() says when the lease ends now",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", 1);
        const message = await claimOne(queue);
        await clock.advance(20_000);
        const [result] = await queue.extend("w", [message], { claimTimeoutMs: 50_000 });
        assert.deepEqual(result, { id: message.id, status: "done", until: clock.now() + 50_000 });
        await clock.advance(49_999);
        assert.deepEqual(await queue.read("other", { exclusive: true }), []);
        await queue.stop();
      }),
    );

    it(
      "wall clock jumps neither end a lease nor keep it (S29, G9)",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maintenanceIntervalMs: 1_000 });
        await queue.write("s", 1);
        const message = await claimOne(queue);
        for (const jump of [3_600_000, -3_600_000, 86_400_000, -86_400_000]) {
          clock.jumpWall(jump);
          await clock.advance(1_000);
          assert.deepEqual(await queue.read("other", { exclusive: true }), [], "not early");
        }
        assert.equal((await queue.extend("w", [message.id]))[0]?.status, "done", "the claim is still known");
        clock.jumpWall(-86_400_000);
        await clock.advance(LEASE_MS);
        assert.equal((await queue.read("other", { exclusive: true })).length, 1, "not stuck");
        await queue.stop();
      }),
    );

    it(
      "retention and upkeep never remove work that is not acknowledged (S13)",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { retention: { maxCount: 0, maxAgeMs: 1 }, maintenanceIntervalMs: 1_000 });
        for (let job = 0; job < 5; job++) await queue.write("s", job);
        const held = await claimOne(queue);
        await clock.advance(10_000);
        assert.equal(await queue.evict({ maxCount: 0, maxAgeMs: 0 }), 0);
        const { ready, claimed, oldestUnacknowledgedAt } = await queue.stats();
        assert.deepEqual([ready, claimed, oldestUnacknowledgedAt], [4, 1, clock.now() - 10_000]);
        assert.equal((await queue.acknowledge("w", [held]))[0]?.status, "done");
        await queue.stop();
      }),
    );

    it(
      "notBefore delays a message, delayMs a nacked one",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", "later", { notBefore: clock.now() + 5_000 });
        await queue.write("s", "now");
        const now = await claimOne(queue);
        assert.equal(now.content, "now");
        await queue.nack("w", [now], { delayMs: 10_000, detail: "busy" });
        assert.equal((await queue.stats()).delayed, 2);
        await clock.advance(4_999);
        assert.deepEqual(await queue.read("w", { exclusive: true }), []);
        await clock.advance(1);
        assert.equal((await claimOne(queue)).content, "later");
        await clock.advance(4_999);
        assert.deepEqual(await queue.read("w", { exclusive: true }), []);
        await clock.advance(1);
        const again = await claimOne(queue);
        assert.equal(again.content, "now");
        assert.deepEqual(again.failures[0]?.detail, "busy");
        await queue.stop();
      }),
    );

    it(
      "a lane has one message out at a time, first in first out; other lanes run on",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (let job = 0; job < 3; job++) {
          await queue.write("s", `a${job}`, { orderingKey: "a" });
          await queue.write("s", `b${job}`, { orderingKey: "b" });
        }
        await queue.write("s", "free");
        const [a, b, free] = await queue.read("w", { limit: 10, exclusive: true });
        assert.deepEqual([a?.content, b?.content, free?.content], ["a0", "b0", "free"]);
        assert.deepEqual(await queue.read("w", { exclusive: true }), []);
        await queue.acknowledge("w", [a ?? assert.fail()]);
        assert.deepEqual(contents(await queue.read("w", { exclusive: true })), ["a1"]);
        await queue.nack("w", [b ?? assert.fail()]);
        assert.deepEqual(contents(await queue.read("w", { exclusive: true })), ["b0"], "nacked, and still the first");
        await queue.stop();
      }),
    );

    it(
      "two queue objects on one store are one queue",
      test(async (bench) => {
        const [one, two] = [await jobs(bench), await jobs(bench)];
        await one.write("s", 1);
        const message = await claimOne(two);
        assert.deepEqual(await one.read("w", { exclusive: true }), []);
        assert.deepEqual(await one.acknowledge("w", [message.id]), [{ id: message.id, status: "not-found" }]);
        assert.deepEqual(await one.acknowledge("w", [message]), [{ id: message.id, status: "done" }], "by its token");
        await one.stop();
        await two.stop();
      }),
    );

    it(
      "tokens are made, not derived: two stores never give the same (S40)",
      test(async (bench) => {
        const tokens = new Set<string>();
        for (const store of [bench.store, open(bench.clock), open(bench.clock)]) {
          const queue = await jobs(bench, { store });
          await queue.write("s", 1);
          tokens.add((await claimOne(queue)).lease.token);
          await queue.stop();
          if (store !== bench.store) await store.close();
        }
        assert.equal(tokens.size, 3);
      }),
    );
  });

  describe(`WorkQueueChannel dead letters on ${name}`, () => {
    it(
      "nack() for the last time makes a dead letter with the whole history (S14)",
      test(async (bench) => {
        const queue = await jobs(bench, { maxDeliveries: 3 });
        await queue.write("s", "poison", { id: "p", metadata: { mine: 1 }, correlationId: "c" });
        for (let attempt = 1; attempt <= 3; attempt++) {
          const message = await claimOne(queue, `w${attempt}`);
          assert.equal(message.lease.attempt, attempt);
          // The last one by its bare id: the history is known all the same.
          const reference = attempt === 3 ? message.id : message;
          const [result] = await queue.nack(`w${attempt}`, [reference], { detail: `no ${attempt}` });
          assert.equal(result?.status, attempt === 3 ? "dead" : "done");
        }
        assert.deepEqual(await queue.read("w", { exclusive: true }), []);
        const [letter, ...more] = await queue.deadLetters();
        assert.deepEqual(more, []);
        assert.equal(letter?.id, "p");
        assert.equal(letter?.content, "poison");
        assert.equal(letter?.attempts, 3, "how often it was given out");
        assert.deepEqual([letter?.metadata, letter?.correlationId], [{ mine: 1 }, "c"]);
        assert.equal(letter?.dead.reason, "max-deliveries");
        assert.deepEqual(
          letter?.dead.failures.map(({ attempt, workerId, reason, detail }) => [attempt, workerId, reason, detail]),
          [[1, "w1", "nacked", "no 1"], [2, "w2", "nacked", "no 2"], [3, "w3", "nacked", "no 3"]],
        );
        await queue.stop();
      }),
    );

    it(
      "a worker that dies each time is given the message maxDeliveries times and no more (G10)",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maxDeliveries: 4 });
        await queue.write("s", 1);
        let deliveries = 0;
        for (let round = 0; round < 10; round++) {
          deliveries += (await queue.read("w", { exclusive: true })).length;
          await clock.advance(LEASE_MS);
        }
        assert.equal(deliveries, 4);
        const [letter] = await queue.deadLetters();
        assert.equal(letter?.dead.reason, "max-deliveries");
        assert.deepEqual(letter?.dead.failures.map(({ reason }) => reason), Array(4).fill("lease-expired"));
        await queue.stop();
      }),
    );

    it(
      "read() passes over what is dead to what lives behind it",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        for (let job = 0; job < 25; job++) await queue.write("s", job, { expiresAt: clock.now() + 10 });
        await queue.write("s", "alive");
        await clock.advance(10);
        assert.deepEqual(contents(await queue.read("w", { limit: 5, exclusive: true })), ["alive"]);
        const letters = await queue.deadLetters({ limit: 10 });
        assert.deepEqual(letters.map(({ dead }) => dead.reason), Array(10).fill("expired"));
        const rest = await queue.deadLetters({ after: letters.at(-1)?.seq ?? 0 });
        assert.equal(rest.length, 15);
        assert.deepEqual(rest[0]?.dead.failures, [], "nobody had worked on it");
        await queue.stop();
      }),
    );

    it(
      "redrive() puts a message back as if it had never been delivered, also one whose id is remembered",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maxDeliveries: 1 });
        await queue.write("s", 1, {
          id: "x",
          dedupeForMs: 3_600_000,
          expiresAt: clock.now() + 10_000,
          metadata: { m: 1 },
        });
        await queue.nack("w", [await claimOne(queue)]);
        await clock.advance(20_000);
        assert.equal(await queue.redrive("unknown"), false);
        assert.equal(await queue.redrive("x"), true);
        assert.equal(await queue.redrive("x"), false);
        assert.deepEqual(await queue.deadLetters(), []);
        const again = await claimOne(queue);
        assert.deepEqual([again.content, again.lease.attempt, again.failures, again.metadata], [1, 1, [], { m: 1 }]);
        assert.equal((await queue.nack("w", [again]))[0]?.status, "dead");
        assert.equal((await queue.deadLetters()).length, 1, "it can die again");
        assert.equal(await queue.discard("x"), true);
        assert.equal(await queue.discard("x"), false);
        await queue.stop();
      }),
    );

    it(
      "redrive() leaves the dead letter where it is when the id lives again",
      test(async (bench) => {
        const queue = await jobs(bench, { maxDeliveries: 1 });
        await queue.write("s", "old", { id: "x" });
        await queue.nack("w", [await claimOne(queue)]);
        await queue.write("s", "new", { id: "x" });
        await assert.rejects(queue.redrive("x"), ConflictError);
        assert.equal((await queue.deadLetters())[0]?.content, "old");
        await queue.acknowledge("w", [await claimOne(queue)]);
        assert.equal(await queue.redrive("x"), true);
        assert.equal((await claimOne(queue)).content, "old");
        await queue.stop();
      }),
    );

    it(
      "a message that dies while a dead letter of its id is there takes its place: neither vanishes unseen",
      test(async (bench) => {
        const queue = await jobs(bench, { maxDeliveries: 1 });
        for (const content of ["first life", "second life"]) {
          await queue.write("s", content, { id: "x" });
          assert.equal((await queue.nack("w", [await claimOne(queue)]))[0]?.status, "dead");
        }
        assert.deepEqual(contents(await queue.deadLetters()), ["second life"]);
        await queue.stop();
      }),
    );

    it(
      "nack() of many settles each by itself",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maxDeliveries: 2 });
        await queue.write("s", "old");
        await queue.nack("w", [await claimOne(queue)]);
        await queue.write("s", "lost");
        await queue.write("s", "new");
        const claimed = await queue.read("w", { limit: 10, exclusive: true });
        assert.deepEqual(contents(claimed).toSorted(), ["lost", "new", "old"]);
        const [old, lost, fresh] = ["old", "lost", "new"].map((word) =>
          claimed.find(({ content }) => content === word)
        );
        assert.ok(old && lost && fresh);
        await queue.extend("w", [old, fresh], { claimTimeoutMs: 2 * LEASE_MS });
        await clock.advance(LEASE_MS);
        const results = await queue.nack("w", [fresh, "unknown", old, lost, old]);
        assert.deepEqual(results.map(({ id, status }) => [id, status]), [
          [fresh.id, "done"],
          ["unknown", "not-found"],
          [old.id, "dead"],
          [lost.id, "lease-lost"],
          [old.id, "dead"],
        ]);
        await queue.stop();
      }),
    );
  });
}

function consumeSuite(name: string, open: OpenStore): void {
  const test = (body: (bench: Bench) => Promise<void>): () => Promise<void> => withBench(open, body);

  describe(`WorkQueueChannel.consume() on ${name}`, () => {
    it(
      "works off what is there and what comes, and acknowledges what returns",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (let job = 0; job < 50; job++) await queue.write("s", job);
        const done: Job[] = [];
        const consumer = queue.consume("w", (message) => void done.push(message.content));
        await eventually(() => done.length === 50);
        await queue.write("s", "late");
        await eventually(() => done.length === 51);
        await consumer.stop();
        await consumer.finished;
        assert.equal((await queue.stats()).stored, 0);
        await queue.write("s", "after");
        await settle();
        assert.equal(done.length, 51);
        await queue.stop();
      }),
    );

    it(
      "keeps to its concurrency, and to lanes within it",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (let job = 0; job < 30; job++) {
          await queue.write("s", job, job % 2 === 0 ? { orderingKey: `lane-${job % 3}` } : {});
        }
        let running = 0;
        let most = 0;
        const lanes = new Map<string, number[]>();
        const inLane = new Set<string>();
        const done: Job[] = [];
        const consumer = queue.consume("w", async (message) => {
          most = Math.max(most, ++running);
          const lane = message.orderingKey;
          if (lane !== undefined) {
            assert.ok(!inLane.has(lane), "one in flight");
            inLane.add(lane);
            lanes.set(lane, [...lanes.get(lane) ?? [], message.seq]);
          }
          await settle(2);
          if (lane !== undefined) inLane.delete(lane);
          running--;
          done.push(message.content);
        }, { concurrency: 4 });
        await eventually(() => done.length === 30);
        assert.equal(most, 4);
        for (const seqs of lanes.values()) assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
        await consumer.stop();
        assert.deepEqual(queue.errors, []);
        await queue.stop();
      }),
    );

    it(
      "keeps the lease while the handler runs, however long, and leaves no timer behind",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", 1);
        const work = gate();
        let signal: AbortSignal | undefined;
        const consumer = queue.consume("w", (_message, context) => {
          signal = context.signal;
          return work.promise;
        });
        await eventually(() => signal !== undefined);
        await advanceUntil(clock, LEASE_MS / 6, () => clock.monotonic() > 1_700_000_000_000 + 20 * LEASE_MS);
        assert.deepEqual(await queue.read("other", { exclusive: true }), []);
        assert.equal(signal?.aborted, false);
        work.open();
        await eventually(async () => (await queue.stats()).stored === 0);
        await consumer.stop();
        await queue.stop();
      }),
    );

    it(
      "gives back with exponential delay what throws, and buries it after maxDeliveries with its history (S14, G10)",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maxDeliveries: 3 });
        await queue.write("s", "poison", { id: "p" });
        const seen: (readonly [number, number, boolean])[] = [];
        const start = clock.monotonic();
        const consumer = queue.consume("w", (_message, { attempt, isLast }) => {
          seen.push([attempt, clock.monotonic() - start, isLast]);
          throw new TypeError(`attempt ${attempt}`);
        });
        await advanceUntil(clock, 111, () => seen.length === 3);
        await eventually(async () => (await queue.deadLetters()).length === 1);
        assert.deepEqual(seen.map(([attempt, , isLast]) => [attempt, isLast]), [[1, false], [2, false], [3, true]]);
        const [, second = 0, third = 0] = seen.map(([, at]) => at);
        assert.ok(second >= 999 && second < 1_111 + 111, `${second}`);
        assert.ok(third - second >= 1_998 && third - second < 1_998 + 222, `${third}`);
        const [letter] = await queue.deadLetters();
        assert.equal(letter?.dead.reason, "max-deliveries");
        assert.deepEqual(letter?.dead.failures.map(({ reason, detail }) => [reason, detail]), [
          ["handler-error", "TypeError: attempt 1"],
          ["handler-error", "TypeError: attempt 2"],
          ["handler-error", "TypeError: attempt 3"],
        ]);
        assert.equal(queue.errors.length, 3);
        assert.ok(queue.errors.every((error) => error instanceof PosthornError && error.code === "handler"));
        await clock.advance(600_000);
        assert.equal(seen.length, 3);
        await consumer.stop();
        await queue.stop();
      }),
    );

    it(
      "buries what has expired without handing it over",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", "stale", { expiresAt: clock.now() + 1 });
        await queue.write("s", "fresh");
        await clock.advance(1);
        const done: Job[] = [];
        queue.consume("w", (message) => void done.push(message.content));
        await eventually(async () => (await queue.stats()).stored === 0);
        assert.deepEqual(done, ["fresh"]);
        assert.deepEqual((await queue.deadLetters()).map(({ dead }) => dead.reason), ["expired"]);
        await queue.stop();
      }),
    );

    it(
      "a delayed message is worked on when it is due, without polling",
      test(async (bench) => {
        const { clock, store } = bench;
        const counting = new FaultyStore(store);
        let claims = 0;
        counting.fault = (method) => {
          if (method === "claim") claims++;
          return undefined;
        };
        const queue = await jobs(bench, { store: counting });
        const done: number[] = [];
        queue.consume("w", () => void done.push(clock.monotonic()));
        await settle();
        const dueAt = clock.monotonic() + 3_600_000;
        await queue.write("s", "later", { notBefore: clock.now() + 3_600_000 });
        await settle();
        claims = 0;
        await clock.advance(3_599_000);
        await settle();
        assert.equal(done.length, 0);
        assert.equal(claims, 0, "it sleeps");
        await clock.advance(1_000);
        await eventually(() => done.length === 1);
        assert.equal(done[0], dueAt);
        await queue.stop();
      }),
    );

    it(
      "a lane waits with a message that waits for its retry; other lanes run on",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        const done: Job[] = [];
        for (const [job, lane] of [["a1", "a"], ["a2", "a"], ["b1", "b"], ["b2", "b"]] as const) {
          await queue.write("s", job, { orderingKey: lane });
        }
        queue.consume("w", (message, { attempt }) => {
          if (message.content === "a1" && attempt === 1) throw new Error("not yet");
          done.push(message.content);
        }, { concurrency: 3 });
        await eventually(() => done.length === 2);
        await settle();
        assert.deepEqual(done, ["b1", "b2"]);
        await advanceUntil(clock, 500, () => done.length === 4);
        assert.deepEqual(done, ["b1", "b2", "a1", "a2"]);
        await queue.stop();
      }),
    );

    it(
      "several consumers share the work, and none is done twice",
      test(async (bench) => {
        const queue = await jobs(bench);
        const other = await jobs(bench);
        const done: Job[] = [];
        const workers = new Set<string>();
        for (const [index, each] of [queue, queue, other].entries()) {
          each.consume(`w${index}`, async (message) => {
            await settle(1);
            workers.add(message.lease.workerId);
            done.push(message.content);
          }, { concurrency: 2 });
        }
        await Promise.all(Array.from({ length: 100 }, (_, job) => queue.write("s", job)));
        await eventually(() => done.length === 100);
        assert.equal(new Set(done).size, 100);
        assert.equal(workers.size, 3);
        await Promise.all([queue.stop(), other.stop()]);
      }),
    );

    it(
      "a handler may write to its own queue, also while the queue stops",
      test(async (bench) => {
        const queue = await jobs(bench);
        const done: Job[] = [];
        await queue.write("s", 0);
        const last = gate();
        queue.consume("w", async (message) => {
          done.push(message.content);
          if (message.content === 5) await last.promise;
          if (typeof message.content === "number" && message.content < 10) await queue.write("w", message.content + 1);
        });
        await eventually(() => done.length === 6);
        const stopped = queue.stop();
        await settle();
        last.open();
        await stopped;
        assert.equal(done.length, 6, "nothing new was begun");
        assert.deepEqual(queue.errors, []);
        await queue.start();
        assert.deepEqual(contents(await queue.read("w", { exclusive: true })), [6], "and what was written is there");
        await queue.stop();
      }),
    );

    it(
      "an endless chain of messages does not starve the rest of the program",
      test(async (bench) => {
        const queue = await jobs(bench);
        await queue.write("s", 0);
        let done = 0;
        const consumer = queue.consume("w", () => {
          done++;
          void queue.write("w", done);
        });
        await settle(5);
        assert.ok(done > 0);
        await consumer.stop();
        await queue.stop();
      }),
    );

    it(
      "signal ends it after what is being handled",
      test(async (bench) => {
        const queue = await jobs(bench);
        for (let job = 0; job < 3; job++) await queue.write("s", job);
        const work = gate();
        const done: Job[] = [];
        const controller = new AbortController();
        const consumer = queue.consume("w", async (message) => {
          await work.promise;
          done.push(message.content);
        }, { signal: controller.signal });
        await settle();
        controller.abort();
        let finished = false;
        void consumer.finished.then(() => finished = true);
        await settle();
        assert.equal(finished, false);
        work.open();
        await consumer.finished;
        assert.deepEqual(done, [0]);
        const gone = queue.consume("w", () => {}, { signal: AbortSignal.abort() });
        await gone.finished;
        const { ready, claimed } = await queue.stats();
        assert.deepEqual([ready, claimed], [2, 0]);
        await queue.stop();
      }),
    );

    it(
      "stop() with a deadline tells the handler, and such an interruption costs no attempt",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench, { maxDeliveries: 1 });
        await queue.write("s", 1);
        let begun = false;
        const consumer = queue.consume("w", (_message, { signal }) => {
          begun = true;
          return new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        });
        await eventually(() => begun);
        let stopped = false;
        const stopping = consumer.stop(2_000).then(() => stopped = true);
        await clock.advance(1_999);
        await settle();
        assert.equal(stopped, false);
        await clock.advance(1);
        await stopping;
        const message = await claimOne(queue);
        assert.equal(message.lease.attempt, 1);
        assert.deepEqual(message.failures.map(({ reason }) => reason), ["stopped"]);
        assert.deepEqual(queue.errors, []);
        await queue.stop();
      }),
    );

    it(
      "stop() leaves behind a handler that ignores its signal, and says so",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", 1);
        const work = gate();
        let begun = false;
        const consumer = queue.consume("w", () => {
          begun = true;
          return work.promise;
        });
        await eventually(() => begun);
        let stopped = false;
        // The earlier deadline counts.
        void consumer.stop();
        const stopping = consumer.stop(1_000).then(() => stopped = true);
        await clock.advance(1_000);
        assert.equal(stopped, false);
        await clock.advance(5_000);
        await stopping;
        assert.equal(queue.errors.length, 1);
        await clock.advance(LEASE_MS);
        assert.equal((await claimOne(queue, "other")).lease.attempt, 2, "its lease has ended by itself");
        work.open();
        await settle();
        assert.equal((await queue.stats()).claimed, 1, "what it does in the end changes nothing");
        await queue.stop();
      }),
    );

    it(
      "queue.stop() gives handlers 30 seconds and starts nothing new",
      test(async (bench) => {
        const { clock } = bench;
        const queue = await jobs(bench);
        await queue.write("s", 1);
        let aborted = false;
        let begun = false;
        queue.consume("w", (_message, { signal }) => {
          begun = true;
          return new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => {
              aborted = true;
              resolve();
            })
          );
        });
        await eventually(() => begun);
        const stopping = queue.stop();
        await settle();
        assert.throws(() => queue.consume("late", () => {}), NotRunningError);
        await clock.advance(29_999);
        assert.equal(aborted, false);
        await clock.advance(1);
        await stopping;
        assert.equal(aborted, true);
      }),
    );

    it(
      "a lost lease fires the signal, and the late end changes nothing and is told",
      test(async (bench) => {
        const { clock, store } = bench;
        const faulty = new FaultyStore(store);
        const queue = await jobs(bench, { store: faulty });
        await queue.write("s", 1);
        const work = gate();
        let signal: AbortSignal | undefined;
        const consumer = queue.consume("w", (_message, context) => {
          signal ??= context.signal;
          return work.promise;
        });
        await eventually(() => signal !== undefined);
        faulty.fault = (_method, operations) =>
          operations?.[0]?.type === "extend" ? new StoreError("Cannot commit: gone") : undefined;
        await advanceUntil(clock, LEASE_MS / 3, () => signal?.aborted === true);
        assert.ok(signal?.reason instanceof LeaseLostError);
        faulty.fault = () => undefined;
        work.open();
        await eventually(() => queue.errors.some((error) => error instanceof LeaseLostError));
        await consumer.stop();
        await queue.stop();
      }),
    );

    it(
      "a store that fails for a while loses no finished work and repeats none",
      test(async (bench) => {
        const { clock, store } = bench;
        const faulty = new FaultyStore(store);
        const queue = await jobs(bench, { store: faulty });
        for (let job = 0; job < 5; job++) await queue.write("s", job);
        const done: Job[] = [];
        const consumer = queue.consume("w", (message) => {
          done.push(message.content);
          if (done.length === 2) faulty.fault = () => new StoreError("Cannot reach store: network");
          if (done.length === 4) {
            faulty.fault = (method) => method === "claim" ? new StoreError("Cannot claim") : undefined;
          }
        });
        await eventually(() => done.length === 2);
        await clock.advance(5_000);
        assert.equal(done.length, 2);
        faulty.fault = () => undefined;
        await advanceUntil(clock, 1_000, () => done.length === 4);
        await clock.advance(10_000);
        faulty.fault = () => undefined;
        await advanceUntil(clock, 5_000, () => done.length === 5);
        assert.deepEqual(done, [0, 1, 2, 3, 4]);
        await eventually(async () => (await queue.stats()).stored === 0);
        await consumer.stop();
        await queue.stop();
      }),
    );

    it(
      "consumers look for other processes' writes where the store does not tell of them",
      test(async (bench) => {
        const { clock, store } = bench;
        class Deaf extends FaultyStore {
          override watch(): () => void {
            return () => {};
          }
        }
        const queue = await jobs(bench, { store: new Deaf(store, { durable: true, notifies: "process" }) });
        const done: Job[] = [];
        queue.consume("w", (message) => void done.push(message.content));
        await settle();
        const other = await jobs(bench);
        await other.write("elsewhere", 1);
        await settle();
        assert.deepEqual(done, []);
        await clock.advance(1_000);
        await eventually(() => done.length === 1);
        await Promise.all([queue.stop(), other.stop()]);
      }),
    );

    it(
      "refuses wrong arguments, and a closed store at once",
      test(async (bench) => {
        const queue = await jobs(bench);
        const cases: readonly (readonly [string, readonly unknown[]])[] = [
          ["workerId", ["", () => {}]],
          ["workerId", [7, () => {}]],
          ["handler", ["w", "handler"]],
          ["concurrency", ["w", () => {}, { concurrency: 0 }]],
          ["concurrency", ["w", () => {}, { concurrency: 1.5 }]],
          ["options", ["w", () => {}, null]],
        ];
        for (const [argument, args] of cases) {
          // @ts-expect-error what a program without types can do
          assert.throws(() => queue.consume(...args), { argument });
        }
        const consumer = queue.consume("w", () => {});
        await assert.rejects(consumer.stop(-1), ValidationError);
        await consumer.stop();
        const closed = open(bench.clock);
        await closed.close();
        const orphan = await jobs(bench, { store: closed });
        assert.throws(() => orphan.consume("w", () => {}), StoreError);
        await orphan.stop();
        for (
          const [argument, options] of [
            ["maxDeliveries", { maxDeliveries: 0 }],
            ["backoff", { backoff: 7 }],
            ["backoff.baseDelayMs", { backoff: { baseDelayMs: -1 } }],
            ["backoff.random", { backoff: { random: 0.5 } }],
          ] as const
        ) {
          // @ts-expect-error what a program without types can do
          assert.throws(() => new WorkQueueChannel({ id: "x", ...options }), { argument });
        }
        await queue.stop();
      }),
    );
  });
}

export function workQueueSuite(name: string, open: OpenStore): void {
  claimSuite(name, open);
  consumeSuite(name, open);
}
