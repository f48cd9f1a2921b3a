import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { readWebhookAnswer } from "../../../adapters/webhook/webhook-outcome.ts";
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
});
