import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { emulator, EmulatorCommunicator, type TranscriptEntry } from "../../../adapters/emulator/mod.ts";
import {
  BackendRegistry,
  ConfigError,
  createOutgoingMessage,
  type DeliveryEvent,
  type IncomingMessage,
  ManualClock,
  MemoryStore,
  type OutgoingMessage,
  PosthornError,
  silentLogger,
  ValidationError,
} from "../../../core/mod.ts";

interface Bench {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly emulator: EmulatorCommunicator;
  readonly received: IncomingMessage[];
}

async function setUp(
  options: {
    readonly maxConversations?: number;
    readonly store?: MemoryStore;
    readonly keepEntries?: number;
  } = {},
): Promise<Bench> {
  const clock = new ManualClock();
  const store = options.store ?? new MemoryStore({ clock });
  const received: IncomingMessage[] = [];
  const communicator = new EmulatorCommunicator("emulator", {
    ...options,
    store,
    clock,
  });
  communicator.setIncomingHandler((messages) => {
    received.push(...messages);
    return Promise.resolve();
  });
  await communicator.start();
  return { clock, store, emulator: communicator, received };
}

async function entriesOf(
  { store, emulator: communicator }: Bench,
): Promise<readonly TranscriptEntry[]> {
  // Writes are in order: one that is awaited comes behind all before it.
  await communicator.stop();
  await communicator.start();
  const { messages } = await store.query({
    channel: communicator.transcript.key,
    limit: 1_000,
  });
  await communicator.transcript.read("test", { limit: 1_000 });
  return (await communicator.transcript.read("other", {
    limit: 1_000,
    after: 0,
  })).map(({ content }, index) => {
    assert.deepEqual(content, messages[index]?.content);
    return content;
  });
}

function message(text: string, recipient = "anna"): OutgoingMessage {
  let count = 0;
  return createOutgoingMessage(
    { message: text, recipients: [recipient] },
    { newId: () => `m${++count}`, now: () => 1_700_000_000_000 },
  );
}

function delivery(
  status: DeliveryEvent["status"],
  more: Partial<DeliveryEvent> = {},
): DeliveryEvent {
  return {
    deliveryId: "d1",
    messageId: "m1",
    backendName: "emulator",
    recipient: "anna",
    status,
    at: 1_700_000_000_001,
    ...more,
  };
}

function context(
  deliveryId = "d1",
  recipient = "anna",
): Parameters<EmulatorCommunicator["send"]>[1] {
  return {
    deliveryId,
    recipient,
    attempt: 1,
    signal: new AbortController().signal,
  };
}

