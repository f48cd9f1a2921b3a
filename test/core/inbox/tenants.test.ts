import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { createIdGenerator, Inbox, ManualClock, MemoryStore, RouterWorker, silentLogger } from "../../../core/mod.ts";
import { said } from "../../support/scripted-communicator.ts";

describe("RouterWorker of two tenants on one store", () => {
  it("keeps the state of their conversations apart, though they have the same names", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const counts: unknown[] = [];
    for (const namespace of ["one", "default", "one"]) {
      const shared = { store, clock, logger: silentLogger, newId: createIdGenerator(() => clock.now()), namespace };
      const inbox = new Inbox(shared);
      await inbox.start();
      await inbox.accept([said(`chat:${counts.length}`, "ann", "hello")]);
      const router = new RouterWorker({
        ...shared,
        inbox,
        workerId: namespace,
        prepareSends: () => Promise.resolve({ operations: [], committed: () => {} }),
        handler: async ({ state }) => {
          const count = Number(await state.get() ?? 0) + 1;
          state.set(count);
          counts.push([namespace, count]);
        },
      });
      await router.pump();
      await router.stop();
      await inbox.stop();
    }
    assert.deepEqual(counts, [["one", 1], ["default", 1], ["one", 2]]);
    await store.close();
  });
});
