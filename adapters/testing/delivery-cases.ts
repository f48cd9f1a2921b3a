/**
 * Cases about the end of a delivery: acknowledge, release, extend.
 *
 * @module
 */
import { equal, ok, present, refuses } from "./expect.ts";
import { ackOf, type CaseDefinition, CHANNEL, define, releaseOf } from "./scene.ts";

/** See the module. */
export const deliveryCases: readonly CaseDefinition[] = [
  define("ack removes a message of mode queue", async (scene) => {
    const id = await scene.enqueue();
    await scene.ack(await scene.claimOne());
    equal(await scene.store.get(CHANNEL, id), undefined, "get");
    equal((await scene.store.query({ channel: CHANNEL })).messages, [], "query");
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
    await scene.pass(1_000_000);
    equal(await scene.claimIds(), [], "claim");
  }),

  define("ack leaves the log copy of a message of mode both", async (scene) => {
    const [id = ""] = await scene.append("both", [{}]);
    await scene.ack(await scene.claimOne());
    await scene.pass(1_000_000);
    equal(await scene.claimIds(), [], "claim");
    equal(await scene.readIds(), [id], "read");
    equal((await scene.store.get(CHANNEL, id))?.attempts, 1, "attempts");
  }),

  define("ack works once", async (scene) => {
    await scene.append("both", [{}]);
    const message = await scene.claimOne();
    await scene.ack(message);
    equal(await scene.statusOf(ackOf(message)), "lease-lost", "again");
  }),

  define("ack with a token that is not that of the delivery is lease-lost and changes nothing", async (scene) => {
    await scene.append("queue", [{}, {}]);
    const [first, second] = await scene.claim();
    const wrong = { ...ackOf(present(first, "first")), token: present(second, "second").lease.token };
    equal(await scene.statusOf(wrong), "lease-lost", "token of another message");
    equal(await scene.statusOf({ ...wrong, token: "made up" }), "lease-lost", "made up");
    equal(await scene.statusOf({ ...wrong, token: "" }), "lease-lost", "empty");
    equal((await scene.store.stats(CHANNEL)).claimed, 2, "claimed");
    await scene.ack(present(first, "first"));
  }),

  define("ack of what is not there is lease-lost", async (scene) => {
    const operation = { type: "ack", channel: "nowhere", seq: 17, token: "token" } as const;
    equal(await scene.statusOf(operation), "lease-lost", "unknown channel");
    await scene.enqueue();
    equal(await scene.statusOf({ ...operation, channel: CHANNEL }), "lease-lost", "unknown message");
    equal(await scene.statusOf({ ...operation, channel: CHANNEL, seq: 1, token: "" }), "lease-lost", "not claimed");
  }),

  define(
    "ack, release and extend after the lease ended are lease-lost, even before anybody else claims",
    async (scene) => {
      await scene.enqueue();
      const message = await scene.claimOne({ leaseMs: 1_000 });
      await scene.pass(1_000);
      equal(await scene.statusOf(ackOf(message)), "lease-lost", "ack");
      equal(await scene.statusOf(releaseOf(message)), "lease-lost", "release");
      equal(await scene.statusOf({ ...releaseOf(message), type: "extend", leaseMs: 1_000 }), "lease-lost", "extend");
      equal((await scene.claimOne()).failures.length, 1, "failures");
    },
  ),

  define("ack, release and extend of an earlier delivery leave the present one alone", async (scene) => {
    await scene.enqueue();
    const old = await scene.claimOne({ workerId: "same", leaseMs: 1_000 });
    await scene.pass(1_000);
    const present = await scene.claimOne({ workerId: "same" });
    equal(await scene.statusOf(ackOf(old)), "lease-lost", "ack");
    equal(await scene.statusOf(releaseOf(old)), "lease-lost", "release");
    equal(await scene.statusOf({ ...releaseOf(old), type: "extend", leaseMs: 1 }), "lease-lost", "extend");
    equal(await scene.claimIds(), [], "still held");
    await scene.ack(present);
  }),

  define("release gives a message back at once, counts the delivery and says who had it", async (scene) => {
    const id = await scene.enqueue();
    const message = await scene.claimOne({ workerId: "first" });
    await scene.pass(5);
    await scene.release(message);
    const again = await scene.claimOne({ workerId: "second" });
    equal([again.id, again.attempts, again.lease.attempt], [id, 2, 2], "again");
    equal(again.failures, [{ attempt: 1, at: scene.now, workerId: "first", reason: "nacked" }], "failures");
  }),

  define("release keeps the reason and the detail of a failure, the detail up to 1,000 characters", async (scene) => {
    await scene.enqueue();
    await scene.release(await scene.claimOne(), { failure: { reason: "handler-error", detail: "it broke" } });
    await scene.release(await scene.claimOne(), { failure: { reason: "timeout", detail: "x".repeat(5_000) } });
    const { failures } = await scene.claimOne();
    equal(failures.map(({ reason }) => reason), ["handler-error", "timeout"], "reasons");
    equal(failures[0]?.detail, "it broke", "detail");
    equal(failures[1]?.detail?.length, 1_000, "length");
  }),

  define("release with delayMs hides the message that long, to the millisecond", async (scene) => {
    const id = await scene.enqueue();
    await scene.release(await scene.claimOne(), { delayMs: 1_000 });
    equal((await scene.store.stats(CHANNEL)).delayed, 1, "delayed");
    await scene.pass(999);
    equal(await scene.claimIds(), [], "before");
    await scene.pass(1);
    equal(await scene.claimIds(), [id], "then");
  }),

  define("release puts a message in line by when it is due again", async (scene) => {
    const [first = ""] = await scene.append("queue", [{}]);
    const message = await scene.claimOne();
    await scene.pass(10);
    const second = await scene.enqueue();
    await scene.pass(10);
    await scene.release(message, { delayMs: 10 });
    const third = await scene.enqueue();
    await scene.pass(10);
    equal(await scene.claimIds(), [second, third, first], "order");
  }),

  define("release with countAttempt false gives the attempt number back, and adds no failure", async (scene) => {
    await scene.enqueue();
    await scene.release(await scene.claimOne());
    await scene.release(await scene.claimOne(), { countAttempt: false, delayMs: 5 });
    await scene.pass(5);
    const again = await scene.claimOne();
    equal([again.attempts, again.lease.attempt, again.failures.length], [2, 2, 1], "again");
  }),

  define("release with countAttempt false adds the failure it is given", async (scene) => {
    await scene.enqueue();
    await scene.release(await scene.claimOne(), { countAttempt: false, failure: { reason: "rate-limited" } });
    const { attempts, failures } = await scene.claimOne();
    equal(attempts, 1, "attempts");
    equal(failures.map(({ attempt, reason }) => [attempt, reason]), [[1, "rate-limited"]], "failures");
  }),

  define("release with content keeps it in place of the old", async (scene) => {
    const id = await scene.enqueue({ content: { sent: 0 }, metadata: { keep: true }, externalId: "e" });
    const content = { sent: 1 };
    const release = scene.release(await scene.claimOne(), { content });
    await release;
    content.sent = 99;
    equal((await scene.store.get(CHANNEL, id))?.content, { sent: 1 }, "get");
    const again = await scene.claimOne();
    equal([again.content, again.metadata, again.externalId], [{ sent: 1 }, { keep: true }, "e"], "claim");
  }),

  define("release with content that is no JSON is refused, and the lease goes on", async (scene) => {
    await scene.enqueue();
    const message = await scene.claimOne();
    for (const content of [Number.NaN, () => 1, new Date(0), { a: 1n }]) {
      const operation = { ...releaseOf(message), content };
      await refuses(
        () => scene.call("commit", [operation]),
        typeof content === "object" && "a" in content ? "content.a" : "content",
        "release",
      );
    }
    await scene.ack(message);
  }),

  define("extend moves the end of a lease, counted from now", async (scene) => {
    const id = await scene.enqueue();
    const message = await scene.claimOne({ leaseMs: 1_000 });
    await scene.pass(900);
    const result = await scene.one({ ...releaseOf(message), type: "extend", leaseMs: 500 });
    equal(result, { status: "done", until: scene.now + 500 }, "result");
    await scene.pass(499);
    equal(await scene.claimIds(), [], "past the old end");
    await scene.pass(1);
    const again = await scene.claimOne();
    equal([again.id, again.failures[0]?.at], [id, scene.now], "at the new end");
  }),

  define("extend keeps the token and the attempt, as often as it is called", async (scene) => {
    await scene.enqueue();
    const message = await scene.claimOne({ leaseMs: 1_000 });
    for (let beat = 0; beat < 50; beat++) {
      await scene.pass(900);
      equal(await scene.statusOf({ ...releaseOf(message), type: "extend", leaseMs: 1_000 }), "done", `beat ${beat}`);
    }
    equal((await scene.store.get(CHANNEL, message.id))?.attempts, 1, "attempts");
    await scene.ack(message);
  }),

  define("extend may shorten a lease", async (scene) => {
    const id = await scene.enqueue();
    const message = await scene.claimOne({ leaseMs: 100_000 });
    await scene.one({ ...releaseOf(message), type: "extend", leaseMs: 10 });
    await scene.pass(10);
    equal(await scene.claimIds(), [id], "claim");
  }),

  define("remove takes a message out in whatever state, and its token with it", async (scene) => {
    const ids = [
      await scene.enqueue(),
      await scene.enqueue(),
      await scene.enqueue({ notBefore: scene.now + 1_000 }),
      await scene.log(),
    ];
    const held = await scene.claimOne();
    for (const id of ids) equal(await scene.statusOf({ type: "remove", channel: CHANNEL, id }), "done", id);
    equal(await scene.statusOf(ackOf(held)), "lease-lost", "ack");
    for (const id of ids) equal(await scene.store.get(CHANNEL, id), undefined, `get ${id}`);
    equal(await scene.statusOf({ type: "remove", channel: CHANNEL, id: "m1" }), "not-found", "again");
    await scene.pass(100_000);
    equal([await scene.claimIds(), await scene.readIds()], [[], []], "nothing is left");
    const { stored, ready, delayed, claimed } = await scene.store.stats(CHANNEL);
    equal([stored, ready, delayed, claimed], [0, 0, 0, 0], "stats");
  }),

  define("remove unlessClaimed leaves what a worker holds", async (scene) => {
    const [held = "", free = ""] = await scene.append("queue", [{}, {}]);
    const message = await scene.claimOne({ leaseMs: 1_000 });
    const remove = { type: "remove", channel: CHANNEL, unlessClaimed: true } as const;
    const result = await scene.store.commit([{ ...remove, id: held }]);
    equal([result.committed, result.results[0]?.status], [false, "claimed"], "held");
    equal(await scene.statusOf({ ...remove, id: free }), "done", "free");
    ok(message.id === held, "held");
    await scene.pass(1_000);
    equal(await scene.statusOf({ ...remove, id: held }), "done", "after the lease ended");
  }),
];
