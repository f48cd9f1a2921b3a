import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { StandardWebhookReceiver, StandardWebhookSigner } from "../../../adapters/webhook/mod.ts";
import type { WebhookBatch } from "../../../core/mod.ts";
import { createChance } from "../net/random.ts";

const NOW = 1_763_724_000_000;
const signer = new StandardWebhookSigner(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);

function createReceiver(): StandardWebhookReceiver {
  return new StandardWebhookReceiver({ backendName: "hook", signer, maxBodyBytes: 1_048_576, now: () => NOW });
}

function parse(value: unknown, id: string | null = "req-1"): WebhookBatch {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const headers = id === null ? undefined : new Headers({ "webhook-id": id });
  return createReceiver().parse(new TextEncoder().encode(text), headers);
}

describe("StandardWebhookReceiver", () => {
  it("verify() takes what the signer signs, now", async () => {
    const body = new TextEncoder().encode("{}");
    assert.equal(await createReceiver().verify(new Headers(await signer.sign("a", body, NOW)), body), true);
    assert.equal(await createReceiver().verify(new Headers(await signer.sign("a", body, NOW - 400_000)), body), false);
  });

  it("parse() reads a message with all its fields", () => {
    const batch = parse({
      id: "m-1",
      conversation: "room-7",
      text: "Grüße \u2028 مرحبا 👋",
      kind: "interactive",
      sender: "Ada",
      sender_id: "u-1",
      timestamp: "2025-11-21T11:00:00Z",
      reply_to: "m-0",
      metadata: { payload: "yes" },
      extra: [1],
    });
    assert.deepEqual(batch.quarantined, []);
    assert.deepEqual(batch.messages.map(({ rawEvent: _, ...message }) => message), [{
      id: "hook:m-1",
      kind: "interactive",
      text: "Grüße \u2028 مرحبا 👋",
      sender: "Ada",
      senderId: "u-1",
      chatLabel: "default",
      backendName: "hook",
      timestamp: Date.parse("2025-11-21T11:00:00Z"),
      conversation: "room-7",
      replyTo: "m-0",
      attachments: [],
      metadata: { extra: [1], payload: "yes" },
    }]);
  });

  it("parse() takes the request's id for a message that has none, also in a list and in an envelope", () => {
    const ids = (value: unknown): readonly string[] => parse(value).messages.map(({ id }) => id);
    assert.deepEqual(ids({ conversation: "c" }), ["hook:req-1"]);
    assert.deepEqual(ids({ messages: [{ conversation: "c" }, { id: "x", conversation: "c" }] }), [
      "hook:req-1.0",
      "hook:x",
    ]);
    const wrapped = parse({ type: "chat.said", timestamp: "x", data: { conversation: "c", text: "hi" } });
    assert.deepEqual(wrapped.messages[0]?.metadata, { type: "chat.said" });
    assert.equal(wrapped.messages[0]?.timestamp, NOW);
    assert.equal(parse({ conversation: "c" }, null).quarantined.length, 1);
  });

  it("parse() reads batches of 1 to 1000", () => {
    for (const size of [1, 2, 999, 1_000]) {
      const messages = Array.from({ length: size }, (_, index) => ({ id: `m${index}`, conversation: "c" }));
      assert.deepEqual(parse({ messages }).messages.map(({ id }) => id), messages.map(({ id }) => `hook:${id}`));
    }
  });

  it("parse() quarantines what it does not understand, and loses nothing of it", () => {
    const rows: readonly (readonly [value: unknown, reason: string])[] = [
      [[], "no-message"],
      [7, "no-message"],
      [null, "no-message"],
      [{}, "no-conversation"],
      [{ id: 7, conversation: "c" }, "no-id"],
      [{ id: "a b", conversation: "c" }, "no-id"],
      [{ id: "x".repeat(200), conversation: "c" }, "no-id"],
      [{ id: "a", conversation: "" }, "no-conversation"],
      [{ id: "a", conversation: "c\u0000" }, "no-conversation"],
      [{ id: "a", conversation: "c", metadata: [] }, "odd-metadata"],
      [{ messages: [] }, "empty"],
      [{ id: "a", conversation: "c", text: "x".repeat(300_000) }, "too-large"],
      [{ id: "a", conversation: "c", sender: "x".repeat(501) }, "too-large"],
      ["{", "not-readable"],
      ["", "not-readable"],
      ["[".repeat(50_000), "not-readable"],
    ];
    for (const [value, reason] of rows) {
      const { messages, quarantined } = parse(value);
      assert.equal(messages.length, 0, reason);
      assert.ok(quarantined.length > 0);
      for (const entry of quarantined) assert.equal(JSON.parse(JSON.stringify(entry)).reason, reason);
    }
    const bytes = createReceiver().parse(Uint8Array.of(0xff), new Headers());
    assert.deepEqual(JSON.parse(JSON.stringify(bytes.quarantined[0])).base64, "/w==");
    const polluted = parse('{"id":"a","conversation":"c","__proto__":{"x":1}}');
    assert.match(JSON.stringify(polluted.quarantined), /__proto__/);
    assert.equal(Reflect.get({}, "x"), undefined);
  });

  it("parse() keeps a kind it does not know as unsupported, with its name", () => {
    const [message] = parse({ conversation: "c", kind: "poll" }).messages;
    assert.deepEqual([message?.kind, message?.metadata], ["unsupported", { kind: "poll" }]);
  });

  it("parse() of 10,000 bodies with a broken structure never throws, and every marked part is somewhere", () => {
    const chance = createChance(77);
    const odd: readonly unknown[] = [null, 0, -1, 1e308, "", "x", [], {}, [[]], true, "\ud800", { a: [] }, 1e15];
    const keys = ["id", "conversation", "text", "kind", "sender", "sender_id", "timestamp", "reply_to", "metadata"];
    for (let round = 0; round < 10_000; round++) {
      const messages = Array.from({ length: 1 + chance.below(4) }, (_, index) => {
        const message: Record<string, unknown> = { conversation: "c", id: `m${index}`, mark: `mark-${index}-` };
        for (const key of keys) if (chance.below(4) === 0) message[key] = chance.pick(odd);
        return chance.below(10) === 0 ? [message] : message;
      });
      const content = messages.length === 1 ? messages[0] : { messages };
      const payload = chance.below(3) === 0 ? { type: chance.pick(["t", 7, ""]), data: content } : content;
      const batch = parse(payload, chance.pick(["req", null]));
      const written = JSON.stringify([batch.messages, batch.quarantined]);
      for (const index of messages.keys()) assert.ok(written.includes(`mark-${index}-`), JSON.stringify(payload));
    }
  }, 120_000);
});
