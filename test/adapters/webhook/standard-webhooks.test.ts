import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { createWebhookSecret, parseWebhookSecret, StandardWebhookSigner } from "../../../adapters/webhook/mod.ts";
import { encodeBase64, ValidationError } from "../../../core/mod.ts";

const NOW = 1_763_724_000_000;
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER = `whsec_${encodeBase64(new Uint8Array(32).fill(7))}`;

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

describe("StandardWebhookSigner", () => {
  it("sign() gives what the specification's reference implementations give", async () => {
    const signer = new StandardWebhookSigner([SECRET]);
    const headers = await signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", utf8('{"test": 2432232314}'), 1_614_265_330_000);
    assert.deepEqual(headers, {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  it("verify() accepts what sign() signs: escapes, Arabic, emoji, empty and large bodies, batches of 1 to 1000", async () => {
    const signer = new StandardWebhookSigner([SECRET]);
    const bodies = ["", "{}", '{"a":"\\u00e4 \\/ مرحبا 👩‍👩‍👧‍👦"}', "x".repeat(1_000_000)];
    for (const size of [1, 10, 1_000]) {
      bodies.push(JSON.stringify({ messages: Array.from({ length: size }, (_, id) => ({ id: `${id}` })) }));
    }
    for (const body of bodies.map(utf8)) {
      const headers = new Headers(await signer.sign("id", body, NOW));
      assert.equal(await signer.verify(headers, body, NOW), true);
    }
  });

  it("verify() accepts either secret while one is changed, and signatures beside ones it does not know", async () => {
    const body = utf8("{}");
    const both = new StandardWebhookSigner([OTHER, SECRET]);
    const old = new StandardWebhookSigner([SECRET]);
    assert.equal(await both.verify(new Headers(await old.sign("id", body, NOW)), body, NOW), true);
    const signed = await both.sign("id", body, NOW);
    assert.equal(signed["webhook-signature"].split(" ").length, 2);
    assert.equal(await old.verify(new Headers(signed), body, NOW), true);
    const headers = new Headers({ ...signed, "webhook-signature": `v1a,abc v2,x ${signed["webhook-signature"]}` });
    assert.equal(await old.verify(headers, body, NOW), true);
  });

  it("verify() refuses what is older or earlier than five minutes", async () => {
    const signer = new StandardWebhookSigner([SECRET]);
    const body = utf8("{}");
    const headers = new Headers(await signer.sign("id", body, NOW));
    for (const [shift, expected] of [[300_000, true], [-300_000, true], [301_000, false], [-301_000, false]] as const) {
      assert.equal(await signer.verify(headers, body, NOW + shift), expected, `${shift}`);
    }
    const patient = new StandardWebhookSigner([SECRET], { toleranceMs: 3_600_000 });
    assert.equal(await patient.verify(headers, body, NOW + 3_600_000), true);
  });

  it("verify() refuses headers that are missing or written in another way", async () => {
    const signer = new StandardWebhookSigner([SECRET]);
    const body = utf8("{}");
    const good = await signer.sign("id", body, NOW);
    const signature = good["webhook-signature"];
    const changed: readonly Record<string, string>[] = [
      {},
      { ...good, "webhook-id": "" },
      { ...good, "webhook-id": "id2" },
      { ...good, "webhook-id": "i.d" },
      { ...good, "webhook-timestamp": `0${good["webhook-timestamp"]}` },
      { ...good, "webhook-timestamp": `${good["webhook-timestamp"]}.0` },
      { ...good, "webhook-timestamp": `+${good["webhook-timestamp"]}` },
      { ...good, "webhook-timestamp": "NaN" },
      { ...good, "webhook-timestamp": "9".repeat(400) },
      { ...good, "webhook-signature": "" },
      { ...good, "webhook-signature": signature.slice(3) },
      { ...good, "webhook-signature": signature.replace("v1,", "V1,") },
      { ...good, "webhook-signature": signature.replace("v1,", "v1=") },
      { ...good, "webhook-signature": signature.replace("=", "") },
      { ...good, "webhook-signature": `${signature},x` },
      { ...good, "webhook-signature": Array(21).fill(signature).join(" ") },
      { "svix-id": "id", "svix-timestamp": good["webhook-timestamp"], "svix-signature": signature },
    ];
    for (const headers of changed) {
      assert.equal(await signer.verify(new Headers(headers), body, NOW), false, JSON.stringify(headers));
    }
  });

  it("parseWebhookSecret() takes 24 to 64 bytes of base64, and never repeats a secret", () => {
    assert.equal(parseWebhookSecret(createWebhookSecret()).length, 32);
    assert.notEqual(createWebhookSecret(), createWebhookSecret());
    const refused = [
      "",
      "whsec_",
      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      `whsec_${encodeBase64(new Uint8Array(23))}`,
      `whsec_${encodeBase64(new Uint8Array(65))}`,
      `${SECRET} `,
      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
      "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ];
    for (const text of refused) {
      assert.throws(() => parseWebhookSecret(text), (error) => {
        assert.ok(error instanceof ValidationError);
        assert.ok(text.length < 10 || !error.message.includes(text.slice(6)));
        return true;
      });
    }
    assert.throws(() => new StandardWebhookSigner([]), ValidationError);
  });

  it("sign() refuses an id that would end within what is signed", async () => {
    const signer = new StandardWebhookSigner([SECRET]);
    for (const id of ["", "a.b", "a b", "a\n", "ä", "x".repeat(251)]) {
      await assert.rejects(signer.sign(id, utf8(""), NOW), ValidationError);
    }
  });
});
