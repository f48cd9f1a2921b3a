import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, it } from "bun:test";
import { SqlEngine } from "../../../adapters/sql/sql-engine.ts";
import type { SqlStatement } from "../../../adapters/sql/sql-driver.ts";
import { SqliteDriver } from "../../../adapters/sqlite/sqlite-driver.ts";
import { ManualClock, type QueryRequest } from "../../../core/mod.ts";
import { envelope, Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const FIELDS = ["correlationId", "externalId", "recipientId", "senderId"] as const;

/** Notes every statement it is asked for. */
class NotingDriver extends SqliteDriver {
  readonly prepared: string[] = [];

  override prepare(sql: string): SqlStatement {
    // Called by the constructor of the base before there is a list.
    this.prepared?.push(sql);
    return super.prepare(sql);
  }
}

interface Scene {
  readonly database: DatabaseSync;
  readonly driver: NotingDriver;
  readonly engine: SqlEngine;
}

function open(): Scene {
  const database = new DatabaseSync(folder.newFile());
  const driver = new NotingDriver(database, "NORMAL", 1_000);
  const engine = new SqlEngine(driver, new ManualClock());
  engine.transaction(() => engine.append("q", [envelope("a")], "both", 0));
  engine.transaction(() => engine.reads.indexSenders());
  return { database, driver, engine };
}

function planOf(database: DatabaseSync, sql: string): string[] {
  const count = Math.max(0, ...Array.from(sql.matchAll(/\?(\d+)/g), ([, number]) => Number(number)));
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...new Array<number>(count).fill(1));
  return plan.map(({ detail }) => String(detail));
}

describe("SqlEngine", () => {
  it("finds the rows of every statement by an index, and in its order", () => {
    const { database, driver, engine } = open();
    for (let bits = 0; bits < 2 ** FIELDS.length; bits++) {
      for (const order of ["asc", "desc"] as const) {
        const fields = FIELDS.filter((_, index) => (bits >> index) % 2 === 1).map((field) => [field, "x"]);
        const request: QueryRequest = { channel: "q", order, fromTime: 0, toTime: 9, ...Object.fromEntries(fields) };
        engine.reads.query(request);
      }
    }
    const statements = [...new Set(driver.prepared)].filter((sql) => /^\s*(SELECT|UPDATE|DELETE)/.test(sql));
    assert.ok(statements.length > 70, `${statements.length} statements`);
    const faults = statements.flatMap((sql) =>
      planOf(database, sql)
        .filter((line) => /^SCAN (?!\(|turn|CONSTANT|sqlite_master)/.test(line) || line.includes("TEMP B-TREE"))
        .map((line) => `${line}: ${sql}`)
    );
    assert.deepEqual(faults, []);
    database.close();
  });

  it("query() uses the index of the most telling field, and its end for the page", () => {
    const { database, driver, engine } = open();
    const indexes = {
      externalId: "external",
      correlationId: "correlation",
      recipientId: "recipient",
      senderId: "sender",
    };
    for (const [field, index] of Object.entries(indexes)) {
      const from = driver.prepared.length;
      engine.reads.query({ channel: "q", [field]: "x", after: 3 });
      const [sql] = driver.prepared.slice(from);
      assert.ok(sql !== undefined);
      assert.match(planOf(database, sql)[0] ?? "", new RegExp(`posthorn_message_${index} .*rowid>\\? AND rowid<\\?`));
    }
    database.close();
  });
});
