import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  ManualClock,
  MemoryStore,
  Message,
  type MessageContext,
  PosthornError,
  Router,
  StoreError,
  ValidationError,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly chat: ScriptedCommunicator;
  readonly app: Application;
  readonly store: MemoryStore;
}

async function scene(): Promise<Scene> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const chat = new ScriptedCommunicator("chat", { now: () => clock.now() });
  const app = await Application.create({}, {
    clock,
    store,
    closeStore: true,
    communicators: [{ communicator: chat }],
    random: () => 0.5,
  });
  return { clock, chat, app, store };
}

async function stop({ app, clock }: Scene): Promise<void> {
  const stopped = app.stop();
  for (let turn = 0; turn < 40; turn++) await clock.advance(1_000);
  await stopped;
}

describe("Messenger.route", () => {
  it("answers in the conversation, once", async () => {
    const it = await scene();
    it.app.messenger.route((context) => void context.reply(`You said: ${context.message.text}`));
    await it.chat.receive([said("1", "ann", "hello")]);
    await it.chat.receive([said("1", "ann", "hello")]);
    await eventually(it.clock, () => it.chat.seen.length > 0);
    await it.chat.receive([said("1", "ann", "hello")]);
    await it.clock.advance(10);
    assert.deepEqual(it.chat.seen.map((each) => [each.recipient, each.text]), [["ann", "You said: hello"]]);
    await stop(it);
  });

  it("handles one at a time in a conversation, in order, and conversations at the same time (L4)", async () => {
    const it = await scene();
    const log: string[] = [];
    it.app.messenger.route(async ({ message }) => {
      log.push(`+${message.text}`);
      await it.clock.sleep(message.conversation === "slow" ? 10_000 : 10);
      log.push(`-${message.text}`);
    });
    await it.chat.receive([
      said("1", "slow", "s1"),
      said("2", "slow", "s2"),
      said("3", "fast", "f1"),
      said("4", "fast", "f2"),
    ]);
    await it.clock.advance(25_000);
    assert.deepEqual(log, ["+s1", "+f1", "-f1", "+f2", "-f2", "-s1", "+s2", "-s2"]);
    await stop(it);
  });

  it("tries again after a throw, with nothing said or kept of the try that threw (L2)", async () => {
    const it = await scene();
    const attempts: number[] = [];
    it.app.messenger.route(async (context) => {
      attempts.push(context.attempt);
      const seen = Number(await context.state.get() ?? 0);
      context.state.set(seen + 1);
      context.reply(`answer ${seen}`);
      if (context.attempt < 3) throw new Error("not yet");
    });
    await it.chat.receive([said("1", "ann", "one"), said("2", "ann", "two")]);
    await eventually(it.clock, () => it.chat.seen.length === 2, 1_000);
    assert.deepEqual(attempts, [1, 2, 3, 1, 2, 3]);
    assert.deepEqual(it.chat.texts, ["answer 0", "answer 1"]);
    await stop(it);
  });

  it("gives poison up after maxDeliveries, lets the conversation go on, and redrives on demand", async () => {
    const it = await scene();
    let poisoned = true;
    it.app.messenger.route(({ message, reply: _reply, ...rest }) => {
      if (message.text === "poison" && poisoned) throw new Error("indigestible");
      void rest;
    });
    await it.chat.receive([said("1", "ann", "poison"), said("2", "ann", "fine")]);
    await it.clock.advance(600_000);
    const [dead] = await it.app.inbox.deadLetters();
    assert.equal(dead?.dead.reason, "handler-error");
    assert.equal(dead?.dead.failures.length, 8);
    assert.equal((await it.app.inbox.queue.stats()).stored, 0);
    poisoned = false;
    assert.equal(await it.app.inbox.redrive(dead?.id ?? ""), true);
    await it.clock.advance(10);
    assert.equal((await it.app.inbox.deadLetters()).length, 0);
    assert.equal((await it.app.inbox.queue.stats()).stored, 0);
    await stop(it);
  });

  it("keeps a long handler's lease alive", async () => {
    const it = await scene();
    let runs = 0;
    it.app.messenger.route(async () => {
      runs++;
      await it.clock.sleep(300_000);
    });
    await it.chat.receive([said("1", "ann", "long")]);
    await it.clock.advance(310_000);
    assert.equal(runs, 1);
    assert.equal((await it.app.inbox.queue.stats()).stored, 0);
    await stop(it);
  });

  it("says nothing twice when the process dies after the handler and before the commit", async () => {
    const it = await scene();
    it.app.messenger.route((context) => void context.reply("answer"));
    const { store } = it;
    const commit = store.commit.bind(store);
    let refused = 0;
    store.commit = (operations, options) => {
      const isSettlement = operations[0]?.type === "ack" && operations.length > 1;
      if (isSettlement && refused++ === 0) {
        return Promise.resolve({ committed: false, results: [{ status: "lease-lost" }] });
      }
      return commit(operations, options);
    };
    await it.chat.receive([said("1", "ann", "hello")]);
    await eventually(it.clock, () => it.chat.seen.length > 0, 1_000);
    await it.clock.advance(120_000);
    assert.deepEqual(it.chat.texts, ["answer"]);
    await stop(it);
  });

  it("refuses words after the handler has returned: they would go nowhere", async () => {
    const it = await scene();
    let kept: MessageContext | undefined;
    it.app.messenger.route((context) => void (kept = context));
    await it.chat.receive([said("1", "ann", "hello")]);
    await it.clock.advance(10);
    assert.throws(() => kept?.reply("late"), PosthornError);
    await stop(it);
  });

  it("routes by command, pattern, kind, backend and fallback", async () => {
    const it = await scene();
    it.app.messenger.route(
      new Router()
        .command("/start", (context) => void context.reply("command"))
        .text(/^ping$/gi, (context) => void context.reply("pattern"))
        .kind("image", (context) => void context.reply("kind"))
        .when((message) => message.text === "when", (context) => void context.reply("when"))
        .otherwise((context) => void context.reply("otherwise")),
    );
    const texts = ["/start now", "/START@bot", "/started", "ping", "PING", "when", "what"];
    await it.chat.receive(texts.map((text, index) => said(`${index}`, "ann", text)));
    await it.chat.receive([{ ...said("p", "ann", ""), kind: "image" }]);
    await eventually(it.clock, () => it.chat.seen.length === 8);
    assert.deepEqual(it.chat.texts, [
      "command",
      "command",
      "otherwise",
      "pattern",
      "pattern",
      "when",
      "otherwise",
      "kind",
    ]);
    await stop(it);
  });

  it("gives the handler of a command what stands behind it", async () => {
    const it = await scene();
    it.app.messenger.route(
      new Router().command("add", (context, words) => void context.reply(`[${words}]`)),
    );
    const texts = ["/add milk  and bread ", "/ADD@bot milk", "/add", "/add\n/add two\nthree", "/add \t "];
    await it.chat.receive(texts.map((text, index) => said(`${index}`, "ann", text)));
    await eventually(it.clock, () => it.chat.seen.length === 5);
    assert.deepEqual(it.chat.texts, ["[milk  and bread]", "[milk]", "[]", "[/add two\nthree]", "[]"]);
    await stop(it);
  });

  it("takes no word from the network for a command to the program (L3)", async () => {
    const it = await scene();
    it.app.messenger.route((context) => void context.reply("still here"));
    const stopMessage = Message.fromPayload(
      { sender: "ann", msg_type: "_stop", raw_msg: "_stop", client_type: "chat" },
      1,
    );
    assert.equal(stopMessage.kind, "unsupported");
    assert.equal(stopMessage.metadata["msg_type"], "_stop");
    await it.chat.receive([stopMessage, said("2", "ann", "_stop")]);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    assert.deepEqual(it.chat.texts, ["still here", "still here"]);
    await stop(it);
  });

  it("answers somebody else by send(), and an unknown backend is an error that a dead letter shows", async () => {
    const it = await scene();
    it.app.messenger.route((context) => void context.send("note", context.message.text));
    await it.chat.receive([said("1", "ann", "chat:bob"), said("2", "eve", "+1")]);
    await eventually(it.clock, () => it.chat.seen.length === 2);
    assert.deepEqual(it.chat.seen.map((each) => each.recipient).sort(), ["+1", "bob"]);
    await stop(it);
  });
});

