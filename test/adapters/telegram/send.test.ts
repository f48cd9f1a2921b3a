import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Bot, type Transformer } from "grammy/web";
import { ManualClock, MemoryStore, ValidationError } from "../../../core/mod.ts";
import { telegramButtons, TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { assertOutcome, CHAT, contextOf, messageOf, pairOf } from "./support.ts";

const CHATS = {
  default: { chatId: CHAT },
  alerts: { chatId: "-1009876543210", topicId: 42 },
  general: { chatId: "-1009876543210", topicId: 1 },
  asleep: { chatId: "-1001111111111", active: false },
};
const PNG = { filename: "a.png", contentType: "image/png", bytes: new Uint8Array([137, 80, 78, 71]) };

describe("send()", () => {
  it("goes to the chat of the label, or else to the default one", async () => {
    const { telegram, send } = await pairOf({ chats: CHATS });
    const receipt = await send({ message: "one", label: "alerts" });
    await send({ message: "two", label: "unheard of" });
    await send({ message: "three", label: "general" });
    assert.deepEqual(receipt, { outcome: "accepted", providerMessageId: "1" });
    assert.deepEqual(telegram.messages.map(({ chatId, threadId, text }) => [chatId, threadId, text]), [
      ["-1009876543210", 42, "one"],
      [CHAT, undefined, "two"],
      ["-1009876543210", undefined, "three"],
    ]);
  });

  it("goes to an explicit recipient, whatever the label", async () => {
    const { telegram, send } = await pairOf({ chats: CHATS });
    await send({ message: "a", recipients: ["-100123"], label: "asleep" }, { recipient: "-100123" });
    await send({ message: "b", recipients: ["-100123/42"] }, { recipient: "-100123/42" });
    await send({ message: "c", recipients: ["@channel"] }, { recipient: "@channel" });
    await send({ message: "d", recipients: ["4711"] }, { recipient: "4711" });
    assert.deepEqual(telegram.messages.map(({ chatId, threadId }) => [chatId, threadId]), [
      ["-100123", undefined],
      ["-100123", 42],
      ["@channel", undefined],
      ["4711", undefined],
    ]);
  });

  it("says why it sent nothing: no chat, an inactive one, no address, nothing to read, not started (P12)", async () => {
    const { telegram, send, backend } = await pairOf({ chats: { asleep: CHATS.asleep } });
    const none = await send({ message: "x" });
    assertOutcome(none, "rejected");
    assert.deepEqual([none.reason, none.retryable], ["not-configured", false]);
    const asleep = await send({ message: "x", label: "asleep" });
    assert.deepEqual(asleep, { outcome: "skipped", detail: 'chat "asleep" is not active' });
    const lookedUp = await send({ message: "x", label: "asleep" }, { recipient: CHATS.asleep.chatId });
    assert.equal(lookedUp.outcome, "skipped");
    for (const recipient of ["somebody", "-100/0", "1/2/3", "@a b", "١٢٣"]) {
      const receipt = await send({ message: "x", recipients: [recipient] }, { recipient });
      assertOutcome(receipt, "rejected");
      assert.equal(receipt.reason, "invalid-recipient", recipient);
    }
    const blank = await send({ message: " \n\t ", recipients: ["1"] }, { recipient: "1" });
    assertOutcome(blank, "rejected");
    assert.equal(blank.reason, "invalid-message");
    await backend.stop();
    const stopped = await send({ message: "x" });
    assertOutcome(stopped, "rejected");
    assert.equal(stopped.retryable, true);
    assert.equal(telegram.calls.length, 0);
  });

  it("escapes text, and shows HTML when it is given (P11)", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: 'a <b>&"c" </i>' });
    await send({ message: "plain", html: "<b>rich</b> &amp; <h1>mail</h1>" });
    await send({ message: "plain", html: "<img src=x>" });
    assert.deepEqual(telegram.messages.map(({ text }) => text), ['a <b>&"c" </i>', "rich &\n\nmail", "plain"]);
    assert.deepEqual(telegram.messages[1]?.entities.map(({ type }) => type), ["bold", "bold"]);
  });

  it("sends text without markup when told to", async () => {
    const { telegram, send, backend } = await pairOf({ parseMode: "text" });
    await send({ message: "a <b>", html: "<b>rich</b>" });
    assert.equal(telegram.messages[0]?.text, "a <b>");
    assert.equal(telegram.messages[0]?.parameters["parse_mode"], undefined);
    assert.equal(backend.capabilities.html, false);
  });

  it("makes characters of halves of characters", async () => {
    const { telegram, send } = await pairOf();
    assertOutcome(await send({ message: "a\ud83d b" }), "accepted");
    assert.equal(telegram.messages[0]?.text, "a\ufffd b");
  });

  it("sends a long text in parts, in order, that read as the text did", async () => {
    const { telegram, send } = await pairOf();
    const text = Array.from({ length: 900 }, (_, line) => `line ${line} <&> 👨‍👩‍👧‍👦`).join("\n");
    const receipt = await send({ message: text });
    assertOutcome(receipt, "accepted");
    assert.ok(telegram.messages.length > 2);
    assert.equal(telegram.messages.map((each) => each.text).join(""), text);
    assert.deepEqual(receipt.providerMessageIds, telegram.messages.map(({ messageId }) => String(messageId)));
    assert.equal(receipt.providerMessageId, "1");
  });

  it("keeps markup across parts", async () => {
    const { telegram, send } = await pairOf();
    assertOutcome(await send({ message: "x", html: `<b>${"word ".repeat(2_000)}</b>` }), "accepted");
    assert.ok(telegram.messages.length > 2);
    for (const { entities, text } of telegram.messages) {
      assert.deepEqual(entities, [{ type: "bold", offset: 0, length: text.length }]);
    }
  });

  it("leaves out parts with nothing to read", async () => {
    const { telegram, send } = await pairOf();
    assertOutcome(await send({ message: `a${"\n".repeat(9_000)}b` }), "accepted");
    assert.equal(telegram.messages.map(({ text }) => text.trim()).join(""), "ab");
  });

  it("answers the message it was told to answer, with the first part", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: "word ".repeat(1_000), replyTo: "77" });
    assert.deepEqual(telegram.messages.map(({ replyTo }) => replyTo), [77, undefined]);
    const foreign = await send({ message: "x", replyTo: "wamid.XYZ" });
    assertOutcome(foreign, "accepted");
    assert.match(foreign.detail ?? "", /without a reference/);
  });

  it("passes on what the Bot API may be told in metadata, and nothing else", async () => {
    const { telegram, send } = await pairOf();
    const markup = { inline_keyboard: [[{ text: "Yes", callback_data: "yes" }]] };
    await send({
      message: "word ".repeat(1_000),
      metadata: { telegram: { reply_markup: markup, disable_notification: true, chat_id: "1", parse_mode: "x" } },
    });
    assert.deepEqual(telegram.messages.map(({ replyMarkup }) => replyMarkup), [undefined, markup]);
    assert.deepEqual(telegram.messages.map(({ parameters }) => parameters["disable_notification"]), [true, true]);
    assert.deepEqual(telegram.messages.map(({ chatId }) => chatId), [CHAT, CHAT]);
  });
});

