import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { knownCodes } from "../../../adapters/whatsapp/error-codes.ts";
import { messageIdOf, readRefusal } from "../../../adapters/whatsapp/graph-answer.ts";
import { OUTCOMES } from "./outcome-table.ts";

describe("readRefusal", () => {
  for (const { name, status, body, expected } of OUTCOMES) {
    it(`readRefusal() reads ${name}`, () => {
      const answer = { status, body };
      assert.equal(messageIdOf(answer), undefined);
      const receipt = readRefusal(answer, 0);
      assert.deepEqual({ ...receipt, ...expected }, receipt);
    });
  }

  it("readRefusal() has a row for every code of the table", () => {
    const rows = new Set(
      OUTCOMES.map(({ expected }) => "code" in expected ? expected.code : undefined),
    );
    assert.deepEqual(
      knownCodes().filter((code) => !rows.has(String(code))),
      [],
    );
  });

  it("readRefusal() asks a throttled pair to wait 4^n seconds, at most a quarter of an hour", () => {
    const answer = { status: 400, body: { error: { code: 131056 } } };
    const waits = [0, 1, 2, 3, 4, 5, 50].map((throttled) => {
      const receipt = readRefusal(answer, throttled);
      return receipt.outcome === "rejected" ? receipt.retryAfterMs : undefined;
    });
    assert.deepEqual(waits, [
      1_000,
      4_000,
      16_000,
      64_000,
      256_000,
      900_000,
      900_000,
    ]);
  });

  it("messageIdOf() finds the id, and only in an answer of success", () => {
    const body = { messages: [{ id: "wamid.1" }] };
    assert.equal(messageIdOf({ status: 200, body }), "wamid.1");
    assert.equal(messageIdOf({ status: 500, body }), undefined);
    assert.equal(messageIdOf({ status: 301, body }), undefined);
  });
});
