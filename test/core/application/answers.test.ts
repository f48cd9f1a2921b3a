import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  Application,
  type CommunicatorCapabilities,
  ConfigError,
  ConflictError,
  type EditedMessage,
  fallback,
  type IncomingMessage,
  type Logger,
  ManualClock,
  MemoryStore,
  type PlanAnswer,
  type Receipt,
  ValidationError,
} from "../../../core/mod.ts";
import { eventually } from "../../support/eventually.ts";
import { BUSY, LOST, REFUSED, said, ScriptedCommunicator } from "../../support/scripted-communicator.ts";

/** A network that can change what was sent, with a log of what it was told. */
class ChangingCommunicator extends ScriptedCommunicator {
  override readonly capabilities: CommunicatorCapabilities;
  readonly edits: EditedMessage[] = [];
  readonly editScript: Receipt[] = [];

  constructor(name: string, more: Partial<CommunicatorCapabilities> = {}) {
    super(name);
    this.capabilities = { receives: true, html: false, attachments: false, edits: true, receipts: true, ...more };
  }

  override editMessage(edited: EditedMessage): Promise<Receipt> {
    this.edits.push(edited);
    return Promise.resolve(this.editScript.shift() ?? { outcome: "accepted", providerMessageId: edited.messageId });
  }
}

interface Scene {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly app: Application;
  readonly chat: ChangingCommunicator;
  readonly mail: ScriptedCommunicator;
  readonly warnings: string[];
  /** Asks by the chat alone, and waits until it is sent. */
  ask(id: string, channels?: readonly string[]): Promise<Asked>;
  /** Lets somebody say something, and the time pass that handling it takes. */
  hear(message: IncomingMessage): Promise<void>;
}

interface Asked {
  readonly answer: () => PlanAnswer | undefined;
  readonly deliveryId: string;
}

async function scene(
  options: { readonly messageIds?: "backend" | "conversation"; readonly config?: Record<string, unknown> } = {},
): Promise<Scene> {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const { messageIds = "backend", config = {} } = options;
  const chat = new ChangingCommunicator("chat", { messageIds });
  const mail = new ScriptedCommunicator("mail");
  const warnings: string[] = [];
  const note = (message: string): void => void warnings.push(message);
  const logger: Logger = { debug: () => {}, info: note, warn: note, error: note };
  const backends = [chat, mail].map((each) => ({ type: each.name, create: () => each }));
  const app = await Application.create(
    {
      communications: { enabled: true, backends: { chat: { type: "chat" }, mail: { type: "mail" }, ...config } },
    },
    { backends: [fallback, ...backends], clock, store, logger, closeStore: true, random: () => 0.5 },
  );
  return {
    clock,
    store,
    app,
    chat,
    mail,
    warnings,
    async ask(id, channels = ["chat"]) {
      let answer: PlanAnswer | undefined;
      const before = chat.seen.length;
      app.ask({ notificationId: id, recipient: { chat: "ann", mail: "bob" }, textContent: `${id}?`, channels })
        .then((given) => answer = given, () => {});
      await eventually(clock, () => chat.seen.length > before);
      await clock.advance(20);
      return { answer: () => answer, deliveryId: chat.seen.at(-1)?.deliveryId ?? "" };
    },
    async hear(message) {
      await app.communicators.get(message.backendName)?.receive([message]);
      await clock.advance(20);
    },
  };
}

async function stop({ app, clock }: Pick<Scene, "app" | "clock">): Promise<void> {
  let stopped = false;
  const done = app.stop().then(() => stopped = true);
  await eventually(clock, () => stopped, 1_000);
  await done;
}

/** Said now, without naming what it answers. */
function plainly(scene: Scene, id: string, text: string, backendName = "chat"): IncomingMessage {
  return { ...said(id, backendName === "chat" ? "ann" : "bob", text, backendName), timestamp: scene.clock.now() };
}