describe("Messenger.recvMsg", () => {
  it("gives messages one by one, each acknowledged by the call for the next", async () => {
    const it = await scene();
    await it.chat.receive([said("1", "ann", "one"), said("2", "ann", "two")]);
    const first = await it.app.messenger.recvMsg();
    assert.equal(first?.text, "one");
    assert.equal((await it.app.inbox.queue.stats()).stored, 2);
    const second = await it.app.messenger.recvMsg();
    assert.equal(second?.text, "two");
    assert.equal((await it.app.inbox.queue.stats()).stored, 1);
    await second?.ack();
    await it.clock.advance(1);
    assert.equal((await it.app.inbox.queue.stats()).stored, 0);
    await stop(it);
  });

  it("returns undefined at once with block: false, and after timeoutMs", async () => {
    const it = await scene();
    const none = it.app.messenger.recvMsg({ block: false });
    await it.clock.advance(1);
    assert.equal(await none, undefined);
    const waited = it.app.messenger.recvMsg({ timeoutMs: 500 });
    await it.clock.advance(500);
    assert.equal(await waited, undefined);
    const waiting = it.app.messenger.recvMsg();
    await it.chat.receive([said("1", "ann", "late")]);
    assert.equal((await waiting)?.text, "late");
    await stop(it);
  });

  it("gives with block: false what waits, message by message, also from a store that takes its time", async () => {
    const it = await scene();
    for (const name of ["ann", "ben", "cleo"]) await it.chat.receive([said(name, name, `from ${name}`)]);
    const claim = it.store.claim.bind(it.store);
    it.store.claim = async (request) => {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve));
      return await claim(request);
    };
    const texts: unknown[] = [];
    for (let call = 0; call < 4; call++) texts.push((await it.app.messenger.recvMsg({ block: false }))?.text);
    assert.deepEqual(texts, ["from ann", "from ben", "from cleo", undefined]);
    it.store.claim = () => Promise.reject(new StoreError("Cannot claim: the disk is full"));
    assert.equal(await it.app.messenger.recvMsg({ block: false }), undefined);
    await stop(it);
  });

  it("rejects with the signal's reason, and loses nothing by it", async () => {
    const it = await scene();
    const controller = new AbortController();
    const waiting = it.app.messenger.recvMsg({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await it.chat.receive([said("1", "ann", "hello")]);
    assert.equal((await it.app.messenger.recvMsg())?.text, "hello");
    await stop(it);
  });

  it("gives a message back by nack() for another try", async () => {
    const it = await scene();
    await it.chat.receive([said("1", "ann", "hello")]);
    const first = await it.app.messenger.recvMsg();
    await first?.nack();
    const again = it.app.messenger.recvMsg();
    await it.clock.advance(60_000);
    assert.equal((await again)?.text, "hello");
    await stop(it);
  });

  it("answers once by sendMsg(text, message), though the loop see the message again", async () => {
    const it = await scene();
    await it.chat.receive([said("1", "ann", "hello")]);
    for (let round = 0; round < 2; round++) {
      const received = it.app.messenger.recvMsg();
      await it.clock.advance(60_000);
      const message = await received;
      if (message !== undefined) await it.app.messenger.sendMsg("answer", message);
      await message?.nack();
    }
    await eventually(it.clock, () => it.chat.seen.length > 0);
    await it.clock.advance(100);
    assert.deepEqual(it.chat.texts, ["answer"]);
    await stop(it);
  });

  it("and route() exclude each other", async () => {
    const it = await scene();
    it.app.messenger.route(() => {});
    await assert.rejects(it.app.messenger.recvMsg(), { code: "misuse" });
    await stop(it);
    const other = await scene();
    const waiting = other.app.messenger.recvMsg({ timeoutMs: 1 });
    assert.throws(() => other.app.messenger.route(() => {}), { code: "misuse" });
    await other.clock.advance(1);
    await waiting;
    await stop(other);
  });

  it("gives what a loop holds back when the application stops", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const chat = new ScriptedCommunicator("chat");
    const app = await Application.create({}, { clock, store, communicators: [{ communicator: chat }] });
    await chat.receive([said("1", "ann", "hello")]);
    assert.equal((await app.messenger.recvMsg())?.text, "hello");
    await app.stop();
    const next = await Application.create({}, {
      clock,
      store,
      communicators: [{ communicator: new ScriptedCommunicator("chat") }],
    });
    const again = next.messenger.recvMsg();
    await clock.advance(60_000);
    assert.equal((await again)?.text, "hello");
    await next.stop();
  });
});

