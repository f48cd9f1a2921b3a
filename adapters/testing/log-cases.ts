/**
 * Cases about reading the log: cursors, gaps, retention.
 *
 * @module
 */
import { equal, present } from "./expect.ts";
import { type CaseDefinition, CHANNEL, define, idsOf, releaseOf, type Scene } from "./scene.ts";

/** The sequence numbers of the first messages of the channel. */
async function seqsOf(scene: Scene): Promise<readonly number[]> {
  return (await scene.store.query({ channel: CHANNEL })).messages.map(({ seq }) => seq);
}

/** See the module. */
export const logCases: readonly CaseDefinition[] = [
  define("readShared() gives every reader everything, each from a place of its own", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}]);
    equal(await scene.readIds({ readerId: "a", limit: 2 }), ids.slice(0, 2), "a, first");
    equal(await scene.readIds({ readerId: "b" }), ids, "b");
    equal(await scene.readIds({ readerId: "a" }), ids.slice(2), "a, the rest");
    equal(await scene.readIds({ readerId: "a" }), [], "a, nothing new");
    const next = await scene.log();
    equal(await scene.readIds({ readerId: "a" }), [next], "a, new");
  }),

  define("readShared() gives the place to read on from", async (scene) => {
    equal(await scene.read(), { messages: [], cursor: 0 }, "nothing there");
    await scene.append("log", [{}, {}, {}]);
    const seqs = await seqsOf(scene);
    equal((await scene.read({ limit: 2 })).cursor, seqs[1], "after two");
    equal((await scene.read()).cursor, seqs[2], "after all");
    equal(await scene.read(), { messages: [], cursor: seqs[2] }, "nothing new");
  }),

  define("readShared() with advance false leaves the cursor alone", async (scene) => {
    const ids = await scene.append("log", [{}, {}]);
    equal(await scene.readIds({ advance: false }), ids, "look");
    equal(await scene.readIds({ limit: 1 }), ids.slice(0, 1), "read");
    equal(await scene.readIds({ advance: false }), ids.slice(1), "look again");
    equal(await scene.readIds(), ids.slice(1), "read again");
  }),

  define("readShared() after a place leaves the cursor alone", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}]);
    const seqs = await seqsOf(scene);
    equal(await scene.readIds({ after: present(seqs[0], "seq") }), ids.slice(1), "after the first");
    equal(await scene.readIds({ after: 0 }), ids, "from the beginning");
    equal(await scene.read({ after: present(seqs[2], "seq") }), { messages: [], cursor: seqs[2] }, "after the last");
    equal(await scene.readIds(), ids, "the cursor has not moved");
  }),

  define("readShared() after a place with advance true moves the cursor there", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}, {}]);
    const seqs = await seqsOf(scene);
    const page = await scene.read({ after: present(seqs[1], "seq"), limit: 1, advance: true });
    equal(idsOf(page.messages), [ids[2]], "read");
    equal(await scene.readIds(), ids.slice(3), "read on");
  }),

  define("readShared() for a recipient gives what is for it or for nobody, all of it", async (scene) => {
    const inits = Array.from({ length: 300 }, (_, index) => index % 6 === 0 ? {} : { recipientId: `r${index % 6}` });
    const ids = await scene.append("log", inits);
    const mine = ids.filter((_, index) => index % 6 === 0 || index % 6 === 3);
    const seen: string[] = [];
    for (let page = 0; page < 25; page++) {
      const { messages, cursor } = await scene.read({ readerId: "r3", recipientId: "r3", limit: 7 });
      if (messages.length > 0) equal(cursor, messages.at(-1)?.seq, "cursor");
      seen.push(...idsOf(messages));
    }
    equal(seen, mine, "all of it, in order");
    equal(await scene.readIds({ readerId: "r9", recipientId: "r9" }), ids.filter((_, index) => index % 6 === 0), "r9");
  }),

  define("readShared() leaves out messages whose expiresAt has come", async (scene) => {
    const [brief = "", lasting = ""] = await scene.append("log", [{ expiresAt: scene.now + 100 }, {}]);
    equal(await scene.readIds({ readerId: "early" }), [brief, lasting], "before");
    await scene.pass(99);
    equal(await scene.readIds({ readerId: "soon" }), [brief, lasting], "just before");
    await scene.pass(1);
    equal(await scene.readIds({ readerId: "late" }), [lasting], "after");
    equal(await scene.readIds({ readerId: "late", after: 0 }), [lasting], "after, from the beginning");
    equal((await scene.store.get(CHANNEL, brief))?.id, brief, "get has it");
    equal((await scene.store.query({ channel: CHANNEL })).messages.length, 2, "query has it");
  }),

  define("readShared() keeps to the clock that does not jump for expiresAt", async (scene) => {
    const id = await scene.log({ expiresAt: scene.now + 1_000 });
    scene.clock.jumpWall(86_400_000);
    equal(await scene.readIds({ readerId: "a" }), [id], "a day ahead");
    scene.clock.jumpWall(-86_400_000);
    await scene.pass(1_001);
    equal(await scene.readIds({ readerId: "b" }), [], "when the time has passed");
  }),

  define("readShared() is not disturbed by work on the same messages", async (scene) => {
    const ids = await scene.append("both", [{}, {}, {}]);
    equal(await scene.readIds({ limit: 1 }), ids.slice(0, 1), "first");
    const [first, second] = await scene.claim({ limit: 2 });
    await scene.ack(present(first, "first"));
    await scene.release(present(second, "second"), { delayMs: 1_000 });
    equal(await scene.readIds(), ids.slice(1), "the rest");
    equal(await scene.readIds({ readerId: "new" }), ids, "all");
  }),

  define("readShared() by many at once moves each cursor on its own", async (scene) => {
    const ids = await scene.append("log", Array.from({ length: 40 }, () => ({})));
    const readAll = async (readerId: string): Promise<string[]> => {
      const seen: string[] = [];
      for (let page = 0; page < 20; page++) seen.push(...await scene.readIds({ readerId, limit: 3 }));
      return seen;
    };
    const seen = await Promise.all(["a", "b", "c", "d"].map(readAll));
    for (const each of seen) equal(each, ids, "seen");
  }),

  define("readShared() of one reader at once gives every message once", async (scene) => {
    const ids = await scene.append("log", Array.from({ length: 40 }, () => ({})));
    const pages = await Promise.all(Array.from({ length: 10 }, () => scene.readIds({ limit: 4 })));
    equal(pages.flat().sort(), [...ids].sort(), "each once");
  }),

  define("readShared() goes on where it was after retention removed what it had read", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}, {}]);
    equal(await scene.readIds({ limit: 2 }), ids.slice(0, 2), "first");
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 2 }), 2, "prune");
    const page = await scene.read();
    equal([idsOf(page.messages), page.gap], [ids.slice(2), undefined], "the rest, without a gap");
  }),

  define("readShared() tells a reader once what retention removed before it was read", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}, {}, {}]);
    const seqs = await seqsOf(scene);
    await scene.read({ limit: 1 });
    await scene.store.prune({ channel: CHANNEL, keepLatest: 2 });
    const gap = { fromSeq: present(seqs[0], "seq") + 1, toSeq: present(seqs[2], "seq") };
    equal((await scene.read({ advance: false })).gap, gap, "a look does not use it up");
    const page = await scene.read({ limit: 1 });
    equal([idsOf(page.messages), page.gap], [[ids[3]], gap], "told");
    const next = await scene.read();
    equal([idsOf(next.messages), next.gap], [[ids[4]], undefined], "once");
  }),

  define("readShared() tells of a gap even when nothing is left to read, and once", async (scene) => {
    await scene.append("log", [{}, {}]);
    const seqs = await seqsOf(scene);
    await scene.read({ limit: 1 });
    await scene.store.prune({ channel: CHANNEL, keepLatest: 0 });
    const gap = { fromSeq: present(seqs[0], "seq") + 1, toSeq: present(seqs[1], "seq") };
    equal(await scene.read(), { messages: [], cursor: seqs[0], gap }, "told");
    equal(await scene.read(), { messages: [], cursor: seqs[0] }, "once");
    const id = await scene.log();
    const page = await scene.read();
    equal([idsOf(page.messages), page.gap], [[id], undefined], "and goes on");
  }),

  define("readShared() tells a reader that had found nothing of what was removed since", async (scene) => {
    equal(await scene.read(), { messages: [], cursor: 0 }, "nothing there");
    await scene.append("log", [{}, {}]);
    const seqs = await seqsOf(scene);
    await scene.store.prune({ channel: CHANNEL, keepLatest: 1 });
    equal((await scene.read()).gap, { fromSeq: 1, toSeq: present(seqs[0], "seq") }, "gap");
  }),

  define("readShared() tells a new reader of no gap, unless it asks for a place", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}]);
    const seqs = await seqsOf(scene);
    await scene.store.prune({ channel: CHANNEL, keepLatest: 1 });
    const page = await scene.read({ readerId: "new" });
    equal([idsOf(page.messages), page.gap], [ids.slice(2), undefined], "new");
    const toSeq = present(seqs[1], "seq");
    for (let time = 0; time < 2; time++) {
      equal((await scene.read({ after: 0 })).gap, { fromSeq: 1, toSeq }, "after 0, each time");
      const first = present(seqs[0], "seq");
      equal((await scene.read({ after: first })).gap, { fromSeq: first + 1, toSeq }, "after the first, each time");
    }
    equal((await scene.read({ after: toSeq })).gap, undefined, "after the last that was removed");
  }),

  define("readShared() makes no gap of a message that was removed by id", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}]);
    await scene.read({ limit: 1 });
    equal(await scene.statusOf({ type: "remove", channel: CHANNEL, id: ids[1] ?? "" }), "done", "remove");
    const page = await scene.read();
    equal([idsOf(page.messages), page.gap], [[ids[2]], undefined], "read");
    equal((await scene.read({ after: 0 })).gap, undefined, "after 0");
  }),

  define("readShared() tells of the latest that was removed, whatever was removed later", async (scene) => {
    await scene.append("both", [{}]);
    await scene.append("log", [{}, {}]);
    const seqs = await seqsOf(scene);
    const held = await scene.claimOne();
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 0 }), 2, "all but what is claimed");
    const gap = { fromSeq: 1, toSeq: present(seqs[2], "seq") };
    equal((await scene.read({ after: 0 })).gap, gap, "first");
    await scene.ack(held);
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 0 }), 1, "the rest");
    equal((await scene.read({ after: 0 })).gap, gap, "then");
  }),

  define("set-cursor moves a reader, forward and back", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}]);
    const seqs = await seqsOf(scene);
    const move = (seq: number): Promise<string> =>
      scene.statusOf({ type: "set-cursor", channel: CHANNEL, readerId: "r", seq });
    equal(await move(present(seqs[1], "seq")), "done", "forward");
    equal(await scene.readIds(), ids.slice(2), "the last");
    equal(await move(0), "done", "to the beginning");
    equal(await scene.readIds(), ids, "all again");
    equal(await scene.readIds({ readerId: "other" }), ids, "others do not notice");
  }),

  define("set-cursor back to what was removed makes a gap again", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}]);
    const seqs = await seqsOf(scene);
    equal(await scene.readIds(), ids, "read");
    await scene.store.prune({ channel: CHANNEL, keepLatest: 1 });
    equal((await scene.read()).gap, undefined, "it missed nothing");
    await scene.one({ type: "set-cursor", channel: CHANNEL, readerId: "r", seq: present(seqs[0], "seq") });
    const page = await scene.read();
    const gap = { fromSeq: present(seqs[0], "seq") + 1, toSeq: present(seqs[1], "seq") };
    equal([idsOf(page.messages), page.gap], [ids.slice(2), gap], "replayed");
  }),

  define("prune() removes what was written longer ago than olderThanMs", async (scene) => {
    const old = await scene.log();
    await scene.pass(1_000);
    const young = await scene.log();
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 1_000 }), 0, "not longer ago");
    await scene.pass(1);
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 1_000 }), 1, "longer ago");
    equal(await scene.readIds(), [young], "read");
    equal(await scene.store.get(CHANNEL, old), undefined, "get");
  }),

  define("prune() keeps the latest", async (scene) => {
    const ids = await scene.append("log", [{}, {}, {}, {}]);
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 4 }), 0, "as many as there are");
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 1 }), 3, "one");
    equal(await scene.readIds(), ids.slice(3), "read");
    equal(await scene.store.prune({ channel: CHANNEL, keepLatest: 0 }), 1, "none");
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }),

  define("prune() by both removes what either would, and without either nothing", async (scene) => {
    await scene.append("log", [{}, {}]);
    await scene.pass(100);
    const ids = await scene.append("log", [{}, {}, {}]);
    equal(await scene.store.prune({ channel: CHANNEL }), 0, "neither");
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 50, keepLatest: 100 }), 2, "by age");
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 50, keepLatest: 1 }), 2, "by count");
    equal(await scene.readIds(), ids.slice(2), "read");
    equal(await scene.store.prune({ channel: "never heard of", keepLatest: 0 }), 0, "unknown channel");
  }),

  define("prune() never removes what a worker has still to acknowledge", async (scene) => {
    await scene.append("both", [{}, { notBefore: scene.now + 5_000 }, {}, {}]);
    const [queued = ""] = await scene.append("queue", [{}]);
    await scene.log();
    await scene.pass(1_000);
    const [claimed, acknowledged, released] = await scene.claim({ limit: 3 });
    await scene.ack(present(acknowledged, "acknowledged"));
    await scene.release(present(released, "released"), { delayMs: 100 });
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 0, keepLatest: 0 }), 2, "only the rest");
    const left = idsOf((await scene.store.query({ channel: CHANNEL })).messages);
    equal(left, ["m1", "m2", "m4", queued], "left");
    await scene.ack(present(claimed, "claimed"));
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 0 }), 1, "once it is acknowledged");
    await scene.pass(10_000);
    equal((await scene.claimIds()).length, 3, "the others are given out");
  }),

  define("prune() removes expired messages of the log by the same rules", async (scene) => {
    await scene.append("log", [{ expiresAt: scene.now + 1 }, {}]);
    await scene.pass(10);
    equal((await scene.readIds()).length, 1, "read");
    equal(await scene.store.prune({ channel: CHANNEL, olderThanMs: 5 }), 2, "prune");
    equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  }),

  define("clear() removes everything of a channel: messages, leases, readers, remembered ids", async (scene) => {
    await scene.append("both", [{}, {}, { notBefore: scene.now + 100 }], CHANNEL, 100_000);
    await scene.log({}, "other");
    const held = await scene.claimOne();
    await scene.read();
    const { lastSeq } = await scene.store.stats(CHANNEL);
    equal(await scene.store.clear(CHANNEL), 3, "cleared");
    equal(await scene.store.stats(CHANNEL), { stored: 0, ready: 0, delayed: 0, claimed: 0, lastSeq }, "stats");
    equal(await scene.statusOf(releaseOf(held)), "lease-lost", "token");
    const [again] = await scene.store.append(CHANNEL, [scene.envelope({ id: held.id })], {
      mode: "both",
      dedupeForMs: 1,
    });
    equal(again?.status, "done", "its id may come again");
    const page = await scene.read();
    equal([idsOf(page.messages), page.gap], [[held.id], undefined], "its readers are new");
    equal((await scene.read({ after: 0 })).gap, { fromSeq: 1, toSeq: lastSeq }, "who asks for a place is told");
    await scene.pass(1_000_000);
    equal(await scene.claimIds(), [held.id], "claim");
    equal((await scene.readIds({ channel: "other" })).length, 1, "other channels stay");
    equal(await scene.store.clear("never heard of"), 0, "unknown channel");
  }),
];
