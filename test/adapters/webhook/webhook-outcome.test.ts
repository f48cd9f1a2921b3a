import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { readWebhookAnswer, retryAfterMs } from "../../../adapters/webhook/webhook-outcome.ts";
import { NOW, OUTCOMES, RULES } from "./outcome-table.ts";

describe("readWebhookAnswer", () => {
  for (const { network, name, status, headers, body, expected } of OUTCOMES) {
    it(`readWebhookAnswer() reads ${network} ${name}`, () => {
      const receipt = readWebhookAnswer({ status, headers: new Headers(headers), body }, RULES[network], NOW);
      for (const [key, value] of Object.entries(expected)) assert.equal(Reflect.get(receipt, key), value, key);
    });
  }

  it("readWebhookAnswer() repeats nothing of the body but a known word", () => {
    const body = "your secret is hunter2";
    for (const rules of Object.values(RULES)) {
      const receipt = readWebhookAnswer({ status: 400, headers: new Headers(), body }, rules, NOW);
      assert.ok(!JSON.stringify(receipt).includes("hunter2"));
    }
  });

  it("retryAfterMs() reads seconds and dates, and nothing else", () => {
    assert.equal(retryAfterMs("120", 0), 120_000);
    assert.equal(retryAfterMs("Fri, 21 Nov 2025 11:20:00 GMT", NOW), Math.max(0, 1_763_724_000_000 - NOW));
    for (const value of [null, "", "1e3", "0x10", "2026-01-01", "tomorrow", "-1", "NaN", "9".repeat(20)]) {
      assert.equal(retryAfterMs(value, NOW), undefined, String(value));
    }
  });
});
