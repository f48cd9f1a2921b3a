// Bundles examples/deploy/workers and runs it in workerd on a folder that keeps the object's storage.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "../runtimes/workerd.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * @param {string} place a folder
 */
export async function bundleBotWorker(place) {
  const { build } = await import("esbuild");
  await mkdir(path.join(place, "storage"), { recursive: true });
  await build({
    entryPoints: [path.join(ROOT, "examples/deploy/workers/worker.ts")],
    absWorkingDir: ROOT,
    outfile: path.join(place, "worker.js"),
    bundle: true,
    format: "esm",
    target: "esnext",
    platform: "neutral",
    mainFields: ["browser", "module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*", "cloudflare:*"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire("/");',
    },
    logLevel: "silent",
  });
}

/**
 * @param {string} place a folder that was bundled into
 * @param {Readonly<Record<string, string>>} variables the Worker's variables
 * @returns {Promise<{ port: number, log: string[], stop: () => Promise<void> }>}
 */
export async function startBotWorker(place, variables) {
  const texts = Object.entries(variables).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`);
  await writeFile(
    path.join(place, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "bot", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = "2026-07-01",
      compatibilityFlags = ["nodejs_compat"],
      globalOutbound = "loopback",
      durableObjectNamespaces = [(className = "PosthornObject", uniqueKey = "posthorn", enableSql = true)],
      durableObjectStorage = (localDisk = "disk"),
      bindings = [(name = "POSTHORN", durableObjectNamespace = "PosthornObject"), ${texts.join(", ")}]
    )),
    (name = "loopback", network = (allow = ["local"])),
    (name = "disk", disk = (path = "storage", writable = true))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "bot")]
);
`,
  );
  return await serve(place);
}
