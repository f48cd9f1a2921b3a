import assert from "node:assert/strict";
import { copyFileSync, statSync, truncateSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { isLong, randomFrom, seedOf } from "./processes.ts";
import { envelope, Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const CUTS = isLong() ? 1_000 : 100;
const COMMITS = 600;
/** How many messages are kept: each commit adds one and removes the one that was added so many before. */
const KEPT = 50;

describe("SqliteStore", () => {
  const seed = seedOf();

  it(`opens whatever was torn off its log, at a commit: ${CUTS} cuts (POSTHORN_SEED=${seed})`, async () => {
    const random = randomFrom(seed);
    const file = folder.newFile();
    const written = new DatabaseSync(file);
    const store = new SqliteStore({ database: written, synchronous: "NORMAL" });
    // One checkpoint early on, and none later: most commits are in the log alone.
    written.exec("PRAGMA wal_autocheckpoint = 0");
    for (let index = 1; index <= COMMITS; index++) {
      const { committed } = await store.commit([
        {
          type: "append",
          channel: "l",
          mode: "both",
          message: envelope(`m${index}`, { orderingKey: `lane${index % 7}` }),
        },
        { type: "set-state", key: "last", value: index },
        { type: "remove", channel: "l", id: `m${index - KEPT}` },
      ]);
      assert.ok(committed);
      if (index === COMMITS / 6) written.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    const size = statSync(`${file}-wal`).size;
    assert.ok(size > 100_000, `the log has ${size} bytes`);
    const seen = new Set<number>();
    for (let cut = 0; cut < CUTS; cut++) {
      const copy = folder.newFile();
      copyFileSync(file, copy);
      copyFileSync(`${file}-wal`, `${copy}-wal`);
      truncateSync(`${copy}-wal`, Math.floor(random() * (size + 1)));
      const torn = new SqliteStore({ path: copy, synchronous: "NORMAL" });
      const last = Number((await torn.getState("last"))?.value ?? 0);
      seen.add(last);
      const expected = Array.from(
        { length: Math.min(last, KEPT) },
        (_, index) => `m${Math.max(last - KEPT, 0) + index + 1}`,
      );
      const { messages } = await torn.query({ channel: "l", limit: 1_000 });
      assert.deepEqual(messages.map(({ id }) => id), expected, `cut ${cut}`);
      const claimed = await torn.claim({ channel: "l", workerId: "w", limit: 1_000, leaseMs: 1_000 });
      assert.equal(claimed.length, Math.min(7, expected.length));
      const [next] = await torn.append("l", [envelope("next")], { mode: "queue" });
      assert.equal(next?.seq, last + 1);
      await torn.close();
      const database = new DatabaseSync(copy);
      assert.equal(database.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
      database.close();
    }
    assert.ok(seen.size > CUTS / 4, `only ${seen.size} different ends were seen`);
    await store.close();
    written.close();
  }, isLong() ? 1_200_000 : 120_000);
});
