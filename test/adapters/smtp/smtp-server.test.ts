import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import type { Receipt } from "../../../core/mod.ts";
import { SmtpCommunicator, type SmtpOptions } from "../../../adapters/smtp/mod.ts";
import { AUTHORITY, LOCAL } from "./certificates.ts";
import { contextOf, messageOf } from "./fixture.ts";

/** A refusal as smtp-server wants it. */
function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

interface Peer {
  readonly mails: { readonly to: readonly string[]; readonly raw: string }[];
  send(recipient?: string): Promise<Receipt>;
}

/** Runs the npm smtp-server, which shares no code with our stand-in, and a backend that talks to it. */
async function withPeer(
  server: SMTPServerOptions,
  mail: Partial<SmtpOptions>,
  body: (peer: Peer) => Promise<void>,
): Promise<void> {
  const mails: { to: readonly string[]; raw: string }[] = [];
  const peer = new SMTPServer({
    key: LOCAL.key,
    cert: LOCAL.cert,
    closeTimeout: 100,
    authOptional: true,
    onData(stream, session, callback) {
      const chunks: string[] = [];
      stream.on("data", (chunk) => chunks.push(chunk.toString("latin1")));
      stream.on("end", () => {
        const raw = chunks.join("");
        if (raw.includes("Subject: LATER")) return callback(refusal(451, "4.3.0 Later"));
        if (raw.includes("Subject: NEVER")) return callback(refusal(552, "5.3.4 Too much"));
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw });
        callback();
      });
    },
    ...server,
  });
  // Clients that end the handshake are the subject here.
  peer.on("error", () => {});
  await new Promise<void>((resolve) => peer.listen(0, "127.0.0.1", resolve));
  const address = peer.server.address();
  assert.ok(typeof address === "object" && address !== null);
  const backend = new SmtpCommunicator("mail", {
    host: "127.0.0.1",
    port: address.port,
    startTls: true,
    fromAddress: "noreply@example.com",
    tls: { ca: AUTHORITY },
    ...mail,
  });
  await backend.start();
  try {
    await body({
      mails,
      send: (recipient = "ops@example.com") => {
        const subject = recipient.startsWith("later") ? "LATER" : recipient.startsWith("never") ? "NEVER" : "Hello";
        return backend.send(messageOf({ subject }), contextOf({ recipient }));
      },
    });
  } finally {
    await backend.stop();
    await new Promise<void>((resolve) => peer.close(() => resolve()));
  }
}

const LOGIN: SMTPServerOptions = {
  authOptional: false,
  onAuth({ username, password }, _, callback) {
    if (username === "ann" && password === "correct horse") return callback(null, { user: "ann" });
    callback(refusal(535, "5.7.8 No"));
  },
};

describe("SmtpCommunicator with the npm smtp-server", () => {
  for (const authMethods of [["PLAIN"], ["LOGIN"], ["CRAM-MD5"]]) {
    it(`send() logs in by ${authMethods} over STARTTLS`, () => {
      const server: SMTPServerOptions = {
        ...LOGIN,
        authMethods,
        onAuth({ username, password, validatePassword }, _, callback) {
          const isRight = username === "ann" &&
            (authMethods[0] === "CRAM-MD5" ? validatePassword("correct horse") : password === "correct horse");
          callback(isRight ? null : refusal(535, "5.7.8 No"), { user: "ann" });
        },
      };
      return withPeer(server, { username: "ann", password: "correct horse" }, async ({ send, mails }) => {
        assert.equal((await send()).outcome, "accepted");
        assert.equal((await send()).outcome, "accepted");
        assert.deepEqual(mails.map(({ to }) => to), [["ops@example.com"], ["ops@example.com"]]);
      });
    });
  }

  it("send() works by TLS from the first byte", () =>
    withPeer({ secure: true }, { useTls: true, startTls: false }, async ({ send, mails }) => {
      assert.equal((await send()).outcome, "accepted");
      assert.equal(mails.length, 1);
    }));

  it("send() gives each recipient an answer of its own, and re-sends nothing that was accepted (P16)", () => {
    const answers: Readonly<Record<string, readonly [number, string]>> = {
      "busy@example.com": [450, "4.2.1 Busy"],
      "gone@example.com": [550, "5.1.1 Gone"],
      "grey@example.com": [451, "4.7.1 Greylisted"],
    };
    const server: SMTPServerOptions = {
      onRcptTo({ address }, _, callback) {
        const [code, text] = answers[address] ?? [];
        callback(code === undefined || text === undefined ? null : refusal(code, text));
      },
    };
    return withPeer(server, {}, async ({ send, mails }) => {
      const recipients = ["a", "busy", "b", "gone", "grey", "later", "never", "c"].map((local) =>
        `${local}@example.com`
      );
      const receipts = await Promise.all(recipients.map((recipient) => send(recipient)));
      const shown = receipts.map((receipt) =>
        receipt.outcome === "rejected" ? `${receipt.retryable} ${receipt.code}` : "ok"
      );
      assert.deepEqual(shown, [
        "ok",
        "true 450 4.2.1",
        "ok",
        "false 550 5.1.1",
        "true 451 4.7.1",
        "true 451 4.3.0",
        "false 552 5.3.4",
        "ok",
      ]);
      assert.deepEqual(mails.flatMap(({ to }) => to).toSorted(), ["a@example.com", "b@example.com", "c@example.com"]);
    });
  });

  it("send() says that the password is wrong", () =>
    withPeer(LOGIN, { username: "ann", password: "wrong" }, async ({ send, mails }) => {
      const receipt = await send();
      assert.ok(receipt.outcome === "rejected" && receipt.reason === "auth" && receipt.backendDown === true);
      assert.equal(mails.length, 0);
    }));

  it("send() says that the sender or the connection is refused", async () => {
    await withPeer(
      { onMailFrom: (_, __, callback) => callback(refusal(553, "5.1.7 Not you")) },
      {},
      async ({ send }) => {
        const receipt = await send();
        assert.ok(
          receipt.outcome === "rejected" && receipt.reason === "not-configured" && receipt.backendDown === true,
        );
      },
    );
    await withPeer({ onConnect: (_, callback) => callback(refusal(554, "Go away")) }, {}, async ({ send }) => {
      const receipt = await send();
      assert.ok(receipt.outcome === "rejected" && receipt.retryable && receipt.reason === "unavailable");
    });
  });

  it("send() gives up where STARTTLS is not there", () =>
    withPeer({ hideSTARTTLS: true, disabledCommands: ["STARTTLS"] }, {}, async ({ send, mails }) => {
      const receipt = await send();
      assert.ok(receipt.outcome === "rejected" && receipt.reason === "policy" && receipt.backendDown === true);
      assert.equal(mails.length, 0);
    }));
});
