import { writeFileSync } from "node:fs";
import path from "node:path";
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { type Clock, ManualClock, StoreError, ValidationError } from "../../../core/mod.ts";
import { envelope, Folder, WatchedDatabase } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

function claimAll(store: SqliteStore, workerId = "w"): ReturnType<SqliteStore["claim"]> {
  return store.claim({ channel: "q", workerId, limit: 1_000, leaseMs: 60_000 });
}

function isErrorOf(code: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Error);
    assert.equal(Reflect.get(error, "code"), code);
    assert.match(error.message, pattern);
    return true;
  };
}

describe("SqliteStore", () => {
  it("new SqliteStore() refuses options of the wrong kind by name", () => {
    const database = new DatabaseSync(":memory:");
    for (
      const [argument, options] of Object.entries({
        path: {},
        synchronous: { path: ":memory:", synchronous: "OFF" },
        busyTimeoutMs: { path: ":memory:", busyTimeoutMs: -1 },
        pollIntervalMs: { path: ":memory:", pollIntervalMs: 0 },
        maxMessageBytes: { path: ":memory:", maxMessageBytes: 0 },
        database: { database: {} },
      })
    ) {
      assert.throws(() => Reflect.construct(SqliteStore, [options]), (error: unknown) => {
        assert.ok(error instanceof ValidationError);
        assert.equal(error.argument, argument);
        return true;
      });
    }
    assert.throws(() => new SqliteStore({ path: "x.db", database }), isErrorOf("invalid-argument", /'path'/));
    assert.throws(() => new SqliteStore({ path: "a\0b" }), isErrorOf("invalid-argument", /'path'/));
    database.close();
  });

  it("new SqliteStore() says what is wrong with a file it cannot use", () => {
    const nowhere = path.join(folder.path, "no", "such", "folder", "x.db");
    assert.throws(() => new SqliteStore({ path: nowhere }), isErrorOf("store", /^Cannot open/));
    const noDatabase = folder.newFile();
    writeFileSync(noDatabase, "this is no database, and long enough to be told from one".repeat(100));
    assert.throws(() => new SqliteStore({ path: noDatabase }), isErrorOf("store", /not a database/));
  });

  it("new SqliteStore() says so where the runtime has no node:sqlite", () => {
    const process: unknown = Reflect.get(globalThis, "process");
    assert.ok(typeof process === "object" && process !== null);
    const original = Object.getOwnPropertyDescriptor(process, "getBuiltinModule");
    Object.defineProperty(process, "getBuiltinModule", { value: () => undefined, configurable: true });
    try {
      assert.throws(() => new SqliteStore({ path: folder.newFile() }), isErrorOf("store", /no node:sqlite/));
    } finally {
      if (original === undefined) Reflect.deleteProperty(process, "getBuiltinModule");
      else Object.defineProperty(process, "getBuiltinModule", original);
    }
  });

  it("new SqliteStore() refuses a file of a later version, and leaves it as it is", async () => {
    const file = folder.newFile();
    await new SqliteStore({ path: file }).close();
    const database = new DatabaseSync(file);
    database.exec("UPDATE posthorn_meta SET value = 999 WHERE name = 'schema'");
    assert.throws(() => new SqliteStore({ path: file }), isErrorOf("store", /schema is version 999/));
    const row = database.prepare("SELECT value FROM posthorn_meta WHERE name = 'schema'").get();
    assert.equal(row?.["value"], 999);
    database.close();
  });

  it("new SqliteStore() takes up what an earlier one left, with sequences, leases, cursors and state", async () => {
    const file = folder.newFile();
    const clock = new ManualClock();
    const first = new SqliteStore({ path: file, clock });
    await first.append("q", [envelope("a"), envelope("b")], { mode: "queue" });
    await first.append("l", [envelope("1"), envelope("2")], { mode: "log" });
    const [held] = await first.claim({ channel: "q", workerId: "w", limit: 1, leaseMs: 1_000 });
    await first.readShared({ channel: "l", readerId: "r", limit: 1 });
    await first.commit([{ type: "set-state", key: "k", value: 1 }]);
    await first.clear("c");
    await first.close();

    const second = new SqliteStore({ path: file, clock });
    assert.deepEqual((await claimAll(second)).map(({ id }) => id), ["b"]);
    assert.deepEqual(
      (await second.readShared({ channel: "l", readerId: "r", limit: 9 })).messages.map(({ id }) => id),
      [
        "2",
      ],
    );
    assert.equal((await second.getState("k"))?.value, 1);
    assert.ok(held !== undefined);
    const ack = { type: "ack", channel: "q", seq: held.seq, token: held.lease.token } as const;
    assert.deepEqual(await second.commit([ack]), { committed: true, results: [{ status: "done" }] });
    const [again] = await second.append("q", [envelope("c")], { mode: "queue" });
    assert.equal(again?.seq, 3);
    await second.close();
  });

  it("new SqliteStore() counts leases on from the time reached, though the wall clock was set back in between", async () => {
    const file = folder.newFile();
    const first = new SqliteStore({ path: file, clock: new ManualClock(1_700_000_000_000) });
    await first.append("q", [envelope("a")], { mode: "queue" });
    await first.claim({ channel: "q", workerId: "w", limit: 1, leaseMs: 1_000 });
    await first.close();

    const dayEarlier = new ManualClock(1_700_000_000_000 - 86_400_000);
    const second = new SqliteStore({ path: file, clock: dayEarlier });
    assert.deepEqual(await claimAll(second), []);
    await dayEarlier.advance(1_000);
    const [given] = await claimAll(second);
    assert.equal(given?.id, "a");
    assert.equal(given?.failures[0]?.at, dayEarlier.now());
    assert.equal(given?.lease.until, dayEarlier.now() + 60_000);
    await second.close();
  });

  it("append() puts all of one turn into one transaction, and gives each caller its own answer (S24)", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database });
    const before = database.runsOf("COMMIT");
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) => store.append("q", [envelope(`m${index % 90}`)], { mode: "queue" })),
    );
    assert.equal(database.runsOf("COMMIT") - before, 1);
    assert.equal(results.filter(([result]) => result?.status === "done").length, 90);
    assert.equal(results.filter(([result]) => result?.status === "duplicate").length, 10);
    await store.close();
    database.inner.close();
  });

  it("commit() undoes what it cannot do, and not what others asked for in the same turn", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database });
    await store.append("l", [envelope("0")], { mode: "log" });
    const before = database.runsOf("COMMIT");
    const [left, torn, right] = await Promise.all([
      store.append("l", [envelope("1")], { mode: "log" }),
      store.commit([
        { type: "append", channel: "l", mode: "log", message: envelope("2") },
        { type: "append", channel: "new", mode: "log", message: envelope("2") },
        { type: "remove", channel: "l", id: "0" },
        { type: "ack", channel: "l", seq: 7, token: "none" },
      ]),
      store.append("l", [envelope("3")], { mode: "log" }),
    ]);
    assert.equal(database.runsOf("COMMIT") - before, 1);
    assert.deepEqual(left, [{ status: "done", seq: 2 }]);
    assert.deepEqual(torn.results.map(({ status }) => status), ["undone", "undone", "undone", "lease-lost"]);
    assert.deepEqual(right, [{ status: "done", seq: 3 }]);
    const { messages } = await store.query({ channel: "l" });
    assert.deepEqual(messages.map(({ id }) => id), ["0", "1", "3"]);
    assert.equal((await store.stats("l")).stored, 3);
    assert.equal((await store.stats("new")).lastSeq, 0);
    assert.deepEqual(await store.append("new", [envelope("4")], { mode: "log" }), [{ status: "done", seq: 1 }]);
    await store.close();
    database.inner.close();
  });

  it("append() fails alone where the database fails, and the others of its turn are stored", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database });
    database.poison = "bad";
    const [first, bad, last] = await Promise.allSettled([
      store.append("q", [envelope("first")], { mode: "queue" }),
      store.append("q", [envelope("fine"), envelope("bad")], { mode: "queue" }),
      store.append("q", [envelope("last")], { mode: "queue" }),
    ]);
    assert.equal(first.status, "fulfilled");
    assert.equal(last.status, "fulfilled");
    assert.ok(bad.status === "rejected");
    isErrorOf("store", /^Cannot append: poisoned$/)(bad.reason);
    const { messages } = await store.query({ channel: "q" });
    assert.deepEqual(messages.map(({ id, seq }) => [id, seq]), [["first", 1], ["last", 2]]);
    await store.close();
    database.inner.close();
  });

  it("claim() begins no transaction where nothing is due", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database });
    await store.append("q", [envelope("a", { notBefore: Date.now() + 60_000 })], { mode: "queue" });
    await claimAll(store);
    const before = database.runsOf("BEGIN IMMEDIATE");
    assert.deepEqual(await claimAll(store), []);
    assert.deepEqual(await claimAll(store), []);
    assert.equal(database.runsOf("BEGIN IMMEDIATE"), before);
    await store.close();
    database.inner.close();
  });

  it("get() sees what was asked for before it in the same turn", async () => {
    const store = new SqliteStore({ path: ":memory:" });
    const appended = store.append("q", [envelope("a")], { mode: "queue" });
    assert.equal((await store.get("q", "a"))?.id, "a");
    await appended;
    await store.close();
  });

  it("close() waits for what is under way, and later calls reject", async () => {
    const file = folder.newFile();
    const store = new SqliteStore({ path: file });
    const appended = store.append("q", [envelope("a")], { mode: "queue" });
    const closed = store.close();
    await assert.rejects(store.append("q", [envelope("b")], { mode: "queue" }), isErrorOf("store", /store is closed/));
    assert.deepEqual(await appended, [{ status: "done", seq: 1 }]);
    await closed;
    await store.close();
    await assert.rejects(store.stats("q"), isErrorOf("store", /store is closed/));
    assert.throws(() => store.watch("q", () => {}), StoreError);
    const again = new SqliteStore({ path: file });
    assert.equal((await again.stats("q")).ready, 1);
    await again.close();
  });

  it("close() leaves a given database open, and its other tables alone", async () => {
    const database = new DatabaseSync(folder.newFile());
    database.exec("CREATE TABLE mine (value TEXT); INSERT INTO mine VALUES ('kept')");
    const store = new SqliteStore({ database });
    await store.append("q", [envelope("a")], { mode: "queue" });
    await store.close();
    assert.equal(database.prepare("SELECT value FROM mine").get()?.["value"], "kept");
    assert.equal(database.prepare("SELECT count(*) AS count FROM posthorn_message").get()?.["count"], 1);
    database.close();
  });

  it("capabilities say what is durable and who is notified", async () => {
    const inMemory = new SqliteStore({ path: ":memory:", pollIntervalMs: Infinity });
    assert.equal(inMemory.capabilities.durable, false);
    assert.equal(inMemory.capabilities.notifies, "process");
    await inMemory.close();
    const onDisk = new SqliteStore({ path: folder.newFile() });
    assert.equal(onDisk.capabilities.durable, true);
    assert.equal(onDisk.capabilities.notifies, "all");
    await onDisk.close();
  });

  it("new SqliteStore() sets the write-ahead log and the waiting that was asked for (S24)", async () => {
    for (const [synchronous, level] of [["FULL", 2], ["NORMAL", 1]] as const) {
      const database = new DatabaseSync(folder.newFile());
      const store = new SqliteStore({ database, synchronous });
      assert.equal(database.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
      assert.equal(database.prepare("PRAGMA synchronous").get()?.["synchronous"], level);
      await store.close();
      database.close();
    }
  });

  it("watch() tells of what another connection to the file has written", async () => {
    const file = folder.newFile();
    const here = new SqliteStore({ path: file, pollIntervalMs: 1 });
    const there = new SqliteStore({ path: file });
    const told = new Promise<void>((resolve) => {
      const end = here.watch("q", () => {
        end();
        resolve();
      });
    });
    await there.append("q", [envelope("a")], { mode: "queue" });
    await told;
    assert.deepEqual((await claimAll(here)).map(({ id }) => id), ["a"]);
    await here.close();
    await there.close();
  });

  it("append() waits for another writer without holding up the process, then gives up and says so", async () => {
    const file = folder.newFile();
    const store = new SqliteStore({ path: file, busyTimeoutMs: 5_000 });
    const impatient = new SqliteStore({ path: file, busyTimeoutMs: 20 });
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    const waiting = store.append("q", [envelope("a")], { mode: "queue" });
    await assert.rejects(impatient.append("q", [envelope("b")], { mode: "queue" }), (error: unknown) => {
      assert.ok(error instanceof StoreError && error.retryable);
      assert.match(error.message, /locked by another process/);
      return true;
    });
    other.exec("COMMIT");
    assert.deepEqual(await waiting, [{ status: "done", seq: 1 }]);
    other.close();
    await store.close();
    await impatient.close();
  });

  it("claim() of two connections gives no message to both", async () => {
    const file = folder.newFile();
    const stores = [new SqliteStore({ path: file }), new SqliteStore({ path: file })];
    await stores[0]?.append("q", Array.from({ length: 100 }, (_, index) => envelope(`m${index}`)), { mode: "queue" });
    const claims = await Promise.all(
      Array.from(
        { length: 20 },
        (_, index) => stores[index % 2]?.claim({ channel: "q", workerId: `w${index}`, limit: 7, leaseMs: 60_000 }),
      ),
    );
    const ids = claims.flatMap((claimed) => claimed?.map(({ id }) => id) ?? []);
    assert.equal(ids.length, 100);
    assert.equal(new Set(ids).size, 100);
    for (const store of stores) await store.close();
  });

  it("append() keeps bodies of every size, and claims, reads and removes them", async () => {
    const store = new SqliteStore({ path: folder.newFile() });
    const sizes = [0, 1_900, 2_000, 2_100, 10_000, 900_000];
    const bodies = sizes.map((size) => "é".repeat(size / 2));
    await store.append("q", bodies.map((body, index) => envelope(`m${index}`, { content: body })), { mode: "both" });
    assert.deepEqual((await claimAll(store)).map(({ content }) => content), bodies);
    const { messages } = await store.readShared({ channel: "q", readerId: "r", limit: 100 });
    assert.deepEqual(messages.map(({ content }) => content), bodies);
    for (const index of sizes.keys()) await store.commit([{ type: "remove", channel: "q", id: `m${index}` }]);
    assert.equal((await store.stats("q")).stored, 0);
    await store.close();
  });

  it("append() refuses keys that SQLite would not give back, and stores nothing", async () => {
    const store = new SqliteStore({ path: ":memory:" });
    for (const key of ["a\0b", "\ud800", "x\udc00y"]) {
      for (const field of ["orderingKey", "correlationId", "externalId"]) {
        const messages = [envelope("fine"), envelope("bad", { [field]: key })];
        await assert.rejects(
          store.append("q", messages, { mode: "queue" }),
          isErrorOf("invalid-argument", new RegExp(`messages\\[1\\]\\.${field}`)),
        );
      }
      await assert.rejects(store.append(key, [], { mode: "queue" }), isErrorOf("invalid-argument", /'channel'/));
      await assert.rejects(store.getState(key), isErrorOf("invalid-argument", /'key'/));
    }
    assert.equal((await store.stats("q")).stored, 0);
    await store.close();
  });

  it("prune() tidies away a large log in several transactions", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database, synchronous: "NORMAL" });
    await store.append("l", Array.from({ length: 4_500 }, (_, index) => envelope(`m${index}`)), { mode: "log" });
    const before = database.runsOf("COMMIT");
    assert.equal(await store.prune({ channel: "l", keepLatest: 500 }), 4_000);
    assert.ok(database.runsOf("COMMIT") - before >= 4);
    assert.equal((await store.stats("l")).stored, 500);
    await store.close();
    database.inner.close();
  });

  it("commit() forgets remembered ids and state that have ended, a bounded number at a time", async () => {
    const clock: Clock & ManualClock = new ManualClock();
    const database = new DatabaseSync(folder.newFile());
    const store = new SqliteStore({ database, synchronous: "NORMAL", clock });
    const count = (table: string): unknown =>
      database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.["count"];
    const ids = Array.from({ length: 1_000 }, (_, index) => `m${index}`);
    await store.append("q", ids.map((id) => envelope(id)), { mode: "queue", dedupeForMs: 1_000 });
    await store.commit(ids.map((id) => ({ type: "remove", channel: "q", id }) as const));
    await store.commit(ids.map((key) => ({ type: "set-state", key, value: 1, ttlMs: 1_000 }) as const));
    assert.equal(count("posthorn_remembered"), 1_000);
    assert.equal(count("posthorn_state"), 1_000);
    await clock.advance(1_000);
    await store.append("q", [envelope("next")], { mode: "queue" });
    const left = Number(count("posthorn_remembered"));
    assert.ok(left > 0 && left < 1_000, `${left} left`);
    for (let round = 0; round < 5; round++) await store.append("q", [envelope(`next${round}`)], { mode: "queue" });
    assert.equal(count("posthorn_remembered"), 0);
    assert.equal(count("posthorn_state"), 0);
    await store.close();
    database.close();
  });
});
