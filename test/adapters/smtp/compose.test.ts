import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { createOutgoingMessage, type OutgoingMessageInit, ValidationError } from "../../../core/mod.ts";
import { type MailAddress, parseMailAddress } from "../../../adapters/net/mail-address.ts";
import { composeMail, mailMessageId, type MailTemplate } from "../../../adapters/smtp/compose.ts";
import { decodeWords, parameterOf, readStrictly, type StrictPart } from "./strict-mail.ts";

function addressOf(text: string): MailAddress {
  const address = parseMailAddress(text);
  assert.ok(address !== undefined, text);
  return address;
}

const TEMPLATE: MailTemplate = { from: addressOf("noreply@example.com"), listUnsubscribe: [] };

function compose(init: Partial<OutgoingMessageInit>, template: Partial<MailTemplate> = {}): StrictPart {
  const message = createOutgoingMessage({ message: "Disk usage at 95 %", ...init }, {
    newId: () => "message-1",
    now: () => 1_700_000_000_000,
  });
  const delivery = { deliveryId: "delivery-1", to: addressOf("ops@example.com") };
  const { text } = composeMail(message, delivery, { ...TEMPLATE, ...template });
  assert.doesNotMatch(text, /[\u0080-\uffff]/);
  return readStrictly(text);
}

