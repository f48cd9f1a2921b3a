/**
 * Runs a store against the model: steps made up by fast-check, on a clock that moves only when told.
 *
 * `POSTHORN_SEED` chooses the seed; a failure prints it, with the shortest list of steps that fails. `POSTHORN_LONG=1`
 * takes ten times as many steps.
 *
 * @module
 */
import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import type { MessageStore } from "../../core/store/message-store.ts";
import { Duel, type Reopen } from "./duel.ts";
import type { StepClock } from "./step-clock.ts";
import { anyStep, type Step } from "./steps.ts";

/** Settings of {@link runModel}. */
export interface ModelRunOptions {
  /** How many steps at least. */
  readonly steps: number;
  /** The seed. */
  readonly seed: number;
  /** Opens again what a store has written, as after a crash. */
  readonly reopen?: Reopen;
}

/** One step as a command of fast-check. */
class StepCommand implements fc.AsyncCommand<object, Duel> {
  readonly #step: Step;
  readonly #onRun: () => void;

  constructor(step: Step, onRun: () => void) {
    this.#step = step;
    this.#onRun = onRun;
  }

  check(): boolean {
    return true;
  }

  async run(_: object, duel: Duel): Promise<void> {
    this.#onRun();
    await duel.take(this.#step);
  }

  toString(): string {
    return JSON.stringify(this.#step);
  }
}

/**
 * Takes steps until there were enough.
 *
 * @param open Opens an empty store.
 * @param options How many, from which seed.
 * @returns How many steps were taken.
 */
export async function runModel(
  open: (clock: StepClock) => Promise<MessageStore>,
  { steps, seed, reopen }: ModelRunOptions,
): Promise<number> {
  let taken = 0;
  const command = anyStep.map((step) => new StepCommand(step, () => void taken++));
  const property = fc.asyncProperty(fc.commands([command], { maxCommands: 400, size: "max" }), async (commands) => {
    const duel = new Duel(reopen);
    await duel.open(open);
    await fc.asyncModelRun(() => ({ model: {}, real: duel }), commands);
    await duel.finish();
  });
  for (let round = 0; taken < steps; round++) {
    await fc.assert(property, { seed: seed + round, numRuns: 20, endOnFailure: false });
  }
  return taken;
}

/** Registers the run for a store: 100,000 steps, or a million where `POSTHORN_LONG` is `1`. */
export function describeStoreModel(
  name: string,
  open: (clock: StepClock) => Promise<MessageStore>,
  options: { readonly reopen?: Reopen } = {},
): void {
  const isLong = process.env["POSTHORN_LONG"] === "1";
  const steps = isLong ? 1_000_000 : 100_000;
  const seed = Number(process.env["POSTHORN_SEED"] ?? Math.floor(Math.random() * 1_000_000));
  describe(`${name} against the model`, () => {
    it(`agrees over ${steps} steps (POSTHORN_SEED=${seed})`, async () => {
      assert.ok(await runModel(open, { steps, seed, ...options }) >= steps);
    }, isLong ? 3_600_000 : 600_000);
  });
}
