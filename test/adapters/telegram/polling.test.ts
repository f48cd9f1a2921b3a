import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { type IncomingMessage, MemoryStore, type MessageStore, StoreError, TooLargeError } from "../../../core/mod.ts";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { TelegramCommunicator, type TelegramOptions } from "../../../adapters/telegram/mod.ts";
import { CHAT, type LogLine, recordingLogger, until } from "./support.ts";

const GROUP = Number(CHAT);

let telegram: TelegramStandIn;
let store: MemoryStore;
let lines: LogLine[];
const started: TelegramCommunicator[] = [];

/** An inbox that remembers ids, as the real one does. */
class Inbox {
  readonly texts: string[] = [];
  readonly messages: IncomingMessage[] = [];
  readonly batches: number[] = [];
  readonly #seen = new Set<string>();
  repeats = 0;
  fail: ((messages: readonly IncomingMessage[]) => Error | undefined) | undefined;

  readonly take = (messages: readonly IncomingMessage[]): Promise<void> => {
    const error = this.fail?.(messages);
    if (error !== undefined) return Promise.reject(error);
    this.batches.push(messages.length);
    for (const message of messages) {
      if (this.#seen.has(message.id)) {
        this.repeats += 1;
        continue;
      }
      this.#seen.add(message.id);
      this.messages.push(message);
      this.texts.push(message.text);
    }
    return Promise.resolve();
  };
}

function backendOf(
  inbox: Inbox,
  options: Partial<TelegramOptions> = {},
  keeper: MessageStore = store,
): TelegramCommunicator {
  const backend = new TelegramCommunicator("ops", {
    token: telegram.api.token,
    apiRoot: telegram.url,
    chats: { default: { chatId: CHAT, commandAuthorized: true } },
    listenToCommands: true,
    ...options,
  }, { store: keeper, logger: recordingLogger(lines) });
  backend.setIncomingHandler(inbox.take);
  started.push(backend);
  return backend;
}

beforeEach(async () => {
  telegram = await TelegramStandIn.start();
  store = new MemoryStore();
  lines = [];
});

afterEach(async () => {
  for (const backend of started.splice(0)) await backend.stop();
  await telegram.stop();
});

