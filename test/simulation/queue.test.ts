// G5: a work queue and its consumers, simulated. A seed that breaks is printed; POSTHORN_SEED=<seed> runs it alone.
import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "bun:test";
import { nextTurn } from "../../core/support/clock.ts";
import { QueueSimulation, type SimulationOutcome } from "./queue-simulation.ts";

const STEPS = 1_000;
const isLong = process.env["POSTHORN_LONG"] === "1";
const BLOCK = isLong ? 500 : 25;
const seeds = isLong ? 10_000 : 200;
const chosen = process.env["POSTHORN_SEED"];

async function simulate(seed: number): Promise<SimulationOutcome> {
  try {
    return await new QueueSimulation(seed).run(STEPS);
  } catch (error) {
    throw new Error(`Simulation broke: POSTHORN_SEED=${seed}`, { cause: error });
  }
}

describe("WorkQueueChannel.consume(), simulated", () => {
  const first = chosen === undefined ? 1 : Number(chosen);
  const last = chosen === undefined ? seeds : first;
  for (let from = first; from <= last; from += BLOCK) {
    const to = Math.min(last, from + BLOCK - 1);
    it(
      `loses nothing, gives nothing to two, keeps lanes in order and ends for good (seeds ${from} to ${to})`,
      async () => {
        const sum = { written: 0, acknowledged: 0, dead: 0, crashes: 0, redriven: 0, leasesLost: 0 };
        for (let seed = from; seed <= to; seed++) {
          const outcome = await simulate(seed);
          for (const key of ["written", "acknowledged", "dead", "crashes", "redriven", "leasesLost"] as const) {
            sum[key] += outcome[key];
          }
          // The platform gets its turn: a simulation is microtasks alone.
          await nextTurn();
        }
        assert.equal(sum.acknowledged + sum.dead - sum.redriven, sum.written);
        // It was no idyll.
        for (const key of ["dead", "crashes", "redriven", "leasesLost"] as const) assert.ok(sum[key] > 0, key);
      },
      isLong ? 600_000 : 120_000,
    );
  }

  it("writes the same for the same seed, to the byte, and other things for another", async () => {
    const once = (await simulate(42)).trace.join("\n");
    const again = (await simulate(42)).trace.join("\n");
    assert.equal(again, once);
    assert.notEqual((await simulate(43)).trace.join("\n"), once);
  });
});
