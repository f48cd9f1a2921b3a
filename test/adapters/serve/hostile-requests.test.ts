import { afterEach, describe, it } from "bun:test";
import assert from "node:assert/strict";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { type RunningServer, serve } from "../../../adapters/serve/mod.ts";
import { TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { Application, MemoryStore } from "../../../core/mod.ts";
import { attackServer } from "../../support/hostile-requests.ts";
import { SignedNetwork, signedRequest } from "../http/signed-network.ts";

const SECRET = "the secret of the wire";
const TELEGRAM_SECRET = "Correct-horse_battery-staple";

let server: RunningServer | undefined;
let application: Application | undefined;

afterEach(async () => {
  await server?.stop();
  await application?.stop();
});

async function open(store: MemoryStore): Promise<RunningServer> {
  application = await Application.create({}, {
    store,
    closeStore: true,
    mode: "pump",
    communicators: [
      { communicator: new SignedNetwork("wire", SECRET) },
      {
        communicator: new TelegramCommunicator("telegram", {
          token: "123456:none",
          listenToCommands: true,
          webhookSecret: TELEGRAM_SECRET,
          chats: { default: { chatId: "1", commandAuthorized: true } },
        }),
      },
    ],
  });
  server = await serve(createHttpApp(application, { token: "a-token-of-sixteen-and-more" }), { port: 0 });
  return server;
}

describe("A server behind which the HTTP app is", () => {
  it("refuses requests that lie or never end, without a word of an exception, and goes on", async () => {
    const store = new MemoryStore();
    const { host, port } = await open(store);
    const { headers, body } = await signedRequest("wire", SECRET, [{ id: "1", from: "anna", text: "Hello" }]);
    const seen = await attackServer({
      host,
      port,
      path: "/webhooks/wire",
      proof: Object.fromEntries(headers),
      body: new TextDecoder().decode(body),
      maxBodyBytes: 65_536,
    });
    const chat = { id: 1, type: "private", first_name: "Ann" };
    await attackServer({
      host,
      port,
      path: "/webhooks/telegram",
      proof: { "x-telegram-bot-api-secret-token": TELEGRAM_SECRET },
      body: JSON.stringify({ update_id: 1, message: { message_id: 1, date: 1, chat, from: chat, text: "Hello" } }),
      maxBodyBytes: 1_048_576,
    });
    assert.deepEqual(seen.get("a length of nine petabytes"), [413]);
    assert.ok(!seen.get("a length and chunks")?.includes(200));
    // Of all that, the two honest messages are what was taken in, once.
    assert.equal((await store.stats("default:inbox")).stored, 2);
  }, 240_000);
});
