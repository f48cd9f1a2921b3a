import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { describeLong } from "../../support/require.ts";
import { OUTCOMES, tryCase, tryMortalCase } from "../../support/plan-crashes.ts";

const CASES = OUTCOMES.length ** 4;
/** On each runtime but Bun one case in so many is tried; it shares no factor with 6, so that every outcome meets every other. */
const STRIDE = 13;
const IS_BUN = "Bun" in globalThis;
const A_TEST = 12;

async function tryAll(cases: readonly number[]): Promise<number> {
  const counts = await Promise.all(cases.map((each) => tryCase(each)));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The cases in steps of so many that any machine is done with one within its time. */
function suite(stride: number): void {
  const all = Array.from({ length: CASES }, (_, number) => number).filter((number) => number % stride === 0);
  for (let begin = 0; begin < all.length; begin += A_TEST) {
    const cases = all.slice(begin, begin + A_TEST);
    const name = `${cases[0]} to ${cases.at(-1)}`;
    it(`goes on at the right step: cases ${name}, each with a death before and after every commit (G14)`, async () => {
      const deaths = await tryAll(cases);
      assert.ok(deaths >= cases.length * 4, `${deaths} deaths`);
    });
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
