import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { parseMailAddress } from "../../../adapters/net/mail-address.ts";

const GOOD: readonly (readonly [written: string, address: string])[] = [
  ["ops@example.com", "ops@example.com"],
  ["Ops@EXAMPLE.com", "Ops@example.com"],
  ["root@localhost", "root@localhost"],
  ["a.b+c_d-e@sub.example.co.uk", "a.b+c_d-e@sub.example.co.uk"],
  ["!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"],
  ["ops@bücher.example", "ops@xn--bcher-kva.example"],
  ["ops@BÜCHER.example", "ops@xn--bcher-kva.example"],
  ["ops@bu\u0308cher.example", "ops@xn--bcher-kva.example"],
  ["ops@例え.テスト", "ops@xn--r8jz45g.xn--zckzah"],
  ["ops@faß.example", "ops@xn--fa-hia.example"],
  [`${"a".repeat(64)}@example.com`, `${"a".repeat(64)}@example.com`],
];

const BAD: readonly string[] = [
  "",
  "ops",
  "@example.com",
  "ops@",
  "a@b@example.com",
  '"a@b"@example.com',
  '"ops"@example.com',
  "Ops <ops@example.com>",
  "<ops@example.com>",
  "ops@example.com, evil@example.org",
  "ops@example.com;evil@example.org",
  "group: ops@example.com;",
  "ops(comment)@example.com",
  "ops@example.com(evil@example.org)",
  "ops@[127.0.0.1]",
  "ops@127.0.0.1",
  "ops@0x7f.1",
  "ops@1.2.3.4.5",
  " ops@example.com",
  "ops@example.com ",
  "ops@exa mple.com",
  "ops@example.com\r\nRCPT TO:<evil@example.org>",
  "ops\n@example.com",
  "ops\0@example.com",
  "ops@example.com\u2028",
  "ops..x@example.com",
  ".ops@example.com",
  "ops.@example.com",
  "ops@.example.com",
  "ops@example..com",
  "ops@example.com.",
  "ops@-example.com",
  "ops@example-.com",
  "ops@exam_ple.com",
  "ops@ex%61mple.com",
  "ops@example.com/evil",
  "ops@example.com:25",
  "ops@example.com#x",
  "ops@ｅxample.com",
  "ops@ⓔxample.com",
  "ops@exa\u00admple.com",
  "ops@example。com",
  "ops@\u200bexample.com",
  "ops@xn--example-.com",
  `${"a".repeat(65)}@example.com`,
  `${"ä".repeat(33)}@example.com`,
  `a@${"a".repeat(64)}.com`,
  `a@${"abc.".repeat(70)}com`,
  "=?UTF-8?Q?evil=40evil.example=2C?=x@example.com",
  "o\u202eps@example.com",
  "ops\ud800@example.com",
];

describe("parseMailAddress()", () => {
  for (const [written, address] of GOOD) {
    it(`reads ${written}`, () => assert.equal(parseMailAddress(written)?.address, address));
  }

  for (const written of BAD) {
    it(`refuses ${JSON.stringify(written).slice(0, 60)}`, () => assert.equal(parseMailAddress(written), undefined));
  }

  it("refuses what is no text", () => {
    for (const value of [undefined, null, 5, {}, ["ops@example.com"], { address: "ops@example.com" }]) {
      assert.equal(parseMailAddress(value), undefined);
    }
  });

  it("marks a local part that only SMTPUTF8 can carry", () => {
    assert.equal(parseMailAddress("jürgen@example.com")?.needsSmtpUtf8, true);
    assert.equal(parseMailAddress("ops@bücher.example")?.needsSmtpUtf8, false);
  });

  it("takes a time that grows no faster than the text, whatever the text", () => {
    const texts = ["a.", "@", "(", '"', "<", "a@b,", ".", "\\", "é"].map((each) => each.repeat(100_000));
    for (const text of texts) assert.equal(parseMailAddress(text), undefined);
  });
});
