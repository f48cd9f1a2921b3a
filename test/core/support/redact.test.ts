import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { describeError, redactSecrets } from "../../../core/support/redact.ts";

const CANARY = "C4n4ry_0123456789-abcdefghijklmnopq";

describe("redactSecrets", () => {
  const texts = [
    `fetch failed: https://api.telegram.org/bot123456789:${CANARY}/sendMessage`,
    `token 123456789:${CANARY} is wrong`,
    `authorization: Bearer ${CANARY}`,
    `{"authorization":"bearer ${CANARY}"}`,
    `{"bearer":"${CANARY}"}`,
    `Basic ${CANARY}==`,
    `secret whsec_${CANARY} does not fit`,
    `(#190) EAA${CANARY.replaceAll(/[^A-Za-z0-9]/g, "")} has expired`,
    `slack said no to xoxb-${CANARY}`,
    `Cannot connect to postgres://user:${CANARY}@db.example.com/x`,
    `https://${CANARY}@example.com/`,
    `GET https://example.com/hook?access_token=${CANARY}&x=1 failed`,
    `POST https://hooks.slack.com/services/T1/B1/${CANARY} failed`,
    `POST https://discord.com/api/webhooks/1/${CANARY}?wait=true failed`,
  ];
  for (const [index, text] of texts.entries()) {
    it(`redactSecrets() takes out what looks like a secret: ${index + 1} of ${texts.length}`, () => {
      for (const shown of [redactSecrets(text), redactSecrets(`${"x".repeat(490)} ${text}`), redactSecrets(text, 30)]) {
        for (let length = 12; length <= CANARY.length; length += 4) {
          assert.ok(!shown.includes(CANARY.slice(0, length)), shown);
        }
      }
    });
  }

  it("redactSecrets() leaves ordinary sentences alone, and cuts long ones", () => {
    const plain = [
      'Cannot claim from topic "mail": store is closed',
      "connect ECONNREFUSED 127.0.0.1:5432",
      "at 12:30:45 the bearer of bad news said no; basic rules",
      "https://example.com/docs/services#top is not there",
    ];
    for (const text of plain) assert.equal(redactSecrets(text), text);
    assert.equal(redactSecrets("x".repeat(10_000)).length, 500);
  });

  it("redactSecrets() makes one line of a text, so that nobody writes a line of the log", () => {
    const forged = 'x\r\n2026-11-21 ERROR "forged"\u2028y\u001b[2Jz\u0000\u0085w';
    assert.equal(redactSecrets(forged), 'x 2026-11-21 ERROR "forged" y [2Jz w');
    assert.equal(describeError(new Error(forged)), 'Error: x 2026-11-21 ERROR "forged" y [2Jz w');
  });

  it("redactSecrets() takes a time that grows no faster than the text, whatever the text", () => {
    for (const piece of ["a.", "1", "?a", "://", "bearer ", "xox", "/services/", "EAA", "http://a@"]) {
      redactSecrets(piece.repeat(1_000_000 / piece.length));
    }
  });

  it("describeError() says name and message of an error, and only the kind of anything else", () => {
    assert.equal(describeError(new TypeError(`no Bearer ${CANARY}`)), "TypeError: no Bearer [redacted]");
    assert.equal(describeError(`thrown ${CANARY}`), "string");
  });
});