describe("send() with files", () => {
  it("chooses the method by the content type", async () => {
    const { telegram, send } = await pairOf();
    const types = [
      ["image/png", "sendPhoto"],
      ["image/jpeg; q=1", "sendPhoto"],
      ["image/svg+xml", "sendDocument"],
      ["image/gif", "sendAnimation"],
      ["audio/mpeg", "sendAudio"],
      ["audio/ogg", "sendVoice"],
      ["audio/wav", "sendDocument"],
      ["video/mp4", "sendVideo"],
      ["application/pdf", "sendDocument"],
      ["TEXT/PLAIN", "sendDocument"],
    ] as const;
    for (const [contentType] of types) await send({ message: "", attachments: [{ ...PNG, contentType }] });
    assert.deepEqual(telegram.messages.map(({ method }) => method), types.map(([, method]) => method));
  });

  it("sends a photo that is too large for one as a document", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: "", attachments: [{ ...PNG, bytes: new Uint8Array(10_485_761) }] });
    const [sent] = telegram.messages;
    assert.equal(sent?.method, "sendDocument");
    assert.ok(typeof sent?.file === "object" && sent.file.bytes.length === 10_485_761);
  });

  it("sends bytes, addresses and ids", async () => {
    const { telegram, send } = await pairOf();
    const { filename, contentType } = PNG;
    await send({
      message: "",
      attachments: [PNG, { filename, contentType, url: "https://example.org/a.png" }, {
        filename,
        contentType,
        providerId: "AgAC",
      }],
    });
    const [bytes, url, id] = telegram.messages.map(({ file }) => file);
    assert.ok(typeof bytes === "object");
    assert.deepEqual([bytes.filename, [...bytes.bytes]], ["a.png", [137, 80, 78, 71]]);
    assert.deepEqual([url, id], ["https://example.org/a.png", "AgAC"]);
  });

  it("lets no name of a file break out of its header", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: "", attachments: [{ ...PNG, filename: 'a";name="chat_id\\.png' }] });
    const [sent] = telegram.messages;
    assert.equal(sent?.chatId, CHAT);
    assert.ok(typeof sent?.file === "object");
    assert.doesNotMatch(sent.file.filename, /["\\;]/);
  });

  it("makes the text the caption of the first file", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: "a < b", attachments: [PNG, { ...PNG, caption: "second" }] });
    assert.deepEqual(telegram.messages.map(({ method, text }) => [method, text]), [["sendPhoto", "a < b"], [
      "sendPhoto",
      "second",
    ]]);
  });

  it("sends the text first when the first file has a caption of its own", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: "text", attachments: [{ ...PNG, caption: "caption" }] });
    assert.deepEqual(telegram.messages.map(({ method, text }) => [method, text]), [["sendMessage", "text"], [
      "sendPhoto",
      "caption",
    ]]);
  });

  it("lets a caption that is too long follow as text; what is read counts, not the source", async () => {
    const { telegram, send } = await pairOf();
    await send({ message: "<".repeat(1_024), attachments: [PNG] });
    await send({ message: "<".repeat(1_025), attachments: [PNG] });
    assert.deepEqual(telegram.messages.map(({ method, text }) => [method, text.length]), [
      ["sendPhoto", 1_024],
      ["sendPhoto", 0],
      ["sendMessage", 1_025],
    ]);
  });
});

