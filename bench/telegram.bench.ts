// Telegram sends per second: the backend against bare grammY, to the same stand-in in a process of its own.
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Api } from "grammy";
import { TelegramStandIn } from "../adapters/emulator/telegram-stand-in.ts";
import { TelegramCommunicator } from "../adapters/telegram/mod.ts";
import { createOutgoingMessage, type OutgoingMessage } from "../core/mod.ts";
import { benchmark } from "./harness.ts";

const IN_FLIGHT = 25;
const TEXT = "Disk usage at 95% on <db-1> & rising: look at it before the night.";
const TOKEN = "424242:stand-in-token-of-no-use-elsewhere";

if (process.argv.includes("--serve")) {
  const server = await TelegramStandIn.start({ token: TOKEN, remembered: 100 });
  process.stdout.write(`${server.url}\n`);
} else {
  await measure();
}

async function measure(): Promise<void> {
  const server = await serve();
  const api = new Api(TOKEN, { apiRoot: server.url });
  const backend = new TelegramCommunicator("bench", {
    token: TOKEN,
    apiRoot: server.url,
    chats: { default: { chatId: "4711" } },
  });
  await backend.start();
  const escaped = TEXT.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const { signal } = new AbortController();

  async function sendByPosthorn(): Promise<void> {
    const receipt = await backend.send(messageOf(TEXT), { deliveryId: "d", attempt: 1, signal });
    if (receipt.outcome !== "accepted") throw new Error(`Cannot measure: ${receipt.outcome}`);
  }
  async function sendByGrammy(): Promise<void> {
    await api.sendMessage("4711", escaped, { parse_mode: "HTML" });
  }

  const options = { reference: "bare grammY", unit: "messages" };
  await benchmark("telegram: one at a time", [
    { name: "posthorn", operations: IN_FLIGHT, run: () => oneByOne(sendByPosthorn) },
    { name: "bare grammY", operations: IN_FLIGHT, run: () => oneByOne(sendByGrammy) },
  ], options);
  await benchmark(`telegram: ${IN_FLIGHT} in flight`, [
    { name: "posthorn", operations: IN_FLIGHT, run: () => together(sendByPosthorn) },
    { name: "bare grammY", operations: IN_FLIGHT, run: () => together(sendByGrammy) },
  ], options);
  await backend.stop();
  server.stop();
}

async function oneByOne(send: () => Promise<void>): Promise<void> {
  for (let count = 0; count < IN_FLIGHT; count += 1) await send();
}

async function together(send: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
}

function messageOf(message: string): OutgoingMessage {
  return createOutgoingMessage({ message }, { newId: () => "m", now: () => 0 });
}

/** The stand-in in a process of its own, so that it takes its time from neither contender. */
function serve(): Promise<{ readonly url: string; readonly stop: () => void }> {
  const isDeno = "deno" in process.versions;
  const file = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [...(isDeno ? ["run", "-A"] : []), file, "--serve"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.stdout.setEncoding("utf8").once("data", (line: string) => {
      resolve({ url: line.trim(), stop: () => void child.kill() });
    });
  });
}
