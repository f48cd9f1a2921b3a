/**
 * One round trip by polling and one by webhook with a fake Bot API that somebody else wrote: npm's `telegram-test-api`.
 *
 * It is not among the packages of this repository, because it stands on versions of axios and express with known
 * advisories. `.ci/run` installs it into a folder of its own and names that in `POSTHORN_TELEGRAM_TEST_API`; by hand,
 * `npm install --no-save telegram-test-api@4.2.1` brings it for Bun and Node. It knows neither offsets nor
 * secrets; our own stand-in is held to those.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { afterEach, describe, it } from "bun:test";
import type { IncomingMessage } from "../../../core/mod.ts";
import { telegramButtons, TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { isRequired } from "../../support/require.ts";
import { assertOutcome, contextOf, messageOf, until } from "./support.ts";

const PACKAGE = "telegram-test-api";
const TOKEN = "123456:sampleToken";

/** As much of the package as is used. */
interface FakeTelegram {
  readonly config: { readonly apiURL: string };
  start(): Promise<void>;
  stop(): Promise<boolean>;
  getClient(token: string, options: { readonly userId: number; readonly chatId: number }): FakeClient;
}

interface FakeClient {
  makeMessage(text: string): object;
  sendMessage(message: object): Promise<unknown>;
  getUpdates(): Promise<{ readonly result: readonly { readonly message?: { readonly text?: string } }[] }>;
}

type FakeTelegramClass = new (config: { readonly port: number; readonly host: string }) => FakeTelegram;

/** From beside our own packages, or from a folder that was named. */
async function load(): Promise<FakeTelegramClass | undefined> {
  const folder = process.env["POSTHORN_TELEGRAM_TEST_API"];
  let found: unknown;
  try {
    found = folder === undefined ? await import(PACKAGE) : createRequire(join(folder, "any.js"))(PACKAGE);
  } catch {
    return undefined;
  }
  for (let depth = 0; depth < 3 && typeof found === "object" && found !== null; depth += 1) {
    found = Reflect.get(found, "TelegramServer") ?? Reflect.get(found, "default");
  }
  return isClass(found) ? found : undefined;
}

function isClass(value: unknown): value is FakeTelegramClass {
  return typeof value === "function";
}

const Fake = await load();
const closing: (() => Promise<unknown>)[] = [];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function backendOf(apiRoot: string, received: IncomingMessage[], webhookSecret?: string): TelegramCommunicator {
  const backend = new TelegramCommunicator("ops", {
    token: TOKEN,
    apiRoot,
    chats: { default: { chatId: "1", commandAuthorized: true } },
    listenToCommands: true,
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
  });
  backend.setIncomingHandler((messages) => {
    received.push(...messages);
    return Promise.resolve();
  });
  closing.push(() => backend.stop());
  return backend;
}

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

describe(`TelegramCommunicator against ${PACKAGE}`, () => {
  if (Fake === undefined) {
    if (isRequired(PACKAGE)) {
      it(`needs ${PACKAGE}`, () => assert.fail(`${PACKAGE} is not installed, and POSTHORN_REQUIRE names it`));
    } else {
      it.skip(`not run: ${PACKAGE} is not installed (npm install --no-save ${PACKAGE}@4.2.1)`);
    }
    return;
  }

  it("send() answers what came in by polling", async () => {
    const fake = new Fake({ port: await freePort(), host: "127.0.0.1" });
    await fake.start();
    closing.push(() => fake.stop());
    const received: IncomingMessage[] = [];
    const backend = backendOf(fake.config.apiURL, received);
    await backend.start();
    const client = fake.getClient(TOKEN, { userId: 1, chatId: 1 });
    await client.sendMessage(client.makeMessage("hello"));
    await until(() => received.length > 0);
    assert.deepEqual([received[0]?.kind, received[0]?.text, received[0]?.conversation], ["text", "hello", "1"]);
    const metadata = { telegram: telegramButtons([[{ title: "Yes", id: "y" }]]) };
    assertOutcome(await backend.send(messageOf({ message: "a <b> & c", metadata }), contextOf()), "accepted");
    const { result } = await client.getUpdates();
    assert.deepEqual(result.map(({ message }) => message?.text), ["a &lt;b&gt; &amp; c"]);
  });

  it("parse() reads what it pushes to a webhook", async () => {
    const fake = new Fake({ port: await freePort(), host: "127.0.0.1" });
    await fake.start();
    closing.push(() => fake.stop());
    const received: IncomingMessage[] = [];
    const backend = backendOf(fake.config.apiURL, received, "s3cret");
    const server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
      await backend.receive(backend.webhook?.parse(new TextEncoder().encode(text)).messages ?? []);
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    await backend.start();
    await backend.setWebhook(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/`);
    const client = fake.getClient(TOKEN, { userId: 1, chatId: 1 });
    await client.sendMessage(client.makeMessage("by webhook"));
    await until(() => received.length > 0);
    assert.equal(received[0]?.text, "by webhook");
  });
});