describe("send() that goes wrong half way", () => {
  const long = Array.from({ length: 3 }, (_, part) => `${part}`.repeat(4_000)).join(" ");

  it("goes on at the part it stopped at, with nothing twice and nothing lost (P6)", async () => {
    const { telegram, send } = await pairOf();
    telegram.inject({ kind: "rate-limit", retryAfter: 7, after: 1 });
    const first = await send({ message: long });
    assertOutcome(first, "rejected");
    assert.deepEqual([first.reason, first.retryAfterMs], ["rate-limited", 7_000]);
    assert.deepEqual(first.progress, { done: 1, of: 3, ids: ["1"] });
    const second = await send({ message: long }, { attempt: 2, progress: first.progress ?? {} });
    assertOutcome(second, "accepted");
    assert.deepEqual(second.providerMessageIds, ["1", "2", "3"]);
    assert.equal(telegram.messages.map(({ text }) => text).join(""), long);
  });

  it("keeps what was done when nobody knows of the last part", async () => {
    const { telegram, send } = await pairOf();
    telegram.inject({ kind: "cut", accept: true, after: 2 });
    const first = await send({ message: long });
    assertOutcome(first, "unknown");
    assert.deepEqual(first.progress, { done: 2, of: 3, ids: ["1", "2"] });
    const second = await send({ message: long }, {
      attempt: 2,
      progress: first.progress ?? {},
      possibleDuplicate: true,
    });
    assertOutcome(second, "accepted");
    assert.deepEqual(telegram.messages.map(({ text }) => text.charAt(0)), ["0", "1", "2", "2"]);
  });

  it("sends nothing when all parts were sent", async () => {
    const { telegram, send } = await pairOf();
    const receipt = await send({ message: long }, { progress: { done: 3, of: 3, ids: ["1", "2", "3"] } });
    assertOutcome(receipt, "accepted");
    assert.equal(telegram.calls.length, 0);
  });

  it("starts again when the progress is of other parts", async () => {
    const { telegram, send } = await pairOf();
    for (const progress of [{ done: 1, of: 2, ids: ["1"] }, { done: 9, of: 3, ids: [] }, { done: "1", of: 3 }, {}]) {
      assertOutcome(await send({ message: long }, { progress }), "accepted");
    }
    assert.equal(telegram.messages.length, 12);
  });

  it("does not begin when it was called off, and says that nothing left", async () => {
    const { telegram, send } = await pairOf();
    const receipt = await send({ message: "x" }, { signal: AbortSignal.abort() });
    assertOutcome(receipt, "rejected");
    assert.deepEqual([receipt.reason, receipt.retryable], ["network", true]);
    assert.equal(telegram.calls.length, 0);
  });

  it("does not know what became of a request that was called off", async () => {
    const { telegram, send } = await pairOf();
    telegram.inject({ kind: "slow", delayMs: 60_000 });
    const controller = new AbortController();
    const sending = send({ message: "x" }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 10);
    assert.equal((await sending).outcome, "unknown");
  });

  it("does not know what became of a request that took too long", async () => {
    const { telegram, send } = await pairOf({ timeoutMs: 20 });
    telegram.inject({ kind: "slow", delayMs: 60_000 });
    assert.equal((await send({ message: "x" })).outcome, "unknown");
  });

  it("pauses between parts after the first three, longer in a group, and can be called off there", async () => {
    const clock = new ManualClock();
    const { telegram, backend } = await pairOf({ partIntervalMs: 1_000, chats: { default: { chatId: "4711" } } }, {}, {
      clock,
    });
    const text = Array.from({ length: 5 }, (_, part) => `${part}`.repeat(4_000)).join(" ");
    const sending = backend.send(messageOf({ message: text }), contextOf());
    await clock.advance(999);
    assert.equal(telegram.messages.length, 3);
    await clock.advance(1);
    assert.equal(telegram.messages.length, 4);
    await clock.advance(1_000);
    assertOutcome(await sending, "accepted");

    const controller = new AbortController();
    const toGroup = messageOf({ message: text, recipients: [CHAT] });
    const called = backend.send(toGroup, contextOf({ recipient: CHAT, signal: controller.signal }));
    await clock.advance(2_999);
    assert.equal(telegram.messages.length, 8);
    controller.abort();
    const receipt = await called;
    assertOutcome(receipt, "rejected");
    assert.deepEqual([receipt.reason, receipt.retryAfterMs, receipt.progress?.["done"]], ["rate-limited", 3_000, 3]);
  });
});

