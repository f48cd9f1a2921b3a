import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { createIdGenerator } from "../../../core/message/ids.ts";
import { ValidationError } from "../../../core/errors.ts";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The time in an id, as RFC 9562 section 5.7 lays it out. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

describe("createIdGenerator()", () => {
  it("createIdGenerator() makes UUIDs of version 7 that carry the time", () => {
    const nextId = createIdGenerator(() => 1_645_557_742_000);
    // The example of RFC 9562, appendix A.6, starts with this time.
    assert.match(nextId(), /^017f22e2-79b0-7/);
    assert.match(nextId(), UUID_V7);
  });

  it("createIdGenerator() grows strictly whatever the clock does", () => {
    fc.assert(fc.property(
      fc.array(fc.oneof(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -1e9, max: 1e9 })), { maxLength: 400 }),
      (steps) => {
        let time = 1e12;
        const nextId = createIdGenerator(() => time);
        let latest = "";
        let highest = 0;
        for (const step of steps) {
          time += step;
          highest = Math.max(highest, time);
          const id = nextId();
          assert.match(id, UUID_V7);
          assert.ok(id > latest, `${id} after ${latest}`);
          assert.equal(timeOf(id), highest);
          latest = id;
        }
      },
    ));
  });

  it("createIdGenerator() gives every time its own digits", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (time) => {
      assert.equal(timeOf(createIdGenerator(() => time + 0.75)()), time);
    }));
  });

  it("createIdGenerator() refuses what is no time", () => {
    for (const time of [Number.NaN, -1, 2 ** 48, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.throws(() => createIdGenerator(() => time)(), ValidationError);
    }
    let time = 1e12;
    const nextId = createIdGenerator(() => time);
    nextId();
    time = Number.NaN;
    assert.throws(nextId, ValidationError);
  });

  it("createIdGenerator() asks for nothing random before the first id", () => {
    const original = crypto.getRandomValues;
    let calls = 0;
    Object.defineProperty(crypto, "getRandomValues", {
      configurable: true,
      value: (array: Uint16Array<ArrayBuffer>) => {
        calls++;
        return original.call(crypto, array);
      },
    });
    try {
      const nextId = createIdGenerator(Date.now);
      assert.equal(calls, 0);
      nextId();
      assert.equal(calls, 1);
    } finally {
      Reflect.deleteProperty(crypto, "getRandomValues");
      if (crypto.getRandomValues !== original) crypto.getRandomValues = original;
    }
  });

  it("createIdGenerator() keeps ids of two generators apart", () => {
    const ids = new Set<string>();
    const generators = Array.from({ length: 4 }, () => createIdGenerator(() => 1e12));
    for (let round = 0; round < 5_000; round++) {
      for (const nextId of generators) ids.add(nextId());
    }
    assert.equal(ids.size, 20_000);
  });
});
