import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { TelegramCommunicator, type TelegramOptions } from "../../../adapters/telegram/mod.ts";
import { assertOutcome, CHAT, contextOf, messageOf } from "./support.ts";

let telegram: TelegramStandIn;
const started: TelegramCommunicator[] = [];

async function backendOf(options: Partial<TelegramOptions> = {}): Promise<TelegramCommunicator> {
  const backend = new TelegramCommunicator("ops", {
    token: telegram.api.token,
    apiRoot: telegram.url,
    chats: { default: { chatId: CHAT } },
    partIntervalMs: 0,
    ...options,
  });
  started.push(backend);
  await backend.start();
  return backend;
}

beforeEach(async () => {
  telegram = await TelegramStandIn.start();
});

afterEach(async () => {
  for (const backend of started.splice(0)) await backend.stop();
  await telegram.stop();
});

describe("send() over a socket", () => {
  it("sends texts and files", async () => {
    const backend = await backendOf();
    assertOutcome(await backend.send(messageOf({ message: "Zürich <😀>" }), contextOf()), "accepted");
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const file = messageOf({
      message: "",
      attachments: [{ filename: "a.bin", contentType: "application/octet-stream", bytes }],
    });
    assertOutcome(await backend.send(file, contextOf()), "accepted");
    const [text, document] = telegram.api.messages;
    assert.equal(text?.text, "Zürich <😀>");
    assert.ok(typeof document?.file === "object");
    assert.deepEqual(document.file.bytes, bytes);
  });

  it("reports each fault as what it is", async () => {
    const backend = await backendOf();
    const send = (): Promise<string> =>
      backend.send(messageOf({ message: "x" }), contextOf()).then((receipt) =>
        receipt.outcome === "rejected" ? `${receipt.reason} ${receipt.retryAfterMs ?? ""}`.trim() : receipt.outcome
      );
    telegram.api.inject({ kind: "rate-limit", retryAfter: 3 });
    telegram.api.inject({ kind: "error", code: 500 });
    telegram.api.inject({ kind: "error", code: 403 });
    telegram.api.inject({ kind: "foreign", status: 502 });
    telegram.api.inject({ kind: "foreign", status: 503, headers: { "retry-after": "9" } });
    telegram.api.inject({ kind: "foreign", status: 307, headers: { location: `${telegram.url}/elsewhere` } });
    telegram.api.inject({ kind: "cut", accept: false });
    telegram.api.inject({ kind: "cut", accept: true });
    telegram.api.inject({ kind: "slow", delayMs: 5 });
    const outcomes: string[] = [];
    for (let count = 0; count < 9; count += 1) outcomes.push(await send());
    assert.deepEqual(outcomes, [
      "rate-limited 3000",
      "unavailable",
      "recipient-unreachable",
      "unknown",
      "unavailable 9000",
      "not-configured",
      "unknown",
      "unknown",
      "accepted",
    ]);
    assert.equal(telegram.api.messages.length, 2);
  });

  it("makes one attempt when a kept connection ends without an answer: no client in between sends it again", async () => {
    const backend = await backendOf();
    for (let round = 0; round < 20; round += 1) {
      assertOutcome(await backend.send(messageOf({ message: "keeps the connection" }), contextOf()), "accepted");
      const before = telegram.api.calls.length;
      telegram.api.inject({ kind: "cut", accept: true });
      assertOutcome(await backend.send(messageOf({ message: "once" }), contextOf()), "unknown");
      assert.equal(telegram.api.calls.length, before + 1);
    }
  });

  it("makes one attempt with a file, too", async () => {
    const backend = await backendOf();
    const attachments = [{ filename: "a.txt", contentType: "text/plain", bytes: new Uint8Array(100_000) }];
    assertOutcome(await backend.send(messageOf({ message: "x", attachments }), contextOf()), "accepted");
    telegram.api.inject({ kind: "cut", accept: true });
    assertOutcome(await backend.send(messageOf({ message: "x", attachments }), contextOf()), "unknown");
    assert.equal(telegram.api.calls.length, 2);
  });

  it("knows that nothing left when nobody listens", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const address = free.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await new Promise((resolve) => free.close(resolve));
    const backend = await backendOf({ apiRoot: `http://127.0.0.1:${port}` });
    const receipt = await backend.send(messageOf({ message: "x" }), contextOf());
    assertOutcome(receipt, "rejected");
    assert.deepEqual([receipt.reason, receipt.retryable], ["network", true]);
  });

  it("does not know when the server ends before it answers, whatever it read", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const backend = await backendOf({ apiRoot: `http://127.0.0.1:${port}` });
    const receipt = await backend.send(messageOf({ message: "x" }), contextOf());
    await new Promise((resolve) => server.close(resolve));
    assert.equal(receipt.outcome, "unknown");
  });

  it("sends to many chats at once, in order within each", async () => {
    const backend = await backendOf();
    await Promise.all(
      Array.from({ length: 20 }, async (_, chat) => {
        const recipient = String(1_000 + chat);
        for (let count = 0; count < 5; count += 1) {
          const message = messageOf({ message: `${count}`, recipients: [recipient] });
          assertOutcome(await backend.send(message, contextOf({ recipient })), "accepted");
        }
      }),
    );
    for (let chat = 0; chat < 20; chat += 1) {
      const texts = telegram.api.messages.filter(({ chatId }) => chatId === String(1_000 + chat)).map(({ text }) =>
        text
      );
      assert.deepEqual(texts, ["0", "1", "2", "3", "4"]);
    }
  });

  it("stop() waits for what is under way", async () => {
    const backend = await backendOf();
    telegram.api.inject({ kind: "slow", delayMs: 30 });
    const sending = backend.send(messageOf({ message: "x" }), contextOf());
    await backend.stop();
    assert.equal(telegram.api.messages.length, 1);
    assert.equal((await sending).outcome, "accepted");
  });
});