describe("which question an answer is for", () => {
  it("Application.ask() takes what names a question for that one, and what names none for the newest", async () => {
    const it = await scene();
    const [older, newer] = [await it.ask("older"), await it.ask("newer")];
    await it.hear({ ...plainly(it, "m1", "the older"), replyTo: "p1" });
    assert.deepEqual([older.answer()?.text, newer.answer()?.text], ["the older", undefined]);
    await it.hear(plainly(it, "m2", "the newer"));
    assert.equal(newer.answer()?.text, "the newer");
    assert.equal(newer.answer()?.messageId, "m2");
    await stop(it);
  });

  it("Application.emit() of a question for later is answered by nothing that is said before", async () => {
    const page = { type: "fallback", channels: ["chat"], confirm: "reply", labels: ["page"] };
    const it = await scene({ config: { page } });
    const notBefore = it.clock.now() + 120_000;
    const report = await it.app.emit({ message: "Awake?", label: "page", recipients: ["chat:ann"], notBefore });
    const planId = report.deliveries[0]?.deliveryId ?? "";
    await it.hear(plainly(it, "m1", "good evening"));
    assert.equal((await it.app.plans.find(planId))?.outcome, undefined);
    const asked = await it.ask("q");
    await it.hear(plainly(it, "m2", "that is for q"));
    assert.equal(asked.answer()?.text, "that is for q");
    await it.clock.advance(180_000);
    assert.deepEqual(it.chat.texts.filter((text) => text === "Awake?"), ["Awake?"]);
    await it.hear(plainly(it, "m3", "yes"));
    assert.equal((await it.app.plans.find(planId))?.answer?.text, "yes");
    await stop(it);
  });

  it("Application.ask() takes our own name of a message, in a mail's brackets too", async () => {
    const it = await scene();
    const [older, newer] = [await it.ask("older"), await it.ask("newer")];
    await it.hear({ ...plainly(it, "m1", "yes"), replyTo: `<${older.deliveryId}@example.com>` });
    assert.deepEqual([older.answer()?.text, newer.answer()], ["yes", undefined]);
    await stop(it);
  });

  it("Application.ask() takes a reply to something else for no answer", async () => {
    const it = await scene();
    await it.app.emit({ message: "News", recipients: ["ann"] });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    const asked = await it.ask("q");
    await it.hear({ ...plainly(it, "m1", "nice"), replyTo: "p1" });
    await it.hear({ ...plainly(it, "m2", "what she said"), replyTo: "somebody-elses" });
    assert.equal(asked.answer(), undefined);
    await it.hear({ ...plainly(it, "m3", "yes"), replyTo: "p2" });
    assert.equal(asked.answer()?.text, "yes");
    await stop(it);
  });

  it("Application.ask() looks for an id in the conversation alone where ids are unique in one only", async () => {
    const it = await scene({ messageIds: "conversation" });
    const asked = await it.ask("q");
    await it.hear({ ...said("m1", "somebody-else", "yes"), replyTo: "p1", timestamp: it.clock.now() });
    assert.equal(asked.answer(), undefined);
    await it.hear({ ...plainly(it, "m2", "yes"), replyTo: "p1" });
    assert.equal(asked.answer()?.text, "yes");
    await stop(it);
  });

  it("Application.ask() knows every part of a question that went in several", async () => {
    const it = await scene();
    it.chat.script.push({ outcome: "accepted", providerMessageId: "a", providerMessageIds: ["a", "b"] });
    const [older, newer] = [await it.ask("older"), await it.ask("newer")];
    await it.hear({ ...plainly(it, "m1", "yes"), replyTo: "b" });
    assert.deepEqual([older.answer()?.text, newer.answer()], ["yes", undefined]);
    await stop(it);
  });

  it("Application.ask() lets the rest of what is said in a minute answer nothing older", async () => {
    const it = await scene();
    const [older, newer] = [await it.ask("older"), await it.ask("newer")];
    await it.hear(plainly(it, "m1", "yes"));
    await it.hear(plainly(it, "m2", "please"));
    assert.deepEqual([newer.answer()?.text, older.answer()], ["yes", undefined]);
    await it.clock.advance(60_000);
    await it.hear(plainly(it, "m3", "and that too"));
    assert.equal(older.answer()?.text, "and that too");
    await stop(it);
  });

  it("Application.ask() lets an answer that crosses another one's answer nothing older", async () => {
    const it = await scene();
    const older = await it.ask("older");
    const newer = await it.ask("newer", ["chat", "mail"]);
    await it.hear(plainly(it, "m1", "no", "mail"));
    assert.equal(newer.answer()?.text, "no");
    await it.hear(plainly(it, "m2", "yes"));
    assert.equal(older.answer(), undefined);
    await stop(it);
  });

  it("Application.ask() takes a provider's repeat of an answer for no second answer, however late", async () => {
    const it = await scene();
    const [older, newer] = [await it.ask("older"), await it.ask("newer")];
    const answers = [plainly(it, "m1", "yes"), plainly(it, "m2", "please")];
    await it.chat.receive(answers);
    await it.clock.advance(3_600_000);
    for (const answer of answers) await it.hear(answer);
    assert.deepEqual([newer.answer()?.text, older.answer()], ["yes", undefined]);
    await stop(it);
  });

  it("Application.ask() takes what was said before it asked for no answer, and says so", async () => {
    const it = await scene();
    const early = plainly(it, "m1", "good morning");
    await it.clock.advance(600_000);
    const asked = await it.ask("q");
    await it.hear(early);
    assert.equal(asked.answer(), undefined);
    assert.ok(it.warnings.includes("message was said before the question, and does not answer it"));
    await stop(it);
  });

  it("Inbox.accept() takes many messages at once where questions were open once, and forgets that they were", async () => {
    const it = await scene();
    const asked = await it.ask("q");
    await it.hear(plainly(it, "m1", "yes"));
    assert.equal(asked.answer()?.text, "yes");
    await it.clock.advance(120_000);
    assert.equal((await it.store.listState("awaited/")).length, 1);
    await it.chat.receive([plainly(it, "m2", "well"), plainly(it, "m3", "then")]);
    assert.deepEqual(await it.store.listState("awaited/"), [], "the next message costs one look");
    assert.deepEqual(await it.store.listState("awaiting/"), []);
    await stop(it);
  });

  it("Application.ask() takes a reaction to the question for an answer, one that is taken back for none", async () => {
    const it = await scene();
    const asked = await it.ask("q");
    await it.hear({ ...plainly(it, "m1", "👍"), kind: "reaction" });
    await it.hear({ ...plainly(it, "m2", ""), kind: "reaction", replyTo: "p1" });
    assert.equal(asked.answer(), undefined);
    await it.hear({ ...plainly(it, "m3", "👍"), kind: "reaction", replyTo: "p1" });
    assert.equal(asked.answer()?.text, "👍");
    await stop(it);
  });

  it("Application.ask() leaves commands to their handlers, and marks for them what was an answer", async () => {
    const it = await scene();
    const handled: (readonly [string, string | undefined])[] = [];
    it.app.messenger.route(({ message }) => void handled.push([message.text, message.answers]));
    const asked = await it.ask("q");
    await it.hear(plainly(it, "m1", "/help"));
    assert.equal(asked.answer(), undefined);
    await it.hear(plainly(it, "m2", "yes"));
    await it.hear(plainly(it, "m3", "thanks"));
    assert.equal(asked.answer()?.text, "yes");
    assert.deepEqual(handled, [["/help", undefined], ["yes", "q"], ["thanks", undefined]]);
    await stop(it);
  });

  it("Application.ask() keeps 50 open questions of a conversation, and says which it forgets", async () => {
    const it = await scene();
    const asked: Asked[] = [];
    for (let number = 1; number <= 52; number++) asked.push(await it.ask(`q${number}`));
    const forgotten = it.warnings.filter((each) => each === "question is no longer answered by plain messages");
    assert.equal(forgotten.length, 2);
    assert.equal((await it.store.listState("awaiting/chat/ann/")).length, 50);
    await it.hear({ ...plainly(it, "m1", "yes"), replyTo: "p1" });
    assert.equal(asked[0]?.answer()?.text, "yes", "by its reference it is answered all the same");
    await stop(it);
  });

  it("Application.emit() does not wait for answers where a backend's word is enough", async () => {
    const it = await scene({ config: { reach: { type: "fallback", channels: ["chat"], labels: ["page"] } } });
    await it.app.emit({ message: "fire", label: "page", recipients: ["chat:ann"] });
    await eventually(it.clock, () => it.chat.seen.length === 1);
    assert.deepEqual(await it.store.listState("awaiting/"), []);
    await stop(it);
  });

  it("Application.emit() is settled by the first answer of several people on one backend", async () => {
    const group = { type: "fallback", channels: ["chat", "mail"], confirm: "reply", within: 300, labels: ["page"] };
    const it = await scene({ config: { reach: group } });
    const report = await it.app.emit({ message: "fire", label: "page", recipients: ["chat:ann", "chat:cem"] });
    await eventually(it.clock, () => it.chat.seen.length === 2);
    await it.clock.advance(20);
    await it.hear(plainly(it, "m1", "on it"));
    assert.equal((await report.settled())[0]?.status, "accepted");
    await it.clock.advance(600_000);
    assert.deepEqual(it.chat.edits.map(({ recipient, message }) => `${recipient}: ${message}`).toSorted(), [
      "ann: fire\n\nAnswered on chat",
      "cem: fire\n\nAnswered on chat",
    ]);
    assert.deepEqual(it.mail.seen, []);
    await stop(it);
  });
});