describe("send() to a group that moved", () => {
  it("follows once, remembers, and tells nobody else to ask again", async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const { telegram, send } = await pairOf({}, {}, { store, clock });
    telegram.migrate(CHAT, "-1007777777777");
    assert.deepEqual(await send({ message: "one" }), { outcome: "accepted", providerMessageId: "1" });
    await send({ message: "two" });
    assert.deepEqual(telegram.calls.map(({ chatId }) => chatId), [CHAT, "-1007777777777", "-1007777777777"]);
    const kept = await store.getState(`backend/ops/migrated/${CHAT}`);
    assert.equal(kept?.value, "-1007777777777");
    const again = await pairOf({}, {}, { store, clock });
    await again.send({ message: "three" });
    assert.deepEqual(again.telegram.calls.map(({ chatId }) => chatId), ["-1007777777777"]);
  });

  it("does not follow a second time", async () => {
    const { telegram, send } = await pairOf();
    telegram.migrate(CHAT, "-1007777777777");
    telegram.migrate("-1007777777777", "-1008888888888");
    const receipt = await send({ message: "one" });
    assertOutcome(receipt, "rejected");
    assert.equal(receipt.reason, "invalid-recipient");
    assert.equal(telegram.calls.length, 2);
  });

  it("follows with the part under way, not from the beginning", async () => {
    const { telegram, send } = await pairOf();
    telegram.inject({ kind: "error", code: 400, after: 1, parameters: { migrate_to_chat_id: -1007777777777 } });
    assertOutcome(await send({ message: "word ".repeat(1_000) }), "accepted");
    assert.deepEqual(telegram.messages.map(({ chatId }) => chatId), [CHAT, "-1007777777777"]);
  });

  it("sends even when the store cannot keep the new id", async () => {
    const store = new MemoryStore();
    const { telegram, send } = await pairOf({}, {}, { store });
    await store.close();
    telegram.migrate(CHAT, "-1007777777777");
    assertOutcome(await send({ message: "one" }), "accepted");
  });
});

