import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { createHmacSha256, decodeHex, encodeHex, equalBytes, ValidationError } from "../../../core/mod.ts";

const utf8 = new TextEncoder();

/** RFC 4231, test cases 1, 2, 3, 6 and 7. */
const VECTORS: readonly (readonly [key: Uint8Array, data: Uint8Array, mac: string])[] = [
  [
    new Uint8Array(20).fill(0x0b),
    utf8.encode("Hi There"),
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  ],
  [
    utf8.encode("Jefe"),
    utf8.encode("what do ya want for nothing?"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [
    new Uint8Array(20).fill(0xaa),
    new Uint8Array(50).fill(0xdd),
    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
  ],
  [
    new Uint8Array(131).fill(0xaa),
    utf8.encode("Test Using Larger Than Block-Size Key - Hash Key First"),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
];

describe("createHmacSha256", () => {
  it("createHmacSha256() computes the vectors of RFC 4231", async () => {
    for (const [key, data, mac] of VECTORS) {
      const hmac = createHmacSha256(key);
      assert.equal(encodeHex(await hmac.sign(data)), mac);
      assert.equal(await hmac.verify(data, decodeHex(mac) ?? data), true);
    }
  });

  it("verify() refuses every changed bit and every other length", async () => {
    const hmac = createHmacSha256("secret");
    const data = utf8.encode("body");
    const mac = Uint8Array.from(await hmac.sign(data));
    for (let bit = 0; bit < 256; bit++) {
      const changed = Uint8Array.from(mac);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ 1 << (bit & 7);
      assert.equal(await hmac.verify(data, changed), false);
    }
    for (const length of [0, 1, 31]) assert.equal(await hmac.verify(data, mac.subarray(0, length)), false);
    assert.equal(await hmac.verify(data, Uint8Array.of(...mac, 0)), false);
  });

  it("sign() signs the part of a buffer that a view shows", async () => {
    const hmac = createHmacSha256("secret");
    const whole = utf8.encode("xxbodyxx");
    assert.deepEqual(await hmac.sign(whole.subarray(2, 6)), await hmac.sign(utf8.encode("body")));
  });

  it("createHmacSha256() copies its key", async () => {
    const key = utf8.encode("secret");
    const hmac = createHmacSha256(key);
    key.fill(0);
    assert.deepEqual(await hmac.sign(key), await createHmacSha256("secret").sign(key));
  });

  it("createHmacSha256() uses an injected implementation, and verifies by it", async () => {
    const hmac = createHmacSha256("k", (key) => (data) => Uint8Array.of(key[0] ?? 0, ...data));
    assert.deepEqual(await hmac.sign(Uint8Array.of(1)), Uint8Array.of(107, 1));
    assert.equal(await hmac.verify(Uint8Array.of(1), Uint8Array.of(107, 1)), true);
    assert.equal(await hmac.verify(Uint8Array.of(1), Uint8Array.of(107, 2)), false);
  });

  it("createHmacSha256() refuses an empty key", () => {
    assert.throws(() => createHmacSha256(""), ValidationError);
    assert.throws(() => createHmacSha256(new Uint8Array(0)), ValidationError);
  });
});

describe("equalBytes", () => {
  it("equalBytes() compares lengths and bytes", () => {
    assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
    assert.equal(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
    assert.equal(equalBytes(Uint8Array.of(1, 0), Uint8Array.of(1)), false);
    assert.equal(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 0)), false);
    assert.equal(equalBytes(new Uint8Array(0), new Uint8Array(0)), true);
  });
});
