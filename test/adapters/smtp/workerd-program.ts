/**
 * Runs the mail backend in a Worker: bundles it, starts workerd with a network and an authority it trusts, and asks it to
 * send. On Node only, where the bundler and workerd start from.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Receipt } from "../../../core/mod.ts";
import type { WorkerTask } from "./worker-task.ts";

/** A Worker that sends mail. */
export interface MailWorker {
  /** Each call is a request of its own. */
  send(task: WorkerTask): Promise<readonly Receipt[]>;
  stop(): Promise<void>;
}

const WORKER = fileURLToPath(new URL("./mail-worker.ts", import.meta.url));

function configurationOf(): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "mail", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-07-01",
      compatibilityFlags = ["nodejs_compat"],
      globalOutbound = "net",
    )),
    (name = "net", network = (
      allow = ["local", "private"],
      tlsOptions = (trustBrowserCas = false, trustedCertificates = [embed "authority.pem"]),
    )),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "mail")],
);
`;
}

/** Starts one that trusts an authority. */
export async function startMailWorker(authority: string): Promise<MailWorker> {
  const place = mkdtempSync(join(tmpdir(), "posthorn-mail-worker-"));
  await build({
    entryPoints: [WORKER],
    outfile: join(place, "worker.js"),
    bundle: true,
    format: "esm",
    target: "esnext",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser", "import"],
    external: ["node:*", "cloudflare:*"],
    logLevel: "silent",
  });
  writeFileSync(join(place, "authority.pem"), authority);
  writeFileSync(join(place, "config.capnp"), configurationOf());
  const program: { readonly default: string } = createRequire(import.meta.url)("workerd");
  const child = spawn(program.default, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: place,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => said += String(chunk));
  async function stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.exitCode === null && child.kill("SIGKILL")) await ended;
    rmSync(place, { recursive: true, force: true, maxRetries: 3 });
  }
  const port = await portOf(child);
  if (port === undefined) {
    await stop();
    throw new Error(`Cannot start workerd: ${said}`);
  }
  return {
    async send(task) {
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify(task) });
      const text = await response.text();
      if (!response.ok) throw new Error(`Cannot send from the Worker: ${text}\n${said}`);
      return JSON.parse(text);
    },
    stop,
  };
}

function portOf(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    let control = "";
    child.stdio[3]?.on("data", (chunk) => {
      control += String(chunk);
      const found = /"event":"listen","socket":"http","port":(\d+)/.exec(control);
      if (found !== null) resolve(Number(found[1]));
    });
    child.once("exit", () => resolve(undefined));
  });
}
