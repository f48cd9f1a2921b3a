/**
 * Starts `child.ts` on the runtime the test runs on.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A process that was started. */
export class Child {
  /** What it wrote to its standard output. */
  output = "";
  /** What it wrote to its standard error. */
  errors = "";
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;

  /**
   * @param parameters See `child.ts`.
   * @param program Another program of this folder.
   * @param tracer What to run it under: a command with its parameters.
   */
  constructor(parameters: readonly string[], program: string = "child.ts", tracer: readonly string[] = []) {
    const { deno, bun } = process.versions as Readonly<Record<string, string | undefined>>;
    const before = deno !== undefined
      ? ["run", "--quiet", "--no-check", "--allow-all"]
      : bun !== undefined
      ? []
      : ["--disable-warning=ExperimentalWarning"];
    const [command = "", ...rest] = [
      ...tracer,
      process.execPath,
      ...before,
      fileURLToPath(new URL(program, import.meta.url)),
      ...parameters,
    ];
    this.#process = spawn(command, rest, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process.stdout?.setEncoding("utf8").on("data", (chunk: string) => this.output += chunk);
    this.#process.stderr?.setEncoding("utf8").on("data", (chunk: string) => this.errors += chunk);
    this.#ended = new Promise((resolve, reject) => {
      this.#process.on("error", reject);
      this.#process.on("close", resolve);
    });
  }

  /** Ends it as a power switch ends a program. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks it to end, as a service manager does. */
  terminate(): void {
    // Not the child's own kill(): on Deno its end would then count as one by the signal, whatever its code.
    if (this.#process.pid !== undefined) process.kill(this.#process.pid, "SIGTERM");
  }

  /** Waits for its end. @throws {Error} If it failed. */
  async finished(): Promise<void> {
    const code = await this.#ended;
    if (code !== 0) throw new Error(`Cannot finish: code ${code}\n${this.errors}`);
  }
}

/** The lines of a log, each in words. A line that is not complete is left out: its writer was killed. */
export function linesOf(log: string): string[][] {
  if (!existsSync(log)) return [];
  return readFileSync(log, "utf8").split("\n").slice(0, -1).map((line) => line.split(" "));
}

/** Waits until a log has so many lines with this first word. */
export async function waitForLines(
  log: string,
  word: string,
  count: number,
  children: readonly Child[],
): Promise<void> {
  for (let turn = 0; turn < 6_000; turn++) {
    if (linesOf(log).filter(([first]) => first === word).length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Cannot see ${count} × "${word}":\n${children.map(({ errors }) => errors).join("\n")}`);
}

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The seed of this run: `POSTHORN_SEED`, or a new one. */
export function seedOf(): number {
  return Number(process.env["POSTHORN_SEED"] ?? Math.floor(Math.random() * 1_000_000));
}

/** Whether this is a long run. */
export function isLong(): boolean {
  return process.env["POSTHORN_LONG"] === "1";
}