describe("how long a question waits", () => {
  const BOTH = { recipient: { chat: "ann", mail: "bob" }, textContent: "Deploy?", channels: ["chat", "mail"] };

  it("Application.ask() waits its whole time, though each had its own", async () => {
    const it = await scene();
    const options = { policy: "ordered", withinMs: 60_000, timeoutMs: 600_000 } as const;
    const asked = it.app.ask({ ...BOTH, notificationId: "q" }, options);
    await eventually(it.clock, () => it.mail.seen.length === 1, 1_000);
    await it.clock.advance(300_000);
    await it.hear(plainly(it, "m1", "yes"));
    assert.equal((await asked).text, "yes");
    assert.deepEqual(it.mail.texts, ["Deploy?", "Answered on chat"]);
    assert.deepEqual(await it.app.plans.deadPlans(), [], "what is answered late is not given up");
    const late = it.app.ask({ ...BOTH, notificationId: "r" }, options);
    const rejected = assert.rejects(late, { code: "unanswered" });
    await eventually(it.clock, () => it.mail.seen.length === 3, 1_000);
    await it.clock.advance(600_000);
    await rejected;
    assert.equal((await it.store.listState("awaiting/")).length, 0, "nothing waits for it any more");
    assert.deepEqual(await it.app.plans.deadPlans(), []);
    await stop(it);
  });

  it("Application.ask() without a time ends with the last one's, and at once when nobody can be asked", async () => {
    const it = await scene();
    const asked = it.app.ask({ ...BOTH, notificationId: "q" }, { policy: "ordered", withinMs: 60_000 });
    const rejected = assert.rejects(asked, { code: "unanswered" });
    await eventually(it.clock, () => it.mail.seen.length === 1, 1_000);
    await it.clock.advance(61_000);
    await rejected;
    it.chat.script.push(REFUSED);
    const refused = it.app.ask({ ...BOTH, notificationId: "r", channels: ["chat"] }, { timeoutMs: 86_400_000 });
    const unasked = assert.rejects(refused, { code: "unanswered" });
    await it.clock.advance(100);
    await unasked;
    await stop(it);
  });

  it("Application.ask() says how each channel did when nobody answered", async () => {
    const it = await scene();
    it.chat.script.push(REFUSED);
    const asked = it.app.ask({ notificationId: "q", recipient: { chat: "ann", post: "Bob" }, textContent: "?" });
    const rejected = assert.rejects(asked, {
      code: "unanswered",
      message: 'Cannot get an answer to "q": nobody gave one ' +
        '(chat: invalid-recipient; mail: the recipient has no address "mail")',
    });
    await it.clock.advance(100);
    await rejected;
    await stop(it);
  });

  it("Application.ask() and deliver() refuse options that are none, and each other's ids", async () => {
    const it = await scene();
    const { app, clock } = it;
    const payload = { ...BOTH, notificationId: "n" };
    const refused = [
      [() => app.ask(payload, { timeout: 5 } as never), "timeout", /did you mean "timeoutMs"/],
      [() => app.ask(payload, { timeoutMs: 0 }), "timeoutMs", /at least 1/],
      [() => app.ask(payload, { policy: "order" as "ordered" }), "policy", /one of ordered, parallel/],
      [() => app.ask(payload, { signal: {} as AbortSignal }), "signal", /AbortSignal/],
      [() => app.ask(payload, 7 as never), "options", /an object, not/],
      [() => app.deliver(payload, { withinMs: "5s" as never }), "withinMs", /milliseconds/],
      [() => app.deliver(payload, { confirm: "seen" as "read" }), "confirm", /one of accepted, delivered, read, reply/],
      [() => app.deliver(payload, { confirm: "read", timeoutMs: 1 } as never), "timeoutMs", /known options are/],
    ] as const;
    for (const [run, argument, words] of refused) {
      await assert.rejects(run, (error: unknown) => {
        assert.ok(error instanceof ValidationError, String(error));
        assert.equal(error.argument, argument);
        assert.match(error.message, words);
        return true;
      });
    }
    assert.deepEqual([it.chat.seen, it.mail.seen], [[], []]);
    const delivered = app.deliver(payload, { withinMs: Infinity });
    await eventually(clock, () => it.chat.seen.length === 1);
    assert.equal((await delivered).delivered, true);
    await assert.rejects(app.ask(payload), ConflictError);
    const asked = app.ask({ ...payload, notificationId: "q" }, { timeoutMs: Infinity });
    await eventually(clock, () => it.mail.seen.length === 1);
    await assert.rejects(app.deliver({ ...payload, notificationId: "q" }), ConflictError);
    await app.acknowledge("q");
    assert.equal((await asked).text, "");
    await stop(it);
  });

  it("says where nobody can answer", async () => {
    const deaf = new ScriptedCommunicator("deaf");
    Object.assign(deaf, { capabilities: { receives: false, html: false, attachments: false, edits: false } });
    const warnings: string[] = [];
    const note = (message: string): void => void warnings.push(message);
    const logger: Logger = { debug: () => {}, info: () => {}, warn: note, error: note };
    const clock = new ManualClock();
    const on_call = { type: "fallback", channels: ["deaf"], confirm: "reply" };
    const app = await Application.create(
      { communications: { enabled: true, backends: { deaf: { type: "deaf" }, on_call } } },
      { backends: [fallback, { type: "deaf", create: () => deaf }], clock, logger },
    );
    assert.deepEqual(warnings, ["fallback group waits for answers, and no channel of it takes messages in"]);
    const asked = app.ask({ notificationId: "q", recipient: { deaf: "ann" }, textContent: "?", channels: ["deaf"] });
    await eventually(clock, () => deaf.seen.length === 1);
    assert.equal(warnings[1], "question can be answered by acknowledge() only: no channel of it takes messages in");
    await app.acknowledge("q", { text: "yes" });
    assert.equal((await asked).text, "yes");
    await stop({ app, clock });
  });
});