describe("Messenger.sendMsg", () => {
  it("takes backend:address, an address on the only backend, and a whole message", async () => {
    const it = await scene();
    await it.app.messenger.sendMsg("one", "chat:ann");
    await it.app.messenger.sendMsg("two", "bob");
    await it.app.messenger.sendMsg({ message: "three", recipients: ["eve"] });
    await eventually(it.clock, () => it.chat.seen.length === 3);
    assert.deepEqual(it.chat.seen.map((each) => `${each.recipient}:${each.text}`).sort(), [
      "ann:one",
      "bob:two",
      "eve:three",
    ]);
    await stop(it);
  });

  it("refuses a text without an address, and an address that names no backend (L7)", async () => {
    const it = await scene();
    await assert.rejects(it.app.messenger.sendMsg("hello"), { code: "routing" });
    it.app.dispatcher.register(new ScriptedCommunicator("other"));
    await assert.rejects(it.app.messenger.sendMsg("hello", "nobody:ann"), { code: "routing" });
    await stop(it);
  });
});

describe("Inbox.accept", () => {
  it("takes a whole batch or none of it", async () => {
    const it = await scene();
    const good = said("1", "ann", "one");
    const bad = { ...said("2", "ann", "two"), metadata: { date: new Date() } };
    await assert.rejects(it.chat.receive([good, bad as never]), ValidationError);
    assert.equal((await it.app.inbox.queue.stats()).stored, 0);
    await it.chat.receive([good]);
    assert.equal((await it.app.inbox.queue.stats()).stored, 1);
    await stop(it);
  });

  it("remembers ids for eight days, so that a provider's repeat after seven is still one", async () => {
    const it = await scene();
    const handled: string[] = [];
    it.app.messenger.route(({ message }) => void handled.push(message.id));
    await it.chat.receive([said("1", "ann", "one")]);
    await it.clock.advance(10);
    it.clock.jumpWall(7 * 86_400_000);
    await it.chat.receive([said("1", "ann", "one")]);
    await it.clock.advance(10);
    assert.deepEqual(handled, ["1"]);
    await stop(it);
  });

  it("publishes to subscribers, whom nobody hurts and who hurt nobody", async () => {
    const it = await scene();
    const heard: string[] = [];
    it.app.dispatcher.incomingPublisher.subscribe(() => {
      throw new Error("bad listener");
    });
    it.app.dispatcher.incomingPublisher.subscribe(() => Promise.reject(new Error("bad async listener")));
    it.app.dispatcher.incomingPublisher.subscribe((event) => void heard.push(event.data.text));
    await it.chat.receive([said("1", "ann", "one")]);
    it.app.messenger.route(() => {});
    await it.chat.receive([said("2", "ann", "two")]);
    await it.clock.advance(10);
    assert.ok(heard.includes("one") && heard.includes("two"));
    await stop(it);
  });
});
