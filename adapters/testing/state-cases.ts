/**
 * Cases about state values.
 *
 * @module
 */
import type { JsonValue, StoreOperation } from "../../core/mod.ts";
import { equal, ok, present } from "./expect.ts";
import { type CaseDefinition, define, type Scene } from "./scene.ts";

function set(
  value: JsonValue,
  rest: { readonly expectedVersion?: number; readonly ttlMs?: number } = {},
): StoreOperation {
  return { type: "set-state", key: "k", value, ...rest };
}

async function keysOf(
  scene: Scene,
  prefix: string,
  page?: { readonly after?: string; readonly limit?: number },
): Promise<string[]> {
  return (await scene.store.listState(prefix, page)).map(({ key }) => key);
}

/** See the module. */
export const stateCases: readonly CaseDefinition[] = [
  define("getState() gives what was written last, with a version that grows", async (scene) => {
    equal(await scene.store.getState("k"), undefined, "nothing");
    const first = present((await scene.one(set({ a: [1, null] }))).version, "version");
    equal(await scene.store.getState("k"), { key: "k", value: { a: [1, null] }, version: first }, "first");
    const second = present((await scene.one(set(null))).version, "version");
    ok(second > first, `version ${second} after ${first}`);
    equal(await scene.store.getState("k"), { key: "k", value: null, version: second }, "second");
  }),

  define("set-state with expectedVersion writes only over that version", async (scene) => {
    const version = present((await scene.one(set(1, { expectedVersion: 0 }))).version, "version");
    equal(await scene.statusOf(set(2, { expectedVersion: 0 })), "conflict", "something is there");
    equal(await scene.statusOf(set(2, { expectedVersion: version + 1 })), "conflict", "another version");
    equal((await scene.store.getState("k"))?.value, 1, "value");
    equal(await scene.statusOf(set(2, { expectedVersion: version })), "done", "that version");
    equal(await scene.statusOf(set(3, { expectedVersion: version })), "conflict", "the old version");
    equal((await scene.store.getState("k"))?.value, 2, "value");
  }),

  define("delete-state deletes, with expectedVersion only that version", async (scene) => {
    equal(await scene.statusOf({ type: "delete-state", key: "k" }), "not-found", "nothing");
    equal(await scene.statusOf({ type: "delete-state", key: "k", expectedVersion: 0 }), "not-found", "as expected");
    const version = present((await scene.one(set(1))).version, "version");
    equal(
      await scene.statusOf({ type: "delete-state", key: "k", expectedVersion: version + 1 }),
      "conflict",
      "another",
    );
    equal(await scene.statusOf({ type: "delete-state", key: "k", expectedVersion: 0 }), "conflict", "none expected");
    equal(await scene.statusOf({ type: "delete-state", key: "k", expectedVersion: version }), "done", "that version");
    equal(await scene.store.getState("k"), undefined, "gone");
    equal(await scene.statusOf({ type: "delete-state", key: "k", expectedVersion: version }), "not-found", "again");
  }),

  define(
    "set-state never gives a key a version again, so that nobody takes a new value for the old one",
    async (scene) => {
      const first = present((await scene.one(set(1))).version, "version");
      await scene.one({ type: "delete-state", key: "k" });
      const second = present((await scene.one(set(2, { ttlMs: 10 }))).version, "version");
      await scene.pass(10);
      const third = present((await scene.one(set(3))).version, "version");
      ok(first < second && second < third, `versions ${first}, ${second}, ${third}`);
      equal(await scene.statusOf(set(4, { expectedVersion: first })), "conflict", "the first version");
    },
  ),

  define("set-state with ttlMs ends the value then, to the millisecond", async (scene) => {
    const start = scene.now;
    await scene.one(set("brief", { ttlMs: 1_000 }));
    equal((await scene.store.getState("k"))?.expiresAt, start + 1_000, "expiresAt");
    await scene.pass(999);
    equal((await scene.store.getState("k"))?.value, "brief", "before");
    await scene.pass(1);
    equal(await scene.store.getState("k"), undefined, "then");
    equal(await keysOf(scene, ""), [], "list");
    equal(await scene.statusOf({ type: "delete-state", key: "k" }), "not-found", "delete");
    equal(await scene.statusOf(set("new", { expectedVersion: 0 })), "done", "nothing is there");
  }),

  define("set-state gives a value its end anew with every write", async (scene) => {
    await scene.one(set(1, { ttlMs: 1_000 }));
    await scene.pass(900);
    await scene.one(set(2, { ttlMs: 1_000 }));
    await scene.pass(900);
    equal((await scene.store.getState("k"))?.value, 2, "longer");
    await scene.one(set(3));
    await scene.pass(1_000_000);
    const entry = present(await scene.store.getState("k"), "state");
    equal([entry.value, "expiresAt" in entry], [3, false], "for good");
  }),

  define("set-state counts ttlMs on the clock that does not jump", async (scene) => {
    await scene.one(set(1, { ttlMs: 1_000 }));
    scene.clock.jumpWall(86_400_000);
    const { value, expiresAt } = present(await scene.store.getState("k"), "state");
    equal([value, expiresAt], [1, scene.now + 1_000], "a day ahead");
    scene.clock.jumpWall(-86_400_000);
    await scene.pass(1_000);
    equal(await scene.store.getState("k"), undefined, "when the time has passed");
  }),

  define("listState() lists by key what starts with the prefix, page by page", async (scene) => {
    const keys = ["b/2", "a/1", "b/10", "b", "c", "b/1"];
    for (const key of keys) await scene.one({ type: "set-state", key, value: key });
    equal(await keysOf(scene, "b/"), ["b/1", "b/10", "b/2"], "prefix");
    equal(await keysOf(scene, ""), [...keys].sort(), "all");
    equal(await keysOf(scene, "b/", { limit: 2 }), ["b/1", "b/10"], "first page");
    equal(await keysOf(scene, "b/", { after: "b/10", limit: 2 }), ["b/2"], "second page");
    equal(await keysOf(scene, "b/", { after: "b/2" }), [], "the end");
    equal(await keysOf(scene, "x"), [], "nothing");
    await scene.one({ type: "delete-state", key: "b/10" });
    await scene.one({ type: "set-state", key: "b/0", value: 0 });
    await scene.one({ type: "set-state", key: "b/10", value: "again" });
    const entries = await scene.store.listState("b/");
    equal(entries.map(({ key, value }) => [key, value]), [["b/0", 0], ["b/1", "b/1"], ["b/10", "again"], [
      "b/2",
      "b/2",
    ]], "after changes");
    ok(entries.every(({ version }) => version > 0), "versions");
  }),

  define("listState() takes the prefix literally", async (scene) => {
    const keys = ["a%b", "a_b", "a*b", "a?b", "a[b", "a\\b", "aXb", "A%b", "a'b", 'a"b'];
    for (const key of keys) await scene.one({ type: "set-state", key, value: 1 });
    for (const prefix of ["a%", "a_", "a*", "a?", "a[", "a\\", "A", "a'", 'a"']) {
      equal(await keysOf(scene, prefix), keys.filter((key) => key.startsWith(prefix)), prefix);
    }
  }),

  define("listState() leaves out what has ended", async (scene) => {
    await scene.one({ type: "set-state", key: "p1", value: 1, ttlMs: 100 });
    await scene.one({ type: "set-state", key: "p2", value: 2 });
    equal(await keysOf(scene, "p"), ["p1", "p2"], "before");
    await scene.pass(100);
    equal(await keysOf(scene, "p"), ["p2"], "then");
  }),

  define("getState() gives nothing by which one could change what another gets", async (scene) => {
    await scene.one(set({ list: [1] }));
    try {
      const { value } = present(await scene.store.getState("k"), "state");
      ok(typeof value === "object" && value !== null, "value");
      Reflect.set(value, "list", "changed");
    } catch {
      // Frozen is fine.
    }
    equal((await scene.store.getState("k"))?.value, { list: [1] }, "value");
  }),

  define("set-state and channels do not know each other", async (scene) => {
    await scene.one(set(1));
    await scene.log({}, "k");
    await scene.store.clear("k");
    equal((await scene.store.getState("k"))?.value, 1, "value");
  }),
];
