/**
 * Waiting for what happens in its own time: hashing runs on another thread, which a virtual clock does not move.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ManualClock } from "../../core/mod.ts";

/** Moves a virtual clock in steps until something holds; fails when it never does. */
export async function eventually(
  clock: ManualClock,
  holds: () => boolean,
  stepMs = 1,
  maxSteps = 2_000,
): Promise<void> {
  for (let step = 0; step < maxSteps; step++) {
    if (holds()) return;
    await clock.advance(stepMs);
  }
  assert.ok(holds(), "it never happened");
}
