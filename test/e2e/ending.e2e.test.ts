import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./ending-program.ts", import.meta.url));
/** A program that something keeps alive is ended by this, and the test fails. */
const ALIVE_MS = 20_000;

interface Run {
  readonly child: ChildProcess;
  /** Resolves when it has said a word. */
  readonly said: (word: string) => Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Runs the program on the runtime of this test. */
function run(kind: string): Run {
  const isDeno = process.versions["deno"] !== undefined;
  const words = isDeno ? ["run", "--quiet", "--allow-all", PROGRAM, kind] : [PROGRAM, kind];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let hear = (): void => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      hear();
    });
  }
  const tooLong = setTimeout(() => child.kill("SIGKILL"), ALIVE_MS);
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on("close", (code) => {
      clearTimeout(tooLong);
      hear();
      resolve({ code, output });
    })
  );
  const said = (word: string): Promise<void> =>
    new Promise((resolve) => {
      hear = () => {
        if (output.includes(word) || child.exitCode !== null || child.signalCode !== null) resolve();
      };
      hear();
    });
  return { child, said, ended };
}

/** Not child.kill(): after that, Deno reports the signal even of a program that ended well. */
function signal({ child }: Run, name: "SIGINT" | "SIGTERM"): void {
  process.kill(child.pid ?? assert.fail("no process"), name);
}

describe("a program that has stopped", () => {
  it("ends by itself, whatever backends it used", async () => {
    const { code, output } = await run("all").ended;
    assert.equal(output, "accepted accepted accepted\nstopped\n");
    assert.equal(code, 0);
  });

  it("ends by itself though a backend and a handler ignore what they are told", async () => {
    const { code, output } = await run("hung").ended;
    assert.equal(output, 'accepted accepted accepted\n"careless"\nstopped\n');
    assert.equal(code, 0);
  });
});

describe("stopOnSignal()", () => {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    it(`stops at the first ${name}, and ends the process at once at the second`, async () => {
      const program = run("signal");
      await program.said("waiting");
      signal(program, name);
      await program.said("stopping");
      signal(program, name);
      const { code, output } = await program.ended;
      assert.equal(code, name === "SIGINT" ? 130 : 143, output);
      assert.ok(!output.includes("stopped"), output);
    });
  }
});
