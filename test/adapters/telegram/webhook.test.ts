import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import type { Update } from "grammy/types";
import type { WebhookReceiver } from "../../../core/mod.ts";
import { TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { TelegramWebhook } from "../../../adapters/telegram/webhook.ts";
import { CHAT } from "./support.ts";

const SECRET = "Correct-horse_battery-staple-0123456789";
const OTHER = "0123456789-staple_battery-horse-Correct";
const HEADER = "X-Telegram-Bot-Api-Secret-Token";
const SEED = 20261121;

function receiverOf(secret: string, calls: unknown[] = []): WebhookReceiver {
  const { webhook } = new TelegramCommunicator("ops", {
    token: "123456:webhook",
    chats: { default: { chatId: CHAT, commandAuthorized: true } },
    listenToCommands: true,
    webhookSecret: secret,
    fetch: (input) => {
      calls.push(input);
      return Promise.reject(new Error("no calls from a webhook"));
    },
  });
  assert.ok(webhook);
  return webhook;
}

const UPDATE: Update = {
  update_id: 9,
  message: {
    message_id: 3,
    date: 1_700_000_000,
    chat: { id: Number(CHAT), type: "supergroup", title: "Ops" },
    from: { id: 4711, is_bot: false, first_name: "Ada" },
    text: "caf\u00e9 / مرحبا 😀",
  },
};
const BODY = new TextEncoder().encode(JSON.stringify(UPDATE));

/** A value a header can have, or nothing. */
function headersWith(value: string | undefined, name = HEADER): Headers {
  const headers = new Headers();
  if (value !== undefined) headers.set(name, value);
  return headers;
}

describe("TelegramWebhook", () => {
  it("verify() takes the secret, whatever the case of the header's name", async () => {
    const webhook = receiverOf(SECRET);
    for (const name of [HEADER, HEADER.toLowerCase(), HEADER.toUpperCase()]) {
      assert.equal(await webhook.verify(headersWith(SECRET, name), BODY), true);
    }
  });

  it("verify() refuses a request without the header, with an empty one, with two, with another route's", async () => {
    const webhook = receiverOf(SECRET);
    const twice = headersWith(SECRET);
    twice.append(HEADER, SECRET);
    for (
      const headers of [
        headersWith(undefined),
        headersWith(""),
        twice,
        headersWith(OTHER),
        headersWith(SECRET, "Authorization"),
      ]
    ) {
      assert.equal(await webhook.verify(headers, BODY), false);
    }
  });

  it("verify() never takes an empty secret, even where one was configured past the checks", async () => {
    const webhook = new TelegramWebhook("", () => ({ kind: "malformed" }));
    assert.equal(await webhook.verify(headersWith(undefined)), false);
    assert.equal(await webhook.verify(headersWith("")), false);
  });

  it(`verify() refuses 20,000 mutations of the secret, with no call and no crash (seed ${SEED})`, async () => {
    const calls: unknown[] = [];
    const webhook = receiverOf(SECRET, calls);
    const character = fc.constantFrom(..."ABCXYZabcxyz0189_-. ,;=+/");
    const mutation = fc.oneof(
      fc.tuple(fc.nat(SECRET.length - 1), character).map(([at, to]) => SECRET.slice(0, at) + to + SECRET.slice(at + 1)),
      fc.tuple(fc.nat(SECRET.length), character).map(([at, to]) => SECRET.slice(0, at) + to + SECRET.slice(at)),
      fc.nat(SECRET.length - 1).map((at) => SECRET.slice(0, at) + SECRET.slice(at + 1)),
      fc.nat(SECRET.length - 1).map((length) => SECRET.slice(0, length)),
      fc.nat(SECRET.length - 1).map((at) => {
        const code = SECRET.charCodeAt(at);
        return SECRET.slice(0, at) + String.fromCharCode(code ^ 1) + SECRET.slice(at + 1);
      }),
      fc.constantFrom(
        SECRET.toUpperCase(),
        SECRET.toLowerCase(),
        SECRET + SECRET,
        `Bearer ${SECRET}`,
        btoa(SECRET),
        `"${SECRET}"`,
      ),
      fc.string({ unit: character, maxLength: 256 }),
    );
    await fc.assert(
      fc.asyncProperty(mutation, async (value) => {
        // A header has no white space at its ends.
        if (value.trim() === SECRET) return;
        assert.equal(await webhook.verify(headersWith(value), BODY), false, value);
      }),
      { numRuns: 20_000, seed: SEED },
    );
    assert.deepEqual(calls, []);
  }, 120_000);

  it("parse() reads an update", () => {
    const { messages, quarantined, receipts } = receiverOf(SECRET).parse(BODY);
    assert.deepEqual(messages.map(({ id, text }) => ({ id, text })), [{ id: "ops:9", text: "caf\u00e9 / مرحبا 😀" }]);
    assert.deepEqual([quarantined, receipts], [[], []]);
  });

  it("parse() reads escaped JSON as what it says", () => {
    const escaped = new TextEncoder().encode(
      JSON.stringify(UPDATE).replace(
        /[\u0080-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      )
        .replaceAll("/", "\\/"),
    );
    assert.equal(receiverOf(SECRET).parse(escaped).messages[0]?.text, "caf\u00e9 / مرحبا 😀");
  });

  it("parse() quarantines what is no update and drops nothing else in silence", () => {
    const webhook = receiverOf(SECRET);
    for (
      const text of [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"x"',
        "{}",
        '{"update_id":"9"}',
        '{"update_id":9}',
        "\u0000",
        '{"update_id":1e999}',
      ]
    ) {
      const { messages, quarantined } = webhook.parse(new TextEncoder().encode(text));
      assert.equal(messages.length, 0, text);
      assert.equal(quarantined.length, 1, text);
    }
  });

  it(`parse() takes 10,000 authentic but odd bodies without a crash (seed ${SEED})`, () => {
    const webhook = receiverOf(SECRET);
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      fc.constantFrom<unknown>(null, 0, -1, 1e308, "", "x", [], {}, { id: Number(CHAT) }),
    );
    const keys = Object.keys(UPDATE.message ?? {});
    const update = fc.record({
      update_id: fc.oneof(fc.integer(), odd),
      kind: fc.constantFrom(
        "message",
        "edited_message",
        "callback_query",
        "message_reaction",
        "poll",
        "inline_query",
        "future",
        "__proto__",
      ),
      payload: fc.oneof(
        odd,
        fc.dictionary(
          fc.constantFrom(
            ...keys,
            "photo",
            "voice",
            "location",
            "contact",
            "reply_to_message",
            "message_thread_id",
            "data",
          ),
          odd,
        )
          .map((payload) => ({ chat: { id: Number(CHAT) }, ...payload })),
      ),
    });
    fc.assert(
      fc.property(update, ({ update_id, kind, payload }) => {
        const body = new TextEncoder().encode(JSON.stringify({ update_id, [kind]: payload }));
        const { messages, quarantined } = webhook.parse(body);
        assert.ok(messages.length + quarantined.length <= 1);
        for (const message of messages) {
          assert.equal(typeof message.text, "string");
          assert.ok(Number.isFinite(message.timestamp));
        }
      }),
      { numRuns: 10_000, seed: SEED },
    );
  }, 60_000);
});
