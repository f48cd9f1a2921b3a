import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  CommunicationDispatcher,
  type Logger,
  ManualClock,
  MemoryStore,
  type Receipt,
} from "../../../core/mod.ts";
import { ScriptedCommunicator } from "../../support/scripted-communicator.ts";

/** What a backend written without types may answer, how often it is then sent, how that ends, and what is said of it. */
const ODD: readonly (readonly [receipt: object, sends: number, status: string, reason: string | undefined])[] = [
  [{ outcome: "accepted", providerMessageId: 17 }, 1, "accepted", undefined],
  [{ outcome: "accepted", providerMessageIds: "p1", detail: 5 }, 1, "accepted", undefined],
  [{ outcome: "accepted", providerMessageId: undefined, detail: undefined }, 1, "accepted", undefined],
  [{ outcome: "accepted", providerMessageId: "" }, 1, "accepted", undefined],
  [{ outcome: "skipped" }, 1, "skipped", undefined],
  [{ outcome: "rejected" }, 1, "dead", "other"],
  [{ outcome: "rejected", retryable: false, reason: 5, code: 400, detail: {} }, 1, "dead", "other"],
  [{ outcome: "rejected", retryable: true, reason: "unavailable", retryAfterMs: Infinity }, 2, "accepted", undefined],
  [{ outcome: "rejected", retryable: true, reason: "unavailable", retryAfterMs: "5" }, 2, "accepted", undefined],
  [{ outcome: "rejected", retryable: true, reason: "unavailable", progress: () => {} }, 2, "accepted", undefined],
  [{ outcome: "rejected", retryable: true, reason: "unavailable", progress: { at: 1n } }, 2, "accepted", undefined],
  [{ outcome: "unknown" }, 2, "accepted", undefined],
];

describe("a backend whose receipts are not what they must be", () => {
  it("is taken at its word as far as it can be, and what is wrong is logged", async () => {
    for (const [receipt, sends, status, reason] of ODD) {
      const clock = new ManualClock();
      const store = new MemoryStore({ clock });
      const chat = new ScriptedCommunicator("chat", { script: [receipt as Receipt] });
      const errors: string[] = [];
      const logger: Logger = { debug() {}, info() {}, warn() {}, error: (message) => void errors.push(message) };
      const app = await Application.create(
        { communications: { enabled: true, backends: { chat: { type: "chat", labels: ["*"] } } } },
        { backends: [{ type: "chat", create: () => chat }], clock, store, logger, random: () => 0.5 },
      );
      const report = await app.emit({ message: "hello" });
      await clock.advance(10_000);
      const end = (await app.ledger.eventsOf(report.messageId)).at(-1);
      const name = Object.entries(receipt).join(" ");
      assert.deepEqual([chat.seen.length, end?.status, end?.reason], [sends, status, reason], name);
      assert.equal((await (await app.outbox.queue("chat")).stats()).stored, 0, name);
      const stopped = app.stop();
      for (let turn = 0; turn < 20; turn++) await clock.advance(1_000);
      await stopped;
      await store.close();
    }
  });

  it("keeps nobody's report from emit() without an outbox", async () => {
    const dispatcher = new CommunicationDispatcher();
    for (const [name, receipt] of [["odd", undefined], ["even", { outcome: "accepted", detail: 5 }]] as const) {
      dispatcher.register(new ScriptedCommunicator(name, { script: [() => Promise.resolve(receipt as never)] }), ["*"]);
    }
    await dispatcher.startAll();
    const { deliveries } = await dispatcher.emit({ message: "hello" });
    assert.deepEqual(deliveries.map(({ status, receipt }) => [status, receipt?.detail]), [
      ["unknown", "the backend gave no receipt"],
      ["accepted", undefined],
    ]);
  });
});
