import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import net from "node:net";
import process from "node:process";
import { EventReader } from "../adapters/http/sse-reader.ts";

/** How the runtime of this test runs a program, with no more than the task in deno.json allows. */
function commandOf(file: string): readonly string[] {
  const isDeno = process.versions["deno"] !== undefined;
  return isDeno ? ["run", "--quiet", "--allow-net=127.0.0.1", "--allow-env=PORT", file] : [file];
}

interface Program {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** The exit code. */
  readonly ended: Promise<number | null>;
}

function start(args: readonly string[], port: string): Program {
  const child = spawn(process.execPath, [...commandOf("examples/emulator.ts"), ...args], {
    env: { ...process.env, PORT: port },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  return { child, output: () => output, ended: new Promise((resolve) => child.on("close", resolve)) };
}

async function addressOf({ output, child }: Program): Promise<URL> {
  for (let tries = 0; tries < 2_000; tries++) {
    const found = /http:\/\/127\.0\.0\.1:\d+\/emulator\?token=[0-9a-f]{64}/.exec(output());
    if (found !== null) return new URL(found[0]);
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Cannot find the address in:\n${output()}`);
}

describe("examples/emulator.ts", () => {
  for (const args of [[], ["--route"]]) {
    it(`answers with the bot of ${args.length === 0 ? "echo-bot.ts" : "echo-route.ts"}, and ends at Ctrl-C`, async () => {
      const program = start(args, "0");
      try {
        const address = await addressOf(program);
        const headers = { authorization: `Bearer ${address.searchParams.get("token")}` };
        const post = (path: string, value: unknown): Promise<Response> =>
          fetch(new URL(path, address), { method: "POST", headers, body: JSON.stringify(value) });
        assert.equal((await fetch(address)).status, 200);
        assert.equal((await post("/emulator/conversations", { name: "anna" })).status, 200);
        const stream = await fetch(new URL("/emulator/events?conversation=anna", address), { headers });
        const reader = new EventReader(stream.body ?? assert.fail("no body"));
        for (const text of ["one", "two"]) {
          assert.equal((await post("/webhooks/emulator", { conversation: "anna", text })).status, 200);
        }
        const answers: string[] = [];
        while (answers.length < 2) {
          const event = await reader.next();
          const data = JSON.parse(event?.data ?? assert.fail("the stream ended"));
          if (data.from === "program") answers.push(data.text);
        }
        assert.deepEqual(answers, ["You said: one", "You said: two"]);
        // The page is still open; it must not keep the program from ending.
        // By its id: Deno takes a child that was ended by kill() for one that had no exit code.
        process.kill(program.child.pid ?? assert.fail("no process"), "SIGINT");
        assert.equal(await program.ended, 0, program.output());
        await reader.cancel().catch(() => {});
        assert.ok(!/error/i.test(program.output()), program.output());
      } finally {
        program.child.kill("SIGKILL");
      }
    });
  }

  it("says that a port is taken", async () => {
    const taken = net.createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : assert.fail("no port");
    const program = start([], String(port));
    try {
      assert.equal(await program.ended, 1);
      assert.equal(
        program.output().trim(),
        `Cannot listen on 127.0.0.1: port ${port} is taken; set PORT to another one`,
      );
    } finally {
      program.child.kill("SIGKILL");
      await new Promise((resolve) => taken.close(resolve));
    }
  });

  it("says that a port is none", async () => {
    const program = start([], "http");
    assert.equal(await program.ended, 1);
    assert.match(program.output(), /^Cannot accept 'port'/);
  });
});
