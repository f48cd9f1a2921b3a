import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { WebhookStandIn } from "../../adapters/emulator/webhook-stand-in.ts";
import { ConfigError } from "../../mod.ts";
import { registerSlack, sendBySlack } from "../../examples/slack-backend.ts";

describe("examples/slack-backend", () => {
  it("sendBySlack() sends through the registered backend, by YAML", async () => {
    const standIn = new WebhookStandIn({ network: "slack" });
    const origin = await standIn.start();
    try {
      registerSlack();
      const env = { SLACK_WEBHOOK_URL: `${origin}/services/x` };
      standIn.inject({ fault: "answer", answer: { status: 429, headers: { "retry-after": "0.1" }, body: "slow" } });
      const settled = await sendBySlack("done <!channel>", env);
      assert.deepEqual(settled.map(({ backendName, status }) => [backendName, status]), [["my_slack", "accepted"]]);
      assert.deepEqual(standIn.taken.map(({ body }) => body), [{ text: "done &lt;!channel&gt;" }]);
      assert.equal(standIn.requests.length, 2);
      await assert.rejects(sendBySlack("x", {}), ConfigError);
    } finally {
      await standIn.stop();
    }
  });
});
