import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { LiveMap } from "../../../core/support/live-map.ts";

describe("LiveMap", () => {
  it("has what a Map has, in its order, however much comes and goes", () => {
    const step = fc.record({ kind: fc.constantFrom("set", "set", "delete", "delete", "clear"), key: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1_000, maxLength: 4_000 }), (steps) => {
        const map = new LiveMap<number, number>();
        const model = new Map<number, number>();
        for (const [index, { kind, key }] of steps.entries()) {
          if (kind === "set") {
            map.set(key, index);
            model.set(key, index);
          } else if (kind === "delete") {
            assert.equal(map.delete(key), model.delete(key));
          } else if (index % 100 === 0) {
            map.clear();
            model.clear();
          }
          assert.equal(map.size, model.size);
          assert.equal(map.get(key), model.get(key));
          assert.equal(map.has(key), model.has(key));
        }
        assert.deepEqual([...map.values()], [...model.values()]);
      }),
      { numRuns: 30 },
    );
  });
});
