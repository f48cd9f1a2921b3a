import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Buffer } from "node:buffer";
import addressparser from "nodemailer/lib/addressparser";
import type { OutgoingMessage, SendContext } from "../../../core/mod.ts";
import { ValidationError } from "../../../core/mod.ts";
import { type MailAddress, parseMailAddress } from "../../../adapters/net/mail-address.ts";
import { checkSmtpOptions } from "../../../adapters/smtp/check-options.ts";
import { composeMail } from "../../../adapters/smtp/compose.ts";
import { contextOf, withMail } from "./fixture.ts";
import { createHostility, type Hostility } from "./hostility.ts";
import { decodeWords, parameterOf, readStrictly, wellFormed } from "./strict-mail.ts";

/** All of it on Node; the others, which run the same code, need not take as long. */
const COMPOSED = "Deno" in globalThis || "Bun" in globalThis ? 20_000 : 100_000;
const SENT = 2_500;
const SEED = 20_261_121;

/** A message as no check before ours has seen it. */
function hostileMessage(hostility: Hostility): OutgoingMessage {
  const { text, chance } = hostility;
  return {
    id: text(),
    timestamp: 1_700_000_000_000,
    message: chance(8) ? "" : text(),
    label: text(),
    severity: "warning",
    metadata: {},
    recipients: [],
    ...(chance(4) ? {} : { subject: text() }),
    ...(chance(3) ? { html: `<p>${text()}</p>` } : {}),
    ...(chance(3) ? { replyTo: chance(2) ? `<${text()}@${text()}>` : text() } : {}),
    attachments: chance(4)
      ? [{
        filename: text(),
        contentType: chance(2) ? "text/plain" : `text/${text()}`,
        bytes: new TextEncoder().encode(text()),
        ...(chance(2) ? { caption: text() } : {}),
      }]
      : [],
  };
}

const EXPECTED = [
  ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Unsubscribe"],
  ["List-Unsubscribe-Post", "Auto-Submitted", "X-Possible-Duplicate", "MIME-Version", "Content-Type"],
  ["Content-Transfer-Encoding"],
].flat();

/** The addresses in a header, by a parser that is not ours. */
function addressesIn(value: string): readonly (string | undefined)[] {
  return addressparser(decodeWords(value), { flatten: true }).map(({ address }) => address);
}

/** A second opinion: the one address at the end, in brackets or alone, and nothing outside quotes that could be another. */
function loneAddressIn(value: string): string | undefined {
  const bare = value.replace(/"(?:[^"\\]|\\.)*"/g, "").replace(/=\?UTF-8\?B\?[A-Za-z0-9+/=]*\?=/g, "").trim();
  const found = bare.match(/[^\s<>,;:"()]+@[^\s<>,;:"()]+/g) ?? [];
  return found.length === 1 && /^(?:[^<>@,;:"()]*<[^<>]+>|[^<>\s,;:"()]+)$/.test(bare) ? found[0] : undefined;
}

function checkMail(raw: string, message: OutgoingMessage, to: MailAddress, from: MailAddress, subject: string): void {
  const allowUtf8Headers = to.needsSmtpUtf8 || from.needsSmtpUtf8;
  const mail = readStrictly(raw, { allowUtf8Headers });
  for (const [name] of mail.headers) assert.ok(EXPECTED.includes(name), name);
  assert.deepEqual(
    mail.headers.map(([name]) => name),
    EXPECTED.filter((name) => mail.header(name.toLowerCase()) !== undefined),
  );
  const [fromValue = "", toValue = ""] = [mail.header("from"), mail.header("to")];
  assert.equal(toValue, to.address);
  assert.deepEqual(addressesIn(toValue), [to.address]);
  assert.equal(loneAddressIn(toValue), to.address);
  assert.equal(loneAddressIn(fromValue), from.address, fromValue);
  assert.ok(
    addressesIn(fromValue.replace(/^"(?:[^"\\]|\\.)*" /, "x ").replace(/=\?[^ ]*\?=/g, "x")).join() === from.address,
  );
  assert.equal(decodeWords(mail.header("subject") ?? ""), wellFormed(subject));
  const files = message.attachments.length;
  const content = files > 0 ? mail.parts[0] : mail;
  assert.equal(mail.parts.length, files > 0 ? files + 1 : message.html === undefined ? 0 : 2);
  assert.equal(content?.parts.length, message.html === undefined ? 0 : 2);
  const plain = message.html === undefined ? content : content?.parts[0];
  const isDerived = message.html !== undefined && message.message.trim() === "";
  if (!isDerived) assert.equal(plain?.text, ended(wellFormed(message.message)));
  const [attachment] = message.attachments;
  if (attachment !== undefined) {
    const file = mail.parts[1];
    const name = parameterOf(file?.header("content-disposition") ?? "", "filename");
    assert.equal(name, wellFormed(attachment.filename).replace(/[/\\]/g, "_"));
    assert.deepEqual(file?.bytes, attachment.bytes);
  }
}

function ended(text: string): string {
  const unix = text.replace(/\r\n?/g, "\n");
  return unix.endsWith("\n") ? unix : `${unix}\n`;
}

