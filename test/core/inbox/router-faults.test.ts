import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type Destination,
  ManualClock,
  MemoryStore,
  type OutgoingMessage,
  type ReceivedMessage,
  ValidationError,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
}

/** A network whose addresses are rooms with topics: `room/topic`. The topics of a room share its pace. */
class Rooms extends ScriptedCommunicator {
  override destinations(message: OutgoingMessage): readonly Destination[] {
    if (message.recipients.length === 0) return super.destinations(message);
    return message.recipients.map((recipient) => ({ recipient, lane: recipient.split("/")[0] ?? recipient }));
  }
}

async function scene(options: { readonly mode?: "workers" | "pump" } = {}): Promise<Scene> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const chat = new Rooms("chat", { now: () => clock.now() });
  const app = await Application.create({}, {
    ...options,
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

  it("puts answers into the lane that the backend names for their address", async () => {
    const it = await scene({ mode: "pump" });
    it.app.messenger.route((context) => {
      context.reply("here");
      context.send("there", "chat:den/9");
    });
    await it.chat.receive([said("1", "den/1", "hello"), said("2", "attic", "hello")]);
    assert.equal(await it.app.messenger.pump(), 2);
    await it.app.messenger.sendMsg("and there", "chat:den/3");
    const { messages } = await it.store.query({ channel: (await it.app.outbox.queue("chat")).key });
    assert.deepEqual(messages.map(({ orderingKey }) => orderingKey).sort(), ["attic", "den", "den", "den", "den"]);
    await it.app.pump();
    assert.deepEqual(it.chat.seen.map(({ recipient }) => recipient).sort(), [
      "attic",
      "den/1",
      "den/3",
      "den/9",
      "den/9",
    ]);
    await stop(it);
  });

  it("tells observers once that an answer is queued, though it be said again", async () => {
    const it = await scene();
    const queued: string[] = [];
    it.app.outbox.observe(({ status, messageId }) => {
      if (status === "queued") queued.push(messageId);
    });
    it.app.messenger.route((context) => {
      context.reply({ id: "the-answer", message: "yes" });
    });
    await it.chat.receive([said("1", "ann", "hello"), said("2", "bob", "hello"), said("3", "ann", "again")]);
    await eventually(it.clock, () => it.chat.seen.length === 2, 1, 100);
    await it.clock.advance(10);
    await it.app.messenger.sendMsg({ id: "the-answer", message: "yes" }, "chat:ann");
    assert.deepEqual(queued, ["the-answer", "the-answer"]);
    assert.deepEqual(it.chat.seen.map(({ recipient }) => recipient).sort(), ["ann", "bob"]);
    await stop(it);
  });

  it("is waited for by stop() when it runs in a pump", async () => {
    const it = await scene({ mode: "pump" });
    const done: string[] = [];
    it.app.messenger.route(async (context) => {
      await it.clock.sleep(3_000);
      context.reply("at last");
      done.push(context.message.id);
    });
    await it.chat.receive([said("1", "ann", "hello")]);
    const pumping = it.app.messenger.pump();
    await it.clock.advance(1_000);
    let stopped = false;
    const stopping = it.app.stop().then(() => void (stopped = true));
    await it.clock.advance(1_000);
    assert.deepEqual([stopped, done], [false, []]);
    await eventually(it.clock, () => stopped, 500, 20);
    await stopping;
    assert.deepEqual(done, ["1"]);
    assert.equal(await pumping, 1);
    assert.equal((await it.store.stats(it.app.inbox.queue.key)).stored, 0);
    assert.equal((await it.store.stats((await it.app.outbox.queue("chat")).key)).stored, 1);
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

describe("Inbox.accept", () => {
  it("takes ids as long and as odd as they come, answers each, and refuses what is no text", async () => {
    const it = await scene();
    it.app.messenger.route((context) => void context.reply(`to ${context.message.text}`));
    const ids = ["x".repeat(200), `${"x".repeat(198)}/1`, "a b", "a%20b", "a%2520b", "ä".repeat(33), "__proto__"];
    await it.chat.receive(ids.map((id, index) => said(id, `c${index}`, `${index}`)));
    await it.chat.receive(ids.map((id, index) => said(id, `c${index}`, `${index}`)));
    await eventually(it.clock, () => it.chat.seen.length === ids.length, 100, 100);
    await it.clock.advance(1_000);
    assert.deepEqual([...it.chat.texts].sort(), ids.map((_id, index) => `to ${index}`));
    assert.deepEqual(await it.app.inbox.deadLetters(), []);
    for (const id of ["x".repeat(201), "ä".repeat(67), "a\ud800", "a\nb", ""]) {
      await assert.rejects(it.chat.receive([said(id, "c", "x")]), ValidationError, JSON.stringify(id));
    }
    await stop(it);
  });
});
