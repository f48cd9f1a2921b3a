import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { describeLong } from "../../support/require.ts";
import { OUTCOMES, tryCase, tryMortalCase } from "../../support/plan-crashes.ts";

const CASES = OUTCOMES.length ** 4;
/** On each runtime but Bun one case in so many is tried; it shares no factor with 6, so that every outcome meets every other. */
const STRIDE = 13;
const IS_BUN = "Bun" in globalThis;

/** All at once: what is slow is a turn of the platform's loop, and they share it. */
async function tryAll(cases: readonly number[]): Promise<number> {
  const counts = await Promise.all(cases.map((each) => tryCase(each)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The cases in which the first two channels come to these outcomes. */
function casesOf(first: number, second: number, stride: number): readonly number[] {
  const rest = Array.from({ length: CASES / 36 }, (_, index) => first + 6 * second + 36 * index);
  return rest.filter((number) => number % stride === 0);
}

function suite(stride: number): void {
  for (const [first, one] of OUTCOMES.entries()) {
    for (const [second, other] of OUTCOMES.entries()) {
      const cases = casesOf(first, second, stride);
      if (cases.length === 0) continue;
      it(`goes on at the right step: ${cases.length} cases of ${one}, then ${other}, each with a death before and after every commit (G14)`, async () => {
        const deaths = await tryAll(cases);
        assert.ok(deaths >= cases.length * 4, `${deaths} deaths`);
      });
    }
  }
}

// All 1,296 in every run on one runtime, the quickest; the code is the same on the others, where all of them run by
// `npm run test:long`.
describe(`a plan in the store, ${IS_BUN ? "1,296" : "100"} cases of 6 outcomes on 4 channels`, () => {
  suite(IS_BUN ? 1 : STRIDE);

  const numbers = Array.from({ length: CASES / STRIDE }, (_, index) => index * STRIDE);
  for (const death of [[1, "after"], [2, "before"], [2, "after"], [3, "before"], [3, "after"]] as const) {
    const [commit, when] = death;
    it(`comes to its end in 100 of them though every process dies ${when} its commit ${commit}`, async () => {
      await Promise.all(numbers.map((number) => tryMortalCase(number, { commit, when })));
    });
  }
});

if (!IS_BUN) describeLong("a plan in the store, all 1,296 cases", () => suite(1));