describe("composeMail() with hostile parts", () => {
  it(`gives exactly the headers and parts asked for, or refuses, ${COMPOSED} times (G30)`, () => {
    const hostility = createHostility(SEED);
    const { text, address, chance, pick } = hostility;
    let composed = 0;
    let refused = 0;
    for (let count = 0; count < COMPOSED; count++) {
      const written = [address(), address(), address()];
      const [from, to, replyTo] = written.map(parseMailAddress);
      written.forEach((each, index) => checkAddress(each, [from, to, replyTo][index]));
      const { resolved, faults } = checkSmtpOptions({
        startTls: true,
        fromAddress: "noreply@example.com",
        ...(chance(2) ? { fromName: text() } : {}),
        ...(chance(2) ? { subjectPrefix: text() } : {}),
        ...(chance(3) ? { listUnsubscribe: pick([`https://example.com/${text()}`, `mailto:${text()}`]) } : {}),
      });
      const { fromName, subjectPrefix, listUnsubscribe } = resolved;
      const sender = from ?? resolved.from;
      const recipient = to ?? resolved.from;
      const message = hostileMessage(hostility);
      const template = {
        from: sender,
        // Half of the time as if nobody had checked the options.
        ...(chance(2) && fromName !== undefined ? { fromName } : { fromName: text() }),
        ...(subjectPrefix === undefined ? {} : { subjectPrefix }),
        ...(replyTo === undefined ? {} : { replyTo }),
        listUnsubscribe: faults.length === 0 ? listUnsubscribe : [],
      };
      const delivery = { deliveryId: text(), to: recipient, possibleDuplicate: chance(5) };
      try {
        const mail = composeMail(message, delivery, template);
        composed += 1;
        const subject = `${template.subjectPrefix ?? ""}${message.subject || "[WARNING] Notification"}`;
        const raw = binaryOf(mail.text);
        const isAscii = raw.length === mail.text.length;
        assert.ok(isAscii || sender.needsSmtpUtf8 || recipient.needsSmtpUtf8 || replyTo?.needsSmtpUtf8 === true);
        if (isAscii) checkMail(raw, message, recipient, sender, subject);
        else readStrictly(raw, { allowUtf8Headers: true });
      } catch (error) {
        if (!(error instanceof ValidationError)) throw error;
        refused += 1;
      }
    }
    assert.ok(composed > COMPOSED / 5 && refused > COMPOSED / 5, `${composed} composed, ${refused} refused`);
  }, 300_000);
});

/** What we take for an address is one for the others as well, and the same one. */
function checkAddress(written: string, address: MailAddress | undefined): void {
  if (address === undefined) return;
  // deno-lint-ignore no-control-regex -- control characters are what this looks for
  assert.doesNotMatch(address.address, /[\x00-\x20\x7f-\x9f\u2028\u2029<>()[\]\\,;:"]/);
  assert.equal(address.address.split("@").length, 2);
  assert.deepEqual(addressesIn(address.address), [address.address], written);
  assert.equal(loneAddressIn(address.address), address.address);
}

/** The commands of a session without the mails, checked to be nothing but our own; the mails beside them. */
function readWire(wire: string): { readonly recipients: readonly string[]; readonly mails: readonly string[] } {
  const recipients: string[] = [];
  const mails: string[] = [];
  let rest = wire;
  const take = (pattern: RegExp): string => {
    const found = pattern.exec(rest);
    assert.ok(found !== null && found.index === 0, JSON.stringify(rest.slice(0, 200)));
    rest = rest.slice(found[0].length);
    return found[1] ?? "";
  };
  take(/^EHLO \[127\.0\.0\.1\]\r\n/);
  while (rest !== "" && rest !== "QUIT\r\n") {
    take(/^MAIL FROM:<noreply@example\.com>(?: SMTPUTF8)?(?: BODY=8BITMIME)?\r\n/);
    recipients.push(take(/^RCPT TO:<([^<>\r\n]*)>\r\n/));
    take(/^DATA\r\n/);
    const end = rest.indexOf("\r\n.\r\n");
    mails.push(rest.slice(0, end + 2).replace(/^\.\./gm, "."));
    rest = rest.slice(end + 5);
  }
  return { recipients, mails };
}

describe("SmtpCommunicator.send() with hostile messages", () => {
  it(
    `puts not one line more on the wire, and nobody who was not asked for, ${SENT} times (G30)`,
    () =>
      withMail({ mail: { maxMessagesPerConnection: 1_000_000 } }, async ({ server, mail }) => {
        const hostility = createHostility(SEED + 1);
        const { text, address, chance } = hostility;
        const asked: string[] = [];
        for (let count = 0; asked.length < SENT; count++) {
          assert.ok(count < SENT * 20, "too few get through to show anything");
          const message = hostileMessage(hostility);
          const recipient = chance(2) ? address() : `user${count}@example.net`;
          const context: SendContext = contextOf({ deliveryId: `${text()}${count}`, recipient });
          const receipt = await mail.send(message, context);
          if (receipt.outcome === "accepted") asked.push(parseMailAddress(recipient)?.address ?? "none");
          else assert.ok(receipt.outcome === "rejected" && !receipt.retryable, JSON.stringify(receipt));
        }
        assert.deepEqual(server.mails.map(({ to }) => to), asked.map((each) => [binaryOf(each)]));
        assert.equal(server.sessions.length, 1);
        const { recipients, mails } = readWire(server.sessions[0]?.clear ?? "");
        assert.deepEqual(recipients, asked.map(binaryOf));
        for (const raw of mails) readStrictly(raw, { allowUtf8Headers: true });
      }),
    300_000,
  );
});

/** One character a byte of UTF-8. */
function binaryOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
