import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { decodeBase64, decodeHex, encodeBase64, encodeHex } from "../../../core/mod.ts";

function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 151 + length * 7) & 255);
}

/** The platform's own encoder, for comparison. */
function viaBtoa(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

describe("encodeBase64", () => {
  it("encodeBase64() writes what btoa() writes, and decodeBase64() reads it back", () => {
    for (const length of [...Array(260).keys(), 24_575, 24_576, 24_577, 100_000]) {
      const bytes = pattern(length);
      const text = encodeBase64(bytes);
      assert.equal(text, viaBtoa(bytes));
      assert.deepEqual(decodeBase64(text), bytes);
    }
  });
});

describe("decodeBase64", () => {
  it("decodeBase64() takes one spelling only", () => {
    assert.deepEqual(decodeBase64("QQ=="), Uint8Array.of(65));
    assert.deepEqual(decodeBase64(""), new Uint8Array(0));
    for (
      const text of ["QR==", "QQ=", "QQ", "QQ==QQ==", "====", "Q===", "QQ=A", " QQ=", "QQ==\n", "QQ_=", "QÄ==", "QUJ="]
    ) {
      assert.equal(decodeBase64(text), undefined, text);
    }
  });
});

describe("decodeHex", () => {
  it("decodeHex() reads what encodeHex() writes", () => {
    const bytes = pattern(256);
    assert.deepEqual(decodeHex(encodeHex(bytes)), bytes);
    assert.equal(encodeHex(Uint8Array.of(0, 15, 255)), "000fff");
  });

  it("decodeHex() refuses capitals, odd lengths and everything else", () => {
    for (const text of ["0", "0G", "FF", "ﬀ00", "0x", " 0", "0\u0130"]) assert.equal(decodeHex(text), undefined, text);
  });
});
