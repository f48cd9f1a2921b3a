import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import type { Receipt } from "../../../core/mod.ts";
import { AUTHORITY, LOCAL, OTHER } from "./certificates.ts";
import { type FixtureOptions, withMail } from "./fixture.ts";
import { startStripProxy, type StripProxy } from "./strip-proxy.ts";

const LOGIN = { username: "ann", password: "correct horse" };
/** How a TLS record of the handshake starts. */
const HANDSHAKE = "\u0016\u0003";
const SERVER = { tls: LOCAL, users: { ann: "correct horse" } };

function secure(mail: FixtureOptions["mail"], server: FixtureOptions["server"] = {}): FixtureOptions {
  return {
    server: { ...SERVER, ...server },
    mail: { allowInsecure: false, ...LOGIN, tls: { ca: AUTHORITY }, ...mail },
  };
}

function assertRefused(receipt: Receipt, reason: string, detail: RegExp): void {
  assert.ok(receipt.outcome === "rejected", receipt.outcome);
  assert.equal(receipt.reason, reason);
  assert.equal(receipt.retryable, true);
  assert.match(receipt.detail ?? "", detail);
}

describe("SmtpCommunicator with TLS", () => {
  for (const host of ["127.0.0.1", "localhost"]) {
    for (const kind of ["implicit", "starttls"] as const) {
      const mode = { host, useTls: kind === "implicit", startTls: kind === "starttls" };
      const server = { implicitTls: kind === "implicit" };

      it(`sends by ${kind} to ${host}, and nothing but EHLO and STARTTLS in clear`, () =>
        withMail(secure(mode, server), async ({ server, send }) => {
          assert.equal((await send()).outcome, "accepted");
          assert.equal(server.mails[0]?.isSecure, true);
          assert.equal(server.mails[0]?.username, "ann");
          const clear = server.sessions.map((session) => session.clear).join("");
          assert.equal(clear, kind === "implicit" ? "" : "EHLO [127.0.0.1]\r\nSTARTTLS\r\n");
        }));

      it(`trusts no authority it was not told about (${kind}, ${host})`, () =>
        withMail(secure({ ...mode, tls: {} }, server), async ({ server, send }) => {
          const receipt = await send();
          assertRefused(receipt, "not-configured", /^securing the connection: TLS failed/);
          assert.ok(receipt.outcome === "rejected" && receipt.backendDown === true);
          assert.equal(server.sessions.map((session) => session.secure).join(""), "");
        }));

      it(`trusts no certificate for another name (${kind}, ${host})`, () =>
        withMail(secure(mode, { ...server, tls: OTHER }), async ({ server, send }) => {
          assertRefused(await send(), "not-configured", /^securing the connection: TLS failed/);
          assert.equal(server.sessions.map((session) => session.secure).join(""), "");
        }));
    }
  }

  it("verifies the name it is told, in the place of the host", async () => {
    for (const useTls of [true, false]) {
      const mode = { useTls, startTls: !useTls };
      const right = { ...mode, tls: { ca: AUTHORITY, servername: "mail.example.test" } };
      await withMail(secure(right, { implicitTls: useTls }), async ({ send }) => {
        assert.equal((await send()).outcome, "accepted");
      });
      const wrong = { ...mode, tls: { ca: AUTHORITY, servername: "wrong.example.test" } };
      await withMail(secure(wrong, { implicitTls: useTls }), async ({ send }) => {
        assertRefused(await send(), "not-configured", /TLS failed/);
      });
    }
  });

  it("takes a server that does not speak TLS for one that cannot be trusted", () =>
    withMail({ mail: { allowInsecure: false, useTls: true } }, async ({ server, send }) => {
      const receipt = await send();
      assert.ok(receipt.outcome === "rejected" && receipt.retryable);
      assert.match(receipt.detail ?? "", /^securing the connection/);
      assert.doesNotMatch(server.sessions.map(({ clear }) => clear).join(""), /AUTH|MAIL|DATA/);
    }));
});

/** Sends through a proxy that tampers, and gives what crossed it in clear. */
async function through(
  tamper: Parameters<typeof startStripProxy>[1],
  expect: (receipt: Receipt, proxy: StripProxy) => void,
): Promise<string> {
  let clear = "";
  const users = secure({ startTls: true });
  await withMail(users, async ({ server }) => {
    const proxy = await startStripProxy(server.port, tamper);
    try {
      await withMail({ ...users, mail: { ...users.mail, port: proxy.port } }, async ({ send }) => {
        expect(await send(), proxy);
      });
      clear = proxy.fromClient;
      assert.equal(server.mails.length, proxy.mayDeliver ? 1 : 0);
    } finally {
      await proxy.stop();
    }
  });
  return clear;
}

describe("SmtpCommunicator with a man in the middle (G31)", () => {
  it("says nothing after the greeting where STARTTLS is removed from the offer and refused", async () => {
    const clear = await through({ strip: true }, (receipt) => {
      assertRefused(receipt, "policy", /^STARTTLS/);
      assert.ok(receipt.outcome === "rejected" && receipt.backendDown === true);
    });
    assert.equal(clear, "EHLO [127.0.0.1]\r\nSTARTTLS\r\n");
  });

  it("uses TLS where the offer is removed, but the server does it", async () => {
    const clear = await through({ hide: true }, (receipt) => assert.equal(receipt.outcome, "accepted"));
    assert.doesNotMatch(clear, /AUTH|MAIL FROM|RCPT|DATA|correct horse|Disk/);
  });

  for (
    const injected of [
      "250 AUTH PLAIN\r\n",
      "250-evil\r\n250 AUTH PLAIN\r\n",
      "235 2.7.0 Welcome\r\n250 OK\r\n250 OK\r\n354 Go\r\n",
      "250 no line end",
    ]
  ) {
    it(`takes nothing from what is injected after the 220: ${JSON.stringify(injected)}`, async () => {
      // It is thrown away, and what follows is said and heard inside of TLS.
      const clear = await through({ inject: injected }, (receipt) => assert.equal(receipt.outcome, "accepted"));
      assert.ok(clear.startsWith(`EHLO [127.0.0.1]\r\nSTARTTLS\r\n${HANDSHAKE}`));
      assert.doesNotMatch(clear, /AUTH|MAIL FROM|RCPT|DATA|correct horse|Disk/);
    });
  }

  it("says nothing to a proxy that answers STARTTLS by itself and stays in clear", async () => {
    const clear = await through({ pretend: true }, (receipt) => {
      assert.ok(receipt.outcome === "rejected" && receipt.retryable);
      assert.match(receipt.detail ?? "", /^securing the connection/);
    });
    assert.ok(clear.startsWith(`EHLO [127.0.0.1]\r\nSTARTTLS\r\n${HANDSHAKE}`));
    assert.doesNotMatch(clear, /AUTH|MAIL FROM|RCPT|DATA|correct horse|Disk/);
  });

  it("says nothing where EHLO is refused, so that HELO would be next", async () => {
    const clear = await through({ refuseEhlo: true }, (receipt) => assertRefused(receipt, "unavailable", /^EHLO/));
    assert.equal(clear, "EHLO [127.0.0.1]\r\n");
  });
});
