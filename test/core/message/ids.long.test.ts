import { it } from "bun:test";
import assert from "node:assert/strict";
import { createIdGenerator } from "../../../core/message/ids.ts";
import { describeLong } from "../../support/require.ts";

/** The time in an id, as RFC 9562 section 5.7 lays it out. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

describeLong("createIdGenerator() with 33 million ids in one millisecond", () => {
  it("createIdGenerator() runs ahead of the clock when the counter of a millisecond is used up", () => {
    // All ones: the counter starts as high as it may, and 33 million ids on it is at its end.
    const original = crypto.getRandomValues;
    Object.defineProperty(crypto, "getRandomValues", {
      configurable: true,
      value: (array: Uint16Array<ArrayBuffer>) => array.fill(0xffff),
    });
    try {
      const nextId = createIdGenerator(() => 1e12);
      let id = nextId();
      const room = 0x400_0000 - 0x200_0000;
      // Every id would take seconds: the end of the counter is where it can go wrong.
      for (let count = 0; count < room; count++) {
        const next = nextId();
        if (!(next > id)) assert.fail(`${next} after ${id}`);
        id = next;
      }
      assert.equal(timeOf(id), 1e12);
      const next = nextId();
      assert.ok(next > id);
      assert.equal(timeOf(next), 1e12 + 1);
    } finally {
      Reflect.deleteProperty(crypto, "getRandomValues");
      if (crypto.getRandomValues !== original) crypto.getRandomValues = original;
    }
  });
});
