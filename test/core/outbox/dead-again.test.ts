import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, ConflictError, ManualClock, MemoryStore } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { LOST, REFUSED, said, ScriptedCommunicator, type ScriptStep } from "../../support/scripted-communicator.ts";

/** An application whose store forgets ids at once, as any store does after `dedupe` days. */
async function scene(script: readonly ScriptStep[], config: Record<string, unknown> = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock, maxRememberedIds: 0 });
  const chat = new ScriptedCommunicator("chat", { script });
  const app = await Application.create(
    {
      inbox: { max_deliveries: 1 },
      communications: { enabled: true, backends: { chat: { type: "chat", labels: ["*"], ...config } } },
    },
    { backends: [{ type: "chat", create: () => chat }], clock, store, closeStore: true, random: () => 0.5 },
  );
  const stop = async (): Promise<void> => {
    let stopped = false;
    const done = app.stop().then(() => stopped = true);
    await eventually(clock, () => stopped, 1_000);
    await done;
  };
  return { clock, chat, app, stop };
}

describe("what is given up a second time under an id among the dead letters", () => {
  it("is a dead letter in the place of the one before: a delivery", async () => {
    const { clock, app, stop } = await scene([REFUSED, REFUSED]);
    for (const message of ["one", "two"]) {
      await app.emit({ id: "m", message });
      await clock.advance(100);
    }
    assert.deepEqual((await app.outbox.deadLetters()).map(({ row }) => row.message.message), ["two"]);
    await stop();
  });

  it("is not lost by a redrive of the one before", async () => {
    const { clock, app, stop } = await scene([REFUSED, LOST], { on_unknown: "hold" });
    for (const message of ["one", "two"]) {
      await app.emit({ id: "m", message });
      await clock.advance(100);
    }
    const [dead] = await app.outbox.deadLetters();
    await assert.rejects(app.redrive(dead?.row.deliveryId ?? ""), ConflictError);
    assert.deepEqual((await app.outbox.deadLetters()).map(({ row }) => row.message.message), ["one"]);
    assert.deepEqual((await app.outbox.held()).map(({ message }) => message.message), ["two"]);
    await stop();
  });

  it("is a dead letter in the place of the one before: a delivery a person gave up", async () => {
    const { clock, app, stop } = await scene([REFUSED, LOST], { on_unknown: "hold" });
    for (const message of ["one", "two"]) {
      await app.emit({ id: "m", message });
      await clock.advance(100);
    }
    const [held] = await app.outbox.held();
    assert.equal(await app.resolve(held?.deliveryId ?? "", "next"), true);
    assert.deepEqual((await app.outbox.deadLetters()).map(({ row }) => row.message.message), ["two"]);
    await stop();
  });

  it("is a dead letter in the place of the one before: a message that came in", async () => {
    const { clock, chat, app, stop } = await scene([]);
    app.messenger.route(() => Promise.reject(new Error("broken")));
    for (const text of ["one", "two"]) {
      await chat.receive([said("chat:1", "ann", text)]);
      await clock.advance(100);
    }
    const letters = await app.inbox.deadLetters();
    assert.deepEqual(letters.map(({ content }) => (content as { text?: unknown }).text), ["two"]);
    await stop();
  });
});