describe("destinations()", () => {
  it("names the chat of the label, with one lane per chat", () => {
    const backend = new TelegramCommunicator("ops", { token: "1:x", chats: CHATS });
    assert.deepEqual(backend.destinations(messageOf({ message: "x", label: "alerts" })), [
      { recipient: "-1009876543210/42", lane: "-1009876543210" },
    ]);
    assert.deepEqual(backend.destinations(messageOf({ message: "x", label: "other" })), [{
      recipient: CHAT,
      lane: CHAT,
    }]);
    assert.deepEqual(backend.destinations(messageOf({ message: "x", recipients: ["-5/7", "4711"] })), [
      { recipient: "-5/7", lane: "-5" },
      { recipient: "4711", lane: "4711" },
    ]);
  });

  it("is empty when no chat is configured for the label", () => {
    const backend = new TelegramCommunicator("ops", { token: "1:x", chats: { alerts: CHATS.alerts } });
    assert.deepEqual(backend.destinations(messageOf({ message: "x" })), []);
  });
});

describe("editMessage()", () => {
  it("changes a message, its buttons included", async () => {
    const { telegram, send, backend } = await pairOf();
    const markup = { inline_keyboard: [[{ text: "Yes", callback_data: "yes" }]] };
    const sent = await send({ message: "Sure?", metadata: { telegram: { reply_markup: markup } } });
    assertOutcome(sent, "accepted");
    const receipt = await backend.editMessage({
      recipient: CHAT,
      messageId: sent.providerMessageId ?? "",
      message: "Sure? <Yes>",
    });
    assert.deepEqual(receipt, { outcome: "accepted", providerMessageId: "1" });
    assert.deepEqual(telegram.messages.map(({ text, replyMarkup }) => [text, replyMarkup]), [[
      "Sure? <Yes>",
      undefined,
    ]]);
  });

  it("makes a change once, though it be asked for again after its answer was lost", async () => {
    const { telegram, send, backend } = await pairOf();
    const sent = await send({ message: "Sure?" });
    assertOutcome(sent, "accepted");
    const edited = { recipient: CHAT, messageId: sent.providerMessageId ?? "", message: "Sure? Answered" };
    telegram.inject({ kind: "cut", accept: true, method: "editMessageText" });
    assertOutcome(await backend.editMessage(edited), "unknown");
    assertOutcome(await backend.editMessage(edited), "accepted");
    assert.deepEqual(telegram.messages.map(({ text }) => text), ["Sure? Answered"]);
    assert.equal(telegram.calls.at(-1)?.status, 400, "Telegram says that it is not modified");
  });

  it("says what it cannot change", async () => {
    const { backend } = await pairOf();
    const cases = [
      { recipient: "nobody", messageId: "1", message: "x" },
      { recipient: CHAT, messageId: "wamid", message: "x" },
      { recipient: CHAT, messageId: "1", message: " " },
      { recipient: CHAT, messageId: "1", message: "x".repeat(4_097) },
      { recipient: CHAT, messageId: "99", message: "x" },
    ];
    for (const edited of cases) {
      const receipt = await backend.editMessage(edited);
      assertOutcome(receipt, "rejected");
      assert.equal(receipt.retryable, false);
    }
  });
});

