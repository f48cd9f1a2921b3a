import assert from "node:assert/strict";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import type { QueryRequest } from "../../../core/mod.ts";
import { envelope, Folder, WatchedDatabase } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const FIELDS = ["correlationId", "externalId", "recipientId", "senderId"] as const;

describe("SqliteStore", () => {
  it("prepare() is only asked for statements that find their rows by an index, in its order", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database });
    await store.append("q", [envelope("a")], { mode: "both" });
    for (let bits = 0; bits < 2 ** FIELDS.length; bits++) {
      for (const order of ["asc", "desc"] as const) {
        const fields = FIELDS.filter((_, index) => (bits >> index) % 2 === 1).map((field) => [field, "x"]);
        const request: QueryRequest = { channel: "q", order, fromTime: 0, toTime: 9, ...Object.fromEntries(fields) };
        await store.query(request);
      }
    }
    const statements = [...new Set(database.prepared)].filter((sql) => /^\s*(SELECT|UPDATE|DELETE)/.test(sql));
    assert.ok(statements.length > 60, `${statements.length} statements`);
    const faults: string[] = [];
    for (const sql of statements) {
      const parameters = Math.max(0, ...Array.from(sql.matchAll(/\?(\d+)/g), ([, number]) => Number(number)));
      const plan = database.inner.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...new Array(parameters).fill(1));
      for (const { detail } of plan) {
        const text = String(detail);
        if (/^SCAN (?!\(|turn|CONSTANT|sqlite_master)/.test(text) || text.includes("TEMP B-TREE")) {
          faults.push(`${text}: ${sql}`);
        }
      }
    }
    assert.deepEqual(faults, []);
    await store.close();
    database.inner.close();
  });

  it("query() uses the index of the most telling field", async () => {
    const database = new WatchedDatabase(folder.newFile());
    const store = new SqliteStore({ database });
    await store.append("q", [envelope("a")], { mode: "both" });
    for (
      const [field, index] of Object.entries({
        correlationId: "posthorn_message_correlation",
        externalId: "posthorn_message_external",
        recipientId: "posthorn_message_recipient",
        senderId: "posthorn_message_sender",
      })
    ) {
      const from = database.prepared.length;
      await store.query({ channel: "q", [field]: "x" });
      const [sql] = database.prepared.slice(from);
      assert.ok(sql !== undefined);
      const plan = database.inner.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...new Array(7).fill(1));
      assert.match(String(plan[0]?.["detail"]), new RegExp(`${index} .*rowid>\\? AND rowid<\\?`));
    }
    await store.close();
    database.inner.close();
  });
});
