// Verifying a webhook's signature over 1 KB: what a receiver does before it does anything else.
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { platformHmac } from "../adapters/net/platform-hmac.ts";
import { createHmacSha256, type HmacSha256 } from "../core/mod.ts";
import { benchmark, type Contender } from "./harness.ts";

const secret = new Uint8Array(32).fill(7);
const body = Uint8Array.from({ length: 1_024 }, (_, index) => index * 31 & 255);
const key = createSecretKey(secret);
const signature = createHmac("sha256", key).update(body).digest();
const subtleKey = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);

function check(isAuthentic: boolean): void {
  if (!isAuthentic) throw new Error("Cannot verify a good signature");
}

function inTurn(name: string, verify: () => Promise<boolean>): Contender {
  return {
    name,
    operations: 64,
    async run(): Promise<void> {
      for (let count = 0; count < 64; count++) check(await verify());
    },
  };
}

function atOnce(name: string, verify: () => Promise<boolean>): Contender {
  return {
    name,
    operations: 64,
    async run(): Promise<void> {
      for (const isAuthentic of await Promise.all(Array.from({ length: 64 }, verify))) check(isAuthentic);
    },
  };
}

const ours: HmacSha256 = createHmacSha256(secret, platformHmac());
const portable: HmacSha256 = createHmacSha256(secret);
const bare = (): Promise<boolean> => crypto.subtle.verify("HMAC", subtleKey, signature, body);

await benchmark("verify 1 KB", [
  {
    name: "node:crypto",
    operations: 64,
    run(): void {
      for (let count = 0; count < 64; count++) {
        check(timingSafeEqual(createHmac("sha256", key).update(body).digest(), signature));
      }
    },
  },
  inTurn("posthorn", () => ours.verify(body, signature)),
  inTurn("posthorn, Web Crypto", () => portable.verify(body, signature)),
  inTurn("bare Web Crypto", bare),
  atOnce("posthorn, 64 at once", () => ours.verify(body, signature)),
  atOnce("bare Web Crypto, 64 at once", bare),
], { reference: "bare Web Crypto", unit: "signatures" });
