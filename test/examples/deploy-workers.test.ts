import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, it } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TelegramStandIn } from "../../adapters/emulator/telegram-stand-in.ts";
import { bundleBotWorker, startBotWorker } from "../support/bot-worker.mjs";
import { attackServer } from "../support/hostile-requests.ts";

const SECRET = "deploy-test-secret-0123456789";
const CHAT = 4_711;

/** One update, as Telegram posts it. */
function update(id: number, text: string): string {
  const from = { id: 7, is_bot: false, first_name: "Ann" };
  const chat = { id: CHAT, type: "private", first_name: "Ann" };
  return JSON.stringify({ update_id: id, message: { message_id: id, date: 1_700_000_000 + id, from, chat, text } });
}

async function post(port: number, body: string, secret: string = SECRET): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/bot`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": secret },
    body,
  });
  await response.text();
  return response.status;
}

describe("examples/deploy/workers", () => {
  let place: string;
  let telegram: TelegramStandIn;
  let variables: Record<string, string>;

  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), "posthorn-worker-"));
    telegram = await TelegramStandIn.start({ token: "4242:abcdefghijklmnopqrstuvwxyz" });
    variables = {
      TELEGRAM_BOT_TOKEN: telegram.api.token,
      TELEGRAM_WEBHOOK_SECRET: SECRET,
      TELEGRAM_CHAT_ID: String(CHAT),
      TELEGRAM_API_ROOT: telegram.url,
    };
    await bundleBotWorker(place);
  });

  afterAll(async () => {
    await telegram.stop();
    await rm(place, { recursive: true, force: true });
  });

  function answers(): readonly string[] {
    return telegram.api.messages.map(({ text }) => text ?? "");
  }

  async function until(holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < 400 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(holds(), `it never happened: ${JSON.stringify(answers())}`);
  }

  it("takes in, routes and answers, refuses strangers, and loses nothing when the isolate is killed between", async () => {
    const first = await startBotWorker(place, variables);
    try {
      assert.equal(await post(first.port, update(1, "one"), "a stranger's secret"), 401);
      assert.equal(await post(first.port, update(1, "one")), 200);
      assert.equal(await post(first.port, update(1, "one")), 200);
      await until(() => answers().length === 1);
      assert.deepEqual(answers(), ["1: one"]);
      // The network is down for what comes next, so that it is still on its way when the isolate is killed.
      telegram.api.inject({ kind: "error", code: 503, times: 1_000 });
      assert.equal(await post(first.port, update(2, "two")), 200);
      assert.equal(await post(first.port, update(3, "three")), 200);
    } finally {
      await first.stop(); // SIGKILL
    }
    telegram.api.clearFaults();
    const second = await startBotWorker(place, variables);
    try {
      assert.equal(await post(second.port, update(4, "four")), 200);
      await until(() => answers().length === 4);
      assert.deepEqual([...answers()].sort(), ["1: one", "2: two", "3: three", "4: four"]);
    } finally {
      await second.stop();
    }
  });

  it("refuses requests that lie or never end, without a word of an exception, and goes on", async () => {
    const worker = await startBotWorker(place, variables);
    try {
      const seen = await attackServer({
        host: "127.0.0.1",
        port: worker.port,
        path: "/webhooks/bot",
        proof: { "x-telegram-bot-api-secret-token": SECRET },
        body: update(900, "honest"),
        maxBodyBytes: 1_048_576,
      });
      assert.deepEqual(seen.get("a length of nine petabytes"), [413]);
      await until(() => answers().some((text) => text.endsWith("honest")));
      assert.equal(answers().filter((text) => text.endsWith("honest")).length, 1);
    } finally {
      await worker.stop();
    }
  }, 120_000);

  it("says in the Worker's log what a person should know: a token that is refused, for one", async () => {
    telegram.api.inject({ kind: "error", code: 401, times: 1_000 });
    const worker = await startBotWorker(place, variables);
    try {
      assert.equal(await post(worker.port, update(500, "hello")), 200);
      await until(() => /backend is down: its messages wait/.test(worker.log.join("")));
    } finally {
      await worker.stop();
      telegram.api.clearFaults();
    }
  });
});
