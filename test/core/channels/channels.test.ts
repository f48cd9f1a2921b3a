import { MemoryStore } from "../../../core/mod.ts";
import type { OpenStore } from "./channel-bench.ts";
import { sharedReadsSuite } from "./shared-reads.suite.ts";
import { workQueueSuite } from "./work-queue.suite.ts";

const open: OpenStore = (clock) => new MemoryStore({ clock });

sharedReadsSuite("MemoryStore", open);
workQueueSuite("MemoryStore", open);
