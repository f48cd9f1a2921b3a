import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryEntry } from "../../../core/store/memory-entry.ts";
import { HeldEntries } from "../../../core/store/memory-held.ts";

function entryOf(seq: number): MemoryEntry {
  const message = {
    v: 1,
    id: `m${seq}`,
    namespace: "",
    timestamp: 0,
    senderId: "s",
    content: null,
    metadata: {},
  } as const;
  return new MemoryEntry(seq, "queue", message);
}

describe("HeldEntries", () => {
  it("has what was put in and not taken out, whatever the numbers", () => {
    const stretch = fc.record({
      from: fc.nat(2_000),
      count: fc.integer({ min: 1, max: 300 }),
      by: fc.constantFrom(1, 3, 64, 128),
    });
    const step = fc.record({ isIn: fc.boolean(), stretch });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const held = new HeldEntries();
        const model = new Map<number, MemoryEntry>();
        for (const { isIn, stretch: { from, count, by } } of steps) {
          for (let index = 0; index < count; index++) {
            const seq = from + index * by;
            const present = model.get(seq);
            if (isIn && present === undefined) {
              const entry = entryOf(seq);
              held.add(entry);
              model.set(seq, entry);
            } else if (!isIn) {
              held.delete(present ?? entryOf(seq));
              model.delete(seq);
            }
          }
          for (const seq of [from, from + by, from + 64, from + 1]) assert.equal(held.get(seq), model.get(seq));
        }
        for (const [seq, entry] of model) {
          assert.equal(held.get(seq), entry);
          held.delete(entry);
          assert.equal(held.get(seq), undefined);
        }
      }),
      { numRuns: 200 },
    );
  });
});
