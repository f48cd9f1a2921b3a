import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { isRecipientPattern, RecipientRule } from "../../../adapters/net/recipient-rule.ts";

describe("RecipientRule", () => {
  it("allows nobody without entries, and everybody with *", () => {
    assert.equal(new RecipientRule([]).allows("ops@example.com"), false);
    const rule = new RecipientRule(["*"]);
    for (const recipient of ["a@b.example", "-1001234", "not an address"]) assert.equal(rule.allows(recipient), true);
  });

  it("knows mail addresses, domains and what is below a domain, in whatever form they are written", () => {
    const rule = new RecipientRule(["Ann@example.com", "*@bücher.example", "*@*.example.org"]);
    const allowed = [
      "ann@EXAMPLE.com",
      "x@xn--bcher-kva.example",
      "x@BÜCHER.example",
      "x@a.example.org",
      "x@b.a.example.org",
    ];
    for (const good of allowed) assert.equal(rule.allows(good), true, good);
    const others = [
      "bob@example.com",
      "x@example.org",
      "x@evilexample.org",
      "x@a.bücher.example",
      "x@example.org.evil",
    ];
    for (const bad of others) assert.equal(rule.allows(bad), false, bad);
  });

  it("takes nothing for a mail address that is not plainly one", () => {
    const rule = new RecipientRule(["*@example.com"]);
    for (
      const bad of [
        "<x@example.com>",
        '"a@b"@example.com',
        "x@evil.example,y@example.com",
        "a@b@example.com",
        "@example.com",
      ]
    ) {
      assert.equal(rule.allows(bad), false, bad);
    }
  });

  it("compares the addresses of other networks as they are, without regard to case", () => {
    const rule = new RecipientRule(["-1001234567890", "@Channel", "+4930123456"]);
    for (const good of ["-1001234567890", "@channel", "+4930123456"]) assert.equal(rule.allows(good), true, good);
    for (const bad of ["-100123456789", "channel", "4930123456", ""]) assert.equal(rule.allows(bad), false, bad);
  });
});

describe("isRecipientPattern()", () => {
  it("refuses patterns that could mean anything else", () => {
    for (
      const pattern of ["", "*@", "*@*.", "a*@example.com", "*@*example.com", "*.example.com", "example.com", "*@*@a"]
    ) {
      assert.equal(isRecipientPattern(pattern), false, pattern);
      assert.equal(new RecipientRule([pattern]).allows("x@example.com"), false, pattern);
    }
  });
});
