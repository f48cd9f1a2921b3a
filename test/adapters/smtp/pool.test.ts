import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { ManualClock } from "../../../core/mod.ts";
import { SmtpCommunicator } from "../../../adapters/smtp/mod.ts";
import { contextOf, messageOf, withMail } from "./fixture.ts";

/** Waits until something outside of our control has happened. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("SmtpCommunicator.send() over its connections", () => {
  it("uses one connection for one mail after another", () =>
    withMail({}, async ({ server, send }) => {
      for (let count = 0; count < 20; count++) assert.equal((await send()).outcome, "accepted");
      assert.equal(server.sessions.length, 1);
      assert.equal(server.mails.length, 20);
    }));

  it("opens no more than maxConnections at once, and loses nobody who waits", () =>
    withMail({ mail: { maxConnections: 3 } }, async ({ server, send }) => {
      let most = 0;
      server.script("mail", () => {
        most = Math.max(most, server.connections);
        return undefined;
      });
      const receipts = await Promise.all(
        Array.from({ length: 50 }, (_, index) => send({}, { deliveryId: `d${index}` })),
      );
      assert.ok(receipts.every(({ outcome }) => outcome === "accepted"));
      assert.equal(new Set(server.mails.map(({ raw }) => /^Message-ID: (.*)\r$/m.exec(raw)?.[1])).size, 50);
      assert.equal(most, 3);
      assert.equal(server.sessions.length, 3);
    }));

  it("replaces a connection after maxMessagesPerConnection", () =>
    withMail({ mail: { maxMessagesPerConnection: 4, maxConnections: 1 } }, async ({ server, send }) => {
      for (let count = 0; count < 10; count++) await send();
      assert.equal(server.sessions.length, 3);
      assert.equal(server.sessions[0]?.commands.at(-1), "QUIT");
    }));

  it("replaces a connection that the server closed while it was idle, within the same attempt", () =>
    withMail({}, async ({ server, send }) => {
      for (const how of ["closed", "421"]) {
        assert.equal((await send()).outcome, "accepted");
        if (how === "closed") {
          server.cutAll();
          await until(() => server.connections === 0);
        } else {
          server.script("mail", { reply: "421 4.4.2 Idle too long", cut: true }, { times: 1 });
        }
        assert.equal((await send()).outcome, "accepted", how);
      }
      assert.equal(server.mails.length, 4);
    }));

  it("does not try again on a fresh connection", () =>
    withMail({}, async ({ server, send }) => {
      server.script("mail", { cut: true });
      assert.equal((await send()).outcome, "rejected");
      assert.equal(server.sessions.length, 1);
    }));

  it("does not try again once the mail has begun, or the answer is missing", () =>
    withMail({}, async ({ server, send }) => {
      for (const stage of ["body", "dot"] as const) {
        assert.equal((await send()).outcome, "accepted");
        const accepted = server.mails.length;
        const remove = server.script(stage, { cut: true, keep: true });
        const bytes = new Uint8Array(stage === "body" ? 5_000_000 : 5);
        const receipt = await send({ attachments: [{ filename: "a", contentType: "a/b", bytes }] });
        assert.equal(receipt.outcome, stage === "body" ? "rejected" : "unknown");
        remove();
        assert.equal(server.mails.length, accepted + (stage === "dot" ? 1 : 0));
      }
    }));

  it("keeps the connection after a refusal, and tells the server to forget the mail", () =>
    withMail({ mail: { maxConnections: 1 } }, async ({ server, send }) => {
      server.script("rcpt", { reply: "550 5.1.1 No" }, { times: 1 });
      assert.equal((await send()).outcome, "rejected");
      assert.equal((await send()).outcome, "accepted");
      assert.equal(server.sessions.length, 1);
      assert.ok(server.sessions[0]?.commands.includes("RSET"));
    }));

  it("closes a connection that nobody used for idleTimeoutMs", async () => {
    const clock = new ManualClock();
    await withMail({ clock, mail: { idleTimeoutMs: 5_000 } }, async ({ server, send }) => {
      await send();
      await clock.advance(4_999);
      assert.equal(server.connections, 1);
      await clock.advance(1);
      await until(() => server.connections === 0);
      assert.equal(server.sessions[0]?.commands.at(-1), "QUIT");
    });
  });

  it("closes each connection after its mail where idleTimeoutMs is 0", () =>
    withMail({ mail: { idleTimeoutMs: 0 } }, async ({ server, send }) => {
      await send();
      await send();
      assert.equal(server.sessions.length, 2);
      await until(() => server.connections === 0);
    }));

  it("gives up waiting for a connection when it is called off", () =>
    withMail({ mail: { maxConnections: 1 } }, async ({ server, send }) => {
      const reached = Promise.withResolvers<void>();
      server.script("dot", () => {
        reached.resolve();
        return { delayMs: 30, proceed: true };
      }, { times: 1 });
      const first = send();
      await reached.promise;
      const abort = new AbortController();
      const second = send({}, { signal: abort.signal });
      const third = send();
      abort.abort();
      const refused = await second;
      assert.equal(refused.detail, "waiting for a connection: called off");
      assert.equal((await first).outcome, "accepted");
      assert.equal((await third).outcome, "accepted");
      assert.equal(server.mails.length, 2);
    }));

  it("frees the place of a connection that could not be opened", () =>
    withMail({ mail: { maxConnections: 1 } }, async ({ server, send }) => {
      server.script("connect", { reply: "421 Busy", cut: true }, { times: 5 });
      const receipts = await Promise.all(Array.from({ length: 8 }, () => send()));
      assert.equal(receipts.filter(({ outcome }) => outcome === "accepted").length, 3);
    }));
});

describe("SmtpCommunicator.stop()", () => {
  it("lets the mails under way end, those that wait too, says goodbye and refuses new ones", () =>
    withMail({ mail: { maxConnections: 2 } }, async ({ server, mail, send }) => {
      const reached = Promise.withResolvers<void>();
      server.script("dot", () => {
        reached.resolve();
        return { delayMs: 20, proceed: true };
      });
      const sending = Array.from({ length: 6 }, () => send());
      await reached.promise;
      const stopped = mail.stop();
      const late = await send();
      assert.equal(late.outcome, "rejected");
      await stopped;
      const receipts = await Promise.all(sending);
      assert.ok(receipts.every(({ outcome }) => outcome === "accepted"));
      assert.equal(server.mails.length, 6);
      assert.ok(server.sessions.every(({ commands }) => commands.at(-1) === "QUIT"));
      await mail.stop();
      await mail.start();
      assert.equal((await send()).outcome, "accepted");
    }));

  it("does not wait for ever for a server that does not say goodbye", async () => {
    const clock = new ManualClock();
    await withMail({ clock }, async ({ server, mail, send }) => {
      server.script("quit", {});
      await send();
      const stopped = mail.stop();
      await until(() => server.sessions[0]?.commands.at(-1) === "QUIT");
      await clock.advance(5_000);
      await stopped;
    });
  });
});

describe("SmtpCommunicator.send() before the wire", () => {
  it("refuses while it is not started", async () => {
    const mail = new SmtpCommunicator("mail", { fromAddress: "a@example.com", startTls: true });
    const receipt = await mail.send(messageOf(), contextOf({ recipient: "ops@example.com" }));
    assert.ok(receipt.outcome === "rejected" && receipt.retryable && receipt.reason === "unavailable");
  });

  it("refuses who is no address, who is not allowed, and what mail cannot carry, without a connection", () =>
    withMail({ mail: { allowRecipients: ["*@example.net"] } }, async ({ server, send }) => {
      const url = { filename: "a", contentType: "a/b", url: "https://example.com/a" };
      const rows = [
        [await send({}, { recipient: "nobody" }), "invalid-recipient"],
        [await send({}, { recipient: "Ann <ann@example.net>" }), "invalid-recipient"],
        [await send({}, { recipient: "ann@example.org" }), "policy"],
        [await send({ attachments: [url] }), "unsupported"],
      ] as const;
      for (const [receipt, reason] of rows) {
        assert.ok(receipt.outcome === "rejected" && !receipt.retryable);
        assert.equal(receipt.reason, reason);
      }
      assert.equal(server.sessions.length, 0);
      assert.equal((await send({}, { recipient: "ann@example.net" })).outcome, "accepted");
      assert.equal((await send({}, { recipient: "ops@example.com" })).outcome, "accepted", "default recipients may");
    }));

  it("sends an international local part only where SMTPUTF8 is offered", async () => {
    await withMail({}, async ({ server, send }) => {
      assert.equal((await send({ subject: "Hi" }, { recipient: "jürgen@bücher.example" })).outcome, "accepted");
      const [mail] = server.mails;
      assert.match(mail?.text ?? "", /^To: jürgen@xn--bcher-kva\.example\r$/m);
      const command = server.sessions[0]?.commands.find((each) => each.startsWith("MAIL")) ?? "";
      assert.match(command, /^MAIL FROM:<noreply@example\.com> SMTPUTF8 BODY=8BITMIME$/);
    });
    await withMail({ server: { extensions: ["PIPELINING"] } }, async ({ server, send }) => {
      const receipt = await send({}, { recipient: "jürgen@bücher.example" });
      assert.ok(receipt.outcome === "rejected" && receipt.reason === "unsupported" && !receipt.retryable);
      assert.equal((await send({}, { recipient: "ann@bücher.example" })).outcome, "accepted");
      assert.equal(server.mails.length, 1);
    });
  });

  it("says whose bounces are whose: the envelope has the return path, the mail the sender", () =>
    withMail({ mail: { returnPath: "bounces@example.com", fromName: "Posthorn" } }, async ({ server, send }) => {
      await send();
      assert.equal(server.mails[0]?.from, "bounces@example.com");
      assert.match(server.mails[0]?.raw ?? "", /^From: Posthorn <noreply@example\.com>\r\n/);
    }));
});

describe("SmtpCommunicator.verify()", () => {
  it("logs in and sends nothing", () =>
    withMail(
      { server: { users: { ann: "pw1" } }, mail: { username: "ann", password: "pw1" } },
      async ({ server, mail }) => {
        assert.equal(await mail.verify(), undefined);
        assert.deepEqual(server.sessions[0]?.commands.map((each) => each.slice(0, 4)), ["EHLO", "AUTH", "QUIT"]);
      },
    ));

  it("says what is wrong", async () => {
    await withMail(
      { server: { users: { ann: "pw1" } }, mail: { username: "ann", password: "pw2" } },
      async ({ mail }) => {
        const receipt = await mail.verify();
        assert.ok(receipt?.reason === "auth" && receipt.backendDown === true && receipt.code === "535 5.7.8");
      },
    );
    await withMail({}, async ({ server, mail }) => {
      await server.stop();
      const receipt = await mail.verify();
      assert.ok(receipt?.reason === "network" && receipt.retryable);
      assert.match(receipt.detail ?? "", /^connecting: the connection ended/);
    });
  });

  it("refuses to go on without login where a login is configured", () =>
    withMail({ mail: { username: "ann", password: "pw1" } }, async ({ server, mail, send }) => {
      assert.equal((await mail.verify())?.reason, "auth");
      assert.equal((await send()).outcome, "rejected");
      assert.equal(server.mails.length, 0);
    }));

  it("logs in with an access token, a fresh one for every connection", async () => {
    let count = 0;
    const accessToken = () => Promise.resolve(`token-${++count}`);
    const options = { server: { users: { ann: "token-2" } }, mail: { username: "ann", accessToken, idleTimeoutMs: 0 } };
    await withMail(options, async ({ server, send, mail }) => {
      const refused = await mail.verify();
      assert.ok(refused?.reason === "auth" && refused.backendDown === true);
      assert.equal((await send()).outcome, "accepted");
      assert.equal(server.mails[0]?.username, "ann");
      assert.ok(server.sessions.every(({ commands }) => commands.some((each) => each.startsWith("AUTH XOAUTH2 "))));
    });
    const broken = { ...options, mail: { ...options.mail, accessToken: () => Promise.reject(new Error("secret")) } };
    await withMail(broken, async ({ mail }) => {
      const receipt = await mail.verify();
      assert.ok(receipt?.reason === "auth" && receipt.backendDown === undefined);
      assert.equal(receipt.detail, "AUTH: no access token could be had");
    });
  });
});
