import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import type { WebhookBatch } from "../../../core/mod.ts";
import { createChance } from "../net/random.ts";
import {
  CONTACTS,
  createReceiver,
  EVERY_TYPE,
  messageOf,
  metaJson,
  NOW,
  NUMBER,
  payloadOf,
  SECRET,
  sign,
  utf8,
  WHEN,
} from "./fixtures.ts";

function parse(value: unknown): WebhookBatch {
  return createReceiver().parse(
    utf8(typeof value === "string" ? value : JSON.stringify(value)),
  );
}

function signed(signature: string): Headers {
  return new Headers({ "x-hub-signature-256": signature });
}

describe("WhatsAppWebhookReceiver.verify", () => {
  it("verify() accepts what Meta signs: escapes, Arabic, emoji, empty bodies, batches of 1 to 1000, three megabytes", async () => {
    const receiver = createReceiver();
    const bodies = [
      "",
      "{}",
      metaJson(
        payloadOf({
          messages: EVERY_TYPE.map((type, index) => messageOf(index, type)),
        }),
      ),
      '{"a":"\\u00e4 \\/ \\u003C \\u0025 \\u0040 مرحبا 👩‍👩‍👧‍👦"}',
      `{"a":"${"x".repeat(3_000_000)}"}`,
    ];
    for (const size of [1, 2, 10, 100, 1_000]) {
      const messages = Array.from(
        { length: size },
        (_, index) => messageOf(index, EVERY_TYPE[index % 18] ?? {}),
      );
      bodies.push(metaJson(payloadOf({ contacts: CONTACTS, messages })));
    }
    for (const body of bodies.map(utf8)) {
      assert.equal(await receiver.verify(signed(await sign(body)), body), true);
    }
  });

  it("verify() accepts the old and the new secret while one is changed, and no third", async () => {
    const receiver = createReceiver({ secrets: ["new", "old"] });
    const body = utf8("{}");
    assert.equal(
      await receiver.verify(signed(await sign(body, "new")), body),
      true,
    );
    assert.equal(
      await receiver.verify(signed(await sign(body, "old")), body),
      true,
    );
    assert.equal(
      await receiver.verify(signed(await sign(body, SECRET)), body),
      false,
    );
  });

  it("verify() refuses a signature written in any other way", async () => {
    const receiver = createReceiver();
    const body = utf8('{"a":1}');
    const good = await sign(body);
    const digits = good.slice(7);
    const written = [
      "",
      "sha256=",
      digits,
      `sha1=${digits}`,
      `SHA256=${digits}`,
      `sha256=${digits.toUpperCase()}`,
      `sha256=0x${digits}`,
      `sha256= ${digits}`,
      `sha256=${digits.slice(0, 63)}`,
      `sha256=${digits}0`,
      `${good}, ${good}`,
      `sha256=${digits.slice(0, 62)}é0`,
      `sha256=${"0".repeat(64)}`,
    ];
    for (const signature of written) {
      assert.equal(
        await receiver.verify(signed(signature), body),
        false,
        signature,
      );
    }
    assert.equal(await receiver.verify(new Headers(), body), false);
    assert.equal(
      await receiver.verify(new Headers({ "x-hub-signature": good }), body),
      false,
    );
    assert.equal(await receiver.verify(signed(good), body), true);
  });
});

