import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type CommitOptions,
  type CommitResult,
  fallback,
  ManualClock,
  MemoryStore,
  StoreError,
  type StoreOperation,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { ScriptedCommunicator } from "../../support/scripted-communicator.ts";

/** A store that fails at a commit that moves a plan, once, and counts the commits that do. */
class FailingStore extends MemoryStore {
  failures = 0;
  moves: (readonly StoreOperation[])[] = [];

  override commit(operations: readonly StoreOperation[], options?: CommitOptions): Promise<CommitResult> {
    if (operations.some((each) => each.type === "set-state" && each.key.startsWith("plan/"))) {
      if (this.failures-- > 0) return Promise.reject(new StoreError("Cannot commit: the disk is full"));
      this.moves.push(operations);
    }
    return super.commit(operations, options);
  }
}

async function scene() {
  const clock = new ManualClock();
  const store = new FailingStore({ clock });
  const chat = new ScriptedCommunicator("chat");
  const mail = new ScriptedCommunicator("mail");
  const reach = { type: "fallback", channels: ["chat", "mail"], confirm: "read", within: 300, labels: ["page"] };
  const app = await Application.create(
    { communications: { enabled: true, backends: { chat: { type: "chat" }, mail: { type: "mail" }, reach } } },
    { backends: [fallback, ...[chat, mail].map((each) => ({ type: each.name, create: () => each }))], clock, store },
  );
  const report = await app.emit({ message: "fire", label: "page" });
  await eventually(clock, () => chat.seen.length === 1);
  await clock.advance(20);
  const stop = async (): Promise<void> => {
    let stopped = false;
    const done = app.stop().then(() => stopped = true);
    await eventually(clock, () => stopped, 1_000);
    await done;
    await store.close();
  };
  return { clock, store, chat, mail, app, report, stop };
}

describe("what a provider says of a step", () => {
  it("Communicator.receiveReceipts() commits a word and the move of its plan together", async () => {
    const { clock, store, chat, mail, app, report, stop } = await scene();
    const read = [{ providerMessageId: "p1", status: "read" as const, timestamp: clock.now() }];
    store.failures = 1;
    await assert.rejects(chat.receiveReceipts(read), StoreError);
    const events = await app.ledger.eventsOf(report.messageId);
    assert.ok(!events.some(({ status }) => status === "read"), "what is not committed is not recorded");
    store.moves = [];
    await chat.receiveReceipts(read); // the provider says it again
    assert.equal(store.moves.length, 1);
    assert.equal(
      store.moves[0]?.filter(({ type }) => type === "append").length,
      2,
      "the word, and the end of the plan",
    );
    assert.equal((await report.settled())[0]?.status, "accepted");
    await clock.advance(600_000);
    assert.deepEqual(mail.seen, []);
    await stop();
  });

  it("keeps a plan longer than anything of it may wait, and its end for thirty days", async () => {
    const { clock, store, chat, app, report, stop } = await scene();
    const planId = report.deliveries[0]?.deliveryId ?? "";
    const ttls = (): readonly (number | undefined)[] =>
      store.moves.flat().flatMap((each) => each.type === "set-state" && each.key.endsWith(planId) ? [each.ttlMs] : []);
    assert.ok(ttls().length > 0 && ttls().every((ttlMs) => ttlMs === 400 * 86_400_000 + 300_000), `${ttls()}`);
    await chat.receiveReceipts([{ providerMessageId: "p1", status: "read", timestamp: clock.now() }]);
    assert.equal(ttls().at(-1), 30 * 86_400_000);
    assert.ok((await app.plans.find(planId))?.outcome === "delivered");
    await stop();
  });

  it("Communicator.receiveReceipts() takes several words on one plan at once, in their order", async () => {
    const { clock, chat, mail, app, report, stop } = await scene();
    const at = clock.now();
    await chat.receiveReceipts([
      { providerMessageId: "p1", status: "sent", timestamp: at },
      { providerMessageId: "p1", status: "delivered", timestamp: at },
      { providerMessageId: "p1", status: "read", timestamp: at },
      { providerMessageId: "nobody-knows", status: "read", timestamp: at },
    ]);
    const statuses = (await app.ledger.eventsOf(report.messageId)).map(({ status, backendName }) =>
      `${backendName} ${status}`
    );
    assert.deepEqual(statuses.slice(-3), ["chat delivered", "chat read", "reach accepted"]);
    assert.equal((await app.inbox.quarantine.query({ limit: 10 })).messages.length, 1);
    await clock.advance(600_000);
    assert.deepEqual(mail.seen, []);
    await stop();
  });
});
