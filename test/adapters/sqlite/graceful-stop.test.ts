import assert from "node:assert/strict";
import { afterAll, describe, it } from "bun:test";
import { WebhookStandIn } from "../../../adapters/emulator/stand-ins.ts";
import { Child, isLong, linesOf, randomFrom, seedOf, waitForLines } from "./processes.ts";
import { Folder } from "./support.ts";

const folder = new Folder();
afterAll(() => folder.remove());

const ROUNDS = isLong() ? 100 : 20;
/** Starting a process takes longer than all the rest: one is started again in itself this often. */
const ROUNDS_A_PROCESS = 5;
const MAX_STOP_MS = 10_000;

/** Answers late, so that the signal falls between taking and answering, and refuses now and then. */
function makeSlow(standIn: WebhookStandIn, random: () => number): void {
  standIn.clearFaults();
  for (let turn = 0; turn < 50; turn++) {
    standIn.inject({ fault: "slow", delayMs: 5 + Math.floor(random() * 60) }, { times: 15 });
    standIn.inject({ fault: "answer", answer: { status: 503 } });
  }
}

describe("Application.stop()", () => {
  const seed = seedOf();

  it(`loses nothing and sends nothing twice at ${ROUNDS} SIGTERMs under load (POSTHORN_SEED=${seed})`, async () => {
    const random = randomFrom(seed);
    const file = folder.newFile();
    const log = `${file}.log`;
    const standIn = new WebhookStandIn();
    const url = await standIn.start();
    try {
      for (let done = 0; done < ROUNDS; done += ROUNDS_A_PROCESS) {
        const child = new Child([file, log, url, `r${done}`, String(ROUNDS_A_PROCESS)], "stopping-child.ts");
        for (let round = done; round < done + ROUNDS_A_PROCESS; round++) {
          makeSlow(standIn, random);
          await waitForLines(log, "ready", round + 1, [child]);
          await new Promise((resolve) => setTimeout(resolve, random() * 250));
          child.terminate();
        }
        await child.finished();
        assert.equal(child.errors, "");
      }
      standIn.clearFaults();
      await new Child([file, log, url, "rest", "0"], "stopping-child.ts").finished();
    } finally {
      await standIn.stop();
    }

    const lines = linesOf(log);
    const stored = lines.filter(([word]) => word === "stored").map(([, id]) => id);
    const sent = new Map<unknown, number>();
    for (const { body } of standIn.taken) {
      const id = idOf(body["data"]);
      sent.set(id, (sent.get(id) ?? 0) + 1);
    }
    assert.ok(stored.length > ROUNDS * 10, `${stored.length} messages are too few to show anything`);
    assert.deepEqual(stored.filter((id) => !sent.has(id)), [], "acknowledged and lost");
    assert.deepEqual([...sent].filter(([, count]) => count > 1), [], "sent twice");
    assert.deepEqual(standIn.taken.filter(({ duplicate }) => duplicate), [], "a webhook-id taken twice");
    assert.deepEqual(lines.filter(([word]) => word === "odd"), [], "not queued, and not refused");
    const stops = lines.filter(([word]) => word === "stopped");
    assert.equal(stops.length, ROUNDS + 1);
    assert.deepEqual(stops.filter(([, , ms]) => Number(ms) > MAX_STOP_MS), [], "stopped too slowly");
  }, isLong() ? 600_000 : 120_000);
});

function idOf(data: unknown): unknown {
  return typeof data === "object" && data !== null && "id" in data ? data.id : undefined;
}
