// Runs test files in workerd: each file is bundled, served by a workerd of its own, and asked for one test at a time.
import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SHIM = path.join(ROOT, "test/support/bun-test-on-workerd.ts");
const WORKER = path.join(ROOT, "test/runtimes/workerd-worker.ts");
const START_TIMEOUT_MS = 30_000;
const TEST_TIMEOUT_MS = 120_000;

/**
 * @param {readonly string[]} files relative to the root
 * @param {{ directory: string, name?: RegExp, concurrency?: number, onResult?: (result: object) => void }} options
 * @returns {Promise<{ file: string, name: string, outcome: "passed" | "failed" | "skipped", error?: string }[]>}
 */
export async function runOnWorkerd(
  files,
  { directory, name, concurrency = 2, onResult = () => {} },
) {
  const settings = JSON.parse(
    await readFile(path.join(ROOT, "test/runtimes/workerd.json"), "utf8"),
  );
  const results = [];
  const waiting = files.map((file, index) => ({ file, index }));
  async function work() {
    for (
      let next = waiting.shift();
      next !== undefined;
      next = waiting.shift()
    ) {
      const { file, index } = next;
      const place = path.join(directory, `workerd-${index}`);
      const report = (result) => {
        results.push({ file, ...result });
        onResult({ file, ...result });
      };
      try {
        await mkdir(path.join(place, "storage"), { recursive: true });
        await runFile(file, place, settings, name, report);
      } catch (error) {
        report({ name: "(the file)", outcome: "failed", error: error.message });
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}

async function runFile(file, place, settings, pattern, report) {
  const durableObjects = settings.durableObjects[file] ?? {};
  await bundle(file, place);
  await writeFile(
    path.join(place, "config.capnp"),
    configOf(settings, durableObjects),
  );
  const server = await serve(place);
  try {
    const origin = `http://127.0.0.1:${server.port}/`;
    const tests = await ask(origin, "GET");
    if (tests.length === 0) throw new Error(`Cannot find a test in ${file}`);
    for (const [index, { name, skipped }] of tests.entries()) {
      if (pattern !== undefined && !pattern.test(name.replaceAll(" > ", " "))) {
        continue;
      }
      if (skipped) {
        report({ name, outcome: "skipped" });
        continue;
      }
      const log = server.log.length;
      const answer = await ask(`${origin}?test=${index}`, "POST").catch((
        error,
      ) => ({ passed: false, error }));
      if (answer.passed) report({ name, outcome: "passed" });
      else {report({
          name,
          outcome: "failed",
          error: `${answer.error}\n${server.log.slice(log).join("")}`.trimEnd(),
        });}
    }
    const end = await ask(`${origin}?finish`, "POST").catch((error) => ({
      passed: false,
      error,
    }));
    if (!end.passed) {
      report({
        name: "(afterAll)",
        outcome: "failed",
        error: String(end.error),
      });
    }
  } finally {
    await server.stop();
  }
}

async function bundle(file, place) {
  const { build } = await import("esbuild");
  const { errors } = await build({
    stdin: {
      contents: [
        `export * from ${JSON.stringify(path.join(ROOT, file))};`,
        `import { finish, tests } from ${JSON.stringify(SHIM)};`,
        `import { createTestWorker } from ${JSON.stringify(WORKER)};`,
        "export default createTestWorker(tests, finish);",
      ].join("\n"),
      resolveDir: ROOT,
      loader: "ts",
    },
    absWorkingDir: ROOT,
    outfile: path.join(place, "worker.js"),
    bundle: true,
    format: "esm",
    target: "esnext",
    platform: "neutral",
    mainFields: ["browser", "module", "main"],
    conditions: ["workerd", "worker", "browser"],
    alias: { "bun:test": SHIM },
    external: ["node:*", "cloudflare:*"],
    // CommonJS packages may ask for built-ins while they load.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire("/");',
    },
    keepNames: true,
    // package.json says that our modules have no side effects; a test file is nothing else.
    ignoreAnnotations: true,
    logLevel: "silent",
  }).catch((error) => {
    throw new Error(`Cannot bundle ${file} for workerd: ${error.message}`);
  });
  if (errors.length > 0) {
    throw new Error(errors.map(({ text }) => text).join("\n"));
  }
}

function configOf({ compatibilityDate, compatibilityFlags }, durableObjects) {
  const classes = Object.entries(durableObjects);
  const flags = compatibilityFlags.map((flag) => JSON.stringify(flag)).join(
    ", ",
  );
  const namespaces = classes.map(([, name]) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`);
  const bindings = classes.map(([binding, name]) => `(name = "${binding}", durableObjectNamespace = "${name}")`);
  // nodejs_compat makes process.env of them.
  for (const name of ["POSTHORN_LONG", "POSTHORN_SEED"]) {
    const value = process.env[name];
    if (value !== undefined) {
      bindings.push(`(name = "${name}", text = ${JSON.stringify(value)})`);
    }
  }
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "tests", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")],
      compatibilityDate = ${JSON.stringify(compatibilityDate)},
      compatibilityFlags = [${flags}],
      globalOutbound = "loopback",
      durableObjectNamespaces = [${namespaces.join(", ")}],
      durableObjectStorage = (localDisk = "disk"),
      bindings = [${bindings.join(", ")}]
    )),
    (name = "loopback", network = (allow = ["local"])),
    (name = "disk", disk = (path = "storage", writable = true))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "tests")]
);
`;
}

/**
 * Starts a workerd on the `config.capnp` of a folder.
 *
 * @param {string} place the folder
 * @returns {Promise<{ port: number, log: string[], stop: () => Promise<void> }>}
 */
export async function serve(place) {
  const workerd = createRequire(import.meta.url)("workerd").default;
  const child = spawn(workerd, [
    "serve",
    "config.capnp",
    "--control-fd=3",
    "--experimental",
  ], {
    cwd: place,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const log = [];
  child.stdout.setEncoding("utf8").on("data", (chunk) => log.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk) => log.push(chunk));
  const ended = new Promise((resolve) => {
    child.on("exit", resolve);
    child.on("error", (error) => {
      log.push(`${error.message}\n`);
      resolve();
    });
  });
  async function stop() {
    child.kill("SIGKILL");
    await ended;
  }
  const timer = new AbortController();
  let control = "";
  const port = await Promise.race([
    new Promise((resolve) => {
      child.stdio[3].setEncoding("utf8").on("data", (chunk) => {
        control += chunk;
        const found = /"event":"listen","socket":"http","port":(\d+)/.exec(
          control,
        );
        if (found !== null) resolve(Number(found[1]));
      });
    }),
    ended,
    new Promise((resolve) => {
      const timeout = setTimeout(resolve, START_TIMEOUT_MS);
      timer.signal.addEventListener("abort", () => clearTimeout(timeout));
    }),
  ]);
  timer.abort();
  if (
    port === undefined || port === null || typeof port !== "number" ||
    control === ""
  ) {
    await stop();
    throw new Error(`Cannot start workerd:\n${log.join("")}`);
  }
  return { port, log, stop };
}

async function ask(url, method) {
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(TEST_TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(
      `Cannot run in workerd: status ${response.status}\n${text}`,
    );
  }
  return JSON.parse(text);
}
