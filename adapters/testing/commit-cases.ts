/**
 * Cases about commits: together or not at all.
 *
 * @module
 */
import type { CommitResult, StoreOperation } from "../../core/mod.ts";
import { equal, ok, present, refuses } from "./expect.ts";
import {
  ackOf,
  type CaseDefinition,
  CHANNEL,
  define,
  type EnvelopeInit,
  needsAtomicBatch,
  releaseOf,
  type Scene,
  statusesOf,
} from "./scene.ts";

function appendOf(scene: Scene, init: EnvelopeInit = {}, channel: string = CHANNEL): StoreOperation {
  return { type: "append", channel, mode: "both", message: scene.envelope(init) };
}

function check(result: CommitResult, committed: boolean, statuses: readonly string[]): void {
  equal([result.committed, statusesOf(result)], [committed, statuses], "commit");
}

/** See the module. */
export const commitCases: readonly CaseDefinition[] = [
  define("commit() of nothing is done", async (scene) => {
    equal(await scene.store.commit([]), { committed: true, results: [] }, "result");
  }),

  define("commit() does everything, over channels and state, in order", async (scene) => {
    await scene.append("queue", [{}, {}, {}], "in");
    const [first, second, third] = await scene.claim({ channel: "in" });
    const result = await scene.store.commit([
      ackOf(present(first, "first"), "in"),
      { ...releaseOf(present(second, "second"), "in"), delayMs: 10 },
      { ...releaseOf(present(third, "third"), "in"), type: "extend", leaseMs: 90_000 },
      { type: "append", channel: "out", mode: "queue", message: scene.envelope({ id: "reply" }) },
      { type: "set-state", key: "k", value: { step: 1 } },
      { type: "set-cursor", channel: "log", readerId: "r", seq: 4 },
      { type: "remove", channel: "out", id: "unknown" },
    ]);
    check(result, true, ["done", "done", "done", "done", "done", "done", "not-found"]);
    equal(result.results[2]?.until, scene.now + 90_000, "until");
    ok(present(result.results[3]?.seq, "seq") > 0, "seq");
    ok(present(result.results[4]?.version, "version") > 0, "version");
    const { stored, delayed, claimed } = await scene.store.stats("in");
    equal([stored, delayed, claimed], [2, 1, 1], "in");
    equal(await scene.claimIds({ channel: "out" }), ["reply"], "out");
    equal((await scene.store.getState("k"))?.value, { step: 1 }, "state");
    equal((await scene.read({ channel: "log", advance: false })).cursor, 4, "cursor");
  }, needsAtomicBatch),

  define("commit() that aborts leaves everything as it was, and says what stood in the way", async (scene) => {
    await scene.append("both", [{}, {}, {}]);
    const [first, second, third] = await scene.claim();
    const before = await scene.store.stats(CHANNEL);
    await scene.one({ type: "set-state", key: "k", value: "old" });
    const result = await scene.store.commit([
      ackOf(present(first, "first")),
      releaseOf(present(second, "second")),
      { ...releaseOf(present(third, "third")), type: "extend", leaseMs: 1 },
      appendOf(scene, { id: "new" }),
      appendOf(scene, { id: "new" }, "elsewhere"),
      appendOf(scene, { id: "m1" }),
      { type: "set-state", key: "k", value: "new" },
      { type: "delete-state", key: "k" },
      { type: "delete-state", key: "unknown" },
      { type: "set-cursor", channel: CHANNEL, readerId: "r", seq: 3 },
      { type: "remove", channel: CHANNEL, id: "m3" },
      { ...ackOf(present(first, "first")), token: "wrong" },
      { type: "set-state", key: "k", value: "newer", expectedVersion: 999_999 },
    ]);
    check(result, false, [
      "undone",
      "undone",
      "undone",
      "undone",
      "undone",
      "duplicate",
      "undone",
      "undone",
      "not-found",
      "undone",
      "undone",
      "lease-lost",
      "conflict",
    ]);
    equal(await scene.store.stats(CHANNEL), before, "stats");
    equal((await scene.store.stats("elsewhere")).stored, 0, "elsewhere");
    equal((await scene.store.getState("k"))?.value, "old", "state");
    equal((await scene.readIds()).length, 3, "read");
    await scene.pass(10);
    for (const message of [first, second, third]) await scene.ack(present(message, "message"));
  }, needsAtomicBatch),

  define("commit() that aborts gives no sequence number away for good", async (scene) => {
    const id = await scene.enqueue();
    const message = await scene.claimOne();
    await scene.store.commit([appendOf(scene), { ...ackOf(message), token: "wrong" }]);
    const [result] = await scene.store.append(CHANNEL, [scene.envelope()], { mode: "queue" });
    const { lastSeq } = await scene.store.stats(CHANNEL);
    equal(lastSeq, present(result?.seq, "seq"), "lastSeq");
    ok(lastSeq > present((await scene.store.get(CHANNEL, id))?.seq, "seq"), "grows");
  }, needsAtomicBatch),

  define("commit() with onConflict skip does what can be done and leaves out the rest", async (scene) => {
    await scene.append("queue", [{}, {}]);
    const [first, second] = await scene.claim();
    const result = await scene.store.commit([
      { ...ackOf(present(first, "first")), token: "wrong" },
      ackOf(present(second, "second")),
      { type: "remove", channel: CHANNEL, id: "m1", unlessClaimed: true },
      { type: "set-state", key: "k", value: 1, expectedVersion: 7 },
      { type: "set-state", key: "l", value: 2, expectedVersion: 0 },
      appendOf(scene, { id: "new" }),
      appendOf(scene, { id: "new" }),
    ], { onConflict: "skip" });
    check(result, true, ["lease-lost", "done", "claimed", "conflict", "done", "done", "duplicate"]);
    equal((await scene.store.stats(CHANNEL)).stored, 2, "stored");
    equal([await scene.store.getState("k"), (await scene.store.getState("l"))?.value], [undefined, 2], "state");
  }),

  define("commit() is not undone by duplicates and by removals of what is not there", async (scene) => {
    const [id = ""] = await scene.append("both", [{}]);
    const result = await scene.store.commit([
      appendOf(scene, { id }),
      { type: "remove", channel: CHANNEL, id: "unknown" },
      { type: "delete-state", key: "unknown" },
      appendOf(scene, { id: "new" }),
    ]);
    check(result, true, ["duplicate", "not-found", "not-found", "done"]);
    equal(result.results[0]?.seq, (await scene.store.get(CHANNEL, id))?.seq, "seq of the duplicate");
    equal(await scene.readIds(), [id, "new"], "read");
  }),

  define("commit() is undone by a removal with mustExist of what is not there", async (scene) => {
    const [id = ""] = await scene.append("queue", [{}]);
    const remove = { type: "remove", channel: CHANNEL, mustExist: true } as const;
    check(await scene.store.commit([appendOf(scene, { id: "new" }), { ...remove, id: "unknown" }]), false, [
      "undone",
      "missing",
    ]);
    check(await scene.store.commit([{ ...remove, id: "unknown", channel: "never heard of" }]), false, ["missing"]);
    check(await scene.store.commit([{ ...remove, id }, { ...remove, id }]), false, ["undone", "missing"]);
    equal((await scene.store.stats(CHANNEL)).stored, 1, "stored");
    const skipped = await scene.store.commit([{ ...remove, id: "unknown" }, { ...remove, id }], { onConflict: "skip" });
    check(skipped, true, ["missing", "done"]);
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }, needsAtomicBatch),

  define("commit() knows remembered ids when it tries whether all can be done", async (scene) => {
    const message = scene.envelope({ id: "once" });
    const append: StoreOperation = { type: "append", channel: CHANNEL, mode: "queue", message };
    const remove: StoreOperation = { type: "remove", channel: CHANNEL, id: "once" };
    check(await scene.store.commit([{ ...append, dedupeForMs: 1_000 }, remove]), true, ["done", "done"]);
    const again = [append, remove, { ...append, dedupeForMs: 1_000 }, { ...remove, mustExist: true }];
    check(await scene.store.commit(again), false, ["undone", "undone", "duplicate", "missing"]);
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }, needsAtomicBatch),

  define("commit() lets an operation see what those before it did to messages", async (scene) => {
    const message = scene.envelope({ id: "again" });
    await scene.store.append(CHANNEL, [message], { mode: "queue" });
    const append: StoreOperation = { type: "append", channel: CHANNEL, mode: "queue", message };
    const remove: StoreOperation = { type: "remove", channel: CHANNEL, id: "again" };
    const held = await scene.claimOne();
    check(await scene.store.commit([ackOf(held), append, append]), true, ["done", "done", "duplicate"]);
    const next = await scene.claimOne();
    equal([next.id, next.attempts, next.seq > held.seq], ["again", 1, true], "a new message");
    check(await scene.store.commit([ackOf(next), remove, append, remove, remove]), true, [
      "done",
      "not-found",
      "done",
      "done",
      "not-found",
    ]);
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }, needsAtomicBatch),

  define("commit() lets an operation see what those before it did to a delivery", async (scene) => {
    await scene.append("queue", [{}]);
    const held = await scene.claimOne();
    const extend: StoreOperation = { ...releaseOf(held), type: "extend", leaseMs: 5_000 };
    check(await scene.store.commit([ackOf(held), ackOf(held)]), false, ["undone", "lease-lost"]);
    check(await scene.store.commit([releaseOf(held), ackOf(held)]), false, ["undone", "lease-lost"]);
    check(await scene.store.commit([releaseOf(held), extend]), false, ["undone", "lease-lost"]);
    check(await scene.store.commit([{ type: "remove", channel: CHANNEL, id: "m1" }, ackOf(held)]), false, [
      "undone",
      "lease-lost",
    ]);
    check(await scene.store.commit([extend, ackOf(held)]), true, ["done", "done"]);
  }, needsAtomicBatch),

  define("commit() lets a removal with unlessClaimed see a release before it", async (scene) => {
    await scene.append("queue", [{}]);
    const held = await scene.claimOne();
    const remove: StoreOperation = { type: "remove", channel: CHANNEL, id: held.id, unlessClaimed: true };
    check(await scene.store.commit([remove, releaseOf(held)]), false, ["claimed", "undone"]);
    check(await scene.store.commit([releaseOf(held), remove]), true, ["done", "done"]);
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }, needsAtomicBatch),

  define("commit() lets an operation see what those before it did to state", async (scene) => {
    const set = (value: number, expectedVersion?: number): StoreOperation =>
      expectedVersion === undefined
        ? { type: "set-state", key: "k", value }
        : { type: "set-state", key: "k", value, expectedVersion };
    const remove: StoreOperation = { type: "delete-state", key: "k" };
    check(await scene.store.commit([set(1), set(2, 0)]), false, ["undone", "conflict"]);
    check(await scene.store.commit([set(1, 0), remove, set(3, 0), set(4)]), true, ["done", "done", "done", "done"]);
    const { value, version } = present(await scene.store.getState("k"), "state");
    equal(value, 4, "value");
    check(await scene.store.commit([remove, remove, set(5, version)]), false, ["undone", "not-found", "conflict"]);
    equal((await scene.store.getState("k"))?.value, 4, "still");
  }, needsAtomicBatch),

  define("commit() remembers ids with dedupeForMs across the operations of one commit", async (scene) => {
    const message = scene.envelope({ id: "once" });
    const append: StoreOperation = { type: "append", channel: CHANNEL, mode: "queue", message, dedupeForMs: 1_000 };
    const remove: StoreOperation = { type: "remove", channel: CHANNEL, id: "once" };
    const fail: StoreOperation = { ...remove, id: "unknown", mustExist: true };
    check(await scene.store.commit([append, remove, append, fail]), false, [
      "undone",
      "undone",
      "duplicate",
      "missing",
    ]);
    check(await scene.store.commit([append]), true, ["done"]);
    check(await scene.store.commit([remove, append, fail]), false, ["undone", "duplicate", "missing"]);
    await scene.store.clear(CHANNEL);
    check(await scene.store.commit([append, remove, append]), true, ["done", "done", "duplicate"]);
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
    await scene.pass(1_000);
    check(await scene.store.commit([append]), true, ["done"]);
  }, needsAtomicBatch),

  define("commit() with one bad operation does nothing and names it", async (scene) => {
    await scene.append("queue", [{}]);
    const held = await scene.claimOne();
    const operations = [ackOf(held), { type: "set-state", key: "k", value: 1 }, { ...releaseOf(held), delayMs: -1 }];
    await refuses(() => scene.call("commit", operations), "operations[2].delayMs", "commit");
    equal(await scene.store.getState("k"), undefined, "state");
    await scene.ack(held);
  }),

  define("commit() copies what it is given at once", async (scene) => {
    const value = { list: [1] };
    const committed = scene.store.commit([
      { type: "set-state", key: "k", value },
      { type: "append", channel: CHANNEL, mode: "log", message: scene.envelope({ content: value }) },
    ]);
    value.list.push(2);
    await committed;
    equal((await scene.store.getState("k"))?.value, { list: [1] }, "state");
    equal((await scene.read()).messages[0]?.content, { list: [1] }, "content");
  }),

  define("commit() of many callers for one version lets exactly one of them win", async (scene) => {
    await scene.one({ type: "set-state", key: "k", value: 0 });
    const { version } = present(await scene.store.getState("k"), "state");
    const results = await Promise.all(Array.from({ length: 25 }, (_, index) =>
      scene.store.commit([
        { type: "set-state", key: "k", value: index, expectedVersion: version },
        { type: "append", channel: CHANNEL, mode: "log", message: scene.envelope({ content: index }) },
      ])));
    const winners = results.flatMap(({ committed }, index) => committed ? [index] : []);
    equal(winners.length, 1, "winners");
    equal((await scene.store.getState("k"))?.value, winners[0], "state");
    equal((await scene.read()).messages.map(({ content }) => content), winners, "log");
  }, needsAtomicBatch),

  define("commit() hands messages over between channels without losing or doubling any", async (scene) => {
    const ids = await scene.append("queue", Array.from({ length: 50 }, () => ({})), "in");
    const work = async (workerId: string): Promise<void> => {
      for (let turn = 0; turn < 40; turn++) {
        const [message] = await scene.claim({ channel: "in", workerId, limit: 1 });
        if (message === undefined) return;
        const { lease: _lease, failures: _failures, seq: _seq, attempts: _attempts, ...envelope } = message;
        await scene.store.commit([
          ackOf(message, "in"),
          { type: "append", channel: "out", mode: "queue", message: envelope },
        ]);
      }
    };
    await Promise.all(["a", "b", "c"].map(work));
    equal((await scene.store.stats("in")).stored, 0, "in");
    equal((await scene.claimIds({ channel: "out" })).sort(), [...ids].sort(), "out");
  }, needsAtomicBatch),
];
