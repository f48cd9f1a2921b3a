import assert from "node:assert/strict";
import { afterAll, beforeAll, it } from "bun:test";
import type { Receipt } from "../../../core/mod.ts";
import { SmtpCommunicator, type SmtpOptions } from "../../../adapters/smtp/mod.ts";
import { describeWith } from "../../support/require.ts";
import { AUTHORITY, LOCAL } from "./certificates.ts";
import { type EximServer, startExim } from "./exim-server.ts";
import { contextOf, messageOf } from "./fixture.ts";
import { decodeWords, readStrictly } from "./strict-mail.ts";

describeWith("exim", "SmtpCommunicator with Exim", (program) => {
  let server: EximServer | undefined;

  beforeAll(async () => {
    server = await startExim(program, LOCAL);
  });
  afterAll(() => server?.stop());

  async function withExim(
    options: Partial<SmtpOptions>,
    body: (
      send: (recipient: string, init?: Parameters<typeof messageOf>[0], id?: string) => Promise<Receipt>,
    ) => Promise<void>,
  ): Promise<void> {
    assert.ok(server !== undefined);
    const mail = new SmtpCommunicator("mail", {
      host: "127.0.0.1",
      port: server.port,
      startTls: true,
      username: "ann",
      password: "correct horse",
      fromAddress: "noreply@example.com",
      tls: { ca: AUTHORITY },
      ...options,
    });
    await mail.start();
    try {
      await body((recipient, init, id = "d") => mail.send(messageOf(init), contextOf({ recipient, deliveryId: id })));
    } finally {
      await mail.stop();
    }
  }

  /** What lies in bob's mailbox under an id; delivery is Exim's own affair and takes a moment. */
  async function delivered(id: string): Promise<string> {
    for (;;) {
      const found = server?.mailsOf("bob").filter((mail) => mail.includes(`<${id}@example.com>`)) ?? [];
      assert.ok(found.length <= 1, "delivered twice");
      if (found[0] !== undefined) return found[0];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it("send() delivers by STARTTLS, with login, over one connection", () =>
    withExim({}, async (send) => {
      for (const id of ["starttls-1", "starttls-2"]) {
        assert.equal((await send("bob@example.test", {}, id)).outcome, "accepted");
        const mail = await delivered(id);
        assert.match(mail, /envelope-from <noreply@example\.com>/);
        assert.match(mail, /with esmtpsa/);
      }
    }));

  it("send() delivers by TLS from the first byte", () =>
    withExim({ port: server?.tlsPort ?? 0, useTls: true, startTls: false }, async (send) => {
      assert.equal((await send("bob@example.test", {}, "implicit-1")).outcome, "accepted");
      await delivered("implicit-1");
    }));

  it("send() has text, HTML, subject and files arrive as they were", () =>
    withExim({ fromName: "Überwachung" }, async (send) => {
      const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256);
      const text = ".\n..\n.Straße 🚧\n" + "x".repeat(3_000);
      const init = {
        message: text,
        html: "<p>Straße</p>",
        subject: "Straße gesperrt 🚧 ".repeat(10).trim(),
        attachments: [{ filename: "Plan.bin", contentType: "application/octet-stream", bytes }],
      };
      assert.equal((await send("bob@example.test", init, "full-1")).outcome, "accepted");
      const stored = await delivered("full-1");
      // Exim adds headers of its own at the top and stores lines with LF.
      const own = stored.slice(stored.indexOf("\nFrom: ") + 1).replaceAll("\n", "\r\n");
      const mail = readStrictly(own);
      assert.equal(decodeWords(mail.header("subject") ?? ""), init.subject);
      assert.equal(decodeWords(mail.header("from") ?? ""), "Überwachung <noreply@example.com>");
      assert.equal(mail.parts[0]?.parts[0]?.text, `${text}\n`);
      assert.equal(mail.parts[0]?.parts[1]?.text, "<p>Straße</p>\n");
      assert.deepEqual(mail.parts[1]?.bytes, bytes);
    }));

  for (
    const [what, recipient, subject, expected] of [
      ["greylisting", "grey@example.test", "x", [true, "policy", "451 4.7.1"]],
      ["a full mailbox", "full@example.test", "x", [true, "recipient-unreachable", "451 4.2.2"]],
      ["an unknown user", "gone@example.test", "x", [false, "invalid-recipient", "550 5.1.1"]],
      ["relaying", "bob@elsewhere.example", "x", [false, "policy", "550 5.7.1"]],
      ["refused content", "bob@example.test", "VIRUS", [false, "policy", "550 5.7.1"]],
      ["deferred content", "bob@example.test", "LATER", [true, "policy", "451 4.7.1"]],
    ] as const
  ) {
    it(`send() classifies ${what}, and goes on over the same connection`, () =>
      withExim({ maxConnections: 1 }, async (send) => {
        const receipt = await send(recipient, { subject });
        assert.ok(receipt.outcome === "rejected");
        assert.deepEqual([receipt.retryable, receipt.reason, receipt.code], expected);
        const id = `after-${what.replaceAll(" ", "-")}`;
        assert.equal((await send("bob@example.test", {}, id)).outcome, "accepted");
        await delivered(id);
      }));
  }

  it("send() refuses before it offers what is too large for the server", () =>
    withExim({}, async (send) => {
      const attachments = [{ filename: "a", contentType: "a/b", bytes: new Uint8Array(2_000_000) }];
      const receipt = await send("bob@example.test", { attachments });
      assert.ok(receipt.outcome === "rejected" && receipt.reason === "invalid-message");
    }));

  it("send() says that the password is wrong, and that nothing of this backend will pass", () =>
    withExim({ password: "wrong" }, async (send) => {
      const receipt = await send("bob@example.test");
      assert.ok(receipt.outcome === "rejected" && receipt.backendDown === true);
      assert.equal(receipt.reason, "auth");
      assert.equal(receipt.code, "535");
    }));

  it("send() trusts nobody it was not told about", () =>
    withExim({ tls: {} }, async (send) => {
      const receipt = await send("bob@example.test");
      assert.ok(receipt.outcome === "rejected" && receipt.reason === "not-configured");
    }));
});