describe("TelegramPoller", () => {
  it("takes in what is said, in order", async () => {
    const inbox = new Inbox();
    await backendOf(inbox).start();
    for (let count = 0; count < 250; count += 1) telegram.api.say({ chatId: GROUP, text: `${count}` });
    await until(() => inbox.texts.length === 250);
    assert.deepEqual(inbox.texts, Array.from({ length: 250 }, (_, count) => `${count}`));
    await until(() => telegram.api.pendingUpdates.length === 0);
    assert.equal(inbox.repeats, 0);
  });

  it("asks for the kinds of update it says, by name", async () => {
    const inbox = new Inbox();
    await backendOf(inbox, { allowedUpdates: ["message", "message_reaction"] }).start();
    await until(() => telegram.api.calls.length > 0 || telegram.api.pendingUpdates.length === 0);
    telegram.api.say({ chatId: GROUP, text: "wake" });
    await until(() => telegram.api.calls.length > 0);
    const [first] = telegram.api.calls;
    assert.deepEqual(first?.parameters["allowed_updates"], ["message", "message_reaction"]);
    assert.equal(first?.parameters["offset"], undefined);
  });

  it("hears only who is authorised, and says so of the others", async () => {
    const inbox = new Inbox();
    const backend = backendOf(inbox);
    await backend.start();
    telegram.api.say({ chatId: -100999, text: "stranger" });
    telegram.api.say({ chatId: -100999, text: "stranger again" });
    telegram.api.say({ chatId: GROUP, text: "friend" });
    await until(() => inbox.texts.length === 1);
    assert.deepEqual(inbox.texts, ["friend"]);
    assert.deepEqual(backend.stats, { received: 1, unauthorised: 2, malformed: 0, polling: "running" });
    assert.equal(lines.filter(({ level }) => level === "info").length, 1);
    assert.equal(
      lines.filter(({ level, message }) => level === "debug" && message.includes("not authorised")).length,
      2,
    );
  });

  it("moves its place only after what came in is committed: a failing inbox loses nothing (P14)", async () => {
    const inbox = new Inbox();
    let failures = 0;
    inbox.fail = () =>
      (failures += 1) <= 2 ? new StoreError("Cannot append: store is busy", { retryable: true }) : undefined;
    const backend = backendOf(inbox);
    await backend.start();
    telegram.api.say({ chatId: GROUP, text: "kept" });
    await until(() => failures >= 1);
    assert.equal(await store.getState("backend/ops/poll-offset"), undefined);
    await until(() => inbox.texts.length === 1);
    await until(() => telegram.api.pendingUpdates.length === 0);
    assert.equal(backend.stats.polling, "running");
    assert.equal(lines.filter(({ level }) => level === "error").length, 1);
  }, 60_000);

  it("goes on after a restart where it was, with nothing lost", async () => {
    const texts: string[] = [];
    const inbox = new Inbox();
    for (let round = 0; round < 10; round += 1) {
      const backend = backendOf(inbox);
      await backend.start();
      for (let count = 0; count < 10; count += 1) {
        texts.push(`${round}.${count}`);
        telegram.api.say({ chatId: GROUP, text: `${round}.${count}` });
        if (count === 5) await backend.stop();
      }
    }
    const last = backendOf(inbox);
    await last.start();
    await until(() => inbox.texts.length === 100);
    assert.deepEqual(inbox.texts, texts);
  });

  it("tells Telegram its place from the store at the first poll", async () => {
    const inbox = new Inbox();
    await store.commit([{
      type: "set-state",
      key: "backend/ops/poll-offset",
      value: { offset: 2, since: Date.now() },
    }]);
    telegram.api.say({ chatId: GROUP, text: "handled before the crash" });
    telegram.api.say({ chatId: GROUP, text: "new" });
    await backendOf(inbox).start();
    await until(() => inbox.texts.length === 1);
    assert.deepEqual(inbox.texts, ["new"]);
  });

  it("does not trust a place of a week ago: Telegram may have chosen its ids anew", async () => {
    const inbox = new Inbox();
    const aWeekAgo = Date.now() - 7 * 24 * 3_600_000;
    await store.commit([{
      type: "set-state",
      key: "backend/ops/poll-offset",
      value: { offset: 900, since: aWeekAgo },
    }]);
    telegram.api.restartUpdateIds(17);
    telegram.api.say({ chatId: GROUP, text: "with a low id" });
    await backendOf(inbox).start();
    await until(() => inbox.texts.length === 1);
  });

  it("takes updates that come twice for what they are", async () => {
    const inbox = new Inbox();
    telegram.api.inject({ kind: "duplicate", method: "getUpdates" });
    telegram.api.say({ chatId: GROUP, text: "once" });
    await backendOf(inbox).start();
    await until(() => inbox.batches.length === 1);
    assert.deepEqual([inbox.texts, inbox.repeats], [["once"], 1]);
  });

  it("keeps a stub of a message that can never be taken in, and those around it", async () => {
    const inbox = new Inbox();
    inbox.fail = (messages) =>
      messages.some(({ text }) => text === "poison") ? new TooLargeError("Cannot append: too large", 1) : undefined;
    for (const text of ["one", "poison", "three"]) telegram.api.say({ chatId: GROUP, text });
    await backendOf(inbox).start();
    await until(() => inbox.messages.length === 3);
    assert.deepEqual(inbox.messages.map(({ kind, text }) => [kind, text]), [["text", "one"], ["unsupported", ""], [
      "text",
      "three",
    ]]);
    assert.equal(inbox.messages[1]?.metadata["left_out"], "too-large");
    assert.equal(lines.filter(({ level }) => level === "error").length, 1);
  });

  it("reports a conflict once, with what to do, and goes on when it is over", async () => {
    const inbox = new Inbox();
    telegram.api.inject({ kind: "error", method: "pollRefusal", code: 409 });
    const backend = backendOf(inbox);
    await backend.start();
    await until(() => backend.stats.polling === "conflict");
    telegram.api.say({ chatId: GROUP, text: "after" });
    await until(() => inbox.texts.length === 1);
    await until(() => backend.stats.polling === "running");
    const errors = lines.filter(({ level }) => level === "error");
    assert.equal(errors.length, 1);
    assert.match(errors[0]?.message ?? "", /another program polls with this token, or a webhook is set/);
  });

  it("meets a webhook that is set as a conflict, and polls after deleteWebhook()", async () => {
    const inbox = new Inbox();
    await fetch(`${telegram.url}/bot${telegram.api.token}/setWebhook`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ url: "http://127.0.0.1:9/" }),
    });
    const backend = backendOf(inbox);
    await backend.start();
    await until(() => backend.stats.polling === "conflict");
    await backend.deleteWebhook();
    telegram.api.say({ chatId: GROUP, text: "after" });
    await until(() => inbox.texts.length === 1);
  }, 60_000);

  it("reports a bad token, and keeps its hands off for long", async () => {
    const inbox = new Inbox();
    const backend = backendOf(inbox, { token: "1:wrong" });
    await backend.start();
    await until(() => backend.stats.polling === "unauthorised");
    await backend.stop();
    assert.equal(backend.stats.polling, "stopped");
  });

  it("outlives a network that is gone", async () => {
    const inbox = new Inbox();
    const backend = backendOf(inbox, { apiRoot: "http://127.0.0.1:9" });
    await backend.start();
    await until(() => backend.stats.polling === "failing");
    await backend.stop();
  });

  it("stop() ends a poll that waits", async () => {
    const inbox = new Inbox();
    const backend = backendOf(inbox, { pollTimeoutMs: 50_000 });
    await backend.start();
    telegram.api.say({ chatId: GROUP, text: "x" });
    await until(() => inbox.texts.length === 1);
    // With a poll of 50 s under way, this would run into the timeout of the test.
    await backend.stop();
    await backend.stop();
    assert.equal(backend.isStarted, false);
  });

  it("acknowledges the press of a button after it is committed", async () => {
    const inbox = new Inbox();
    const backend = backendOf(inbox);
    await backend.start();
    await fetch(`${telegram.url}/bot${telegram.api.token}/sendMessage`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        chat_id: GROUP,
        text: "Sure?",
        reply_markup: { inline_keyboard: [[{ text: "Yes", callback_data: "y" }]] },
      }),
    });
    const [question] = telegram.api.messages;
    assert.ok(question);
    telegram.api.press(question, "y");
    await until(() => telegram.api.calls.some(({ method }) => method === "answerCallbackQuery"));
    assert.deepEqual(inbox.messages.map(({ kind, text, replyTo }) => [kind, text, replyTo]), [[
      "interactive",
      "Yes",
      "1",
    ]]);
  });
});

