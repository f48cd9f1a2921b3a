import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { readWebhookAnswer } from "../../adapters/webhook/webhook-outcome.ts";
import { readRefusal } from "../../adapters/whatsapp/graph-answer.ts";
import { NOW, OUTCOMES as POSTED, RULES } from "../adapters/webhook/outcome-table.ts";
import { OUTCOMES as WHATSAPP } from "../adapters/whatsapp/outcome-table.ts";

/** Telegram's and mail's tables stand in their tests, which count at least 60 and 100 rows. */
const ROWS_ELSEWHERE = 60 + 100;

describe("what networks answer is read by tables (G12)", () => {
  it("there are more than 150 rows of network, stage and code, each once (G12)", () => {
    assert.equal(new Set(WHATSAPP.map(({ name }) => name)).size, WHATSAPP.length);
    const posted = new Set(POSTED.map(({ network, name }) => `${network} ${name}`));
    assert.equal(posted.size, POSTED.length);
    assert.deepEqual(new Set(POSTED.map(({ network }) => network)), new Set(Object.keys(RULES)));
    assert.ok(WHATSAPP.length >= 60 && POSTED.length >= 60, `${WHATSAPP.length} ${POSTED.length}`);
    assert.ok(WHATSAPP.length + POSTED.length + ROWS_ELSEWHERE >= 280);
  });

  it("a status that no table knows is never a success, and tried again only where it says that nothing was done (G12)", () => {
    for (const rules of Object.values(RULES)) {
      for (let status = 300; status < 700; status++) {
        const receipt = readWebhookAnswer({ status, headers: new Headers(), body: "" }, rules, NOW);
        assert.ok(receipt.outcome === "rejected" || receipt.outcome === "unknown", String(status));
        if (status >= 600) assert.ok(receipt.outcome === "unknown" || !receipt.retryable, String(status));
      }
    }
    for (let code = 900_000; code < 900_400; code++) {
      const body = { error: { code, message: "something new" } };
      const refused = readRefusal({ status: 400, body }, 0);
      assert.ok(refused.outcome === "rejected" && !refused.retryable && refused.reason === "other", String(code));
      const busy = readRefusal({ status: 500, body }, 0);
      assert.ok(busy.outcome === "rejected" && busy.retryable && busy.reason === "unavailable", String(code));
    }
    // A success without an id is none that anybody could rely on (L10).
    assert.equal(readRefusal({ status: 200, body: {} }, 0).outcome, "unknown");
  });
});