describe("EmulatorCommunicator", () => {
  it("type() takes a message in and writes it to the transcript", async () => {
    const bench = await setUp();
    await bench.emulator.openConversation("anna");
    const id = await bench.emulator.type({
      conversation: "anna",
      text: "Hello\nthere",
      id: "r-1",
    });
    assert.match(id, /^emulator:[0-9a-f]{16}\/r-1$/);
    const [received] = bench.received;
    assert.equal(received?.id, id);
    assert.equal(received?.text, "Hello\nthere");
    assert.equal(received?.conversation, "anna");
    assert.equal(received?.backendName, "emulator");
    assert.deepEqual(await entriesOf(bench), [{
      type: "message",
      from: "person",
      id,
      conversation: "anna",
      text: "Hello\nthere",
      at: 1_700_000_000_000,
      state: "queued",
      ref: "r-1",
    }]);
  });

  it("type() shows the same message once however often it is sent", async () => {
    const bench = await setUp();
    await bench.emulator.openConversation("anna");
    const input = { conversation: "anna", text: "Hello", id: "same" };
    const ids = await Promise.all(
      [1, 2, 3].map(() => bench.emulator.type(input)),
    );
    assert.equal(new Set(ids).size, 1);
    assert.equal((await entriesOf(bench)).length, 1);
  });

  it("type() refuses what is not as it must be, and keeps nothing", async () => {
    const bench = await setUp();
    await bench.emulator.openConversation("anna");
    const bad: readonly [unknown, string][] = [
      [{ conversation: "anna", text: 4 }, "text"],
      [{ conversation: "anna", text: null }, "text"],
      [{ conversation: "anna", text: "" }, "text"],
      [{ conversation: "anna", text: "a\u0000b" }, "text"],
      [{ conversation: "anna", text: "x".repeat(10_001) }, "text"],
      [{ conversation: "anna", text: "x", id: "" }, "id"],
      [{ conversation: "anna", text: "x", id: "a/b" }, "id"],
      [{ conversation: "anna", text: "x", id: 7 }, "id"],
      [{ conversation: "anna", text: "x", more: true }, "body"],
      [{ conversation: "", text: "x" }, "conversation"],
      [{ conversation: "a b", text: "x" }, "conversation"],
      [{ conversation: "x".repeat(65), text: "x" }, "conversation"],
      [{ conversation: "../anna", text: "x" }, "conversation"],
      [{ conversation: ["anna"], text: "x" }, "conversation"],
    ];
    for (const [input, argument] of bad) {
      // What comes over HTTP has whatever type it has.
      const typed = input as { conversation: string; text: string };
      await assert.rejects(
        bench.emulator.type(typed),
        (error) => error instanceof ValidationError && error.argument === argument,
        JSON.stringify(input).slice(0, 80),
      );
    }
    await assert.rejects(
      bench.emulator.type({ conversation: "bob", text: "x" }),
      (error) => error instanceof PosthornError && error.code === "unknown-conversation",
    );
    assert.deepEqual(bench.received, []);
    assert.deepEqual(await entriesOf(bench), []);
  });

  it("type() shows nothing that the inbox did not take", async () => {
    const bench = await setUp();
    await bench.emulator.openConversation("anna");
    bench.emulator.setIncomingHandler(() => Promise.reject(new PosthornError("store", "Cannot append: closed")));
    await assert.rejects(
      bench.emulator.type({ conversation: "anna", text: "Hello" }),
      /Cannot append/,
    );
    assert.deepEqual(await entriesOf(bench), []);
  });

  it("observe() never shows a state before its message", async () => {
    const bench = await setUp();
    await bench.emulator.openConversation("anna");
    bench.emulator.setIncomingHandler(([incoming]) => {
      const step = {
        messageId: incoming?.id ?? "",
        backendName: "emulator",
        conversation: "anna",
        at: 1,
      };
      bench.emulator.observe({ ...step, status: "received" });
      bench.emulator.observe({ ...step, status: "handling", attempt: 1 });
      bench.emulator.observe({ ...step, status: "handled", attempt: 1 });
      return Promise.resolve();
    });
    await bench.emulator.type({ conversation: "anna", text: "Hello" });
    const entries = await entriesOf(bench);
    assert.deepEqual(entries.map((entry) => `${entry.type} ${entry.type === "edit" ? "" : entry.state}`), [
      "message queued",
      "state handling",
      "state handled",
    ]);
  });

  it("observe() shows each step of a delivery as a state", async () => {
    const steps: readonly [DeliveryEvent, string | undefined][] = [
      [delivery("attempting"), undefined],
      [
        delivery("rejected", { attempt: 1, retryAt: 5, detail: "busy" }),
        "retrying",
      ],
      [delivery("unknown", { attempt: 2, retryAt: 6 }), "retrying"],
      [delivery("unknown"), "unknown"],
      [delivery("held"), "held"],
      [delivery("accepted", { attempt: 3 }), "sent"],
      [delivery("failed"), "failed"],
      [delivery("dead"), "failed"],
      [delivery("redriven"), "queued"],
      [delivery("cancelled"), "cancelled"],
      [delivery("skipped"), "cancelled"],
    ];
    const bench = await setUp();
    bench.emulator.observe(delivery("queued"), message("Hello"));
    for (const [step] of steps) bench.emulator.observe(step);
    const [first, ...rest] = await entriesOf(bench);
    assert.equal(first?.type, "message");
    assert.equal(first?.type === "message" && first.text, "Hello");
    assert.deepEqual(
      rest.map((entry) => entry.type === "state" ? entry.state : entry.type),
      steps.flatMap(([, state]) => (state === undefined ? [] : [state])),
    );
    assert.ok(rest.every(({ id }) => id === "d1"));
    const [retrying] = rest;
    assert.equal(retrying?.type === "state" && retrying.detail, "busy");
  });

  it("send() shows a message once, whether it was announced before or not", async () => {
    const bench = await setUp();
    bench.emulator.observe(delivery("queued"), message("announced"));
    assert.equal(
      (await bench.emulator.send(message("announced"), context("d1"))).outcome,
      "accepted",
    );
    assert.equal(
      (await bench.emulator.send(message("announced"), context("d1"))).outcome,
      "accepted",
    );
    assert.equal(
      (await bench.emulator.send(message("not announced"), context("d2")))
        .outcome,
      "accepted",
    );
    const entries = await entriesOf(bench);
    assert.deepEqual(
      entries.map((entry) => entry.type === "message" && entry.text),
      ["announced", "not announced"],
    );
    assert.deepEqual(bench.emulator.conversations, ["anna"]);
  });

  it("send() refuses a recipient that is no name for good, and one too many for now", async () => {
    const bench = await setUp({ maxConversations: 1 });
    const bad = await bench.emulator.send(
      message("x", "a b"),
      context("d1", "a b"),
    );
    assert.equal(
      bad.outcome === "rejected" && !bad.retryable && bad.reason,
      "invalid-recipient",
    );
    await bench.emulator.openConversation("anna");
    const full = await bench.emulator.send(
      message("x", "bob"),
      context("d2", "bob"),
    );
    assert.equal(
      full.outcome === "rejected" && full.retryable && full.detail,
      "too-many-conversations",
    );
    assert.deepEqual(await entriesOf(bench), []);
  });

  it("editMessage() changes what a message says, and fails where it is told to", async () => {
    const bench = await setUp();
    await bench.emulator.send(message("Deploy?"), context("d1"));
    const edited = { messageId: "d1", recipient: "anna", message: "Deploy?\n\nAnswered on mail", html: "<p>…</p>" };
    bench.emulator.failNextSends(1);
    assert.equal((await bench.emulator.editMessage(edited)).outcome, "rejected");
    assert.deepEqual(await bench.emulator.editMessage(edited), { outcome: "accepted", providerMessageId: "d1" });
    const entries = await entriesOf(bench);
    assert.deepEqual(entries.map(({ type, id }) => `${type} ${id}`), ["message d1", "edit d1"]);
    assert.deepEqual(entries[1], {
      type: "edit",
      id: "d1",
      conversation: "anna",
      text: "Deploy?\n\nAnswered on mail",
      html: "<p>…</p>",
      at: bench.clock.now(),
    });
    await bench.emulator.stop();
  });

  it("failNextSends() and delaySends() make sends fail and take time", async () => {
    const bench = await setUp();
    bench.emulator.failNextSends(2);
    const outcomes = [];
    for (const id of ["d1", "d2", "d3"]) {
      outcomes.push(
        (await bench.emulator.send(message("x"), context(id))).outcome,
      );
    }
    assert.deepEqual(outcomes, ["rejected", "rejected", "accepted"]);
    bench.emulator.delaySends(60_000);
    let isSent = false;
    const sending = bench.emulator.send(message("x"), context("d4")).then(
      () => {
        isSent = true;
      },
    );
    await bench.clock.advance(59_999);
    assert.equal(isSent, false);
    await bench.clock.advance(1);
    await sending;
  });

  it("destinations() are the recipients, or the conversation for everything else", async () => {
    const { emulator: communicator } = await setUp();
    assert.deepEqual(communicator.destinations(message("x", "anna")), [{
      recipient: "anna",
    }]);
    assert.deepEqual(
      communicator.destinations({ ...message("x"), recipients: [] }),
      [{ recipient: "main" }],
    );
  });

  it("openConversation() finds names, keeps to the limit also for many at once, and tells what is open", async () => {
    const { emulator: communicator } = await setUp({ maxConversations: 20 });
    const opened = await Promise.allSettled(
      Array.from({ length: 30 }, () => communicator.openConversation()),
    );
    const names = opened.flatMap((
      each,
    ) => (each.status === "fulfilled" ? [each.value] : []));
    assert.equal(names.length, 20);
    assert.equal(new Set(names).size, 20);
    assert.deepEqual([...communicator.conversations].sort(), [...names].sort());
    for (const name of names) assert.match(name, /^[a-z]+-[a-z]+-\d+$/);
    // One that is open can be opened again.
    assert.equal(await communicator.openConversation(names[0]), names[0]);
  });

  it("openConversation() takes names of every script", async () => {
    const { emulator: communicator } = await setUp();
    for (const name of ["Анна", "アンナ", "أنا", "support-42", "a.b_c", "ä"]) {
      assert.equal(await communicator.openConversation(name), name);
    }
    for (
      const name of ["", " ", "a b", "-a", ".a", "<b>", "a\nb", "a/b", "😀"]
    ) {
      await assert.rejects(
        communicator.openConversation(name),
        ValidationError,
        name,
      );
    }
  });

  it("start() finds the conversations and the transcript of the run before in the same store", async () => {
    const first = await setUp();
    await first.emulator.openConversation("anna");
    await first.emulator.type({ conversation: "anna", text: "Hello" });
    await first.emulator.stop();
    const second = await setUp({ store: first.store });
    assert.deepEqual(second.emulator.conversations, ["anna"]);
    assert.equal((await entriesOf(second)).length, 1);
    assert.notEqual(second.emulator.token, first.emulator.token);
  });

  it("token is one of 256 random bits, the same for the whole run, unless one is given", () => {
    const store = new MemoryStore();
    const made = new EmulatorCommunicator("emulator", { store });
    assert.match(made.token, /^[0-9a-f]{64}$/);
    assert.equal(made.token, made.token);
    assert.equal(
      new EmulatorCommunicator("e", { store, token: "x".repeat(16) }).token,
      "x".repeat(16),
    );
    assert.throws(
      () => new EmulatorCommunicator("e", { store, token: "short" }),
      ValidationError,
    );
  });

  it("stop() writes what was observed before", async () => {
    const bench = await setUp();
    for (let count = 0; count < 50; count++) {
      bench.emulator.observe(
        delivery("queued", { deliveryId: `d${count}` }),
        message("x"),
      );
    }
    await bench.emulator.stop();
    const { messages } = await bench.store.query({
      channel: bench.emulator.transcript.key,
      limit: 100,
    });
    assert.equal(messages.length, 50);
  });
});

