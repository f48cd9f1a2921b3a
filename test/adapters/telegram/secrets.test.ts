import assert from "node:assert/strict";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { MemoryStore } from "../../../core/mod.ts";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { TelegramCommunicator, type TelegramOptions } from "../../../adapters/telegram/mod.ts";
import { CHAT, contextOf, type LogLine, messageOf, recordingLogger, until } from "./support.ts";

const CANARY = "C4N4RYtoken_AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const TOKEN = `987654321:${CANARY}`;
const SECRET = "C4N4RYsecret_0123456789";

let telegram: TelegramStandIn;
let lines: LogLine[];

beforeEach(async () => {
  telegram = await TelegramStandIn.start({ token: TOKEN });
  lines = [];
});

afterEach(async () => {
  await telegram.stop();
});

function backendOf(options: Partial<TelegramOptions> = {}, store = new MemoryStore()): TelegramCommunicator {
  const backend = new TelegramCommunicator("ops", {
    token: TOKEN,
    apiRoot: telegram.url,
    chats: { default: { chatId: CHAT, commandAuthorized: true } },
    ...options,
  }, { logger: recordingLogger(lines), store });
  backend.setIncomingHandler(() => Promise.resolve());
  return backend;
}

/** Everything a program could print of something. */
function everythingOf(value: unknown): string {
  const json = (() => {
    try {
      return JSON.stringify(value) ?? "";
    } catch {
      return "";
    }
  })();
  const error = value instanceof Error ? `${value.stack} ${String(value)} ${inspect(value.cause, { depth: 10 })}` : "";
  return `${inspect(value, { depth: 10, showHidden: true, getters: false })} ${json} ${error}`;
}

function assertClean(...values: readonly unknown[]): void {
  for (const value of [...values, lines]) {
    const text = everythingOf(value);
    assert.ok(!/C4N4RY/.test(text), `a secret shows: ${text.replace(/C4N4RY\w+/g, "[canary]").slice(0, 500)}`);
  }
}

describe("TelegramCommunicator keeps its secrets", () => {
  it("the backend itself shows none, started or not", async () => {
    const backend = backendOf({ listenToCommands: true, webhookSecret: SECRET });
    assertClean(backend, backend.webhook, backend.stats, backend.capabilities);
    await backend.start();
    assertClean(backend);
    await backend.stop();
  });

  it("no way of failing shows one", async () => {
    const backend = backendOf();
    await backend.start();
    const send = (): Promise<unknown> => backend.send(messageOf({ message: "x" }), contextOf());
    telegram.api.inject({ kind: "error", code: 400, description: `bad token ${TOKEN} at /bot${TOKEN}/sendMessage` });
    telegram.api.inject({ kind: "error", code: 401 });
    telegram.api.inject({ kind: "rate-limit", retryAfter: 1 });
    telegram.api.inject({ kind: "foreign", status: 502, body: `<a href="/bot${TOKEN}/sendMessage">` });
    telegram.api.inject({ kind: "foreign", status: 302, headers: { location: `/bot${TOKEN}/x` } });
    telegram.api.inject({ kind: "cut", accept: false });
    for (let count = 0; count < 7; count += 1) assertClean(await send());
    await backend.stop();
  });

  it("no network that is gone shows one", async () => {
    for (
      const apiRoot of [
        "http://127.0.0.1:9",
        "https://127.0.0.1:9",
        "https://no-such-host.invalid",
        telegram.url.replace("http:", "https:"),
      ]
    ) {
      const backend = backendOf({ apiRoot, timeoutMs: 3_000 });
      await backend.start();
      assertClean(await backend.send(messageOf({ message: "x" }), contextOf()));
      assertClean(await backend.checkToken().catch((error: unknown) => error));
      assertClean(await backend.setWebhook("https://example.org/").catch((error: unknown) => error));
      const opened = await backend.openAttachment({ providerId: "x" }).catch((error: unknown) => error);
      assert.ok(opened instanceof Error);
      assertClean(opened);
      await backend.stop();
    }
  });

  it("no time that runs out, no signal, no transformer shows one", async () => {
    telegram.api.inject({ kind: "slow", delayMs: 60_000, times: 2 });
    const hurried = backendOf({ timeoutMs: 20 });
    await hurried.start();
    assertClean(await hurried.send(messageOf({ message: "x" }), contextOf()));
    const controller = new AbortController();
    const patient = backendOf();
    await patient.start();
    setTimeout(() => controller.abort(new Error(TOKEN)), 10);
    assertClean(await patient.send(messageOf({ message: "x" }), contextOf({ signal: controller.signal })));
    await hurried.stop();
    await patient.stop();
  });

  it("no poll shows one, nor what it keeps in the store", async () => {
    const store = new MemoryStore();
    const backend = backendOf({ listenToCommands: true }, store);
    telegram.api.inject({ kind: "error", method: "pollRefusal", code: 409, description: TOKEN });
    await backend.start();
    await until(() => backend.stats.polling === "conflict");
    telegram.api.say({ chatId: Number(CHAT), text: "x" });
    await until(() => backend.stats.received === 1 && telegram.api.pendingUpdates.length === 0);
    await backend.stop();
    assertClean(await store.listState(""));
    assert.ok(lines.length > 0);
  });

  it("no file that cannot be had shows one", async () => {
    const backend = backendOf();
    const id = telegram.api.addFile(new Uint8Array(5), "documents/a.bin");
    const failures = [
      () => backend.openAttachment({ providerId: "no such" }),
      () => backend.openAttachment({ providerId: id }, { maxBytes: 1 }),
      () => backend.openAttachment({ providerId: id }, { signal: AbortSignal.abort() }),
    ];
    for (const failure of failures) {
      const error: unknown = await failure().catch((reason: unknown) => reason);
      assert.ok(error instanceof Error);
      assertClean(error);
    }
  });

  it("no mistake in the options shows one", () => {
    const wrong: readonly Partial<TelegramOptions>[] = [
      { token: `${CANARY} ${CANARY}` },
      { webhookSecret: `${SECRET}!` },
      { apiRoot: `https://user:${CANARY}@example.org` },
      { webhookUrl: `http://example.org/${CANARY}`, webhookSecret: SECRET },
    ];
    for (const options of wrong) {
      try {
        backendOf(options);
        assert.fail("it was taken");
      } catch (error) {
        assertClean(error);
      }
    }
  });
});
