// Watches the system calls of a process: what a promise of the store says to be done is on the disk before it settles.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, describe, it } from "bun:test";
import { describeWith } from "../../support/require.ts";
import { Child } from "./processes.ts";
import { Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const ROUNDS = 100;

/** What happened, in order: a line of the child's log, or a call about the file's log of writes. */
type Event = { readonly kind: "said"; readonly words: readonly string[] } | { readonly kind: "written" | "synced" };

/** The calls of a trace that are over, each as one line, in the order they ended. */
function* callsOf(trace: string): Generator<string> {
  const begun = new Map<string, string>();
  for (const line of trace.split("\n")) {
    const [, thread = "", call = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(call);
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(call);
    if (unfinished !== null) {
      begun.set(thread, unfinished[1] ?? "");
    } else if (resumed !== null) {
      yield `${begun.get(thread) ?? ""}${resumed[1] ?? ""}`;
    } else {
      yield call;
    }
  }
}

function* eventsOf(trace: string): Generator<Event> {
  for (const call of callsOf(trace)) {
    const said = /^write\(\d+<[^>]*\.log>, "(.*)\\n"/.exec(call);
    if (said !== null) yield { kind: "said", words: (said[1] ?? "").split(" ") };
    else if (/^p?writev?2?(64)?\(\d+<[^>]*-wal>/.test(call)) yield { kind: "written" };
    else if (/^f(data)?sync\(\d+<[^>]*-wal>.*= 0$/.test(call)) yield { kind: "synced" };
  }
}

interface Watched {
  readonly kept: Readonly<Record<"append" | "claim" | "ack", number>>;
  readonly early: readonly string[];
}

/** How many answers came after the last write of their step was synced, and which did not. */
async function watch(strace: string, synchronous: "FULL" | "NORMAL"): Promise<Watched> {
  const file = folder.newFile();
  const out = `${file}.trace`;
  const calls = "write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync";
  const child = new Child(["promise", file, `${file}.log`, synchronous, "0", String(ROUNDS)], "child.ts", [
    strace,
    ...["-f", "-y", "-s", "200", "-e", `trace=${calls}`, "-o", out],
  ]);
  await child.finished();

  const kept = { append: 0, claim: 0, ack: 0 };
  const early: string[] = [];
  let state: "nothing" | "written" | "synced" = "nothing";
  for (const event of eventsOf(readFileSync(out, "utf8"))) {
    if (event.kind !== "said") {
      if (event.kind === "written" || state === "written") state = event.kind;
      continue;
    }
    const [word, step] = event.words;
    if (word === "try") state = "nothing";
    if (word !== "did" || (step !== "append" && step !== "claim" && step !== "ack")) continue;
    if (state === "synced") kept[step]++;
    else early.push(`${event.words.join(" ")} (${state})`);
  }
  return { kept, early };
}

describeWith("strace", "SqliteStore under strace", (strace) => {
  // Some containers have the program and let it trace nothing.
  if (spawnSync(strace, ["-o", "/dev/null", "true"]).status !== 0) {
    it.skip("not run: strace may not trace here (in Docker: --cap-add=SYS_PTRACE)");
    return;
  }

  describe("a promise", () => {
    it(
      `settles after its commit is synced: ${ROUNDS} turns of appends, their claims and acknowledgements`,
      async () => {
        const { kept, early } = await watch(strace, "FULL");
        assert.deepEqual(early, []);
        assert.equal(kept.append, ROUNDS);
        assert.ok(kept.claim >= ROUNDS / 5 && kept.ack === kept.claim, JSON.stringify(kept));
      },
      120_000,
    );

    it("does not wait for that where synchronous is NORMAL, which shows that this would be seen", async () => {
      const { early } = await watch(strace, "NORMAL");
      assert.ok(early.length > ROUNDS, `${early.length} answers came first`);
    }, 120_000);
  });
});
