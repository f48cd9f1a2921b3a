/**
 * Cases about opening, closing, and what outlives the process.
 *
 * @module
 */
import { equal, ok, present, rejects } from "./expect.ts";
import { ackOf, type CaseDefinition, CHANNEL, define, idsOf, needsReopen, releaseOf } from "./scene.ts";

/** See the module. */
export const lifecycleCases: readonly CaseDefinition[] = [
  define("capabilities are what the suite was told", async (scene) => {
    const { atomicBatch, lanes, notBefore, notifies, durable } = scene.store.capabilities;
    equal({ atomicBatch, lanes, notBefore, notifies, durable }, scene.capabilities, "capabilities");
    await Promise.resolve();
  }),

  define("close() ends everything: later calls reject, and closing again is harmless", async (scene) => {
    const { store } = scene;
    await scene.append("both", [{}]);
    const held = await scene.claimOne();
    await store.close();
    await store.close();
    const calls: Readonly<Record<string, () => unknown>> = {
      append: () => store.append(CHANNEL, [scene.envelope()], { mode: "queue" }),
      commit: () => store.commit([ackOf(held)]),
      claim: () => scene.claim(),
      readShared: () => scene.read(),
      get: () => store.get(CHANNEL, held.id),
      query: () => store.query({ channel: CHANNEL }),
      prune: () => store.prune({ channel: CHANNEL }),
      clear: () => store.clear(CHANNEL),
      stats: () => store.stats(CHANNEL),
      nextDueAt: () => store.nextDueAt(),
      getState: () => store.getState("k"),
      listState: () => store.listState(""),
    };
    for (const [name, call] of Object.entries(calls)) await rejects(call, "store", name);
  }),

  define("close() waits for what is under way", async (scene) => {
    const { store } = scene;
    const calls = Array.from({ length: 20 }, () => store.append(CHANNEL, [scene.envelope()], { mode: "log" }));
    const closed = store.close();
    const results = (await Promise.all(calls)).flat();
    ok(results.every(({ status }) => status === "done"), "all were done");
    await closed;
  }),

  define("close() is what await using calls", async (scene) => {
    await scene.store[Symbol.asyncDispose]();
    await rejects(() => scene.store.stats(CHANNEL), "store", "stats");
  }),

  define("a store that is opened again has messages, history and places as they were", async (scene) => {
    const inits = [{ orderingKey: "lane", recipientId: "r", correlationId: "x", content: { a: [1] } }, {}, {}];
    const ids = await scene.append("both", inits);
    await scene.log({ externalId: "e" });
    const [first, second] = await scene.claim({ limit: 2 });
    await scene.release(present(first, "first"), { failure: { reason: "r1", detail: "d1" } });
    await scene.ack(present(second, "second"));
    equal(await scene.readIds({ limit: 2 }), ids.slice(0, 2), "read");
    const before = {
      all: await scene.store.query({ channel: CHANNEL }),
      stats: await scene.store.stats(CHANNEL),
      byField: await scene.store.query({ channel: CHANNEL, externalId: "e" }),
    };
    await scene.reopen();
    const after = {
      all: await scene.store.query({ channel: CHANNEL }),
      stats: await scene.store.stats(CHANNEL),
      byField: await scene.store.query({ channel: CHANNEL, externalId: "e" }),
    };
    equal(after, before, "found and counted");
    equal(await scene.readIds(), [ids[2], "m4"], "the reader goes on");
    const again = present((await scene.claim()).find(({ id }) => id === ids[0]), "first");
    equal(
      again.failures.map(({ attempt, reason, detail }) => [attempt, reason, detail]),
      [[1, "r1", "d1"]],
      "failures",
    );
    equal(again.attempts, 2, "attempts");
  }, needsReopen),

  define(
    "a store that is opened again keeps leases: tokens are good, and nobody else gets the message",
    async (scene) => {
      const ids = await scene.append("queue", [{ orderingKey: "l" }, { orderingKey: "l" }, {}]);
      const [first, free] = await scene.claim({ leaseMs: 10_000 });
      await scene.reopen();
      equal(await scene.claimIds(), [], "all is held, or behind");
      await scene.ack(present(first, "first"));
      equal(await scene.claimIds(), [ids[1]], "the lane goes on");
      await scene.pass(10_000);
      equal(await scene.statusOf(ackOf(present(free, "free"))), "lease-lost", "ended");
      equal(await scene.claimIds(), [ids[2]], "given out again");
    },
    needsReopen,
  ),

  define("a store that is opened again keeps delays, and lanes that are held", async (scene) => {
    await scene.append("queue", [{ orderingKey: "l" }, { orderingKey: "l" }]);
    const later = await scene.enqueue({ notBefore: scene.now + 1_000 });
    await scene.release(await scene.claimOne(), { delayMs: 1_000, holdLaneMs: 500 });
    await scene.reopen();
    equal(await scene.claimIds(), [], "all wait");
    await scene.pass(500);
    equal(await scene.claimIds({ leaseMs: 100 }), ["m2"], "the lane was held for so long");
    await scene.pass(500);
    equal((await scene.claimIds()).sort(), ["m1", later].sort(), "due");
  }, needsReopen),

  define("a store that is opened again never gives a sequence number or a token again", async (scene) => {
    const [first] = await scene.store.append(CHANNEL, [scene.envelope()], { mode: "both" });
    const held = await scene.claimOne({ leaseMs: 10 });
    await scene.store.clear(CHANNEL);
    await scene.reopen();
    const [second] = await scene.store.append(CHANNEL, [scene.envelope()], { mode: "both" });
    ok(present(second?.seq, "second") > present(first?.seq, "first"), "seq");
    const next = await scene.claimOne();
    ok(next.lease.token !== held.lease.token, "token");
    equal(await scene.statusOf({ ...releaseOf(next), token: held.lease.token }), "lease-lost", "old token");
  }, needsReopen),

  define("a store that is opened again remembers ids, gaps and state", async (scene) => {
    const [gone = ""] = await scene.append("log", [{}], CHANNEL, 10_000);
    await scene.append("log", [{}, {}]);
    await scene.read({ readerId: "behind", limit: 1 });
    const { version } = await scene.one({ type: "set-state", key: "k", value: { a: 1 }, ttlMs: 10_000 });
    const pruned = idsOf((await scene.store.query({ channel: CHANNEL })).messages).slice(0, 2);
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 1 }), 2, "prune");
    await scene.reopen();
    const [again] = await scene.store.append(CHANNEL, [scene.envelope({ id: gone })], {
      mode: "log",
      dedupeForMs: 1,
    });
    equal([pruned[0], again?.status], [gone, "duplicate"], "id");
    const gap = present((await scene.read({ readerId: "behind" })).gap, "gap");
    equal(gap.toSeq - gap.fromSeq, 0, "gap of one");
    equal((await scene.read({ readerId: "behind" })).gap, undefined, "told once");
    equal(await scene.store.getState("k"), {
      key: "k",
      value: { a: 1 },
      version: present(version, "version"),
      expiresAt: scene.now + 10_000,
    }, "state");
    await scene.one({ type: "delete-state", key: "k" });
    await scene.reopen();
    const written = await scene.one({ type: "set-state", key: "k", value: 2 });
    ok(present(written.version, "version") > present(version, "version"), "versions grow");
    await scene.pass(10_000);
    const [late] = await scene.store.append(CHANNEL, [scene.envelope({ id: gone })], {
      mode: "log",
      dedupeForMs: 1,
    });
    equal(late?.status, "done", "forgotten in time");
  }, needsReopen),
];
