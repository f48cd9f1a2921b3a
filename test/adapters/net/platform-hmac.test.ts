import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { createRunningSha256, platformHmac } from "../../../adapters/net/platform-hmac.ts";
import { createHmacSha256, encodeHex } from "../../../core/mod.ts";

describe("platformHmac", () => {
  it("platformHmac() gives what Web Crypto gives", async () => {
    for (const length of [0, 1, 63, 64, 65, 1_000, 100_000]) {
      const data = Uint8Array.from({ length }, (_, index) => index * 31 & 255);
      const plain = await createHmacSha256("a secret").sign(data);
      const fast = await createHmacSha256("a secret", platformHmac()).sign(
        data,
      );
      assert.equal(encodeHex(fast), encodeHex(plain));
      assert.equal(
        await createHmacSha256("a secret", platformHmac()).verify(data, plain),
        true,
      );
    }
  });

  it("platformHmac() is there on every runtime these tests run on", () => {
    assert.equal(typeof platformHmac(), "function");
  });
});

describe("createRunningSha256", () => {
  it("createRunningSha256() digests pieces as one", async () => {
    const running = createRunningSha256();
    for (const piece of ["ab", "", "c"]) {
      running.update(new TextEncoder().encode(piece));
    }
    assert.equal(
      encodeHex(await running.digest()),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});
