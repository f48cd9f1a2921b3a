import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  type DeliveryEvent,
  Ledger,
  ManualClock,
  MemoryStore,
  NotRunningError,
  silentLogger,
} from "../../../core/mod.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly ledger: Ledger;
  readonly record: (status: DeliveryEvent["status"]) => Promise<void>;
}

function scene(): Scene {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  let ids = 0;
  const ledger = new Ledger({ store, clock, logger: silentLogger, newId: () => `e${++ids}` });
  const record = async (status: DeliveryEvent["status"]): Promise<void> => {
    const event: DeliveryEvent = { deliveryId: "d", messageId: "m", backendName: "chat", status, at: clock.now() };
    await store.commit([ledger.operation(event)]);
  };
  return { clock, store, ledger, record };
}

describe("Ledger.waitFor", () => {
  it("waitFor() works after it was called too early", async () => {
    const { ledger, record } = scene();
    await assert.rejects(ledger.waitFor("d"));
    await ledger.start();
    await record("accepted");
    assert.equal((await ledger.waitFor("d")).status, "accepted");
    await ledger.stop();
  });

  it("waitFor() after a redrive waits for the new end, not the old one", async () => {
    const { clock, ledger, record } = scene();
    await ledger.start();
    for (const status of ["queued", "dead", "redriven"] as const) await record(status);
    const end = ledger.waitFor("d");
    await clock.advance(1);
    await record("accepted");
    assert.equal((await end).status, "accepted");
    await ledger.stop();
  });

  it("waitFor() rejects when the ledger stops", async () => {
    const { clock, ledger, record } = scene();
    await ledger.start();
    await record("queued");
    const refused = assert.rejects(ledger.waitFor("d"), NotRunningError);
    await clock.advance(1);
    await ledger.stop();
    await refused;
  });
});
