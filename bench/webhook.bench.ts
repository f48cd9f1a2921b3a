// Webhook requests per second over sockets: the HTTP app with the memory store against a bare Hono route that verifies
// the same signature by Web Crypto, both served by `serve` on the runtime the benchmark runs on. Each server has a process
// of its own, the load another; where there is `taskset`, servers share one core and the load has the next.
//
// Deno 2.8.3 to 2.9.5 closes the connection behind every body of more than some 500 bytes (denoland/deno#36657), for the
// bare route too: on those it is connections that are measured.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { benchmark, type Contender } from "./harness.ts";

const REQUESTS = 8_000;
const WARM_UP_TURNS = 5;
const REFERENCE = "bare Hono: verified";
const { bun, deno } = process.versions as Readonly<Record<string, string | undefined>>;
const THIS_RUNTIME = deno === undefined
  ? [process.execPath]
  : [process.execPath, "run", "--quiet", "--allow-all", "--node-modules-dir=manual"];
/** The runtime whose sockets take the least time, so that the load is not what is measured. */
const LOAD_RUNTIME = process.env["POSTHORN_BENCH_NODE"] === undefined
  ? THIS_RUNTIME
  : [process.env["POSTHORN_BENCH_NODE"]];
const CAN_PIN = spawnSync("taskset", ["-c", "1", "true"]).status === 0;

/** A program of `bench/webhook/` that answers each line with a line. */
class Helper {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(core: 0 | 1, runtime: readonly string[], program: string, word: string) {
    const file = fileURLToPath(new URL(`webhook/${program}`, import.meta.url));
    const pinned = CAN_PIN ? ["taskset", "-c", String(core)] : [];
    const [command = "", ...args] = [...pinned, ...runtime, file, word];
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#child.stdout === null) throw new Error("Cannot measure: no pipe");
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async line(): Promise<number> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("Cannot measure: a process ended");
    return Number(value);
  }

  ask(line: string): Promise<number> {
    this.#child.stdin?.write(`${line}\n`);
    return this.line();
  }

  end(): void {
    this.#child.stdin?.end();
  }
}

const load = new Helper(1, LOAD_RUNTIME, "load.ts", String(REQUESTS));
const processorTimes = new Map<string, number[]>();

async function contender(name: string, word: string): Promise<Contender> {
  const server = new Helper(0, THIS_RUNTIME, "contender.ts", word);
  const port = await server.line();
  const times: number[] = [];
  processorTimes.set(name, times);
  let before = 0;
  return {
    name,
    operations: REQUESTS,
    async prepare(): Promise<void> {
      await load.ask(String(port));
      before = await server.ask("forget");
    },
    async run(): Promise<void> {
      await load.ask("send");
      times.push((await server.ask("time") - before) / REQUESTS);
    },
    close: () => server.end(),
  };
}

await load.line();
const contenders = [
  await contender("posthorn: verified, kept, answered", "posthorn"),
  await contender("posthorn: the same, and handled", "posthorn-handled"),
  await contender(REFERENCE, "hono"),
  await contender("bare Hono: verified, parsed", "hono-parsed"),
];
if (bun === undefined && deno === undefined) {
  contenders.push(await contender("bare Hono: verified, on @hono/node-server as it comes", "hono-node-server"));
}
// So that what takes long to be compiled is not what is measured: a server runs for days.
for (let turn = 0; turn < WARM_UP_TURNS; turn++) {
  for (const { prepare, run } of contenders) {
    await prepare?.();
    await run();
  }
}
for (const times of processorTimes.values()) times.length = 0;
await benchmark("webhooks over 64 connections", contenders, { reference: REFERENCE, unit: "requests" });
load.end();

// What else runs on the machine takes requests per second from whoever needs more time; this it hardly changes.
const least = (name: string): number => Math.min(...processorTimes.get(name) ?? []);
process.stdout.write("processor time of the server, the least of all rounds\n");
for (const name of processorTimes.keys()) {
  const ratio = least(REFERENCE) / least(name);
  process.stdout.write(`  ${name}: ${least(name).toFixed(1)} µs a request, ratio ${ratio.toFixed(2)}\n`);
}
