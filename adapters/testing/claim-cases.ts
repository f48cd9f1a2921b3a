/**
 * Cases about giving work to workers, and what time does to leases.
 *
 * @module
 */
import { equal, ok, present } from "./expect.ts";
import { ackOf, type CaseDefinition, CHANNEL, define, idsOf, needsNotBefore } from "./scene.ts";

/** See the module. */
export const claimCases: readonly CaseDefinition[] = [
  define("claim() gives the oldest first, and no more than asked for", async (scene) => {
    const ids = await scene.append("queue", [{}, {}, {}, {}, {}]);
    equal(await scene.claimIds({ limit: 2 }), ids.slice(0, 2), "first");
    equal(await scene.claimIds({ limit: 10 }), ids.slice(2), "the rest");
    equal(await scene.claimIds(), [], "nothing is left");
  }),

  define("claim() of a channel that has nothing gives nothing", async (scene) => {
    equal(await scene.claim({ channel: "never heard of" }), [], "claim");
  }),

  define("claim() gives a lease: token, worker, attempt and end", async (scene) => {
    await scene.append("queue", [{}, {}]);
    const messages = await scene.claim({ workerId: "worker-1", leaseMs: 5_000 });
    for (const { lease, attempts } of messages) {
      equal(
        { ...lease, token: "" },
        { token: "", workerId: "worker-1", attempt: 1, until: scene.now + 5_000 },
        "lease",
      );
      ok(lease.token !== "", "token");
      equal(attempts, 1, "attempts");
    }
    equal(new Set(messages.map(({ lease }) => lease.token)).size, 2, "tokens differ");
  }),

  define("claim() hides a message until its lease ends, to the millisecond", async (scene) => {
    const id = await scene.enqueue();
    await scene.claimOne({ leaseMs: 1_000 });
    equal(await scene.claimIds({ workerId: "other" }), [], "at once");
    await scene.pass(999);
    equal(await scene.claimIds({ workerId: "other" }), [], "before the end");
    await scene.pass(1);
    equal(await scene.claimIds({ workerId: "other" }), [id], "at the end");
  }),

  define("claim() gives a message whose lease ended again, with the failure in its history", async (scene) => {
    await scene.enqueue();
    const start = scene.now;
    const first = await scene.claimOne({ workerId: "one", leaseMs: 1_000 });
    await scene.pass(5_000);
    const second = await scene.claimOne({ workerId: "two", leaseMs: 1_000 });
    equal(second.failures, [{ attempt: 1, at: start + 1_000, workerId: "one", reason: "lease-expired" }], "failures");
    equal([second.attempts, second.lease.attempt], [2, 2], "attempt");
    ok(second.lease.token !== first.lease.token, "token");
    await scene.pass(1_000);
    const third = await scene.claimOne();
    equal(third.failures.map(({ attempt, at }) => [attempt, at]), [[1, start + 1_000], [2, start + 6_000]], "both");
    equal((await scene.store.get(CHANNEL, third.id))?.attempts, 3, "attempts by get");
  }),

  define("claim() counts leases one by one, whatever their length", async (scene) => {
    const ids = await scene.append("queue", [{}, {}, {}]);
    for (const leaseMs of [3_000, 1_000, 2_000]) await scene.claimOne({ leaseMs });
    await scene.pass(1_000);
    equal(await scene.claimIds(), [ids[1]], "after one second");
    await scene.pass(1_000);
    equal(await scene.claimIds(), [ids[2]], "after two");
    await scene.pass(1_000);
    equal(await scene.claimIds(), [ids[0]], "after three");
  }),

  define("claim() gives what has been due the longest first", async (scene) => {
    const [first = ""] = await scene.append("queue", [{}]);
    await scene.claimOne({ leaseMs: 1_000 });
    await scene.pass(500);
    const second = await scene.enqueue();
    await scene.pass(500);
    const third = await scene.enqueue();
    // The lease of the first ended when the third was written; then the lower sequence number decides.
    equal(await scene.claimIds(), [second, first, third], "order");
  }),

  define("claim() takes the end of a lease for when the message was due, however late anybody looks", async (scene) => {
    const first = await scene.enqueue();
    await scene.claimOne({ leaseMs: 1_000 });
    const delayed = await scene.enqueue({ notBefore: scene.now + 1_050 });
    await scene.pass(1_100);
    const late = await scene.enqueue();
    equal(await scene.claimIds(), [first, delayed, late], "order");
  }, needsNotBefore),

  define("claim() withholds a message until notBefore, to the millisecond", async (scene) => {
    const later = await scene.enqueue({ notBefore: scene.now + 1_000 });
    const now = await scene.enqueue();
    equal(await scene.claimIds(), [now], "at once");
    await scene.pass(999);
    equal(await scene.claimIds(), [], "before");
    await scene.pass(1);
    equal(await scene.claimIds(), [later], "then");
  }, needsNotBefore),

  define("claim() orders delayed messages by when they are due, not by when they were written", async (scene) => {
    const late = await scene.enqueue({ notBefore: scene.now + 300 });
    const early = await scene.enqueue({ notBefore: scene.now + 100 });
    await scene.pass(200);
    const between = await scene.enqueue();
    await scene.pass(200);
    equal(await scene.claimIds(), [early, between, late], "order");
  }, needsNotBefore),

  define("claim() goes by a clock that does not jump when the wall clock does", async (scene) => {
    const leased = await scene.enqueue();
    await scene.claimOne({ leaseMs: 60_000 });
    const delayed = await scene.enqueue({ notBefore: scene.now + 60_000 });
    scene.clock.jumpWall(86_400_000);
    equal(await scene.claimIds(), [], "a day ahead");
    scene.clock.jumpWall(-2 * 86_400_000);
    await scene.pass(59_999);
    equal(await scene.claimIds(), [], "a day back");
    await scene.pass(1);
    equal((await scene.claimIds()).sort(), [leased, delayed].sort(), "when the time has passed");
  }, needsNotBefore),

  define("claim() reports wall time after the wall clock jumped", async (scene) => {
    await scene.enqueue();
    await scene.pass(10);
    scene.clock.jumpWall(-3_600_000);
    const { lease } = await scene.claimOne({ leaseMs: 1_000 });
    equal(lease.until, scene.now + 1_000, "until");
    await scene.pass(1_500);
    const [failure] = (await scene.claimOne()).failures;
    equal(failure?.at, scene.now - 500, "at");
  }),

  define("claim() gives expired messages too", async (scene) => {
    const id = await scene.enqueue({ expiresAt: scene.now + 10 });
    await scene.pass(1_000);
    equal(await scene.claimIds(), [id], "claim");
  }),

  define("claim() for a recipient gives what is for it or for nobody, and leaves the rest to others", async (scene) => {
    const [alice = "", bob = "", all = "", alice2 = ""] = await scene.append("queue", [
      { recipientId: "alice" },
      { recipientId: "bob" },
      {},
      { recipientId: "alice" },
    ]);
    equal(await scene.claimIds({ recipientId: "alice", limit: 2 }), [alice, all], "two for alice");
    equal(await scene.claimIds({ recipientId: "carol" }), [], "nothing for carol");
    equal(await scene.claimIds({ recipientId: "bob" }), [bob], "bob");
    equal(await scene.claimIds(), [alice2], "the rest");
  }),

  define("claim() for a recipient goes on as messages come, fail and expire", async (scene) => {
    await scene.append("queue", [{ recipientId: "alice" }, {}, { recipientId: "bob" }]);
    await scene.claim({ recipientId: "alice", leaseMs: 1_000 });
    const fresh = await scene.enqueue({ recipientId: "alice" });
    equal(await scene.claimIds({ recipientId: "alice", leaseMs: 5_000 }), [fresh], "fresh");
    await scene.pass(1_000);
    const again = await scene.claim({ recipientId: "bob" });
    equal(idsOf(again), ["m3", "m2"], "by time due, of bob and of nobody");
    await scene.release(present(again[1], "m2"));
    equal(await scene.claimIds({ recipientId: "alice" }), ["m1", "m2"], "alice");
  }),

  define("claim() never gives a message to two of many workers at once", async (scene) => {
    const ids = await scene.append("queue", Array.from({ length: 120 }, () => ({})));
    const claims = Array.from({ length: 20 }, (_, index) => scene.claim({ workerId: `w${index}`, limit: 7 }));
    const given = (await Promise.all(claims)).flat();
    equal(idsOf(given).sort(), [...ids].sort(), "each once");
    const acks = await Promise.all(given.map((message) => scene.store.commit([ackOf(message)])));
    ok(acks.every(({ committed }) => committed), "all acknowledged");
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }),

  define("claim() by several workers empties a queue in turns without losing anything", async (scene) => {
    const ids = await scene.append("queue", Array.from({ length: 60 }, () => ({})));
    const done: string[] = [];
    const work = async (workerId: string): Promise<void> => {
      for (let batch = await scene.claim({ workerId, limit: 3 }); batch.length > 0;) {
        await scene.store.commit(batch.map((message) => ackOf(message)));
        done.push(...idsOf(batch));
        batch = await scene.claim({ workerId, limit: 3 });
      }
    };
    await Promise.all(["a", "b", "c", "d"].map(work));
    equal(done.sort(), [...ids].sort(), "done");
  }),

  define("claim() keeps the latest 50 failures, oldest first", async (scene) => {
    await scene.enqueue();
    for (let attempt = 1; attempt <= 55; attempt++) {
      const message = await scene.claimOne();
      await scene.release(message, { failure: { reason: "handler-error", detail: `number ${attempt}` } });
    }
    const { failures, attempts } = await scene.claimOne();
    equal(attempts, 56, "attempts");
    equal(failures.length, 50, "length");
    equal([failures[0]?.attempt, failures[49]?.attempt], [6, 55], "first and last");
  }),
];
