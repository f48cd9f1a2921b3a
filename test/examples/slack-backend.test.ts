import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { WebhookStandIn } from "../../adapters/emulator/webhook-stand-in.ts";
import { ConfigError, createOutgoingMessage, type Receipt } from "../../mod.ts";
import { registerSlack, sendBySlack, SlackCommunicator } from "../../examples/slack-backend.ts";

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

  it("SlackCommunicator posts once over a kept connection that ends before the answer, and does not know (Deno would repeat it)", async () => {
    const standIn = new WebhookStandIn({ network: "slack" });
    const slack = new SlackCommunicator("slack", `${await standIn.start()}/services/x`);
    const post = (text: string): Promise<Receipt> =>
      slack.send(createOutgoingMessage({ message: text }, { newId: () => text, now: () => 0 }), {
        deliveryId: text,
        attempt: 1,
        signal: AbortSignal.timeout(10_000),
      });
    try {
      assert.equal((await post("first")).outcome, "accepted");
      standIn.inject({ fault: "cut", when: "after-accept" });
      await assert.rejects(post("second"));
      assert.deepEqual(standIn.taken.map(({ body }) => body["text"]), ["first", "second"]);
    } finally {
      await standIn.stop();
    }
  });
});
