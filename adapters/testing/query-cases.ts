/**
 * Cases about finding messages, counting them, and knowing when to look.
 *
 * @module
 */
import type { QueryRequest } from "../../core/mod.ts";
import { equal, eventually, ok, present } from "./expect.ts";
import {
  ackOf,
  type CaseDefinition,
  CHANNEL,
  define,
  idsOf,
  needsExactLanes,
  needsNotBefore,
  releaseOf,
  type Scene,
} from "./scene.ts";

async function find(scene: Scene, request: Partial<QueryRequest> = {}): Promise<string[]> {
  return idsOf((await scene.store.query({ channel: CHANNEL, ...request })).messages);
}

/** See the module. */
export const queryCases: readonly CaseDefinition[] = [
  define("get() gives a message in every state, and only of its channel", async (scene) => {
    const [held = "", free = ""] = await scene.append("queue", [{}, {}]);
    const delayed = await scene.enqueue({ notBefore: scene.now + 1_000 });
    const logged = await scene.log();
    await scene.claimOne();
    for (const id of [held, free, delayed, logged]) {
      const message = present(await scene.store.get(CHANNEL, id), id);
      equal([message.id, message.attempts], [id, id === held ? 1 : 0], id);
      ok(!("lease" in message), "no lease");
    }
    equal(await scene.store.get(CHANNEL, "unknown"), undefined, "unknown id");
    equal(await scene.store.get("never heard of", held), undefined, "unknown channel");
  }),

  define("query() finds what is stored in every state, oldest first", async (scene) => {
    const ids = await scene.append("both", [{}, {}, {}, { notBefore: scene.now + 1_000 }]);
    const queued = await scene.enqueue();
    const [, second, third] = await scene.claim({ limit: 3 });
    await scene.ack(present(second, "second"));
    await scene.release(present(third, "third"), { delayMs: 10 });
    equal(await find(scene), [...ids, queued], "all");
    equal(await find(scene, { channel: "never heard of" }), [], "unknown channel");
  }),

  define("query() finds by correlationId, externalId, senderId and recipientId", async (scene) => {
    const [a = "", b = "", c = ""] = await scene.append("log", [
      { correlationId: "x", externalId: "e1", senderId: "s1", recipientId: "r1" },
      { correlationId: "x", externalId: "e2", senderId: "s2", recipientId: "r1" },
      { correlationId: "y", senderId: "s1" },
    ]);
    equal(await find(scene, { correlationId: "x" }), [a, b], "correlationId");
    equal(await find(scene, { externalId: "e2" }), [b], "externalId");
    equal(await find(scene, { senderId: "s1" }), [a, c], "senderId");
    equal(await find(scene, { recipientId: "r1" }), [a, b], "recipientId");
    equal(await find(scene, { correlationId: "x", senderId: "s1" }), [a], "two fields");
    equal(await find(scene, { correlationId: "y", recipientId: "r1" }), [], "no message has both");
    equal(await find(scene, { correlationId: "z" }), [], "unknown value");
    const d = await scene.log({ correlationId: "x" });
    equal(await find(scene, { correlationId: "x" }), [a, b, d], "what came later");
    await scene.statusOf({ type: "remove", channel: CHANNEL, id: a });
    equal(await find(scene, { correlationId: "x" }), [b, d], "not what is gone");
    equal(await find(scene, { correlationId: "x", order: "desc" }), [d, b], "latest first");
  }),

  define("query() finds by time: from the first on, up to before the second", async (scene) => {
    const start = scene.now;
    const ids: string[] = [];
    for (let index = 0; index < 6; index++) {
      ids.push(await scene.log());
      await scene.pass(10);
    }
    equal(await find(scene, { fromTime: start + 20 }), ids.slice(2), "from");
    equal(await find(scene, { toTime: start + 20 }), ids.slice(0, 2), "to");
    equal(await find(scene, { fromTime: start + 10, toTime: start + 30 }), ids.slice(1, 3), "between");
    equal(await find(scene, { fromTime: start + 10, toTime: start + 30, order: "desc" }), [ids[2], ids[1]], "desc");
    equal(await find(scene, { fromTime: start + 30, toTime: start + 30 }), [], "empty range");
    equal(await find(scene, { fromTime: start + 20, senderId: "sender", limit: 1 }), [ids[2]], "with a field");
  }),

  define("query() goes by each message's own time, even where times do not grow", async (scene) => {
    const start = scene.now;
    const times = [50, 10, 90, 0, 40, 100, 20];
    const ids = await scene.append("log", times.map((time) => ({ timestamp: start + time })));
    for (const [fromTime, toTime] of [[0, 1], [10, 50], [40, 101], [20, 21], [91, 100]] as const) {
      const expected = ids.filter((_, index) => times[index]! >= fromTime && times[index]! < toTime);
      const range = { fromTime: start + fromTime, toTime: start + toTime };
      equal(await find(scene, range), expected, `${fromTime} to ${toTime}`);
      equal(await find(scene, { ...range, order: "desc" }), expected.toReversed(), `${fromTime} to ${toTime}, desc`);
    }
  }),

  define("query() gives pages by sequence number, both ways, and says when it was the last", async (scene) => {
    const ids = await scene.append("log", Array.from({ length: 25 }, (_, index) => ({ senderId: `s${index % 2}` })));
    for (const order of ["asc", "desc"] as const) {
      for (const senderId of [undefined, "s0"]) {
        const filter = senderId === undefined ? {} : { senderId };
        const all = ids.filter((_, index) => senderId === undefined || index % 2 === 0);
        const seen: string[] = [];
        let request: QueryRequest = { channel: CHANNEL, order, limit: 5, ...filter };
        for (let page = 0; page < 10; page++) {
          const { messages, next } = await scene.store.query(request);
          seen.push(...idsOf(messages));
          if (next === undefined) break;
          equal(messages.length, 5, "full page");
          request = { ...request, after: next };
        }
        equal(seen, order === "asc" ? all : all.toReversed(), `${order} ${senderId}`);
      }
    }
    equal((await scene.store.query({ channel: CHANNEL, limit: 25 })).next, undefined, "the last page is full");
  }),

  define("query() gives pages that stay right while messages come and go", async (scene) => {
    const ids = await scene.append("log", Array.from({ length: 9 }, () => ({})));
    const first = await scene.store.query({ channel: CHANNEL, limit: 3 });
    for (const id of [ids[0], ids[2], ids[3]]) await scene.statusOf({ type: "remove", channel: CHANNEL, id: id ?? "" });
    const late = await scene.log();
    const after = present(first.next, "next");
    equal(await find(scene, { after }), [...ids.slice(4), late], "the rest");
  }),

  define("query() gives 100 messages unless asked for another number", async (scene) => {
    await scene.append("log", Array.from({ length: 130 }, () => ({})));
    const page = await scene.store.query({ channel: CHANNEL });
    equal([page.messages.length, page.next], [100, page.messages[99]?.seq], "default");
    equal((await find(scene, { limit: 120 })).length, 120, "120");
  }),

  define("stats() counts messages by state", async (scene) => {
    const empty = { stored: 0, ready: 0, delayed: 0, claimed: 0, lastSeq: 0 };
    equal(await scene.store.stats("never heard of"), empty, "unknown channel");
    const [first] = await scene.append("both", [{ orderingKey: "l" }, { orderingKey: "l" }, {}]);
    await scene.log();
    await scene.enqueue({ notBefore: scene.now + 1_000 });
    const counts = async (): Promise<readonly number[]> => {
      const { stored, ready, delayed, claimed } = await scene.store.stats(CHANNEL);
      return [stored, ready, delayed, claimed];
    };
    equal(await counts(), [5, 3, 1, 0], "written");
    const [laned, free] = await scene.claim({ leaseMs: 5_000 });
    equal(laned?.id, first, "laned");
    equal(await counts(), [5, 1, 1, 2], "claimed; one is behind in its lane");
    await scene.ack(present(free, "free"));
    equal(await counts(), [5, 1, 1, 1], "acknowledged, in the log still");
    await scene.release(present(laned, "laned"), { delayMs: 10_000 });
    equal(await counts(), [5, 1, 2, 0], "released with a delay");
    await scene.pass(1_000);
    equal(await counts(), [5, 2, 1, 0], "one is due");
    equal(
      (await scene.store.stats(CHANNEL)).lastSeq,
      (await scene.store.query({ channel: CHANNEL, order: "desc" })).messages[0]?.seq,
      "lastSeq",
    );
  }, needsNotBefore),

  define("stats() says when the oldest message was written that a worker has still to acknowledge", async (scene) => {
    const oldest = async (): Promise<number | undefined> => (await scene.store.stats(CHANNEL)).oldestUnacknowledgedAt;
    equal(await oldest(), undefined, "nothing");
    await scene.log();
    equal(await oldest(), undefined, "the log does not count");
    const start = scene.now;
    await scene.append("both", [{}]);
    await scene.pass(10);
    await scene.append("queue", [{}]);
    equal(await oldest(), start, "first");
    const [first, second] = await scene.claim();
    await scene.ack(present(first, "first"));
    equal(await oldest(), start + 10, "second");
    await scene.release(present(second, "second"), { delayMs: 1_000 });
    equal(await oldest(), start + 10, "still");
    await scene.statusOf({ type: "remove", channel: CHANNEL, id: present(second, "second").id });
    equal(await oldest(), undefined, "nothing is left");
  }),

  define("nextDueAt() says when the next message can be claimed", async (scene) => {
    const next = (): Promise<number | undefined> => scene.store.nextDueAt([CHANNEL]);
    equal(await next(), undefined, "nothing");
    await scene.log();
    equal(await next(), undefined, "the log does not count");
    const start = scene.now;
    await scene.enqueue({ notBefore: start + 5_000 });
    equal(await next(), start + 5_000, "delayed");
    await scene.enqueue({ notBefore: start + 1_000 });
    equal(await next(), start + 1_000, "delayed less");
    await scene.enqueue();
    ok(present(await next(), "ready") <= start, "ready");
    const message = await scene.claimOne({ leaseMs: 500 });
    equal(await next(), start + 500, "end of the lease");
    await scene.one({ ...releaseOf(message), type: "extend", leaseMs: 800 });
    equal(await next(), start + 800, "end of the longer lease");
    await scene.release(message, { delayMs: 300 });
    equal(await next(), start + 300, "released");
    await scene.pass(2_000);
    ok(present(await next(), "ready") <= scene.now, "ready again");
    await scene.claim({ leaseMs: 10_000 });
    equal(await next(), start + 5_000, "the last");
    await scene.pass(3_000);
    equal((await scene.claim()).length, 1, "can be claimed then");
  }, needsNotBefore),

  define("nextDueAt() looks at the channels it is asked for, or at all", async (scene) => {
    await scene.enqueue({ notBefore: scene.now + 100 }, "a");
    await scene.enqueue({ notBefore: scene.now + 50 }, "b");
    const start = scene.now;
    equal(await scene.store.nextDueAt(["a"]), start + 100, "a");
    equal(await scene.store.nextDueAt(["a", "b"]), start + 50, "a and b");
    equal(await scene.store.nextDueAt(), start + 50, "all");
    equal(await scene.store.nextDueAt([]), undefined, "none");
    equal(await scene.store.nextDueAt(["never heard of"]), undefined, "unknown");
  }, needsNotBefore),

  define("nextDueAt() is not past while nothing can be claimed, and never too late", async (scene) => {
    const lane = { orderingKey: "lane" };
    await scene.append("queue", [lane, lane, { ...lane, notBefore: scene.now + 100 }]);
    const start = scene.now;
    const first = await scene.claimOne({ leaseMs: 1_000 });
    for (const passMs of [0, 50, 100]) {
      await scene.pass(passMs);
      const next = present(await scene.store.nextDueAt([CHANNEL]), "next");
      ok(next > scene.now && next <= start + 1_000, `${next - start} at ${scene.now - start}, while the lane is busy`);
    }
    await scene.release(first, { delayMs: 1_000, holdLaneMs: 200 });
    equal(present(await scene.store.nextDueAt([CHANNEL]), "next") - scene.now, 200, "while the lane is held");
    await scene.pass(200);
    ok(present(await scene.store.nextDueAt([CHANNEL]), "next") <= scene.now, "when the lane is free");
    equal((await scene.claim()).length, 1, "claim");
  }, needsExactLanes),

  define("nextDueAt() moves with the wall clock", async (scene) => {
    await scene.enqueue({ notBefore: scene.now + 1_000 });
    scene.clock.jumpWall(-5_000);
    equal(await scene.store.nextDueAt([CHANNEL]), scene.now + 1_000, "next");
  }, needsNotBefore),

  define("watch() calls after appends, releases and acknowledgements that free a lane", async (scene) => {
    let calls = 0;
    const expectCall = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const before = calls;
      await work();
      await eventually(() => calls > before, what);
    };
    scene.store.watch(CHANNEL, () => void calls++);
    const lane = { orderingKey: "lane" };
    await expectCall("append to the log", () => scene.log());
    await expectCall("append to the queue", () => scene.append("queue", [lane, lane]));
    await expectCall(
      "append by commit",
      () => scene.one({ type: "append", channel: CHANNEL, mode: "both", message: scene.envelope() }),
    );
    const [first, other] = await scene.claim();
    await expectCall("release", () => scene.release(present(other, "other")));
    await expectCall("acknowledgement", () => scene.store.commit([ackOf(present(first, "first"))]));
  }),

  define("watch() ends when told, and two of the same listener end one by one", async (scene) => {
    let calls = 0;
    const listener = (): void => void calls++;
    const endFirst = scene.store.watch(CHANNEL, listener);
    const endSecond = scene.store.watch(CHANNEL, listener);
    let last = 0;
    const endLast = scene.store.watch(CHANNEL, () => void last++);
    endFirst();
    endFirst();
    await scene.log();
    await eventually(() => calls > 0 && last > 0, "second");
    endSecond();
    const before = calls;
    const lastBefore = last;
    await scene.log();
    await eventually(() => last > lastBefore, "last");
    equal(calls, before, "calls after the end");
    endLast();
  }),

  define("watch() isolates listeners: one that throws hurts neither the commit nor the others", async (scene) => {
    let calls = 0;
    scene.store.watch(CHANNEL, () => {
      throw new Error("listener is broken");
    });
    scene.store.watch(CHANNEL, () => void calls++);
    const id = await scene.log();
    await eventually(() => calls > 0, "the other listener");
    equal(await scene.readIds(), [id], "stored");
  }),

  define("watch() lets a listener use the store", async (scene) => {
    const seen: string[] = [];
    const reads: Promise<unknown>[] = [];
    scene.store.watch(CHANNEL, () => {
      reads.push(scene.readIds().then((ids) => void seen.push(...ids)));
    });
    const ids = [await scene.log(), await scene.log()];
    await eventually(() => seen.length >= 2, "seen");
    await Promise.all(reads);
    equal(seen, ids, "seen");
  }),
];