describe("TelegramWebhook, with Telegram pushing", () => {
  it("setWebhook() tells Telegram the address, the secret and the kinds, and updates come with the secret", async () => {
    const inbox = new Inbox();
    const secret = "s3cret_-";
    const verdicts: boolean[] = [];
    const { createServer } = await import("node:http");
    const backend = backendOf(inbox, { webhookSecret: secret });
    const server = createServer(async (request, response) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = new Uint8Array(await new Blob(chunks.map((chunk) => Uint8Array.from(chunk))).arrayBuffer());
      const headers = new Headers();
      for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
      const isAuthentic = await backend.webhook?.verify(headers, body) ?? false;
      verdicts.push(isAuthentic);
      if (isAuthentic) await backend.receive(backend.webhook?.parse(body).messages ?? []);
      response.writeHead(isAuthentic ? 200 : 401).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/hook`;
    await backend.start();
    await backend.setWebhook(url);
    assert.deepEqual(telegram.api.webhook?.secretToken, secret);
    assert.ok(telegram.api.webhook?.allowedUpdates.includes("message_reaction"));
    telegram.api.inject({ kind: "duplicate", method: "webhook" });
    for (let count = 0; count < 20; count += 1) telegram.api.say({ chatId: GROUP, text: `${count}` });
    await telegram.api.settled();
    assert.equal(verdicts.length, 21);
    assert.ok(verdicts.every((verdict) => verdict));
    assert.deepEqual([inbox.texts, inbox.repeats], [Array.from({ length: 20 }, (_, count) => `${count}`), 1]);
    await backend.stop();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  });
});
