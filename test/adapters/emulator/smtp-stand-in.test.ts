import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { describe, it } from "bun:test";
import { createTransport } from "nodemailer";
import { PosthornError } from "../../../core/mod.ts";
import { SmtpStandIn, type SmtpStandInOptions } from "../../../adapters/emulator/smtp-stand-in.ts";
import { AUTHORITY, LOCAL } from "../smtp/certificates.ts";

async function withServer(options: SmtpStandInOptions, body: (server: SmtpStandIn) => Promise<void>): Promise<void> {
  const server = await SmtpStandIn.start(options);
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

/** Says all of it at once and gives what comes back until the server closes. */
function dialogue(server: SmtpStandIn, said: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = net.connect(
      { host: server.host, port: server.port },
      () => socket.write(Buffer.from(said, "latin1")),
    );
    socket.on("data", (chunk) => heard += chunk.toString("latin1"));
    socket.on("error", reject);
    socket.on("close", () => resolve(heard));
  });
}

const codesOf = (heard: string): readonly string[] =>
  heard.split("\r\n").filter(Boolean).map((line) => line.slice(0, 4));
const MAIL = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n";

describe("SmtpStandIn", () => {
  it("mails has what nodemailer sends, in clear and by TLS, with login", async () => {
    const users = { ann: "correct horse" };
    for (const options of [{}, { tls: LOCAL }, { tls: LOCAL, implicitTls: true }] satisfies SmtpStandInOptions[]) {
      await withServer({ ...options, users }, async (server) => {
        const transport = createTransport({
          host: server.host,
          port: server.port,
          secure: "implicitTls" in options,
          auth: { user: "ann", pass: "correct horse" },
          tls: { ca: AUTHORITY },
        });
        await transport.sendMail({
          from: "a@example.com",
          to: ["b@example.com", "c@example.com"],
          subject: "ä",
          text: ".x",
        });
        const [mail] = server.mails;
        assert.deepEqual(mail?.to, ["b@example.com", "c@example.com"]);
        assert.equal(mail?.from, "a@example.com");
        assert.equal(mail?.username, "ann");
        assert.equal(mail?.isSecure, "tls" in options);
        assert.match(mail?.text ?? "", /\r\n\r\n\.x\r\n$/);
        await assert.rejects(
          createTransport({
            host: server.host,
            port: server.port,
            auth: { user: "ann", pass: "x" },
            secure: "implicitTls" in options,
            tls: { ca: AUTHORITY },
          }).verify(),
          { responseCode: 535 },
        );
      });
    }
  });

  it("takes commands in batches and keeps to the order of RFC 5321", () =>
    withServer({}, async (server) => {
      const heard = await dialogue(
        server,
        `RCPT TO:<b@example.com>\r\nDATA\r\nHELO me\r\nMAIL FROM:b\r\n${MAIL}.\r\n${MAIL}..x\r\n.\r\nRSET\r\nNOOP\r\nSTARTTLS\r\nAUTH PLAIN\r\nMOO\r\nQUIT\r\n`,
      );
      assert.deepEqual(codesOf(heard), [
        ..."220 |503 |554 |250 |501 |250 |250 |354 |250 |250 |250 |354 |250 |250 |250 |502 |502 |500 |221 ".split("|"),
      ]);
      assert.deepEqual(server.mails.map(({ raw }) => raw), ["", ".x\r\n"]);
      assert.equal(server.sessions[0]?.clear.endsWith("QUIT\r\n"), true);
    }));

  it("script() answers, cuts, injects and keeps as told, as often as told", () =>
    withServer({}, async (server) => {
      server.script("rcpt", { reply: ["450-4.2.0 Not", "450 4.2.0 now"] }, { times: 1 });
      const remove = server.script("rcpt", ({ command }) => command.includes("<x@") ? { reply: "550 No" } : undefined);
      const first = await dialogue(
        server,
        `EHLO me\r\n${MAIL}RCPT TO:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nQUIT\r\n`,
      );
      assert.deepEqual(codesOf(first.slice(first.indexOf("250 ENH"))), [
        "250 ",
        "250 ",
        "450-",
        "450 ",
        "554 ",
        "550 ",
        "250 ",
        "221 ",
      ]);
      remove();
      server.script("dot", { keep: true, reply: "250 Yes", inject: "MOO", cut: true }, { times: 1 });
      assert.match(await dialogue(server, `HELO me\r\n${MAIL}x\r\n.\r\n`), /250 Yes\r\nMOO$/);
      server.script("dot", { cut: true });
      assert.match(await dialogue(server, `HELO me\r\n${MAIL}x\r\n.\r\n`), /354 [^\r]*\r\n$/);
      assert.equal(server.mails.length, 1);
      server.script("connect", { delayMs: 1, reply: "421 Busy", cut: true });
      assert.equal(await dialogue(server, ""), "421 Busy\r\n");
      server.clear();
      assert.deepEqual([server.mails.length, codesOf(await dialogue(server, "QUIT\r\n"))], [0, ["220 ", "221 "]]);
    }));

  it("waitForMails() waits, and can be called off", () =>
    withServer({}, async (server) => {
      const waiting = server.waitForMails(2);
      await dialogue(server, `HELO me\r\n${MAIL}x\r\n.\r\n${MAIL}y\r\n.\r\nQUIT\r\n`);
      assert.equal((await waiting).length, 2);
      const abort = new AbortController();
      const never = server.waitForMails(3, { signal: abort.signal });
      abort.abort(new Error("enough"));
      await assert.rejects(never, /enough/);
    }));

  it("keeps no more than it is told to", () =>
    withServer({ keep: 2 }, async (server) => {
      for (const text of ["1", "2", "3"]) await dialogue(server, `HELO me\r\n${MAIL}${text}\r\n.\r\nQUIT\r\n`);
      assert.deepEqual(server.mails.map(({ raw }) => raw), ["2\r\n", "3\r\n"]);
      assert.deepEqual(server.sessions.map(({ session }) => session), [2, 3]);
    }));

  it("start() refuses TLS without a certificate, and a port that is taken", async () => {
    await assert.rejects(SmtpStandIn.start({ implicitTls: true }), PosthornError);
    await withServer({}, async ({ port }) => {
      await assert.rejects(SmtpStandIn.start({ port }), { code: "EADDRINUSE" });
    });
  });

  it("stop() ends what is open, and may be called twice", async () => {
    const server = await SmtpStandIn.start();
    const heard = dialogue(server, "HELO me\r\n").catch(() => "");
    while (server.sessions[0]?.commands.length !== 1) await new Promise((resolve) => setTimeout(resolve, 2));
    await server.stop();
    await server.stop();
    await heard;
    assert.equal(server.connections, 0);
    assert.equal(server.port, 0);
  });
});
