// npm test [-- [--runtime=bun,deno,node,workerd] [--name=pattern] [--long] [--verbose] [part of a path …]]
//
// The same test files on four runtimes. A runtime that does not start is a failure. The last line sums up.
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./install.mjs";
import { pathOf, run } from "./tools.mjs";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const RUNTIMES = ["bun", "deno", "node", "workerd"];
/** As DEFAULT_TIMEOUT_MS of test/support/registry.ts. */
const TEST_TIMEOUT_MS = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string", multiple: true },
    name: { type: "string" },
    long: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
const RUNTIME_TIMEOUT_MS = (values.long ? 60 : 8) * 60_000;
process.chdir(ROOT);
const pattern = values.name === undefined ? undefined : new RegExp(values.name);
if (values.long) process.env["POSTHORN_LONG"] = "1";

// Bun joins the names of describe blocks by a space, the stand-ins by " > ".
const joined = values.name?.replaceAll(" ", "(?: > | )");

const wanted = values.runtime?.flatMap((each) => each.split(",")) ?? RUNTIMES;
for (const each of wanted) {
  if (!RUNTIMES.includes(each)) stop(`Cannot run on "${each}": the runtimes are ${RUNTIMES.join(", ")}`);
}
const allFiles = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((file) => `test/${file.replaceAll("\\", "/")}`)
  .filter((file) => file.endsWith(".test.ts"))
  .sort();
const chosen = allFiles.filter((file) =>
  positionals.length === 0 || positionals.some((part) => file.includes(part.replace(/^\.\//, "")))
);
if (chosen.length === 0) stop(`Cannot find a test file for ${positionals.join(" ") || "test/**/*.test.ts"}`);
const exclusions = readExclusions();

await ensureInstalled();
const temporary = realpathSync(mkdtempSync(path.join(os.tmpdir(), "posthorn-test-")));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 }));
process.env["TMPDIR"] = temporary;

