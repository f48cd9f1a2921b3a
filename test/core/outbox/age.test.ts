import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  createIdGenerator,
  createOutgoingMessage,
  Ledger,
  ManualClock,
  MemoryStore,
  Outbox,
  SenderWorker,
  silentLogger,
} from "../../../core/mod.ts";
import { BUSY, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

async function scene() {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const shared = { store, clock, logger: silentLogger, newId: createIdGenerator(() => clock.now()) };
  const ledger = new Ledger(shared);
  const outbox = new Outbox({ ...shared, ledger });
  const communicator = new ScriptedCommunicator("chat");
  await communicator.start();
  await outbox.start();
  const policy = { maxAgeMs: 10_000, retry: { maxAttempts: 100, baseDelayMs: 4_000 } };
  const sender = new SenderWorker({ ...shared, outbox, communicator, policy, workerId: "w", random: () => 0.5 });
  const emit = async (notBefore?: number): Promise<void> => {
    const message = createOutgoingMessage(
      { id: "m", message: "later", ...(notBefore === undefined ? {} : { notBefore }) },
      { newId: shared.newId, now: () => clock.now() },
    );
    await outbox.enqueue(message, await outbox.prepare(message, [{ backendName: "chat" }]));
  };
  const statuses = async () => (await ledger.eventsOf("m")).map(({ status }) => status);
  const stop = async (): Promise<void> => {
    await sender.stop();
    await outbox.stop();
    await store.close();
  };
  return { clock, communicator, sender, emit, statuses, stop };
}

describe("SenderPolicy.maxAgeMs", () => {
  it("counts from when a message is due: one that is to be sent much later is not too old by then", async () => {
    const { clock, communicator, sender, emit, statuses, stop } = await scene();
    await emit(clock.now() + 30_000);
    await clock.advance(30_001);
    await sender.pump();
    assert.deepEqual(communicator.texts, ["later"]);
    assert.deepEqual(await statuses(), ["queued", "attempting", "accepted"]);
    await stop();
  });

  it("holds though the network asks for a wait of years", async () => {
    const { clock, communicator, sender, emit, statuses, stop } = await scene();
    const years = { outcome: "rejected", retryable: true, reason: "rate-limited", retryAfterMs: 1e12 } as const;
    communicator.script.push(years);
    await emit();
    await sender.pump();
    await clock.advance(10_001);
    await sender.pump();
    assert.deepEqual(await statuses(), ["queued", "attempting", "rejected", "dead"]);
    await stop();
  });

  it("gives up what is refused for the moment too long", async () => {
    const { clock, communicator, sender, emit, statuses, stop } = await scene();
    communicator.script.push(...Array.from({ length: 50 }, () => BUSY));
    await emit(clock.now() + 30_000);
    await clock.advance(30_000);
    for (let round = 0; round < 40; round++) {
      await sender.pump();
      await clock.advance(1_000);
    }
    assert.equal((await statuses()).at(-1), "dead");
    await stop();
  });
});