describe("emulator", () => {
  it("create() reads its options and names what is wrong, all at once", () => {
    const backendContext = {
      resolve: () => assert.fail("nothing to resolve"),
      clock: new ManualClock(),
      logger: silentLogger,
      store: new MemoryStore(),
      extraFields: {},
    };
    const type = new BackendRegistry([emulator]).get("emulator", "type");
    const made = type.create("try", {
      type: "emulator",
      conversation: "ops",
      labels: ["a"],
    }, backendContext);
    assert.ok(made instanceof EmulatorCommunicator);
    assert.equal(made.name, "try");
    assert.equal(made.defaultConversation, "ops");
    assert.throws(
      () =>
        type.create("try", {
          type: "emulator",
          converzation: "x",
          keep_entries: "many",
        }, backendContext),
      (error) =>
        error instanceof ConfigError && error.issues.length === 2 &&
        error.issues.some(({ path, message: text }) => path === "converzation" && text.includes('"conversation"')) &&
        error.issues.some(({ path }) => path === "keep_entries"),
    );
    assert.throws(
      () =>
        type.create(
          "try",
          { type: "emulator", max_text_length: 0 },
          backendContext,
        ),
      (error) =>
        error instanceof ConfigError &&
        error.issues[0]?.path === "max_text_length",
    );
  });
});