describe("what the others hear of an answer", () => {
  const BOTH = { recipient: { chat: "ann", mail: "bob" }, textContent: "Deploy?", channels: ["chat", "mail"] };

  async function answeredByMail(it: Scene, others?: "tell" | "edit" | "leave"): Promise<void> {
    const options = others === undefined ? {} : { others };
    const asked = it.app.ask({ ...BOTH, notificationId: "q" }, options);
    await eventually(it.clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    await it.clock.advance(20);
    await it.hear({ ...plainly(it, "m1", "yes", "mail"), sender: "Bob\nthe <b>" });
    assert.equal((await asked).text, "yes");
    await it.clock.advance(10_000);
  }

  it("changes the question where the network can", async () => {
    const it = await scene();
    await answeredByMail(it);
    assert.deepEqual(it.chat.edits, [
      { messageId: "p1", recipient: "ann", message: "Deploy?\n\nAnswered by Bob the <b> on mail" },
    ]);
    assert.deepEqual(it.chat.texts, ["Deploy?"]);
    const [, told] = await it.app.ledger.eventsOf("q/answered");
    assert.deepEqual([told?.backendName, told?.status], ["chat", "attempting"]);
    await stop(it);
  });

  it("sends a message of its own where the change is refused, and one only", async () => {
    const it = await scene();
    it.chat.editScript.push(REFUSED);
    await answeredByMail(it);
    assert.equal(it.chat.edits.length, 1);
    assert.deepEqual(it.chat.texts, ["Deploy?", "Answered by Bob the <b> on mail"]);
    assert.deepEqual(await it.app.outbox.deadLetters(), []);
    await stop(it);
  });

  it("makes a change again whose answer was lost", async () => {
    const it = await scene();
    it.chat.editScript.push(LOST, BUSY);
    await answeredByMail(it);
    assert.equal(it.chat.edits.length, 3);
    assert.deepEqual(it.chat.texts, ["Deploy?"]);
    await stop(it);
  });

  it("others: edit leaves alone what cannot be changed", async () => {
    const it = await scene();
    it.chat.editScript.push(REFUSED);
    await answeredByMail(it, "edit");
    assert.deepEqual([it.chat.edits.length, it.chat.texts], [1, ["Deploy?"]]);
    assert.deepEqual(await it.app.outbox.deadLetters(), []);
    const asked = it.app.ask({ ...BOTH, notificationId: "other" }, { others: "edit" });
    await eventually(it.clock, () => it.chat.seen.length === 2 && it.mail.seen.length === 2);
    await it.clock.advance(60_000);
    await it.hear(plainly(it, "m2", "no"));
    assert.equal((await asked).text, "no");
    await it.clock.advance(10_000);
    assert.equal(it.mail.seen.length, 2);
    await stop(it);
  });

  it("others: leave says nothing", async () => {
    const it = await scene();
    await answeredByMail(it, "leave");
    assert.deepEqual([it.chat.edits, it.chat.texts], [[], ["Deploy?"]]);
    await stop(it);
  });

  it("tells of a question that the ledger has forgotten, in a message of its own", async () => {
    const it = await scene();
    const asked = it.app.ask({ ...BOTH, notificationId: "q" });
    await eventually(it.clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    await it.clock.advance(20);
    await it.app.ledger.channel.clear();
    await it.hear(plainly(it, "m1", "yes", "mail"));
    await asked;
    await it.clock.advance(10_000);
    assert.deepEqual([it.chat.edits, it.chat.texts], [[], ["Deploy?", "Answered on mail"]]);
    await stop(it);
  });

  it("tells nobody of a question they never got", async () => {
    const it = await scene();
    it.chat.script.push(BUSY);
    const asked = it.app.ask({ ...BOTH, notificationId: "q" });
    await eventually(it.clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    await it.hear(plainly(it, "m1", "yes", "mail"));
    await asked;
    await it.clock.advance(600_000);
    assert.deepEqual([it.chat.edits, it.chat.texts], [[], ["Deploy?"]]);
    const events = await it.app.ledger.eventsOf("q/answered");
    assert.deepEqual(events.map(({ status }) => status), ["queued", "skipped"]);
    await stop(it);
  });

  it("tells who got the question while the answer came", async () => {
    const it = await scene();
    const { clock } = it;
    it.chat.script.push(async () => {
      await clock.sleep(5_000);
      return { outcome: "accepted", providerMessageId: "slow" };
    });
    const asked = it.app.ask({ ...BOTH, notificationId: "q" });
    await eventually(clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    await it.hear(plainly(it, "m1", "yes", "mail"));
    await asked;
    await clock.advance(10_000);
    assert.deepEqual(it.chat.edits.map(({ messageId }) => messageId), ["slow"]);
    await stop(it);
  });

  it("a fallback group tells those it had asked, unless it is told not to", async () => {
    for (const others of [undefined, "leave"]) {
      const group = { type: "fallback", channels: ["chat", "mail"], confirm: "reply", within: 5, labels: ["page"] };
      const it = await scene({ config: { on_call: others === undefined ? group : { ...group, others } } });
      await it.app.emit({ message: "fire", label: "page", recipients: ["chat:ann", "mail:bob"] });
      await eventually(it.clock, () => it.mail.seen.length === 1, 100);
      await it.hear({ ...plainly(it, "m1", "on it", "mail"), sender: "Bob" });
      await it.clock.advance(10_000);
      const expected = others === undefined ? ["fire\n\nAnswered by Bob on mail"] : [];
      assert.deepEqual(it.chat.edits.map(({ message }) => message), expected);
      await stop(it);
    }
  });

  it("is said in the words that were chosen", async () => {
    const it = await scene();
    const othersText = "{sender} hat auf {backend} geantwortet, {sender}! {text}";
    const asked = it.app.ask({ ...BOTH, notificationId: "q" }, { othersText });
    await eventually(it.clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    await it.hear({ ...plainly(it, "m1", "ja", "mail"), sender: "$& {backend}" });
    await asked;
    await it.clock.advance(10_000);
    const words = "$& {backend} hat auf mail geantwortet, $& {backend}! {text}";
    assert.deepEqual(it.chat.edits.map(({ message }) => message), [`Deploy?\n\n${words}`]);
    await stop(it);
  });

  it("is said of an acknowledgement too, which answers a question", async () => {
    const it = await scene();
    const asked = it.app.ask({ ...BOTH, notificationId: "q" });
    await eventually(it.clock, () => it.chat.seen.length === 1 && it.mail.seen.length === 1);
    assert.equal(await it.app.acknowledge("q", { sender: "Cem", text: "yes" }), true);
    assert.equal(await it.app.acknowledge("q"), false);
    const { text, sender, backendName } = await asked;
    assert.deepEqual([text, sender, backendName], ["yes", "Cem", "api"]);
    await it.clock.advance(10_000);
    assert.deepEqual(it.chat.edits.map(({ message }) => message), ["Deploy?\n\nAnswered by Cem on api"]);
    assert.deepEqual(it.mail.texts, ["Deploy?", "Answered by Cem on api"]);
    await stop(it);
  });

  it("refuses a policy there is not", async () => {
    const it = await scene();
    const others = "shout" as "tell";
    await assert.rejects(it.app.ask({ ...BOTH, notificationId: "q" }, { others }), (error: unknown) => {
      assert.ok(error instanceof ValidationError);
      return error.argument === "others";
    });
    await assert.rejects(it.app.ask({ ...BOTH, notificationId: "q" }, { othersText: "" }), { argument: "othersText" });
    await assert.rejects(
      scene({ config: { on_call: { type: "fallback", channels: ["chat"], others: "shout", others_text: 7 } } }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(error.issues.map(({ path }) => path), [
          "communications.backends.on_call.others",
          "communications.backends.on_call.others_text",
        ]);
        return true;
      },
    );
    await stop(it);
  });

  it("is said once though the process end right after the answer", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const start = async () => {
      const chat = new ChangingCommunicator("chat");
      const mail = new ScriptedCommunicator("mail");
      const communicators = [{ communicator: chat }, { communicator: mail }];
      const app = await Application.create({}, { clock, store, mode: "pump", communicators, random: () => 0.5 });
      return { app, chat, mail };
    };
    const first = await start();
    first.app.ask({ ...BOTH, notificationId: "q" }).catch(() => {});
    for (let round = 0; round < 20 && first.mail.seen.length + first.chat.seen.length < 2; round++) {
      await clock.advance(1);
      await first.app.pump();
    }
    await first.mail.receive([{ ...said("m1", "bob", "yes", "mail"), sender: "Bob" }]);
    // The process dies here: nothing of it is stopped in order.
    assert.deepEqual(first.chat.edits, []);
    const second = await start();
    const answer = await second.app.ask({ ...BOTH, notificationId: "q" });
    assert.equal(answer.text, "yes");
    for (let round = 0; round < 5; round++) await second.app.pump();
    await second.mail.receive([{ ...said("m1", "bob", "yes", "mail"), sender: "Bob" }]); // the provider repeats it
    for (let round = 0; round < 5; round++) await second.app.pump();
    assert.deepEqual(second.chat.edits.map(({ message }) => message), ["Deploy?\n\nAnswered by Bob on mail"]);
    assert.deepEqual([...second.chat.texts, ...second.mail.texts], []);
    await second.app.stop();
    await first.app.stop();
  });
});
