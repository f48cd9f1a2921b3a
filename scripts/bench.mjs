// npm run bench [-- part of a name …] [--json] [--runtime=node|bun|deno]
import { readdirSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./install.mjs";
import { pathOf, run } from "./tools.mjs";

const RUNTIME_ARGS = {
  node: ["--expose-gc"],
  bun: ["--expose-gc"],
  deno: ["run", "-A", "--node-modules-dir=manual", "--v8-flags=--expose-gc"],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, runtime: { type: "string", default: "node" } },
});
process.chdir(fileURLToPath(new URL("../", import.meta.url)));
const files = readdirSync("bench")
  .filter((file) => file.endsWith(".bench.ts"))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .sort();
const args = RUNTIME_ARGS[values.runtime];
if (args === undefined || files.length === 0) {
  const what = args === undefined ? `the runtimes are ${Object.keys(RUNTIME_ARGS)}` : "no benchmark has such a name";
  process.stderr.write(`Cannot run benchmarks: ${what}\n`);
  process.exit(2);
}
await ensureInstalled();
for (const file of files) {
  const { code } = await run(pathOf(values.runtime), [...args, `bench/${file}`, ...(values.json ? ["--json"] : [])], {
    env: { POSTHORN_BENCH_NODE: pathOf("node") },
    timeoutMs: 30 * 60_000,
    show: true,
  });
  if (code !== 0) process.exitCode = 1;
}
