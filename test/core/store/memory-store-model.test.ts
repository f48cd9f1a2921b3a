import { MemoryStore } from "../../../core/store/memory-store.ts";
import { describeStoreModel } from "../../store/model-run.ts";

describeStoreModel("MemoryStore", (clock) => Promise.resolve(new MemoryStore({ clock })));
