import { MemoryStore } from "../../../core/store/memory-store.ts";
import { describeMessageStore } from "../../contract/message-store.contract.ts";

describeMessageStore("MemoryStore", (options) => Promise.resolve(new MemoryStore(options)), {
  capabilities: { atomicBatch: true, lanes: "exact", notBefore: true, notifies: "process", durable: false },
});
