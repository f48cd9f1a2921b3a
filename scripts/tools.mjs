// Finds the runtimes, through npx where the machine has none of that version, and runs them.
import { spawn, spawnSync } from "node:child_process";
import { VERSIONS } from "./versions.mjs";

/** @type {Map<string, string>} */
const paths = new Map();

/**
 * The executable of a runtime at the version of versions.mjs. npm fetches it the first time.
 *
 * @param {"bun" | "deno" | "node" | "oldestNode"} tool
 * @returns {string}
 */
export function pathOf(tool) {
  const known = paths.get(tool);
  if (known !== undefined) return known;
  const wanted = VERSIONS[tool];
  const program = tool === "oldestNode" ? "node" : tool;
  let path = program;
  if (versionOf(program) !== wanted) {
    path = locate(program, wanted) ?? locate(program, wanted) ?? fail(`Cannot install ${program}@${wanted} from npm`);
    const found = versionOf(path);
    if (found !== wanted) fail(`Cannot use ${path}: its version is ${found}, not ${wanted}`);
  }
  paths.set(tool, path);
  return path;
}

function fail(message) {
  throw new Error(message);
}

function locate(tool, version) {
  const script = `node -p 'require("fs").realpathSync(process.argv[1])' "$(command -v ${tool})"`;
  const { status, stdout, stderr } = spawnSync(
    "npx",
    ["--yes", "-p", `${tool}@${version}`, "-c", process.platform === "win32" ? `where ${tool}` : script],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  );
  const path = stdout.trim().split("\n").at(-1);
  if (status === 0 && path) return path;
  process.stderr.write(stderr);
  return undefined;
}

function versionOf(path) {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0];
}

/**
 * Runs a command in its own process group and gives back how it ended with all it printed. A command that overstays
 * is ended with everything it started.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string>, timeoutMs?: number, show?: boolean }} [options]
 * @returns {Promise<{ code: number, output: string, timedOut: boolean }>}
 */
export function run(command, args, { cwd, env = {}, timeoutMs = 600_000, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    let output = "";
    let timedOut = false;
    function take(chunk) {
      output += chunk;
      if (show) process.stdout.write(chunk);
    }
    function end() {
      try {
        if (process.platform === "win32") child.kill("SIGKILL");
        else process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended in the meantime.
      }
    }
    function interrupted() {
      end();
      process.exit(130);
    }
    const timer = setTimeout(() => {
      timedOut = true;
      end();
    }, timeoutMs);
    process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    function done(code) {
      clearTimeout(timer);
      process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
      resolve({ code, output, timedOut });
    }
    child.on("error", (error) => {
      output += `${error.message}\n`;
      done(127);
    });
    child.on("close", (code, signal) => done(code ?? (signal ? 137 : 1)));
  });
}
