/**
 * Cases about bad input: a typed error that names the argument, and nothing stored.
 *
 * @module
 */
import { equal, refuses } from "./expect.ts";
import { ackOf, type CaseDefinition, CHANNEL, define, releaseOf, type Scene } from "./scene.ts";

/** What a database may cut short, or give back as something else. */
const UNFIT_TEXTS: readonly string[] = ["\0", "a\0b", "\ud83d", "\ude00", "a\ud83d b", "\ude00\ud83d"];
/** What is no name of anything. */
const NO_KEYS: readonly unknown[] = [
  undefined,
  null,
  7,
  true,
  {},
  [],
  ["c"],
  "",
  "x".repeat(1_001),
  ...UNFIT_TEXTS,
];
/** What is no id either. */
const NO_IDS: readonly unknown[] = [...NO_KEYS, "x".repeat(201)];
const NO_LIMITS: readonly unknown[] = [undefined, null, "10", 0, -1, 1.5, Number.NaN, Infinity, {}];
const NO_DURATIONS: readonly unknown[] = [null, "10", 0, -1, Number.NaN, Infinity, {}];
const NO_DELAYS: readonly unknown[] = [null, "10", -1, Number.NaN, Infinity, {}];
const NO_COUNTS: readonly unknown[] = [null, "10", -1, 1.5, Number.NaN, Infinity, {}];
const NO_TIMES: readonly unknown[] = [null, "2020-01-01", Number.NaN, Infinity, {}];
const NO_FLAGS: readonly unknown[] = [null, 0, "false", {}];

/** What JSON cannot say. */
function noJson(): readonly unknown[] {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  let deep: unknown = 1;
  for (let level = 0; level < 100; level++) deep = [deep];
  return [
    undefined,
    Number.NaN,
    Infinity,
    1n,
    () => 1,
    Symbol("s"),
    new Date(0),
    new Map(),
    new Uint8Array(2),
    cycle,
    deep,
  ];
}

type Table = Readonly<Record<string, readonly unknown[]>>;

/** Calls with one property after the other replaced by each bad value. */
async function refuseEach(
  good: Readonly<Record<string, unknown>>,
  table: Table,
  call: (bad: Readonly<Record<string, unknown>>) => unknown,
): Promise<void> {
  for (const [name, values] of Object.entries(table)) {
    for (const value of values) {
      await refuses(
        () => call({ ...good, [name]: value }),
        name,
        `${name} = ${typeof value} ${String(value)}`.slice(0, 80),
      );
    }
  }
}

async function expectEmpty(scene: Scene): Promise<void> {
  equal((await scene.store.stats(CHANNEL)).stored, 0, "stored");
  equal(await scene.store.listState(""), [], "state");
}

/** Optional: leaving it out is fine. */
function given(values: readonly unknown[]): readonly unknown[] {
  return values.filter((value) => value !== undefined);
}

