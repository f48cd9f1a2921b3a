import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "bun:test";
import { inspect } from "node:util";
import { type BackendContext, ConfigError, type Receipt } from "../../../core/mod.ts";
import type {
  SmtpStandInAction,
  SmtpStandInRequest,
  SmtpStandInStage,
} from "../../../adapters/emulator/smtp-stand-in.ts";
import { email, SmtpCommunicator } from "../../../adapters/smtp/mod.ts";
import { loggerTo, withMail } from "./fixture.ts";

/** Of every length modulo three, so that base64 sees them at every offset. */
const CANARIES: readonly string[] = Array.from(
  { length: 25 },
  (_, index) => `CaNaRy-${"x!ß$ 9"[index % 6]}-${"q7".repeat(index)}${index}`,
);

const STAGES: readonly SmtpStandInStage[] = ["auth", "mail", "rcpt", "data", "dot"];

/** Every form in which AUTH carries a secret, and what of them does not depend on its neighbours. */
function formsOf(username: string, secret: string): readonly string[] {
  const inner = [0, 1, 2].map((shift) => base64(" ".repeat(shift) + secret).slice(shift === 0 ? 0 : 4, -4));
  return [secret, base64(secret), base64(`\0${username}\0${secret}`), ...inner.filter((each) => each.length >= 8)];
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** A server that sends back all it was told, in every reply of a stage. */
function echo(secret: string, code: string): (request: SmtpStandInRequest) => SmtpStandInAction {
  return ({ command }) => {
    const all = [command, secret, base64(secret), base64(`\0ann\0${secret}`), base64(`ann\0ann\0${secret}`)];
    return { reply: all.map((each, index) => `${code}${index === all.length - 1 ? " " : "-"}${binaryOf(each)}`) };
  };
}

function binaryOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function assertClean(secret: string, ...shown: readonly unknown[]): void {
  const text = shown.map((each) => `${inspect(each, { depth: 10, showHidden: true })}\n${JSON.stringify(each)}`).join(
    "\n",
  );
  for (const form of formsOf("ann", secret)) {
    assert.ok(!text.includes(form) && !text.includes(JSON.stringify(form).slice(1, -1)), `${form} is in ${text}`);
  }
}

describe("SmtpCommunicator with secrets", () => {
  for (const [index, secret] of CANARIES.entries()) {
    it(`keeps the password ${index + 1} of ${CANARIES.length} out of receipts and logs, whatever the server sends back`, async () => {
      const mail = { username: "ann", password: secret };
      const receipts: Receipt[] = [];
      for (const stage of STAGES) {
        for (const code of ["454", "535", "554", "250", "999"]) {
          await withMail({ server: { users: { ann: secret } }, mail }, async ({ server, send, log, mail }) => {
            server.script(stage, echo(secret, code), { times: 1 });
            const receipt = await send();
            receipts.push(receipt);
            assertClean(secret, receipt, log, mail, await mail.verify());
          });
        }
      }
      const refusals = receipts.filter(({ outcome }) => outcome !== "accepted").length;
      assert.ok(refusals >= STAGES.length * 3, String(refusals));
    });
  }

  it("keeps a secret that was given in the wrong place out of the error", () => {
    const secret = "CaNaRy-4711";
    const base = { type: "email", from_address: "a@example.com" };
    const wrong = [
      { ...base, username: "ann", password: 47_114_711 },
      { ...base, username: "ann", password: [secret] },
      { ...base, username: "ann", password: `${secret}\n` },
      { ...base, username: "ann", password: secret.repeat(1_000) },
      { ...base, password: secret },
      { ...base, username: "ann", passwort: secret },
      { ...base, tls: { key: secret } },
      { ...base, host: secret + " " },
      { ...base, from_address: secret },
      { ...base, list_unsubscribe: secret },
      { ...base, default_recipients: [secret] },
    ];
    for (const config of wrong) {
      const log: string[] = [];
      const context: Partial<BackendContext> = { logger: loggerTo(log) };
      assert.throws(() => email.create("mail", config, context as BackendContext), (error) => {
        assert.ok(error instanceof ConfigError);
        assertClean(secret, error, log);
        assertClean("47114711", error, log);
        return true;
      });
    }
  });

  it("shows no secret when the backend itself is printed", () => {
    const secret = "CaNaRy-4712";
    const mail = new SmtpCommunicator("mail", {
      fromAddress: "a@example.com",
      startTls: true,
      username: "ann",
      password: secret,
    });
    assertClean(secret, mail);
  });
});
