import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { SmtpStandIn } from "../../adapters/emulator/smtp-stand-in.ts";
import { sendAlert } from "../../examples/email.ts";

describe("examples/email", () => {
  it("sendAlert() sends one mail to each recipient, and says so", async () => {
    const server = await SmtpStandIn.start();
    try {
      const settled = await sendAlert({
        host: server.host,
        port: server.port,
        allow_insecure: true,
        from_address: "noreply@example.com",
        default_recipients: ["ops@example.com", "ann@example.com"],
      });
      assert.deepEqual(settled.map(({ recipient, status }) => [recipient, status]).toSorted(), [
        ["ann@example.com", "accepted"],
        ["ops@example.com", "accepted"],
      ]);
      assert.deepEqual(server.mails.map(({ to }) => to).toSorted(), [["ann@example.com"], ["ops@example.com"]]);
      const [mail] = server.mails;
      assert.match(mail?.text ?? "", /^Subject: Disk Alert\r$/m);
      assert.match(mail?.text ?? "", /filename="usage\.csv"/);
    } finally {
      await server.stop();
    }
  });
});
