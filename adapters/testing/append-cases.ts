/**
 * Cases about adding messages.
 *
 * @module
 */
import type { JsonValue } from "../../core/mod.ts";
import { equal, ok, present, refuses, rejects } from "./expect.ts";
import { type CaseDefinition, CHANNEL, define, MAX_BYTES, releaseOf } from "./scene.ts";

/** JSON of every kind, and what is easily lost on the way through a database. */
const VALUES: readonly JsonValue[] = [
  null,
  true,
  false,
  0,
  -1.5,
  1e21,
  Number.MAX_SAFE_INTEGER,
  5e-324,
  "",
  "json:{}",
  "null",
  "Grüße, 世界, 👩‍👩‍👧, \u0000\u001f\u2028",
  [],
  {},
  [[1, [2, [3]]], { a: [{}] }],
  { "a.b": 1, "": 2, "ключ": { deep: [null, false] }, toString: "own" },
];

/** See the module. */
export const appendCases: readonly CaseDefinition[] = [
  define("append() gives growing sequence numbers, one result per message in order", async (scene) => {
    const messages = [scene.envelope(), scene.envelope(), scene.envelope()];
    const results = await scene.store.append(CHANNEL, messages, { mode: "log" });
    const seqs = results.map(({ status, seq }) => {
      equal(status, "done", "status");
      return present(seq, "seq");
    });
    ok(seqs.length === 3 && seqs.every((seq, index) => seq > (seqs[index - 1] ?? 0)), `seqs ${seqs.join()}`);
    const page = await scene.read();
    equal(page.messages.map(({ id, seq }) => [id, seq]), messages.map(({ id }, index) => [id, seqs[index]]), "read");
  }),

  define("append() of no messages does nothing", async (scene) => {
    equal(await scene.store.append(CHANNEL, [], { mode: "queue" }), [], "results");
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }),

  define("append() keeps every field of the envelope, by whatever way it is read", async (scene) => {
    const full = scene.envelope({
      id: "all-fields",
      namespace: "tenant a",
      timestamp: 1_699_999_999_000,
      content: { list: [1, "two", null] },
      metadata: { colour: "grün", nested: { deep: true } },
      correlationId: "correlation 1",
      replyTo: "earlier",
      recipientId: "alice",
      orderingKey: "lane 7",
      notBefore: scene.now,
      expiresAt: scene.now + 1_000_000,
      externalId: "<abc@example.com>",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    await scene.store.append(CHANNEL, [full], { mode: "both" });
    const stored = { ...full, seq: present((await scene.store.get(CHANNEL, full.id))?.seq, "seq"), attempts: 0 };
    equal(await scene.store.get(CHANNEL, full.id), stored, "get");
    equal((await scene.read()).messages, [stored], "readShared");
    equal((await scene.store.query({ channel: CHANNEL })).messages, [stored], "query");
    const { lease, failures, ...claimed } = await scene.claimOne();
    equal(claimed, { ...stored, attempts: 1 }, "claim");
    equal(failures, [], "failures");
    ok(lease.token !== "", "token");
  }),

  define("append() adds no property that was not written", async (scene) => {
    const bare = scene.envelope();
    await scene.store.append(CHANNEL, [bare], { mode: "both" });
    const stored = { ...bare, seq: present((await scene.store.get(CHANNEL, bare.id))?.seq, "seq"), attempts: 0 };
    equal(await scene.store.get(CHANNEL, bare.id), stored, "get");
    equal((await scene.read()).messages, [stored], "readShared");
    const { lease: _lease, failures: _failures, ...claimed } = await scene.claimOne();
    equal(claimed, { ...stored, attempts: 1 }, "claim");
  }),

  define("append() keeps JSON of every kind as it is", async (scene) => {
    const ids = await scene.append("both", VALUES.map((content) => ({ content, metadata: { value: content } })));
    for (const [index, id] of ids.entries()) {
      const message = present(await scene.store.get(CHANNEL, id), "message");
      equal(message.content, VALUES[index], `content ${index}`);
      equal(message.metadata, { value: VALUES[index] }, `metadata ${index}`);
    }
    equal((await scene.claim()).map(({ content }) => content), VALUES, "claimed");
  }),

  define("append() copies content and metadata at once", async (scene) => {
    const content = { text: "before", list: [1] };
    const metadata = { mark: "before" };
    const message = scene.envelope({ content, metadata });
    const appended = scene.store.append(CHANNEL, [message], { mode: "log" });
    content.text = "after";
    content.list.push(2);
    metadata.mark = "after";
    await appended;
    const stored = present(await scene.store.get(CHANNEL, message.id), "message");
    equal([stored.content, stored.metadata], [{ text: "before", list: [1] }, { mark: "before" }], "stored");
  }),

  define("append() gives readers nothing by which one could change what another reads", async (scene) => {
    await scene.log({ content: { list: [1] } });
    const [first] = (await scene.read({ readerId: "a" })).messages;
    try {
      const { content } = present(first, "first");
      ok(typeof content === "object" && content !== null, "content");
      Reflect.set(content, "list", "changed");
      Reflect.set(present(first, "first"), "content", "changed");
    } catch {
      // Frozen is fine.
    }
    const [second] = (await scene.read({ readerId: "b" })).messages;
    equal(second?.content, { list: [1] }, "content for b");
  }),

  define("append() of an id the channel has is a duplicate and changes nothing", async (scene) => {
    const first = scene.envelope({ id: "once", content: "first" });
    const [done] = await scene.store.append(CHANNEL, [first], { mode: "both" });
    const [again] = await scene.store.append(CHANNEL, [{ ...first, content: "second" }], { mode: "queue" });
    equal(again, { status: "duplicate", seq: present(done?.seq, "seq") }, "result");
    equal((await scene.store.get(CHANNEL, "once"))?.content, "first", "content");
    equal((await scene.store.stats(CHANNEL)).stored, 1, "stored");
    equal((await scene.claim()).length, 1, "claimed");
    const [whileClaimed] = await scene.store.append(CHANNEL, [first], { mode: "queue" });
    equal(whileClaimed?.status, "duplicate", "while claimed");
  }),

  define("append() finds duplicates within one batch, and appends the rest", async (scene) => {
    const message = scene.envelope({ id: "twin" });
    const results = await scene.store.append(CHANNEL, [message, scene.envelope(), { ...message, content: 2 }], {
      mode: "queue",
    });
    equal(results.map(({ status }) => status), ["done", "done", "duplicate"], "statuses");
    equal(results[2]?.seq, results[0]?.seq, "seq of the duplicate");
    equal((await scene.claim()).map(({ content }) => content), [message.content, { text: "m2" }], "claimed");
  }),

  define("append() lets every channel have an id of its own", async (scene) => {
    const message = scene.envelope({ id: "same" });
    for (const channel of ["a", "b"]) {
      const [result] = await scene.store.append(channel, [message], { mode: "queue" });
      equal(result?.status, "done", channel);
    }
    await scene.ack(await scene.claimOne({ channel: "a" }), "a");
    equal(await scene.claimIds({ channel: "b" }), ["same"], "b");
  }),

  define("append() keeps channels of different namespaces apart although all else is alike", async (scene) => {
    const message = scene.envelope({ id: "same", orderingKey: "lane" });
    for (const namespace of ["one", "two"]) {
      await scene.store.append(`${namespace}/jobs`, [{ ...message, namespace }], { mode: "both" });
    }
    const one = await scene.claimOne({ channel: "one/jobs" });
    const two = await scene.claimOne({ channel: "two/jobs" });
    equal([one.namespace, two.namespace], ["one", "two"], "namespaces");
    equal(
      await scene.statusOf(releaseOf(one, "two/jobs")),
      one.lease.token === two.lease.token ? "done" : "lease-lost",
      "token",
    );
    equal(await scene.readIds({ channel: "one/jobs" }), ["same"], "read one");
    equal(await scene.readIds({ channel: "two/jobs" }), ["same"], "read two");
    equal(await scene.store.clear("one/jobs"), 1, "clear");
    equal((await scene.store.stats("two/jobs")).stored, 1, "stored in two");
  }),

  define("append() takes an id again once its message is gone", async (scene) => {
    const message = scene.envelope({ id: "again" });
    await scene.store.append(CHANNEL, [message], { mode: "queue" });
    const first = await scene.claimOne();
    await scene.ack(first);
    const [result] = await scene.store.append(CHANNEL, [message], { mode: "queue" });
    equal(result?.status, "done", "status");
    ok(present(result?.seq, "seq") > first.seq, "seq is not used again");
  }),

  define(
    "append() with dedupeForMs finds an id that another such append had, for as long as that said",
    async (scene) => {
      const message = scene.envelope({ id: "remembered" });
      const append = async (dedupeForMs?: number): Promise<string | undefined> => {
        const options = dedupeForMs === undefined ? {} : { dedupeForMs };
        const [result] = await scene.store.append(CHANNEL, [message], { mode: "queue", ...options });
        if (result?.status === "duplicate") equal(result, { status: "duplicate" }, "no place of what is gone");
        return result?.status;
      };
      equal(await append(1_000), "done", "first");
      await scene.ack(await scene.claimOne());
      await scene.pass(999);
      equal(await append(1), "duplicate", "before the end");
      equal(await scene.claimIds(), [], "claimed");
      await scene.pass(1);
      equal(await append(1_000), "done", "at the end");
    },
  ),

  define("append() without dedupeForMs looks only at what is stored", async (scene) => {
    const message = scene.envelope({ id: "again" });
    const append = async (dedupeForMs: number): Promise<string | undefined> =>
      (await scene.store.append(CHANNEL, [message], { mode: "queue", dedupeForMs }))[0]?.status;
    equal(await append(1_000), "done", "first");
    equal(await append(0), "duplicate", "while it is stored");
    await scene.ack(await scene.claimOne());
    equal(await append(0), "done", "once it is gone");
    await scene.ack(await scene.claimOne());
    equal(await append(1_000), "duplicate", "the first is remembered still");
    await scene.pass(1_000);
    equal(await append(1_000), "done", "until its time is over");
  }),

  define("append() remembers ids of messages that were removed or pruned", async (scene) => {
    const [removed = "", pruned = ""] = await scene.append("log", [{}, {}], CHANNEL, 1_000);
    equal(await scene.statusOf({ type: "remove", channel: CHANNEL, id: removed }), "done", "remove");
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 0 }), 1, "prune");
    const again = [scene.envelope({ id: removed }), scene.envelope({ id: pruned })];
    const early = await scene.store.append(CHANNEL, again, { mode: "log", dedupeForMs: 1_000 });
    equal(early.map(({ status }) => status), ["duplicate", "duplicate"], "remembered");
    await scene.pass(1_000);
    const late = await scene.store.append(CHANNEL, again, { mode: "log", dedupeForMs: 1_000 });
    equal(late.map(({ status }) => status), ["done", "done"], "forgotten");
  }),

  define("append() dedupes what is stored for longer than dedupeForMs", async (scene) => {
    const message = scene.envelope({ id: "stays" });
    const append = async (): Promise<string | undefined> =>
      (await scene.store.append(CHANNEL, [message], { mode: "log", dedupeForMs: 10 }))[0]?.status;
    equal(await append(), "done", "first");
    await scene.pass(1_000);
    equal(await append(), "duplicate", "stored");
    equal(await scene.statusOf({ type: "remove", channel: CHANNEL, id: "stays" }), "done", "remove");
    equal(await append(), "done", "once gone, its time being over");
  }),

  define("append() remembers ids by channel", async (scene) => {
    const message = scene.envelope({ id: "here" });
    const options = { mode: "queue", dedupeForMs: 1_000 } as const;
    await scene.store.append("a", [message], options);
    await scene.ack(await scene.claimOne({ channel: "a" }), "a");
    equal((await scene.store.append("b", [message], options))[0]?.status, "done", "b");
    equal((await scene.store.append("a", [message], options))[0]?.status, "duplicate", "a");
  }),

  define("append() never gives a sequence number twice", async (scene) => {
    const seen = new Set<number>();
    let highest = 0;
    const append = async (): Promise<void> => {
      const [result] = await scene.store.append(CHANNEL, [scene.envelope()], { mode: "both" });
      const seq = present(result?.seq, "seq");
      ok(!seen.has(seq) && seq > highest, `seq ${seq} after ${highest}`);
      seen.add(seq);
      highest = seq;
    };
    await append();
    await scene.ack(await scene.claimOne());
    await scene.store.prune({ channel: CHANNEL, keepLatest: 0 });
    await append();
    await scene.statusOf({ type: "remove", channel: CHANNEL, id: "m2" });
    await append();
    await scene.store.clear(CHANNEL);
    await append();
    equal((await scene.store.stats(CHANNEL)).lastSeq, highest, "lastSeq");
  }),

  define(
    "append() in mode log is for readers only, in mode queue for workers only, in mode both for both",
    async (scene) => {
      const log = await scene.log();
      const queue = await scene.enqueue();
      const [both = ""] = await scene.append("both", [{}]);
      equal(await scene.readIds(), [log, both], "read");
      equal(await scene.claimIds(), [queue, both], "claimed");
    },
  ),

  define("append() refuses content, metadata or a state value over the limit, and stores nothing", async (scene) => {
    const { store } = scene;
    // Quotes and three bytes a character.
    const fits = "€".repeat(Math.floor((MAX_BYTES - 2) / 3));
    await scene.append("queue", [{ content: fits }]);
    const over = [scene.envelope({ content: `${fits}€` }), scene.envelope({ metadata: { text: fits } })];
    for (const message of over) {
      await rejects(() => store.append(CHANNEL, [scene.envelope(), message], { mode: "queue" }), "too-large", "append");
      await rejects(
        () => store.commit([{ type: "append", channel: CHANNEL, message, mode: "queue" }]),
        "too-large",
        "commit",
      );
    }
    await rejects(() => store.commit([{ type: "set-state", key: "k", value: `${fits}€` }]), "too-large", "set-state");
    equal(await store.getState("k"), undefined, "state");
    const claimed = await scene.claim();
    equal(claimed.map(({ content }) => content), [fits], "stored");
    const release = { ...releaseOf(present(claimed[0], "claimed")), content: `${fits}€` };
    await rejects(() => store.commit([release]), "too-large", "release");
    await scene.ack(present(claimed[0], "claimed"));
  }),

  define("append() refuses a batch with one bad message, and stores none of it", async (scene) => {
    const good = scene.envelope();
    const bad = { ...scene.envelope(), senderId: 7 };
    await refuses(() => scene.call("append", CHANNEL, [good, bad], { mode: "both" }), "messages[1].senderId", "append");
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
    equal(await scene.readIds(), [], "read");
  }),

  define("append() of many callers at once stores everything once", async (scene) => {
    const calls = Array.from(
      { length: 300 },
      (_, index) => scene.store.append(CHANNEL, [scene.envelope({ id: `n${index % 250}` })], { mode: "both" }),
    );
    const results = (await Promise.all(calls)).flat();
    equal(results.filter(({ status }) => status === "done").length, 250, "done");
    equal(results.filter(({ status }) => status === "duplicate").length, 50, "duplicates");
    const { messages } = await scene.read();
    equal(messages.length, 250, "read");
    ok(messages.every(({ seq }, index) => seq > (messages[index - 1]?.seq ?? 0)), "read in order");
    equal(new Set(results.filter(({ status }) => status === "done").map(({ seq }) => seq)).size, 250, "seqs");
  }),
];
