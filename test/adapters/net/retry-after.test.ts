import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { readRetryAfterMs } from "../../../adapters/net/retry-after.ts";

const NOW = 1_763_724_000_000;

describe("readRetryAfterMs", () => {
  it("readRetryAfterMs() reads seconds and dates, and nothing else", () => {
    assert.equal(readRetryAfterMs("120", 0), 120_000);
    assert.equal(readRetryAfterMs("0.65", 0), 650);
    assert.equal(readRetryAfterMs("Fri, 21 Nov 2025 11:20:00 GMT", NOW - 1_000), 1_000);
    assert.equal(readRetryAfterMs("Fri, 21 Nov 2025 11:20:00 GMT", NOW + 1_000), 0);
    for (const value of [null, undefined, "", "1e3", "0x10", "2026-01-01", "tomorrow", "-1", "NaN", "9".repeat(20)]) {
      assert.equal(readRetryAfterMs(value, NOW), undefined, String(value));
    }
  });
});
