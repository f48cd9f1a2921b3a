/**
 * An application that says one thing after the other until it is asked to end (SIGTERM), and is started again as often as
 * it is told: what the test of the graceful stop starts.
 *
 * `stopping-child.ts <file> <log> <url> <name> <times>`: with `times` 0 it says nothing of its own, sends what was left,
 * and ends. It appends to the log when it runs (`ready <name>`), what `emit` acknowledged (`stored <id>`), and how long
 * stopping took (`stopped <name> <ms>`).
 *
 * @module
 */
import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import { webhook } from "../../../adapters/webhook/mod.ts";
import { Application } from "../../../core/mod.ts";

const [file = "", log = "", url = "", name = "", times = "1"] = process.argv.slice(2);
const descriptor = openSync(log, "a");
const LANES = 8;
const RETRY = { max_attempts: 1_000, base_delay: 0.01, max_delay: 0.05 };

let ask: () => void = () => {};
process.on("SIGTERM", () => ask());

if (times === "0") {
  const { store, app } = await start();
  const queue = await app.outbox.queue("hook");
  while ((await queue.stats()).stored > 0) await app.clock.sleep(5);
  await stop(app, name);
  await store.close();
}
for (let time = 0; time < Number(times); time++) await talkUntilAsked(`${name}.${time}`);
process.exit();

async function start(): Promise<{ readonly store: SqliteStore; readonly app: Application }> {
  const store = new SqliteStore({ path: file, busyTimeoutMs: 60_000 });
  const hook = { type: "webhook", url, allow_private: true, allow_http: true, retry: RETRY };
  const config = { communications: { enabled: true, backends: { hook } } };
  return { store, app: await Application.create(config, { store, backends: [webhook] }) };
}

async function stop(app: Application, run: string): Promise<void> {
  const begin = performance.now();
  await app.stop();
  say("stopped", run, String(Math.ceil(performance.now() - begin)));
}

async function talkUntilAsked(run: string): Promise<void> {
  const asked = new Promise<void>((resolve) => ask = resolve);
  const { store, app } = await start();
  let isOver = false;

  async function talk(lane: number): Promise<void> {
    for (let count = 0; !isOver; count++) {
      const id = `${run}.${lane}.${count}`;
      const report = await app.emit({ id, message: `This is ${id}`, recipients: [`lane${lane}`] });
      for (const { status } of report.deliveries) say(status === "queued" ? "stored" : "odd", id, status);
      await app.clock.sleep(25);
    }
  }

  const talking = Array.from({ length: LANES }, (_, lane) => talk(lane));
  say("ready", run);
  await asked;
  // Those who talk go on while it stops: what they are told to be stored has to be sent, too.
  await stop(app, run);
  isOver = true;
  await Promise.all(talking);
  await store.close();
}

function say(...words: readonly string[]): void {
  writeSync(descriptor, `${words.join(" ")}\n`);
}
