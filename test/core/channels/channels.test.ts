import { MemoryStore } from "../../../core/mod.ts";
import type { OpenStore } from "./channel-bench.ts";
import { discoverySuite } from "./discovery.suite.ts";
import { periodicSuite } from "./periodic.suite.ts";
import { sharedReadsSuite } from "./shared-reads.suite.ts";
import { streamSuite } from "./stream.suite.ts";
import { workQueueSuite } from "./work-queue.suite.ts";

const open: OpenStore = (clock) => new MemoryStore({ clock });

sharedReadsSuite("MemoryStore", open);
workQueueSuite("MemoryStore", open);
streamSuite("MemoryStore", open);
periodicSuite("MemoryStore", open);
discoverySuite("MemoryStore", open);
