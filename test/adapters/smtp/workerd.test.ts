import assert from "node:assert/strict";
import { afterAll, beforeAll, describe, it } from "bun:test";
import type { Receipt } from "../../../core/mod.ts";
import { SmtpStandIn, type SmtpStandInOptions } from "../../../adapters/emulator/smtp-stand-in.ts";
import type { SmtpOptions } from "../../../adapters/smtp/mod.ts";
import { AUTHORITY, LOCAL, OTHER } from "./certificates.ts";
import { readStrictly } from "./strict-mail.ts";
import { type MailWorker, startMailWorker } from "./workerd-program.ts";

const LOGIN = { username: "ann", password: "correct horse" };
const USERS = { users: { ann: "correct horse" } };
const STARTTLS = { startTls: true, allowInsecure: false };
const IMPLICIT = { useTls: true, allowInsecure: false };

describe("SmtpCommunicator in workerd", () => {
  let worker: MailWorker | undefined;
  beforeAll(async () => {
    worker = await startMailWorker(AUTHORITY);
  });
  afterAll(() => worker?.stop());

  async function withServer(
    options: SmtpStandInOptions,
    body: (
      server: SmtpStandIn,
      send: (mail?: Partial<SmtpOptions>, count?: number) => Promise<readonly Receipt[]>,
    ) => Promise<void>,
  ): Promise<void> {
    const server = await SmtpStandIn.start(options);
    try {
      await body(server, (mail = {}, count = 1) => {
        assert.ok(worker !== undefined);
        const base = { host: "127.0.0.1", port: server.port, allowInsecure: true, fromAddress: "noreply@example.com" };
        return worker.send({
          options: { ...base, defaultRecipients: ["ops@example.com"], ...mail },
          messages: Array.from({ length: count }, (_, index) => ({ message: `Mail ${index}`, subject: "Straße" })),
          isParallel: count > 3,
        });
      });
    } finally {
      await server.stop();
    }
  }
  const outcomes = (receipts: readonly Receipt[]) => receipts.map(({ outcome }) => outcome);

  for (const host of ["127.0.0.1", "localhost"]) {
    it(`send() delivers in clear to ${host}`, () =>
      withServer({}, async (server, send) => {
        assert.deepEqual(outcomes(await send({ host })), ["accepted"]);
        assert.equal(readStrictly(server.mails[0]?.raw ?? "").text, "Mail 0\n");
      }));

    it(`send() delivers by STARTTLS with login to ${host}`, () =>
      withServer({ tls: LOCAL, ...USERS }, async (server, send) => {
        assert.deepEqual(outcomes(await send({ host, ...STARTTLS, ...LOGIN })), ["accepted"]);
        assert.equal(server.mails[0]?.username, "ann");
        assert.equal(server.sessions[0]?.clear, "EHLO [127.0.0.1]\r\nSTARTTLS\r\n");
      }));

    it(`send() delivers by TLS from the first byte to ${host}`, () =>
      withServer({ tls: LOCAL, implicitTls: true, ...USERS }, async (server, send) => {
        assert.deepEqual(outcomes(await send({ host, ...IMPLICIT, ...LOGIN })), ["accepted"]);
        assert.equal(server.mails[0]?.isSecure, true);
      }));
  }

  it("send() opens a connection for each mail, so that none outlives its request", () =>
    withServer({}, async (server, send) => {
      assert.deepEqual(outcomes(await send({}, 3)), ["accepted", "accepted", "accepted"]);
      assert.equal(server.sessions.length, 3);
      assert.deepEqual(outcomes(await send()), ["accepted"]);
    }));

  it("send() can keep a connection within one request, when it is told to", () =>
    withServer({}, async (server, send) => {
      assert.deepEqual(outcomes(await send({ idleTimeoutMs: 5_000 }, 3)), ["accepted", "accepted", "accepted"]);
      assert.equal(server.sessions.length, 1);
    }));

  it("send() keeps to maxConnections", () =>
    withServer({}, async (server, send) => {
      const receipts = await send({ maxConnections: 2 }, 8);
      assert.equal(receipts.filter(({ outcome }) => outcome === "accepted").length, 8);
      assert.equal(server.mails.length, 8);
    }));

  it("send() sends nothing to a certificate for another name, or where STARTTLS is not there", async () => {
    for (const implicitTls of [false, true]) {
      await withServer({ tls: OTHER, implicitTls, ...USERS }, async (server, send) => {
        const [receipt] = await send({ host: "localhost", ...(implicitTls ? IMPLICIT : STARTTLS), ...LOGIN });
        assert.ok(receipt?.outcome === "rejected" && receipt.retryable, JSON.stringify(receipt));
        assert.doesNotMatch(server.sessions.map(({ clear, secure }) => clear + secure).join(""), /AUTH|MAIL|DATA/);
      });
    }
    await withServer(USERS, async (server, send) => {
      const [receipt] = await send({ ...STARTTLS, ...LOGIN });
      assert.ok(receipt?.outcome === "rejected" && receipt.reason === "policy");
      assert.equal(server.sessions[0]?.clear, "EHLO [127.0.0.1]\r\nSTARTTLS\r\n");
    });
  });

  it("send() classifies as elsewhere", () =>
    withServer(USERS, async (server, send) => {
      const [login] = await send({ ...LOGIN, password: "wrong" });
      assert.ok(login?.outcome === "rejected" && login.reason === "auth" && login.backendDown === true);
      server.script("rcpt", { reply: "451 4.7.1 Greylisted" }, { times: 1 });
      const [grey] = await send(LOGIN);
      assert.ok(grey?.outcome === "rejected" && grey.retryable && grey.code === "451 4.7.1");
      server.script("dot", { cut: true, keep: true }, { times: 1 });
      assert.deepEqual(outcomes(await send(LOGIN)), ["unknown"]);
      const { port } = server;
      await server.stop();
      const [refused] = await send({ ...LOGIN, port });
      assert.ok(
        refused?.outcome === "rejected" && refused.reason === "network" && refused.retryable,
        JSON.stringify(refused),
      );
    }));
});
