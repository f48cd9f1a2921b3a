import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { TelegramStandIn } from "../../adapters/emulator/telegram-stand-in.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SECRET = "deploy-test-secret-0123456789";
const CHAT = 4_711;

/** How this runtime runs its own example. */
function command(): { readonly runtime: string; readonly words: readonly string[] } {
  if ("Bun" in globalThis) return { runtime: "bun", words: ["examples/deploy/bun/main.ts"] };
  if ("Deno" in globalThis) {
    const permissions = ["--allow-net", "--allow-env", "--allow-read", "--allow-write", "--no-lock"];
    return { runtime: "deno", words: ["run", ...permissions, "examples/deploy/deno/main.ts"] };
  }
  return { runtime: "node", words: ["examples/deploy/node/main.ts"] };
}

interface Running {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
}

async function start(env: Readonly<Record<string, string>>): Promise<Running> {
  const child = spawn(process.execPath, [...command().words], {
    cwd: ROOT,
    env: { ...process.env, ...env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let said = "";
  const url = await new Promise<string | undefined>((resolve) => {
    const hear = (chunk: Uint8Array): void => {
      said += new TextDecoder().decode(chunk);
      const found = /Listening on (http:\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    void ended.then(() => resolve(undefined));
  });
  assert.ok(url !== undefined, `it did not start: ${said}`);
  return { url, child, ended };
}

describe(`examples/deploy/${command().runtime}`, () => {
  it("answers by webhook, is killed, started again on its file, and goes on counting", async () => {
    const place = await mkdtemp(join(tmpdir(), "posthorn-deploy-"));
    const telegram = await TelegramStandIn.start({ token: "4242:abcdefghijklmnopqrstuvwxyz" });
    const env = {
      PORT: "0",
      POSTHORN_DB: join(place, "posthorn.db"),
      TELEGRAM_BOT_TOKEN: telegram.api.token,
      TELEGRAM_WEBHOOK_SECRET: SECRET,
      TELEGRAM_CHAT_ID: String(CHAT),
      TELEGRAM_API_ROOT: telegram.url,
    };
    const post = async (url: string, id: number, text: string): Promise<number> => {
      const from = { id: 7, is_bot: false, first_name: "Ann" };
      const chat = { id: CHAT, type: "private", first_name: "Ann" };
      const response = await fetch(`${url}/webhooks/bot`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-telegram-bot-api-secret-token": SECRET },
        body: JSON.stringify({ update_id: id, message: { message_id: id, date: 1_700_000_000, from, chat, text } }),
      });
      await response.text();
      return response.status;
    };
    const answers = (): readonly string[] => telegram.api.messages.map(({ text }) => text ?? "");
    const until = async (holds: () => boolean): Promise<void> => {
      for (let turn = 0; turn < 400 && !holds(); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(holds(), `it never happened: ${JSON.stringify(answers())}`);
    };
    try {
      const first = await start(env);
      assert.equal(await post(first.url, 1, "one"), 200);
      await until(() => answers().length === 1);
      // The network has it; give the process the moment it takes to write that down. Killed before, it would be an
      // `unknown`, sent again, marked, once the dead process's lease is over.
      await new Promise((resolve) => setTimeout(resolve, 500));
      first.child.kill("SIGKILL");
      await first.ended;
      const second = await start(env);
      assert.equal(await post(second.url, 1, "one"), 200);
      assert.equal(await post(second.url, 2, "two"), 200);
      await until(() => answers().length >= 2);
      assert.deepEqual(answers(), ["1: one", "2: two"]);
      // Not child.kill(): after that, Deno reports the signal even of a program that ended well.
      process.kill(second.child.pid ?? assert.fail("no process"), "SIGTERM");
      assert.equal(await second.ended, 0);
    } finally {
      await telegram.stop();
      await rm(place, { recursive: true, force: true });
    }
  });
});
