import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, it } from "bun:test";
import { SqliteStore } from "../../../adapters/sqlite/mod.ts";
import type { ManualClock } from "../../../core/mod.ts";
import { type Kept, OUTCOMES, tryCase } from "../../support/plan-crashes.ts";

const directory = mkdtempSync(path.join(tmpdir(), "posthorn-plans-"));
let count = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A file that each process opens anew. What is on the disk after a power cut is the business of other tests. */
function inFile(clock: ManualClock): Kept {
  const file = path.join(directory, `${++count}.db`);
  return {
    open: () => new SqliteStore({ path: file, clock, synchronous: "NORMAL" }),
    died: (store) => store.close(),
  };
}

/** It shares no factor with 6, so that every outcome meets every other. */
const STRIDE = 109;

describe("a plan in a SQLite file", () => {
  const numbers = Array.from({ length: Math.ceil(OUTCOMES.length ** 4 / STRIDE) }, (_, index) => index * STRIDE);
  for (const number of numbers) {
    it(`goes on at the right step after a death before and after every commit: case ${number} of 1,296 (G14)`, async () => {
      await tryCase(number, inFile);
    });
  }
});