describe("conversationOf()", () => {
  it("gives the conversation that answers come in by", async () => {
    const { backend, telegram, send } = await pairOf();
    const cases = [["4711", "4711"], [`${CHAT}/42`, `${CHAT}/42`], [`${CHAT}/1`, CHAT], ["@news", "@news"], ["?", "?"]];
    for (const [recipient = "", conversation] of cases) {
      assert.equal(backend.conversationOf(recipient), conversation);
    }
    telegram.migrate(CHAT, "-1009999999999");
    assertOutcome(await send({ message: "x" }), "accepted");
    assert.equal(backend.conversationOf(`${CHAT}/42`), "-1009999999999/42", "a group has a new id once it is upgraded");
  });
});

describe("TelegramCommunicator with a bot", () => {
  it("send() goes through the transformers of a grammY bot, files included", async () => {
    const { telegram } = await pairOf();
    const bot = new Bot(telegram.token);
    const seen: string[] = [];
    const transformer: Transformer = (previous, method, payload, signal) => {
      seen.push(method);
      return previous(method, payload, signal);
    };
    bot.api.config.use(transformer);
    const backend = new TelegramCommunicator("ops", {
      bot,
      chats: { default: { chatId: CHAT } },
      fetch: telegram.fetch,
    });
    await backend.start();
    assertOutcome(await backend.send(messageOf({ message: "x", attachments: [PNG] }), contextOf()), "accepted");
    assert.deepEqual(seen, ["sendPhoto"]);
    assert.ok(typeof telegram.messages[0]?.file === "object");
  });

  it("checkToken() asks who the bot is", async () => {
    const { backend } = await pairOf();
    assert.equal(await backend.checkToken(), "stand_in_bot");
    const wrong = await pairOf({ token: "1:wrong" });
    await assert.rejects(wrong.backend.checkToken(), { code: "backend", retryable: false });
  });
});

describe("telegramButtons()", () => {
  it("makes buttons that send() takes", async () => {
    const { telegram, send } = await pairOf();
    const buttons = telegramButtons([[{ title: "Yes", id: "y" }], [{ title: "Docs", url: "https://example.org/" }]]);
    assertOutcome(await send({ message: "Sure?", metadata: { telegram: buttons } }), "accepted");
    assert.deepEqual(telegram.messages[0]?.replyMarkup, {
      inline_keyboard: [[{ text: "Yes", callback_data: "y" }], [{ text: "Docs", url: "https://example.org/" }]],
    });
  });

  it("refuses what Telegram would", () => {
    assert.throws(() => telegramButtons([]), ValidationError);
    assert.throws(() => telegramButtons([[{ title: "", id: "x" }]]), ValidationError);
    assert.throws(() => telegramButtons([[{ title: "x", id: "é".repeat(33) }]]), ValidationError);
    assert.throws(() => telegramButtons([[{ title: "x", url: "javascript:alert(1)" }]]), ValidationError);
    assert.throws(
      () => telegramButtons([Array.from({ length: 101 }, () => ({ title: "x", id: "x" }))]),
      ValidationError,
    );
  });
});
