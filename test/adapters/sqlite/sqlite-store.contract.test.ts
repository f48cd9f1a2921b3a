import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { describeMessageStore } from "../../contract/message-store.contract.ts";

const directory = mkdtempSync(path.join(tmpdir(), "posthorn-sqlite-"));
const paths = new WeakMap<object, string>();
let count = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function open(
  file: string,
  options: ConstructorParameters<typeof SqliteStore>[0],
): Promise<SqliteStore> {
  const store = new SqliteStore({ ...options, path: file });
  paths.set(store, file);
  return Promise.resolve(store);
}

describeMessageStore(
  "SqliteStore",
  (options) => open(path.join(directory, `${++count}.db`), options),
  {
    capabilities: {
      atomicBatch: true,
      lanes: "exact",
      notBefore: true,
      notifies: "all",
      durable: true,
    },
    // What an unclosed store leaves behind is what a killed process leaves behind.
    reopen: (store, options) => open(paths.get(store) ?? "", options),
  },
);
