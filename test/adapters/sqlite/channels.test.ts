// The channels' own suites, over a store that keeps them: the same behaviour, whatever the store.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import type { OpenStore } from "../../core/channels/channel-bench.ts";
import { discoverySuite } from "../../core/channels/discovery.suite.ts";
import { periodicSuite } from "../../core/channels/periodic.suite.ts";
import { sharedReadsSuite } from "../../core/channels/shared-reads.suite.ts";
import { streamSuite } from "../../core/channels/stream.suite.ts";
import { workQueueSuite } from "../../core/channels/work-queue.suite.ts";

const directory = mkdtempSync(path.join(tmpdir(), "posthorn-channels-"));
let count = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

// What is on the disk after a power cut is the business of other tests; these ask a thousand times.
const open: OpenStore = (clock) =>
  new SqliteStore({ path: path.join(directory, `${++count}.db`), clock, synchronous: "NORMAL" });

sharedReadsSuite("SqliteStore", open);
workQueueSuite("SqliteStore", open);
streamSuite("SqliteStore", open);
periodicSuite("SqliteStore", open);
discoverySuite("SqliteStore", open);
