import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "bun:test";
import type { Clock } from "../../../core/mod.ts";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { describeStoreModel } from "../../store/model-run.ts";

const directory = mkdtempSync(path.join(tmpdir(), "posthorn-sqlite-model-"));
const paths = new WeakMap<object, string>();
let count = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function open(file: string, clock: Clock): Promise<SqliteStore> {
  const store = new SqliteStore({ path: file, synchronous: "NORMAL", clock });
  paths.set(store, file);
  return Promise.resolve(store);
}

describeStoreModel(
  "SqliteStore",
  (clock) => open(path.join(directory, `${++count}.db`), clock),
  {
    reopen: async (store, clock) => {
      // Closed only then: the last to close a file moves all of it out of the log first, which nothing would do here.
      const next = await open(paths.get(store) ?? "", clock);
      await store.close();
      return next;
    },
  },
);