/** See the module. */
export const inputCases: readonly CaseDefinition[] = [
  define("append() refuses a channel, messages, a mode or a time to remember that is none", async (scene) => {
    const messages = [scene.envelope()];
    for (const channel of NO_KEYS) {
      await refuses(
        () => scene.call("append", channel, messages, { mode: "queue" }),
        "channel",
        `channel ${String(channel)}`.slice(0, 40),
      );
    }
    for (const bad of [undefined, null, 7, "m", {}]) {
      await refuses(() => scene.call("append", CHANNEL, bad, { mode: "queue" }), "messages", `messages ${String(bad)}`);
    }
    for (const mode of [undefined, null, "", "Queue", 1]) {
      await refuses(() => scene.call("append", CHANNEL, messages, { mode }), "mode", `mode ${String(mode)}`);
    }
    for (const dedupeForMs of NO_DELAYS) {
      await refuses(
        () => scene.call("append", CHANNEL, messages, { mode: "queue", dedupeForMs }),
        "dedupeForMs",
        `dedupeForMs ${String(dedupeForMs)}`,
      );
    }
    await expectEmpty(scene);
  }),

  define("append() refuses a message with a field of the wrong kind or size", async (scene) => {
    const table: Table = {
      id: NO_IDS,
      senderId: NO_IDS,
      v: [undefined, 0, 2, "1"],
      timestamp: [undefined, ...NO_TIMES],
      namespace: [undefined, null, 7, {}, "x".repeat(1_001), ...UNFIT_TEXTS],
      metadata: [undefined, null, 7, "text", [], new Date(0), new Map()],
      content: noJson().filter((value) => typeof value !== "object"),
      recipientId: given(NO_IDS),
      correlationId: given(NO_KEYS),
      replyTo: given(NO_KEYS),
      orderingKey: given(NO_KEYS),
      externalId: given(NO_KEYS),
      traceparent: given(NO_KEYS),
      notBefore: NO_TIMES,
      expiresAt: NO_TIMES,
    };
    const good = { ...scene.envelope() };
    await refuseEach(good, table, (bad) => scene.call("append", CHANNEL, [bad], { mode: "both" }));
    await refuseEach(
      good,
      table,
      (message) => scene.call("commit", [{ type: "append", channel: CHANNEL, mode: "both", message }]),
    );
    for (const bad of [undefined, null, 7, "m"]) {
      await refuses(() => scene.call("append", CHANNEL, [bad], { mode: "both" }), "messages[0]", String(bad));
    }
    await expectEmpty(scene);
  }),

  define(
    "append() refuses content and metadata that JSON cannot say, however deep, and names the place",
    async (scene) => {
      for (const [index, value] of noJson().entries()) {
        if (value === undefined) continue;
        const error = `value ${index}`;
        for (
          const [name, init] of [["content", { content: { a: value } }], ["metadata", {
            metadata: { a: value },
          }]] as const
        ) {
          const message = { ...scene.envelope(), ...init };
          let named = "";
          try {
            await scene.call("append", CHANNEL, [message], { mode: "log" });
          } catch (thrown) {
            if (typeof thrown === "object" && thrown !== null) named = String(Reflect.get(thrown, "argument"));
          }
          equal(named.startsWith(`messages[0].${name}`), true, `${error}: names ${named}`);
        }
      }
      await expectEmpty(scene);
    },
  ),

  define("commit() refuses operations that are none", async (scene) => {
    for (const bad of [undefined, null, 7, "ack", {}]) {
      await refuses(() => scene.call("commit", bad), "operations", String(bad));
    }
    for (const bad of [undefined, null, 7, "ack"]) {
      await refuses(() => scene.call("commit", [bad]), "operations[0]", String(bad));
    }
    for (const type of [undefined, null, "", "acknowledge", "toString", "__proto__"]) {
      await refuses(() => scene.call("commit", [{ type, channel: CHANNEL }]), "type", String(type));
    }
    for (const onConflict of [null, "", "undo", 1]) {
      await refuses(() => scene.call("commit", [], { onConflict }), "onConflict", String(onConflict));
    }
  }),

  define("ack, release and extend refuse what names no delivery", async (scene) => {
    await scene.enqueue();
    const message = await scene.claimOne();
    const table: Table = {
      channel: NO_KEYS,
      seq: [undefined, ...NO_COUNTS, 0],
      token: [undefined, null, 7, {}, ["token"]],
    };
    for (const good of [ackOf(message), releaseOf(message), { ...releaseOf(message), type: "extend", leaseMs: 1 }]) {
      await refuseEach({ ...good }, table, (bad) => scene.call("commit", [bad]));
    }
    await scene.ack(message);
  }),

  define("release and extend refuse times, flags and failures that are none", async (scene) => {
    await scene.enqueue();
    const message = await scene.claimOne();
    await refuseEach({ ...releaseOf(message) }, {
      delayMs: NO_DELAYS,
      holdLaneMs: [null, "10", -1, Number.NaN, {}],
      countAttempt: NO_FLAGS,
      failure: [null, 7, "nacked"],
    }, (bad) => scene.call("commit", [bad]));
    await refuseEach(
      { reason: "r" },
      { reason: NO_KEYS, detail: [null, 7, {}] },
      (failure) => scene.call("commit", [{ ...releaseOf(message), failure }]),
    );
    await refuseEach(
      { ...releaseOf(message), type: "extend" },
      { leaseMs: [undefined, ...NO_DURATIONS] },
      (bad) => scene.call("commit", [bad]),
    );
    await scene.ack(message);
  }),

  define("remove and set-cursor refuse ids and places that are none", async (scene) => {
    await refuseEach({ type: "remove", channel: CHANNEL, id: "m" }, {
      channel: NO_KEYS,
      id: NO_IDS,
      unlessClaimed: NO_FLAGS,
      mustExist: NO_FLAGS,
    }, (bad) => scene.call("commit", [bad]));
    await refuseEach({ type: "set-cursor", channel: CHANNEL, readerId: "r", seq: 0 }, {
      channel: NO_KEYS,
      readerId: NO_IDS,
      seq: [undefined, ...NO_COUNTS],
    }, (bad) => scene.call("commit", [bad]));
  }),

  define("set-state and delete-state refuse keys, values, versions and times that are none", async (scene) => {
    await refuseEach({ type: "set-state", key: "k", value: 1 }, {
      key: NO_KEYS,
      value: noJson().filter((value) => typeof value !== "object"),
      expectedVersion: NO_COUNTS,
      ttlMs: NO_DURATIONS,
    }, (bad) => scene.call("commit", [bad]));
    await refuseEach(
      { type: "delete-state", key: "k" },
      { key: NO_KEYS, expectedVersion: NO_COUNTS },
      (bad) => scene.call("commit", [bad]),
    );
    await expectEmpty(scene);
  }),

  define("claim() refuses a channel, worker, limit, lease or recipient that is none", async (scene) => {
    const id = await scene.enqueue();
    await refuseEach({ channel: CHANNEL, workerId: "w", limit: 1, leaseMs: 1_000 }, {
      channel: NO_KEYS,
      workerId: NO_IDS,
      limit: NO_LIMITS,
      leaseMs: [undefined, ...NO_DURATIONS],
      recipientId: given(NO_IDS),
    }, (bad) => scene.call("claim", bad));
    equal(await scene.claimIds(), [id], "nothing was claimed");
  }),

  define("readShared() refuses a channel, reader, limit, place or recipient that is none", async (scene) => {
    const id = await scene.log();
    await refuseEach({ channel: CHANNEL, readerId: "r", limit: 1 }, {
      channel: NO_KEYS,
      readerId: NO_IDS,
      limit: NO_LIMITS,
      after: NO_COUNTS,
      recipientId: given(NO_IDS),
      advance: NO_FLAGS,
    }, (bad) => scene.call("readShared", bad));
    equal(await scene.readIds(), [id], "no cursor has moved");
  }),

  define("get(), query(), prune(), clear(), stats() and nextDueAt() refuse what is none", async (scene) => {
    for (const key of NO_KEYS) {
      const what = `channel ${String(key)}`.slice(0, 40);
      await refuses(() => scene.call("get", key, "m"), "channel", `get ${what}`);
      await refuses(() => scene.call("clear", key), "channel", `clear ${what}`);
      await refuses(() => scene.call("stats", key), "channel", `stats ${what}`);
      await refuses(() => scene.call("nextDueAt", [CHANNEL, key]), "channels[1]", `nextDueAt ${what}`);
    }
    for (const id of NO_IDS) await refuses(() => scene.call("get", CHANNEL, id), "id", `id ${String(id)}`.slice(0, 40));
    for (const bad of [null, 7, "c", {}]) await refuses(() => scene.call("nextDueAt", bad), "channels", String(bad));
    await refuseEach({ channel: CHANNEL }, {
      channel: NO_KEYS,
      fromTime: NO_TIMES,
      toTime: NO_TIMES,
      correlationId: given(NO_KEYS),
      externalId: given(NO_KEYS),
      senderId: given(NO_IDS),
      recipientId: given(NO_IDS),
      order: [null, "", "ascending", 1],
      after: NO_COUNTS,
      limit: given(NO_LIMITS),
    }, (bad) => scene.call("query", bad));
    await refuseEach({ channel: CHANNEL }, {
      channel: NO_KEYS,
      olderThanMs: [null, "10", -1, Number.NaN, {}],
      keepLatest: NO_COUNTS,
    }, (bad) => scene.call("prune", bad));
  }),

  define("getState(), listState() and watch() refuse what is none", async (scene) => {
    for (const key of NO_KEYS) {
      const what = `key ${String(key)}`.slice(0, 40);
      await refuses(() => scene.call("getState", key), "key", `getState ${what}`);
      // Not a promise: a watch that cannot be is a mistake in the program, told at once.
      await refuses(async () => await scene.call("watch", key, () => {}), "channel", `watch ${what}`);
    }
    for (const bad of [undefined, null, 7, "f", {}]) {
      await refuses(async () => await scene.call("watch", CHANNEL, bad), "listener", `listener ${String(bad)}`);
    }
    for (const bad of [undefined, null, 7, {}, "x".repeat(1_001), ...UNFIT_TEXTS]) {
      await refuses(() => scene.call("listState", bad), "prefix", `prefix ${String(bad)}`);
    }
    for (const after of [null, 7, {}, "x".repeat(1_001), ...UNFIT_TEXTS]) {
      await refuses(() => scene.call("listState", "", { after }), "after", String(after));
    }
    for (const page of [null, 7, "page"]) {
      await refuses(() => scene.call("listState", "", page), "page", String(page));
    }
    for (const limit of given(NO_LIMITS)) {
      await refuses(() => scene.call("listState", "", { limit }), "limit", `limit ${String(limit)}`);
    }
  }),

  define("append() takes an undefined field for one that is not there", async (scene) => {
    const message = { ...scene.envelope(), recipientId: undefined, notBefore: undefined, orderingKey: undefined };
    await scene.call("append", CHANNEL, [message], { mode: "both", dedupeForMs: undefined });
    const stored = await scene.store.get(CHANNEL, message.id);
    equal(
      Object.keys(stored ?? {}).filter((key) => key in message && Reflect.get(message, key) === undefined),
      [],
      "keys",
    );
    equal((await scene.claim({ recipientId: "anybody" })).length, 1, "claim");
  }),
];