describe("WhatsAppWebhookReceiver.handshake", () => {
  async function shake(
    query: string,
    verifyToken?: string,
  ): Promise<readonly [number, string]> {
    const receiver = createReceiver(
      verifyToken === undefined ? {} : { verifyToken },
    );
    const response = await receiver.handshake(
      new URL(`https://example.com/webhooks/wa?${query}`),
    );
    return [response.status, await response.text()];
  }

  it("handshake() answers the challenge to who knows the token", async () => {
    const query = "hub.mode=subscribe&hub.verify_token=t%C3%A4st&hub.challenge=1158201444";
    assert.deepEqual(await shake(query, "täst"), [200, "1158201444"]);
  });

  it("handshake() answers as plain text that no browser takes for HTML", async () => {
    const url = new URL(
      "https://example.com/?hub.mode=subscribe&hub.verify_token=t&hub.challenge=%3Cscript%3E",
    );
    const { headers } = await createReceiver({ verifyToken: "t" }).handshake(
      url,
    );
    assert.equal(headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  });

  it("handshake() refuses another token, another mode, and an empty token whatever is configured (L11)", async () => {
    const refused: readonly (readonly [string, string | undefined])[] = [
      ["hub.mode=subscribe&hub.verify_token=other&hub.challenge=1", "token"],
      ["hub.mode=subscribe&hub.verify_token=token%20&hub.challenge=1", "token"],
      ["hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "token"],
      ["hub.mode=subscribe&hub.challenge=1", "token"],
      ["hub.mode=unsubscribe&hub.verify_token=token&hub.challenge=1", "token"],
      ["hub.verify_token=token&hub.challenge=1", "token"],
      ["hub.mode=subscribe&hub.verify_token=&hub.challenge=1", undefined],
      ["hub.mode=subscribe&hub.challenge=1", undefined],
      [
        "hub.mode=subscribe&hub.verify_token=undefined&hub.challenge=1",
        undefined,
      ],
      ["", undefined],
    ];
    for (const [query, token] of refused) {
      assert.deepEqual(await shake(query, token), [403, ""], query);
    }
  });

  it("handshake() does not echo what is no challenge", async () => {
    for (const challenge of ["", "a%0d%0ab", "x".repeat(501), "%00"]) {
      const query = `hub.mode=subscribe&hub.verify_token=t&hub.challenge=${challenge}`;
      assert.deepEqual(await shake(query, "t"), [400, ""]);
    }
  });
});

describe("WhatsAppWebhookReceiver.parse", () => {
  it("parse() reads every type of message (L14)", () => {
    const messages = EVERY_TYPE.map((type, index) => messageOf(index, type));
    const batch = parse(payloadOf({ contacts: CONTACTS, messages }));
    assert.deepEqual(batch.quarantined, []);
    assert.deepEqual(
      batch.messages.map((
        { kind, text, metadata },
      ) => [kind, text, metadata["payload"]]),
      [
        ["text", "Grüße / <b>100% @home</b> مرحبا 👩‍👩‍👧‍👦", undefined],
        ["image", "Sunset", undefined],
        ["audio", "", undefined],
        ["audio", "", undefined],
        ["video", "", undefined],
        ["document", "Draft", undefined],
        ["image", "", undefined],
        ["location", "Palo Alto", undefined],
        ["contact", "Barbara Johnson", undefined],
        ["interactive", "Yes", "yes"],
        ["interactive", "Priority", "row-2"],
        ["interactive", "Sent", '{"a":1}'],
        ["interactive", "Unsubscribe", "STOP"],
        ["reaction", "👍", undefined],
        ["unsupported", "With ice", undefined],
        ["unsupported", "User changed number", undefined],
        ["unsupported", "", undefined],
        ["unsupported", "", undefined],
      ],
    );
    for (const [index, message] of batch.messages.entries()) {
      assert.equal(message.id, `wa:wamid.${index}`);
      assert.equal(message.sender, "Sheena Nelson");
      assert.equal(message.senderId, "16505551234");
      assert.equal(message.conversation, "16505551234");
      assert.equal(message.timestamp, Number(WHEN) * 1_000);
      assert.deepEqual(
        JSON.parse(JSON.stringify(message.metadata["whatsapp"])).message,
        messages[index],
      );
    }
    assert.equal(batch.messages[12]?.replyTo, "wamid.out");
    assert.equal(batch.messages[13]?.replyTo, "wamid.out");
  });

  it("parse() makes references of files, and open() asks for the right one", async () => {
    const opened: string[] = [];
    const receiver = createReceiver({ opened });
    const messages = EVERY_TYPE.slice(1, 7).map((type, index) => messageOf(index, type));
    const batch = receiver.parse(utf8(JSON.stringify(payloadOf({ messages }))));
    const attachments = batch.messages.flatMap((message) => message.attachments);
    assert.deepEqual(
      attachments.map(({ kind, providerId }) => [kind, providerId]),
      [
        ["image", "i1"],
        ["audio", "a1"],
        ["audio", "a2"],
        ["video", "v1"],
        ["document", "d1"],
        ["sticker", "s1"],
      ],
    );
    assert.equal(attachments[4]?.filename, "Plan.pdf");
    for (const attachment of attachments) await attachment.open?.();
    assert.deepEqual(opened, ["i1", "a1", "a2", "v1", "d1", "s1"]);
  });

  it("parse() knows people without a phone number, in groups, and by another id than before (L15)", () => {
    const userId = "US.13491208655302741918";
    const batch = parse(payloadOf({
      contacts: [{
        profile: { name: "Ada", username: "@ada" },
        user_id: userId,
      }],
      messages: [
        {
          from_user_id: userId,
          id: "wamid.1",
          timestamp: WHEN,
          type: "text",
          text: { body: "hi" },
        },
        messageOf(2, {
          type: "text",
          text: { body: "all" },
          group_id: "Y2FwaQ==",
        }),
      ],
    }));
    const [hidden, inGroup] = batch.messages;
    assert.deepEqual([hidden?.senderId, hidden?.conversation, hidden?.sender], [
      userId,
      userId,
      "Ada",
    ]);
    assert.equal(inGroup?.conversation, "group:Y2FwaQ==");

    const update = {
      detail: "changed",
      user_id: { previous: userId, current: "US.2" },
      timestamp: WHEN,
    };
    const changed = parse(
      payloadOf(
        { user_id_update: [update, { user_id: {} }] },
        "user_id_update",
      ),
    );
    assert.equal(changed.messages[0]?.conversation, "US.2");
    assert.deepEqual(changed.messages[0]?.metadata, {
      whatsapp: { message: { type: "user_id_update", user_id_update: update } },
    });
    assert.equal(changed.quarantined.length, 1);
  });

  it("parse() turns statuses into receipts", () => {
    const status = (extras: object): object => ({
      id: "wamid.9",
      timestamp: WHEN,
      recipient_id: "16505551234",
      ...extras,
    });
    const batch = parse(payloadOf({
      statuses: [
        status({ status: "sent", biz_opaque_callback_data: "delivery-1" }),
        status({ status: "delivered" }),
        status({ status: "read" }),
        status({ status: "played" }),
        {
          id: "wamid.8",
          status: "failed",
          timestamp: WHEN,
          recipient_user_id: "US.1",
          errors: [{
            code: 131047,
            title: "Re-engagement",
            error_data: { details: "24 hours" },
          }],
        },
      ],
    }));
    const base = {
      providerMessageId: "wamid.9",
      timestamp: Number(WHEN) * 1_000,
      recipient: "16505551234",
    };
    assert.deepEqual(batch.receipts, [
      { ...base, status: "sent", deliveryId: "delivery-1" },
      { ...base, status: "delivered" },
      { ...base, status: "read" },
      { ...base, status: "read" },
      {
        providerMessageId: "wamid.8",
        status: "failed",
        timestamp: Number(WHEN) * 1_000,
        recipient: "US.1",
        code: "131047",
        detail: "24 hours",
      },
    ]);
  });

  it("parse() walks every entry and every change of a batch of 1 to 1000 (L13)", () => {
    for (const size of [1, 2, 3, 50, 999, 1_000]) {
      const entries = Array.from(
        { length: Math.ceil(size / 7) },
        (_, entry) => ({
          id: `${entry}`,
          changes: Array.from(
            { length: Math.min(7, size - entry * 7) },
            (_, change) => {
              const number = entry * 7 + change;
              return number % 3 === 0
                ? {
                  field: "messages",
                  value: {
                    statuses: [{
                      id: `wamid.${number}`,
                      status: "sent",
                      timestamp: WHEN,
                    }],
                  },
                }
                : {
                  field: "messages",
                  value: {
                    messages: [
                      messageOf(number, { type: "text", text: { body: "x" } }),
                    ],
                  },
                };
            },
          ),
        }),
      );
      const batch = parse({
        object: "whatsapp_business_account",
        entry: entries,
      });
      const ids = [
        ...batch.messages.map(({ id }) => Number(id.slice("wa:wamid.".length))),
        ...batch.receipts.map(({ providerMessageId }) => Number(providerMessageId.slice("wamid.".length))),
      ];
      assert.deepEqual(ids.toSorted((left, right) => left - right), [
        ...Array(size).keys(),
      ]);
      assert.deepEqual(batch.quarantined, []);
    }
  });

  it("parse() quarantines what it does not understand, with the place it stood at", () => {
    const cases: readonly (readonly [value: unknown, reason: string, path: string])[] = [
      [[], "not-whatsapp", ""],
      [{ object: "instagram", entry: [] }, "not-whatsapp", ""],
      [
        { object: "whatsapp_business_account", entry: {} },
        "not-whatsapp",
        "",
      ],
      [
        { object: "whatsapp_business_account", entry: [7] },
        "no-changes",
        "entry[0]",
      ],
      [
        payloadOf({}, "account_alerts"),
        "unknown-field",
        "entry[0].changes[0]",
      ],
      [payloadOf({}), "nothing-known", "entry[0].changes[0].value"],
      [
        payloadOf({ messages: {} }),
        "odd-messages",
        "entry[0].changes[0].value.messages",
      ],
      [
        payloadOf({ messages: [7] }),
        "no-id",
        "entry[0].changes[0].value.messages[0]",
      ],
      [
        payloadOf({ messages: [{ id: "wamid.1" }] }),
        "no-sender",
        "entry[0].changes[0].value.messages[0]",
      ],
      [
        payloadOf({ messages: [{ ...messageOf(1, {}), from: "a b" }] }),
        "no-sender",
        "entry[0].changes[0].value.messages[0]",
      ],
      [
        payloadOf({ messages: [{ id: "w\u0000", from: "1" }] }),
        "no-id",
        "entry[0].changes[0].value.messages[0]",
      ],
      [
        payloadOf({ messages: [{ id: "w".repeat(200), from: "1" }] }),
        "no-id",
        "entry[0].changes[0].value.messages[0]",
      ],
      [
        payloadOf({ statuses: [{ id: "w", status: "new" }] }),
        "odd-status",
        "entry[0].changes[0].value.statuses[0]",
      ],
      [
        payloadOf({ errors: [{ code: 1 }] }),
        "error",
        "entry[0].changes[0].value.errors[0]",
      ],
      [
        payloadOf({
          metadata: { phone_number_id: "1" },
          messages: [messageOf(1, {})],
        }),
        "other-phone-number",
        "entry[0].changes[0].value.messages[0]",
      ],
    ];
    for (const [value, reason, path] of cases) {
      const { messages, receipts, quarantined } = parse(value);
      assert.deepEqual([messages.length, receipts.length, quarantined.length], [
        0,
        0,
        1,
      ], reason);
      const entry = JSON.parse(JSON.stringify(quarantined[0]));
      assert.deepEqual([entry.reason, entry.path, entry.provider], [
        reason,
        path,
        "whatsapp",
      ]);
    }
  });

  it("parse() keeps parts it has no name for beside those it has", () => {
    const batch = parse(
      payloadOf({
        messages: [messageOf(1, EVERY_TYPE[0] ?? {})],
        calls: [{ id: "c1" }],
      }),
    );
    assert.equal(batch.messages.length, 1);
    assert.deepEqual(JSON.parse(JSON.stringify(batch.quarantined[0])).part, {
      calls: [{ id: "c1" }],
    });
  });

  it("parse() gives a message without a time the present one", () => {
    for (const timestamp of [undefined, "", "soon", -1, 1e15, {}]) {
      const batch = parse(
        payloadOf({
          messages: [{ ...messageOf(1, EVERY_TYPE[0] ?? {}), timestamp }],
        }),
      );
      assert.equal(batch.messages[0]?.timestamp, NOW);
    }
  });

  it("parse() loses nothing of what is no JSON, no UTF-8, too deep or too large", () => {
    const broken = '{"object":"whatsapp_business_account","entry":[';
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const polluted = '{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"x","__proto__":{"a":1}}]}]}';
    for (const text of [broken, deep, "", "null"]) {
      assert.equal(kept(createReceiver().parse(utf8(text))), text);
    }
    assert.match(
      kept(createReceiver().parse(utf8(polluted))),
      /"__proto__":\{"a":1\}/,
    );
    assert.equal(Reflect.get({}, "a"), undefined);

    const bytes = Uint8Array.of(0x7b, 0xff, 0xfe);
    const [entry] = createReceiver().parse(bytes).quarantined;
    assert.deepEqual(JSON.parse(JSON.stringify(entry)).base64, "e//+");

    const large = payloadOf({
      messages: [
        messageOf(1, { type: "text", text: { body: "y".repeat(500_000) } }),
      ],
    });
    const batch = parse(large);
    assert.equal(batch.messages.length, 0);
    assert.ok(batch.quarantined.length > 1);
    assert.equal(JSON.parse(kept(batch)).text.body.length, 500_000);

    function kept({ quarantined }: WebhookBatch): string {
      return quarantined.map((each) => {
        const { text, part } = JSON.parse(JSON.stringify(each));
        return text ?? JSON.stringify(part);
      }).join("");
    }
  });

  it(
    "parse() of 10,000 signed bodies with a broken structure never throws, and every marked part is somewhere",
    () => {
      const chance = createChance(4_711);
      const receiver = createReceiver();
      const odd: readonly unknown[] = [
        null,
        0,
        -1,
        1e308,
        "",
        "x",
        [],
        {},
        [[]],
        { id: 7 },
        true,
        "\ud800",
        { a: [] },
      ];
      for (let round = 0; round < 10_000; round++) {
        let marks = 0;
        const mark = (): string => `wamid.mark-${++marks}-`;
        const messages = Array.from(
          { length: 1 + chance.below(3) },
          () =>
            broken({
              ...messageOf(0, chance.pick(EVERY_TYPE)),
              id: mark(),
            }),
        );
        const statuses = Array.from(
          { length: chance.below(3) },
          () => broken({ id: mark(), status: "sent" }),
        );
        const value = chance.below(8) === 0 ? { messages: { 0: messages }, statuses } : { messages, statuses };
        const payload = payloadOf(
          value,
          chance.below(8) === 0 ? "other" : "messages",
        );
        const batch = receiver.parse(utf8(JSON.stringify(payload)));
        const written = JSON.stringify([
          batch.messages,
          batch.receipts,
          batch.quarantined,
        ]);
        for (let number = 1; number <= marks; number++) {
          assert.ok(
            written.includes(`wamid.mark-${number}-`),
            `${JSON.stringify(payload)}\n${written}`,
          );
        }
      }

      /** Breaks members other than the id, which is how the part is found again. */
      function broken(part: object): object {
        const copy: Record<string, unknown> = { ...part };
        for (const key of Object.keys(copy)) {
          if (key !== "id" && chance.below(4) === 0) {
            copy[key] = chance.pick(odd);
          }
        }
        if (chance.below(6) === 0) copy["extra"] = chance.pick(odd);
        return chance.below(10) === 0 ? { wrapped: copy } : copy;
      }
    },
    120_000,
  );

  it("parse() leaves other numbers' statuses be", () => {
    const batch = parse(
      payloadOf({
        metadata: { phone_number_id: `${NUMBER}0` },
        statuses: [{ id: "w", status: "sent" }],
      }),
    );
    assert.equal(batch.receipts.length, 1);
  });
});