describe("composeMail()", () => {
  it("gives the headers of a plain mail, and nothing that changes from attempt to attempt (P19)", () => {
    assert.deepEqual(compose({}).headers, [
      ["From", "noreply@example.com"],
      ["To", "ops@example.com"],
      ["Subject", "[INFO] Notification"],
      ["Date", "Tue, 14 Nov 2023 22:13:20 +0000"],
      ["Message-ID", "<delivery-1@example.com>"],
      ["Auto-Submitted", "auto-generated"],
      ["MIME-Version", "1.0"],
      ["Content-Type", "text/plain; charset=utf-8"],
      ["Content-Transfer-Encoding", "7bit"],
    ]);
  });

  it("names the severity in the subject where the message has none", () => {
    assert.equal(compose({ severity: "critical" }).header("subject"), "[CRITICAL] Notification");
    assert.equal(compose({ severity: "critical", subject: "" }).header("subject"), "[CRITICAL] Notification");
    assert.equal(compose({ subject: "Disk Alert" }).header("subject"), "Disk Alert");
    assert.equal(compose({ subject: "Disk" }, { subjectPrefix: "[prod] " }).header("subject"), "[prod] Disk");
  });

  for (
    const subject of [
      "Straße gesperrt 🚧",
      "=?UTF-8?B?ZXZpbA==?=",
      " leading and trailing ",
      "two  spaces",
      "x".repeat(900),
      "word ".repeat(150) + "end",
      "👩‍👩‍👧‍👦".repeat(80),
      "тема ".repeat(100) + "!",
      "a=?b?=c",
    ]
  ) {
    it(`carries the subject ${JSON.stringify(subject.slice(0, 30))} (${subject.length})`, () => {
      assert.equal(decodeWords(compose({ subject }).header("subject") ?? ""), subject);
    });
  }

  for (
    const [fromName, expected] of [
      ["Posthorn", "Posthorn <noreply@example.com>"],
      ["Ops, Berlin", '"Ops, Berlin" <noreply@example.com>'],
      ['The "Boss" <boss@evil.example>', '"The \\"Boss\\" <boss@evil.example>" <noreply@example.com>'],
    ] as const
  ) {
    it(`writes the name ${fromName}`, () => assert.equal(compose({}, { fromName }).header("from"), expected));
  }

  it("encodes a name that is not ASCII", () => {
    const from = compose({}, { fromName: "Jürgen 🐎, Chef" }).header("from") ?? "";
    assert.equal(decodeWords(from), "Jürgen 🐎, Chef <noreply@example.com>");
    assert.doesNotMatch(from, /,/);
  });

  for (
    const [what, message, encoding] of [
      ["short ASCII lines", "One\nTwo\r\nThree\rFour\n", "7bit"],
      ["dots at the start of lines", ".\n..\n.x", "7bit"],
      ["a few letters beyond ASCII", "Straße gesperrt, Umleitung über München ist ausgeschildert", "quoted-printable"],
      ["white space at the end of lines", "Tür zu  \nund\t\n = ", "quoted-printable"],
      ["a line of 5000 characters", "x".repeat(5_000), "quoted-printable"],
      ["mostly letters beyond ASCII", "Внимание: место на диске кончается", "base64"],
      [
        "what looks like a boundary",
        "--=_alternative_posthorn\nContent-Type: text/html\n\n<b>evil</b>",
        "quoted-printable",
      ],
      ["nothing but emoji", "🚧🔥".repeat(500), "base64"],
    ] as const
  ) {
    it(`carries ${what} as ${encoding}`, () => {
      const mail = compose({ message });
      assert.equal(mail.header("content-transfer-encoding"), encoding);
      const expected = message.replace(/\r\n?/g, "\n");
      assert.equal(mail.text, expected.endsWith("\n") ? expected : `${expected}\n`);
    });
  }

  it("gives HTML beside its text, the text first", () => {
    const mail = compose({ message: "Hello", html: "<p>Hello <b>ü</b></p>" });
    assert.equal(mail.header("content-type"), 'multipart/alternative; boundary="=_alternative_posthorn"');
    assert.deepEqual(mail.parts.map((part) => part.header("content-type")), [
      "text/plain; charset=utf-8",
      "text/html; charset=utf-8",
    ]);
    assert.deepEqual(mail.parts.map(({ text }) => text), ["Hello\n", "<p>Hello <b>ü</b></p>\n"]);
  });

  it("derives the text from the HTML where there is none", () => {
    const html = '<style>p{}</style><p>Disk &amp; CPU</p><a href="https://example.com/x">graph</a>';
    const mail = compose({ message: "", html });
    assert.equal(mail.parts[0]?.text, "Disk & CPU\n\ngraph (https://example.com/x)\n");
  });

  it("carries attachments byte for byte, under their names", () => {
    const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => index % 256);
    const names = ["report.pdf", 'a "b" \\c.txt', "Übersicht für März 🚧.pdf", "ж".repeat(120), "../../etc/passwd"];
    const mail = compose({
      attachments: names.map((filename) => ({ filename, contentType: "application/pdf", bytes, caption: "Für dich" })),
    });
    assert.match(mail.header("content-type") ?? "", /^multipart\/mixed/);
    const [text, ...files] = mail.parts;
    assert.equal(text?.text, "Disk usage at 95 %\n");
    assert.deepEqual(files.map((file) => parameterOf(file.header("content-disposition") ?? "", "filename")), [
      "report.pdf",
      'a "b" _c.txt',
      "Übersicht für März 🚧.pdf",
      "ж".repeat(120),
      ".._.._etc_passwd",
    ]);
    for (const file of files) {
      assert.deepEqual(file.bytes, bytes);
      assert.match(file.header("content-type") ?? "", /^application\/pdf; name=/);
      assert.equal(decodeWords(file.header("content-description") ?? ""), "Für dich");
    }
  });

  it("carries an empty attachment", () => {
    const [, file] = compose({ attachments: [{ filename: "a", contentType: "a/b", bytes: new Uint8Array() }] }).parts;
    assert.equal(file?.bytes.length, 0);
  });

  it("keeps a charset, drops other parameters, and takes whole mails for bytes", () => {
    const types = ["text/csv; charset=iso-8859-1", "text/csv; x=y", "message/rfc822", "multipart/mixed; boundary=x"];
    const { parts } = compose({
      attachments: types.map((contentType) => ({ filename: "a", contentType, bytes: new Uint8Array([1]) })),
    });
    assert.deepEqual(parts.slice(1).map((part) => part.header("content-type")), [
      'text/csv; charset=iso-8859-1; name="a"',
      'text/csv; name="a"',
      'application/octet-stream; name="a"',
      'application/octet-stream; name="a"',
    ]);
  });

  it("refuses an attachment by reference, and a media type that is none", () => {
    for (
      const attachment of [
        { filename: "a", contentType: "a/b", url: "https://example.com/a" },
        { filename: "a", contentType: "a/b", providerId: "x" },
        { filename: "a", contentType: "nonsense", bytes: new Uint8Array() },
      ]
    ) {
      assert.throws(() => compose({ attachments: [attachment] }), ValidationError);
    }
  });

  it("answers a mail, and no other network's message", () => {
    const answer = compose({ replyTo: "<abc.1@example.net>" });
    assert.equal(answer.header("in-reply-to"), "<abc.1@example.net>");
    assert.equal(answer.header("references"), "<abc.1@example.net>");
    assert.equal(compose({ replyTo: "abc@example.net" }).header("in-reply-to"), "<abc@example.net>");
    for (const replyTo of ["12345", "wamid.HBgM", "<a@b> <c@d>", "a@b@c"]) {
      assert.equal(compose({ replyTo }).header("in-reply-to"), undefined);
    }
  });

  it("offers one-click unsubscription for an https URL", () => {
    const urls = ["https://example.com/u/{delivery_id}?x=1", "mailto:leave@example.com?subject={delivery_id}"];
    const mail = compose({}, { listUnsubscribe: urls });
    assert.equal(
      mail.header("list-unsubscribe"),
      "<https://example.com/u/delivery-1?x=1>, <mailto:leave@example.com?subject=delivery-1>",
    );
    assert.equal(mail.header("list-unsubscribe-post"), "List-Unsubscribe=One-Click");
    assert.equal(compose({}, { listUnsubscribe: urls.slice(1) }).header("list-unsubscribe-post"), undefined);
  });

  it("says where answers go, and that the mail may be a repeat", () => {
    const message = createOutgoingMessage({ message: "x" }, { newId: () => "1", now: () => 0 });
    const delivery = { deliveryId: "d", to: addressOf("ops@example.com"), possibleDuplicate: true };
    const template = { ...TEMPLATE, replyTo: addressOf("help@example.com") };
    const mail = readStrictly(composeMail(message, delivery, template).text);
    assert.equal(mail.header("reply-to"), "help@example.com");
    assert.equal(mail.header("x-possible-duplicate"), "true");
    assert.equal(mail.header("date"), "Thu, 1 Jan 1970 00:00:00 +0000");
  });
});

describe("mailMessageId()", () => {
  it("gives different ids for different deliveries, whatever is in them", () => {
    const ids = ["ä".repeat(300), "ä".repeat(301), "a.b", "a=2Eb", "a b", "a/b", "<a>@b", "ä", "a\r\nb", "", "a+b"].map(
      (id) => mailMessageId(id, "x.example"),
    );
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^<[A-Za-z0-9=_+-]{1,250}@x\.example>$/);
  });
});
