import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, describe, it } from "bun:test";
import type { IncomingAttachment } from "../../../core/mod.ts";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { CHAT } from "./support.ts";

let telegram: TelegramStandIn;
const servers: Server[] = [];

function backendOf(apiRoot: string = telegram.url, maxMediaBytes = 1_000_000): TelegramCommunicator {
  return new TelegramCommunicator("ops", {
    token: telegram.api.token,
    apiRoot,
    chats: { default: { chatId: CHAT, commandAuthorized: true } },
    listenToCommands: true,
    webhookSecret: "s",
    maxMediaBytes,
  });
}

/** The attachment of a message as it comes in by webhook. */
function received(backend: TelegramCommunicator, fileId: string): IncomingAttachment {
  const update = {
    update_id: 1,
    message: {
      message_id: 1,
      date: 1_700_000_000,
      chat: { id: Number(CHAT), type: "supergroup", title: "Ops" },
      from: { id: 4711, is_bot: false, first_name: "Ada" },
      document: { file_id: fileId, file_unique_id: "u", file_name: "a.bin" },
    },
  };
  const [attachment] =
    backend.webhook?.parse(new TextEncoder().encode(JSON.stringify(update))).messages[0]?.attachments ?? [];
  assert.ok(attachment);
  return attachment;
}

async function readAll(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  assert.ok(stream);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A server that answers getFile with a path of our choice, and downloads as told. */
async function apiOf(
  path: string,
  download: (respond: (status: number, headers: Record<string, string>, body: string) => void) => void,
): Promise<{ readonly url: string; readonly requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    request.resume();
    const respond = (status: number, headers: Record<string, string>, body: string): void => {
      response.writeHead(status, headers);
      response.end(body);
    };
    if (request.url?.endsWith("/getFile")) {
      respond(200, {}, JSON.stringify({ ok: true, result: { file_id: "x", file_unique_id: "x", file_path: path } }));
    } else {
      download(respond);
    }
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`, requests };
}

beforeEach(async () => {
  telegram = await TelegramStandIn.start();
});

afterEach(async () => {
  await telegram.stop();
  for (const server of servers.splice(0)) {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
});

describe("attachment.open()", () => {
  it("streams the file", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(50_000));
    const backend = backendOf();
    const attachment = received(backend, telegram.api.addFile(bytes));
    assert.deepEqual(await readAll(await attachment.open?.()), bytes);
    assert.deepEqual(await readAll(await backend.openAttachment({ providerId: attachment.providerId })), bytes);
  });

  it("refuses what is larger than the limit before it reads it", async () => {
    const attachment = received(backendOf(), telegram.api.addFile(new Uint8Array(1_000)));
    await assert.rejects(async () => await attachment.open?.({ maxBytes: 999 }), { code: "too-large" });
    assert.equal((await readAll(await attachment.open?.({ maxBytes: 1_000 }))).length, 1_000);
    const small = received(backendOf(telegram.url, 999), telegram.api.addFile(new Uint8Array(1_000)));
    await assert.rejects(async () => await small.open?.(), { code: "too-large" });
  });

  it("stops reading where a size was not said, or was a lie", async () => {
    const api = await apiOf(
      "documents/a.bin",
      (respond) => respond(200, { "transfer-encoding": "chunked" }, "x".repeat(5_000)),
    );
    const stream = await received(backendOf(api.url), "x").open?.({ maxBytes: 4_999 });
    await assert.rejects(
      readAll(stream),
      (error: Error) => /more than 4999 bytes/.test(`${error.message} ${String(error.cause)}`),
    );
  });

  it("goes nowhere else: no path leads out, no redirect is followed", async () => {
    const elsewhere = await apiOf("x", (respond) => respond(200, {}, "secret"));
    const paths = [
      "/etc/passwd",
      "../../botOTHER/x",
      "a/../../b",
      "./a",
      `${elsewhere.url}/x`,
      "//evil.example/x",
      "a?b",
      "a#b",
      "a%2e%2e/b",
      "a\\b",
      "",
      "a b",
      "x".repeat(600),
    ];
    for (const path of paths) {
      const api = await apiOf(path, (respond) => respond(200, {}, "reached"));
      await assert.rejects(async () => await received(backendOf(api.url), "x").open?.(), { code: "media" }, path);
      assert.equal(api.requests.length, 1, path);
    }
    const redirecting = await apiOf(
      "documents/a.bin",
      (respond) => respond(302, { location: `${elsewhere.url}/steal` }, ""),
    );
    await assert.rejects(async () => await received(backendOf(redirecting.url), "x").open?.(), { code: "media" });
    assert.deepEqual(elsewhere.requests, []);
  });

  it("says whether trying again may help, and never where it went", async () => {
    const gone = received(backendOf(), "no such file");
    await assert.rejects(async () => await gone.open?.(), (error: Error & { retryable?: boolean }) => {
      assert.equal(error.retryable, false);
      assert.ok(!error.message.includes(telegram.api.token));
      return true;
    });
    const busy = await apiOf("documents/a.bin", (respond) => respond(503, {}, ""));
    await assert.rejects(async () => await received(backendOf(busy.url), "x").open?.(), {
      code: "media",
      retryable: true,
    });
    const dead = received(backendOf("http://127.0.0.1:9"), "x");
    await assert.rejects(async () => await dead.open?.(), { code: "media", retryable: true });
  });

  it("ends early when it is called off", async () => {
    const attachment = received(backendOf(), telegram.api.addFile(new Uint8Array(10)));
    await assert.rejects(
      async () => await attachment.open?.({ signal: AbortSignal.abort(new Error("enough")) }),
      /enough/,
    );
  });
});
