import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, ManualClock, MemoryStore, type ReceivedMessage } from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
}

async function scene(): Promise<Scene> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now() });
  const app = await Application.create({}, {
    clock,
    store,
    communicators: [{ communicator: chat }],
    random: () => 0.5,
  });
  return { clock, store, chat, app };
}

async function stop({ app, clock }: Scene): Promise<void> {
  let over = false;
  void app.stop().then(() => over = true);
  await eventually(clock, () => over, 1_000, 100);
}

/** What a loop gets that does not wait. */
async function nothing({ app, clock }: Scene): Promise<ReceivedMessage | undefined> {
  const received = app.messenger.recvMsg({ block: false });
  await clock.advance(1);
  return await received;
}

describe("RouterWorker", () => {
  it("tries again soon, not when the lease ends, when somebody changed the conversation's state meanwhile", async () => {
    const it = await scene();
    const start = it.clock.now();
    const at: number[] = [];
    it.app.messenger.route(async (context) => {
      at.push(it.clock.now() - start);
      const count = Number(await context.state.get() ?? 0);
      if (at.length === 1) {
        await it.store.commit([{ type: "set-state", key: "conversation/chat/ann", value: 41 }]);
      }
      context.state.set(count + 1);
    });
    await it.chat.receive([said("1", "ann", "hello")]);
    await eventually(it.clock, () => at.length === 2, 10, 1_000);
    assert.ok((at[1] ?? 0) <= 5_000, `tried again after ${at[1]} ms`);
    await it.clock.advance(10);
    assert.equal((await it.store.getState("conversation/chat/ann"))?.value, 42);
    await stop(it);
  });

  it("is not hurt by an observer that throws, and neither is whoever hands messages in", async () => {
    const it = await scene();
    const handled: string[] = [];
    it.app.inbox.observe(() => {
      throw new Error("observer");
    });
    it.app.outbox.observe(() => {
      throw new Error("observer");
    });
    it.app.messenger.route((context) => {
      handled.push(context.message.text);
      context.reply("yes");
    });
    await it.chat.receive([said("1", "ann", "hello")]);
    await eventually(it.clock, () => it.chat.seen.length === 1, 1, 100);
    assert.deepEqual(handled, ["hello"]);
    const report = await it.app.emit({ message: "hello" });
    assert.equal(report.deliveries.length, 1);
    await stop(it);
  });
});

describe("Messenger.recvMsg", () => {
  it("recvMsg() does not hand out a message whose lease was lost while nobody took it", async () => {
    const it = await scene();
    assert.equal(await nothing(it), undefined);
    await it.chat.receive([said("1", "ann", "hello")]);
    await it.clock.advance(1);
    assert.equal(await it.store.clear(it.app.inbox.queue.key), 1);
    await it.clock.advance(60_000);
    assert.equal(await nothing(it), undefined);
    await stop(it);
  });
});