const totals = { passed: 0, failed: 0, skipped: 0 };
const skips = [];
for (const runtime of RUNTIMES.filter((each) => wanted.includes(each))) {
  const excluded = new Map(chosen.flatMap((file) => {
    const reason = exclusionOf(file, runtime);
    return reason === undefined ? [] : [[file, reason]];
  }));
  const files = chosen.filter((file) => !excluded.has(file));
  const started = performance.now();
  const { results, output } = files.length === 0
    ? { results: [], output: "" }
    : await runOn(runtime, files).catch((error) => broken(runtime, error.message, ""));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { outcome } of results) counts[outcome] += 1;
  if (files.length > 0 && results.length === 0 && pattern === undefined) counts.failed += 1;
  const failures = results.filter(({ outcome }) => outcome === "failed");
  if (counts.failed > 0 && !values.verbose) print(withoutPasses(output));
  for (const { file, name, error } of failures) {
    print(`FAILED on ${runtime}: ${file ? `${file} › ` : ""}${name}${indent(error)}`);
  }
  for (const { name, outcome } of results) if (outcome === "skipped") skips.push(`${runtime}: ${name}`);
  for (const key of Object.keys(totals)) totals[key] += counts[key];
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `${runtime.padEnd(8)}${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped` +
      ` in ${files.length} files (${seconds} s)${excluded.size > 0 ? `, ${excluded.size} files not for it:` : ""}`,
  );
  for (const [reason, names] of grouped(excluded)) print(`          ${names.length} × ${reason}`);
}
if (skips.length > 0) {
  print(`\nSkipped:`);
  for (const line of new Set(skips)) print(`  ${line}`);
}
print(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;

function runOn(runtime, files) {
  if (runtime === "bun") return runOnBun(files);
  if (runtime === "deno") return runOnDeno(files);
  if (runtime === "node") return runOnNode(files);
  return runOnWorkerdToo(files);
}

function runOnBun(files) {
  const report = path.join(temporary, "bun.xml");
  return runReporting("bun", report, pathOf("bun"), [
    "test",
    `--timeout=${TEST_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...(values.name ? ["--test-name-pattern", values.name] : []),
    ...files.map((file) => `./${file}`),
  ]);
}

/** Files that test/runtimes/deno.json names, with the reason, get every permission; all others the ones listed here. */
async function runOnDeno(files) {
  const { allPermissions } = JSON.parse(readFileSync("test/runtimes/deno.json", "utf8"));
  const isFree = (file) => allPermissions.some((each) => file.startsWith(each.path) && each.reason);
  const results = [];
  let output = "";
  for (const free of [false, true]) {
    const group = files.filter((file) => isFree(file) === free);
    if (group.length === 0) continue;
    const report = path.join(temporary, `deno-${free}.xml`);
    const part = await runReporting("deno", report, pathOf("deno"), [
      "test",
      // npm run check does the types.
      "--no-check",
      // The packages of dev/ are not Deno's to fetch.
      "--node-modules-dir=manual",
      "--quiet",
      ...(process.env["CI"] ? ["--frozen"] : []),
      ...(free ? ["--allow-all"] : [
        "--allow-net=127.0.0.1,localhost,[::1],0.0.0.0",
        "--allow-read",
        `--allow-write=${temporary}`,
        "--allow-env",
        "--allow-sys",
        "--allow-run",
      ]),
      "--parallel",
      `--junit-path=${report}`,
      ...(joined ? [`--filter=/${joined}/`] : []),
      ...group,
    ]);
    results.push(...part.results);
    output += part.output;
  }
  return { results, output };
}

function runOnNode(files) {
  const report = path.join(temporary, "node.xml");
  return runReporting("node", report, pathOf("node"), [
    "--disable-warning=ExperimentalWarning",
    "--import=./test/support/register-on-node.mjs",
    "--test",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
    `--test-concurrency=${Math.min(4, os.availableParallelism())}`,
    ...(joined ? [`--test-name-pattern=${joined}`] : []),
    ...files,
  ]);
}

async function runOnWorkerdToo(files) {
  const { runOnWorkerd } = await import("../test/runtimes/workerd.mjs");
  const results = await runOnWorkerd(files, {
    directory: temporary,
    name: pattern,
    concurrency: Math.min(4, os.availableParallelism()),
    onResult: (result) => values.verbose && print(`${result.outcome} ${result.file} › ${result.name}`),
  });
  return { results, output: "" };
}

/** Runs a runtime's own test command and reads its JUnit report; an ending that the report does not explain fails. */
async function runReporting(runtime, report, command, args) {
  const { code, output, timedOut } = await run(command, args, {
    env: { NO_COLOR: "1" },
    timeoutMs: RUNTIME_TIMEOUT_MS,
    show: values.verbose,
  });
  if (timedOut) return broken(runtime, `did not end within ${RUNTIME_TIMEOUT_MS / 60_000} minutes`, output);
  if (!existsSync(report)) return broken(runtime, `ended with code ${code} and no report`, output);
  const results = readJUnit(readFileSync(report, "utf8"));
  if (pattern !== undefined && results.length === 0) return { results, output };
  // What happens outside of tests, such as a file that does not load, is in no report.
  const uncaught = new Set(Array.from(output.matchAll(/^(\S+) \(uncaught error\)$/gm), ([, file]) => file));
  for (const file of uncaught) results.push({ file, name: "(uncaught error)", outcome: "failed" });
  const errors = Number(/^ *(\d+) errors?$/m.exec(output)?.[1] ?? 0);
  for (let count = 0; count < errors; count += 1) {
    results.push({ file: "", name: "(error outside of tests, see above)", outcome: "failed" });
  }
  if (code !== 0 && !results.some(({ outcome }) => outcome === "failed")) {
    results.push(...broken(runtime, `ended with code ${code}, though no test failed`, "").results);
  }
  return { results, output };
}

function broken(runtime, what, output) {
  return { results: [{ file: "", name: `${runtime} ${what}`, outcome: "failed" }], output };
}

function readJUnit(xml) {
  const results = [];
  // Node leaves ">" in attributes as it is, so they are read one by one.
  const testCase = /<testcase\b((?:\s+[\w:-]+="[^"]*")*)\s*(\/>|>[\s\S]*?<\/testcase>)/g;
  for (const [, attributes, rest] of xml.matchAll(testCase)) {
    const outcome = /<(failure|error)\b/.test(rest) ? "failed" : /<skipped\b/.test(rest) ? "skipped" : "passed";
    const file = attributeOf(attributes, "file") || attributeOf(attributes, "classname");
    const group = attributeOf(attributes, "classname");
    const name = attributeOf(attributes, "name");
    // Bun names the describe blocks, the innermost first, in another attribute; the others have them in the name.
    const isApart = group !== "" && group !== "test" && group !== file;
    const full = isApart ? [...group.split(" > ").reverse(), name].join(" > ") : name;
    // Bun reports what a name filter left out as skipped.
    if (pattern !== undefined && !pattern.test(full.replaceAll(" > ", " "))) continue;
    // Deno and Node report where the shim registered the test; the stack above has the real place.
    const shown = file.includes("bun-test-on-") ? "" : path.isAbsolute(file) ? path.relative(ROOT, file) : file;
    results.push({ file: shown, name: full, outcome });
  }
  return results;
}

function attributeOf(attributes, name) {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value.replace(/&(lt|gt|quot|apos|amp|#\d+|#x[\da-f]+);/gi, (_, entity) => {
    if (entity.startsWith("#x")) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    if (entity.startsWith("#")) return String.fromCodePoint(Number(entity.slice(1)));
    return { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" }[entity.toLowerCase()];
  });
}

function readExclusions() {
  const list = JSON.parse(readFileSync("test/runtimes/exclusions.json", "utf8"));
  for (const { path: place, runtimes, reason } of list) {
    const isKnown = typeof place === "string" && allFiles.some((file) => file === place || file.startsWith(place));
    if (!isKnown) stop(`Cannot use test/runtimes/exclusions.json: no test file is at ${JSON.stringify(place)}`);
    if (!Array.isArray(runtimes) || runtimes.length === 0 || runtimes.some((each) => !RUNTIMES.includes(each))) {
      stop(`Cannot use test/runtimes/exclusions.json: the runtimes of ${place} are not a list of known ones`);
    }
    if (runtimes.length === RUNTIMES.length) stop(`Cannot exclude ${place} from every runtime`);
    if (typeof reason !== "string" || reason.length < 10) stop(`Cannot exclude ${place} without a reason`);
  }
  return list;
}

function exclusionOf(file, runtime) {
  return exclusions.find(({ path: place, runtimes }) =>
    (file === place || (place.endsWith("/") && file.startsWith(place))) && runtimes.includes(runtime)
  )?.reason;
}

function grouped(excluded) {
  const groups = new Map();
  for (const [file, reason] of excluded) groups.set(reason, [...(groups.get(reason) ?? []), file]);
  return groups;
}

function withoutPasses(output) {
  return output.split("\n").filter((line) => !/^\s*(\(pass\)|\(skip\)|✔|﹣)|\.\.\. (ok|ignored) \(/.test(line)).join(
    "\n",
  );
}

function indent(text) {
  return text ? `\n${String(text).replaceAll(/^/gm, "    ")}` : "";
}

function print(line) {
  process.stdout.write(`${line}\n`);
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
