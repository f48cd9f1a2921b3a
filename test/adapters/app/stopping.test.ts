import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, type IncomingMessageHandler, type Logger, MemoryStore, silentLogger } from "../../../core/mod.ts";
import { EmulatorCommunicator } from "../../../adapters/emulator/mod.ts";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { telegram } from "../../../adapters/telegram/mod.ts";

const CHAT = -100;

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("it never happened");
}

/** A handler that holds its first message until it is let go, as one that works does. */
function busy(heard: string[]): { readonly handler: IncomingMessageHandler; readonly letGo: () => void } {
  let letGo = (): void => {};
  const gate = new Promise<void>((resolve) => letGo = resolve);
  return {
    handler: async ({ message }) => {
      if (message.text === "hold") await gate;
      heard.push(message.text);
    },
    letGo: () => letGo(),
  };
}

function bot(network: TelegramStandIn, more: object, logger: Logger = silentLogger): Promise<Application> {
  return Application.create({
    communications: {
      enabled: true,
      backends: {
        bot: {
          type: "telegram",
          token: network.api.token,
          api_root: network.url,
          listen_to_commands: true,
          chats: { default: { chat_id: String(CHAT), command_authorized: true } },
          ...more,
        },
      },
    },
  }, { backends: [telegram], logger });
}

describe("Application.stop, at the networks", () => {
  it("stop() leaves what is said meanwhile with Telegram, which gives it to the next start", async () => {
    const network = await TelegramStandIn.start();
    const heard: string[] = [];
    const errors: string[] = [];
    const logger: Logger = { ...silentLogger, error: (text) => void errors.push(text) };
    const { handler, letGo } = busy(heard);
    const first = await bot(network, {}, logger);
    first.messenger.route(handler);
    network.api.say({ chatId: CHAT, text: "hold" });
    await until(async () => (await first.inbox.queue.stats()).claimed === 1);
    await until(() => network.api.pendingUpdates.length === 0); // it asks for the next ones
    const stopped = first.stop();
    network.api.say({ chatId: CHAT, text: "meanwhile" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    letGo();
    await stopped;
    assert.deepEqual(heard, ["hold"]);
    assert.equal(network.api.pendingUpdates.length, 1, "it was not confirmed");
    assert.deepEqual(errors, [], "stopping is no fault");
    const second = await bot(network, {});
    second.messenger.route(handler);
    await until(() => heard.length === 2);
    assert.deepEqual(heard, ["hold", "meanwhile"]);
    await second.stop();
    await network.stop();
  });

  it("stop() answers webhooks 503 with Retry-After, so that they come again", async () => {
    const network = await TelegramStandIn.start();
    const heard: string[] = [];
    const { handler, letGo } = busy(heard);
    const app = await bot(network, { webhook_secret: "a-secret-of-some-length" });
    app.messenger.route(handler);
    const http = createHttpApp(app);
    const post = async (id: number, text: string): Promise<Response> =>
      await http.fetch(
        new Request("http://localhost/webhooks/bot", {
          method: "POST",
          headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": "a-secret-of-some-length" },
          body: JSON.stringify({
            update_id: id,
            message: { message_id: id, date: 1_700_000_000, text, chat: { id: CHAT, type: "group", title: "ops" } },
          }),
        }),
      );
    assert.equal((await post(1, "hold")).status, 200);
    await until(async () => (await app.inbox.queue.stats()).claimed === 1);
    const stopped = app.stop();
    const refused = await post(2, "meanwhile");
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "10");
    assert.equal((await refused.json() as { code: string }).code, "not-running");
    assert.equal((await http.fetch(new Request("http://localhost/readyz"))).status, 503);
    assert.equal((await http.fetch(new Request("http://localhost/healthz"))).status, 200);
    letGo();
    await stopped;
    assert.deepEqual(heard, ["hold"]);
    assert.equal((await post(3, "after")).status, 503);
    await network.stop();
  });

  it("stop() tells the emulator's page that the program is stopping", async () => {
    const store = new MemoryStore();
    const emulator = new EmulatorCommunicator("emulator", { store });
    const app = await Application.create({}, { store, closeStore: true, communicators: [{ communicator: emulator }] });
    const heard: string[] = [];
    const { handler, letGo } = busy(heard);
    app.messenger.route(handler);
    const http = createHttpApp(app, { emulator: true });
    await emulator.openConversation("anna");
    const type = async (text: string): Promise<Response> =>
      await http.fetch(
        new Request("http://127.0.0.1/webhooks/emulator", {
          method: "POST",
          headers: {
            host: "127.0.0.1",
            "content-type": "application/json",
            authorization: `Bearer ${emulator.token}`,
          },
          body: JSON.stringify({ conversation: "anna", text }),
        }),
      );
    assert.equal((await type("hold")).status, 200);
    await until(async () => (await app.inbox.queue.stats()).claimed === 1);
    const stopped = app.stop();
    const refused = await type("meanwhile");
    assert.equal(refused.status, 503);
    assert.equal((await refused.json() as { code: string }).code, "not-running");
    letGo();
    await stopped;
    assert.deepEqual(heard, ["hold"]);
  });
});
