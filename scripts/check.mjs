// npm run check [-- part of a step's name …]: everything but the tests. One line per step, all faults at the end.
import { existsSync, readdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./install.mjs";
import { pathOf, run } from "./tools.mjs";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
process.chdir(ROOT);
await ensureInstalled();

const deno = pathOf("deno");
const tsc = path.join(ROOT, "node_modules/.bin/tsc");
const quietFolders = [
  "mod.ts",
  "core",
  ...(existsSync("adapters") ? readdirSync("adapters", { withFileTypes: true }) : [])
    .filter((entry) => entry.isDirectory() && entry.name !== "cli")
    .map(({ name }) => `adapters/${name}`),
].filter((place) => existsSync(place));

/** @type {readonly (readonly [name: string, command: string, args: readonly string[]])[]} */
const STEPS = [
  ["format", deno, ["fmt", "--check"]],
  ["lint", deno, ["lint"]],
  ["lint: no console in the library", deno, ["lint", "--rules-include=no-console", ...quietFolders]],
  ["types", deno, ["check", "--quiet", "--frozen", "--node-modules-dir=manual", "."]],
  ["types: core without a runtime", tsc, ["-p", "tsconfig.core.json"]],
  ["types: core in a worker", tsc, ["-p", "tsconfig.core-worker.json"]],
  ["layers", deno, ["run", "--no-check", "--allow-read", "scripts/check-boundaries.ts"]],
  ["entry points, peers, locks", deno, ["run", "--no-check", "--allow-read", "scripts/check-exports.ts"]],
  ["JSON Schema of the configuration", deno, ["run", "--allow-read", "scripts/generate-schema.ts", "--check"]],
  ["module graph", deno, ["run", "--no-check", "--allow-read", "--allow-run", "scripts/check-graph.ts"]],
  ["documentation", process.execPath, ["scripts/check-docs.mjs"]],
  ["JSR package (dry run)", deno, ["publish", "--dry-run", "--allow-dirty"]],
  ["npm package", process.execPath, ["scripts/build-npm.mjs", "--verify"]],
];

const asked = process.argv.slice(2);
const waiting = STEPS.filter(([name]) => asked.length === 0 || asked.some((part) => name.includes(part)));
const faults = [];
const started = performance.now();

async function work() {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const [name, command, args] = step;
    const begin = performance.now();
    const { code, output } = await run(command, args, { env: { NO_COLOR: "1" } });
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    print(`${code === 0 ? "ok    " : "FAILED"} ${name.padEnd(34)} ${seconds.padStart(6)} s`);
    if (code !== 0) faults.push({ name, output });
  }
}

await Promise.all(Array.from({ length: Math.min(2, os.availableParallelism()) }, work));
for (const { name, output } of faults) print(`\n--- ${name} ---\n${output.trimEnd()}`);
const total = ((performance.now() - started) / 1000).toFixed(0);
print(faults.length === 0 ? `\nAll checks passed (${total} s)` : `\n${faults.length} checks failed (${total} s)`);
process.exitCode = faults.length === 0 ? 0 : 1;

function print(line) {
  process.stdout.write(`${line}\n`);
}
