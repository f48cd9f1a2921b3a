// Runs the command line: in this process with its input and output in memory, or as a program of its own.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { CliIo } from "../../../adapters/cli/cli-io.ts";
import { runCli } from "../../../adapters/cli/run-cli.ts";

/** What a command said, and how it ended. */
export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What there is around a command. */
export interface CliSurroundings {
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** What comes in by the standard input; absent: a person sits there. */
  readonly input?: string;
}

/** Runs it in this process. */
export async function run(args: readonly string[], surroundings: CliSurroundings = {}): Promise<CliResult> {
  const { files = {}, env = {}, input } = surroundings;
  let out = "";
  let err = "";
  const io: CliIo = {
    env,
    isInteractive: input === undefined,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readFile: (name) => {
      const text = files[name];
      if (text !== undefined) return Promise.resolve(text);
      return Promise.reject(Object.assign(new Error(`ENOENT: ${name}`), { code: "ENOENT" }));
    },
    readInput: () => Promise.resolve(input ?? ""),
  };
  const code = await runCli(args, io);
  return { code, out, err };
}

/** Runs it as its user does: a program on the runtime of this test, with the permissions that `deno task cli` gives. */
export async function runProgram(args: readonly string[], surroundings: CliSurroundings = {}): Promise<CliResult> {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const main = path.join(root, "adapters/cli/main.ts");
  const directory = await mkdtemp(path.join(os.tmpdir(), "posthorn-cli-"));
  try {
    for (const [name, text] of Object.entries(surroundings.files ?? {})) {
      await writeFile(path.join(directory, name), text);
    }
    return await new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [...runtimeArguments(root), main, ...args], {
        cwd: directory,
        env: { ...process.env, NO_COLOR: "1", ...surroundings.env },
      });
      let out = "";
      let err = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (out += chunk));
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => void (err += chunk));
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, out, err }));
      child.stdin.end(surroundings.input ?? "");
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function runtimeArguments(root: string): readonly string[] {
  if ("Deno" in globalThis) {
    return [
      ...["run", "--quiet", "--no-check", "--no-prompt", `--config=${path.join(root, "deno.json")}`],
      ...["--allow-net", "--allow-read", "--allow-write", "--allow-env"],
    ];
  }
  return "Bun" in globalThis ? ["run"] : ["--disable-warning=ExperimentalWarning"];
}
