// In workerd only. The model runs within objects, a thousand steps in each.
import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "bun:test";
import { type DurableObjectStorageLike, DurableObjectStore } from "../../../adapters/durable-object/mod.ts";
import type { Clock, MessageStore } from "../../../core/mod.ts";
import { runModel } from "../../store/model-run.ts";
import { callObject } from "./objects.ts";

const STEPS = process.env["POSTHORN_LONG"] === "1" ? 100_000 : 10_000;
const STEPS_PER_OBJECT = 1_000;

/** The object: asked with a seed, it takes steps on its own storage. */
export class ModelObject {
  readonly #storage: DurableObjectStorageLike;

  constructor(context: { readonly storage: DurableObjectStorageLike }) {
    this.#storage = context.storage;
  }

  async fetch(request: Request): Promise<Response> {
    try {
      const seed = Number(await request.text());
      const open = (clock: Clock): Promise<MessageStore> =>
        Promise.resolve(new DurableObjectStore(this.#storage, { clock }));
      const steps = await runModel((clock) => this.#openEmpty(clock), {
        steps: STEPS_PER_OBJECT,
        seed,
        reopen: (_store, clock) => open(clock),
      });
      return new Response(String(steps));
    } catch (error) {
      return new Response(error instanceof Error ? `${error.message}\n${error.stack}` : String(error), { status: 500 });
    }
  }

  #openEmpty(clock: Clock): Promise<MessageStore> {
    const { sql } = this.#storage;
    for (
      const { name } of sql.exec("SELECT name FROM sqlite_master WHERE name LIKE 'posthorn_%' AND type = 'table'")
        .toArray()
    ) {
      sql.exec(`DROP TABLE ${name}`);
    }
    return Promise.resolve(new DurableObjectStore(this.#storage, { clock }));
  }
}

describe("DurableObjectStore against the model", () => {
  const seed = Number(process.env["POSTHORN_SEED"] ?? Math.floor(Math.random() * 1_000_000));

  for (let start = 0; start < STEPS; start += STEPS_PER_OBJECT) {
    it(`agrees over ${STEPS_PER_OBJECT} steps (POSTHORN_SEED=${seed + start})`, async () => {
      const steps = Number(await callObject("MODEL", `model ${start}`, String(seed + start)));
      assert.ok(steps >= STEPS_PER_OBJECT);
    });
  }
});
