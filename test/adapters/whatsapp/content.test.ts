import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { contentPayload } from "../../../adapters/whatsapp/content-payload.ts";
import { planMessage } from "../../../adapters/whatsapp/message-plan.ts";
import {
  whatsAppButtons,
  whatsAppList,
  whatsAppLocation,
  whatsAppReaction,
  whatsAppTemplate,
} from "../../../adapters/whatsapp/mod.ts";
import { addressFields, canonicalAddress } from "../../../adapters/whatsapp/recipient.ts";
import {
  createOutgoingMessage,
  type JsonObject,
  type OutgoingMessage,
  type OutgoingMessageInit,
  ValidationError,
} from "../../../core/mod.ts";

function messageOf(init: OutgoingMessageInit): OutgoingMessage {
  return createOutgoingMessage(init, { newId: () => "m1", now: () => 0 });
}

function planned(
  init: OutgoingMessageInit,
): readonly { readonly type: string; readonly value: JsonObject }[] {
  return planMessage(messageOf(init), false).map(({ type, value }) => ({
    type,
    value,
  }));
}

const png = {
  filename: "a.png",
  contentType: "image/png",
  bytes: Uint8Array.of(1),
};

describe("contentPayload", () => {
  it("whatsAppTemplate() makes Meta's components", () => {
    const content = whatsAppTemplate("order", "en_US", {
      headerMedia: {
        kind: "document",
        link: "https://example.com/a.pdf",
        filename: "a.pdf",
      },
      body: ["1042", "Tuesday"],
      buttons: [{ index: 0, url: "track/1042" }, { index: 1, payload: "stop" }],
    });
    assert.deepEqual(contentPayload(content, "ignored"), {
      type: "template",
      text: "not-sent",
      value: {
        name: "order",
        language: { code: "en_US" },
        components: [
          {
            type: "header",
            parameters: [{
              type: "document",
              document: {
                link: "https://example.com/a.pdf",
                filename: "a.pdf",
              },
            }],
          },
          {
            type: "body",
            parameters: [{ type: "text", text: "1042" }, {
              type: "text",
              text: "Tuesday",
            }],
          },
          {
            type: "button",
            sub_type: "url",
            index: "0",
            parameters: [{ type: "text", text: "track/1042" }],
          },
          {
            type: "button",
            sub_type: "quick_reply",
            index: "1",
            parameters: [{ type: "payload", payload: "stop" }],
          },
        ],
      },
    });
  });

  it("whatsAppTemplate() names named variables", () => {
    const { value } = contentPayload(
      whatsAppTemplate("hi", "de", { body: { name: "Ada" } }),
      "",
    );
    assert.deepEqual(value["components"], [
      {
        type: "body",
        parameters: [{ type: "text", parameter_name: "name", text: "Ada" }],
      },
    ]);
  });

  it("whatsAppButtons() puts the message's text into the body", () => {
    const content = whatsAppButtons([{ id: "y", title: "Yes" }], {
      header: "H",
      footer: "F",
    });
    assert.deepEqual(contentPayload(content, "Sure?"), {
      type: "interactive",
      text: "within",
      value: {
        type: "button",
        body: { text: "Sure?" },
        action: {
          buttons: [{ type: "reply", reply: { id: "y", title: "Yes" } }],
        },
        header: { type: "text", text: "H" },
        footer: { text: "F" },
      },
    });
  });

  it("whatsAppList() makes sections", () => {
    const content = whatsAppList("Choose", [
      {
        title: "Fruit",
        rows: [{ id: "a", title: "Apple", description: "red" }],
      },
      { title: "Nuts", rows: [{ id: "h", title: "Hazel" }] },
    ]);
    assert.deepEqual(contentPayload(content, "What?").value["action"], {
      button: "Choose",
      sections: [
        {
          title: "Fruit",
          rows: [{ id: "a", title: "Apple", description: "red" }],
        },
        { title: "Nuts", rows: [{ id: "h", title: "Hazel" }] },
      ],
    });
  });

  it("contentPayload() refuses what passes WhatsApp's limits", () => {
    const long = (length: number): string => "x".repeat(length);
    const rows = (count: number) =>
      Array.from(
        { length: count },
        (_, index) => ({ id: `${index}`, title: "t" }),
      );
    const refused: readonly (() => unknown)[] = [
      () => whatsAppButtons([]),
      () => whatsAppButtons(rows(4)),
      () => whatsAppButtons([{ id: "a", title: long(21) }]),
      () => whatsAppButtons([{ id: long(257), title: "t" }]),
      () => whatsAppButtons([{ id: "a", title: "1" }, { id: "a", title: "2" }]),
      () => whatsAppButtons(rows(1), { header: long(61) }),
      () => whatsAppButtons(rows(1), { footer: long(61) }),
      () => whatsAppList(long(21), [{ rows: rows(1) }]),
      () => whatsAppList("b", [{ rows: rows(11) }]),
      () =>
        whatsAppList("b", [{ title: "1", rows: rows(6) }, {
          title: "2",
          rows: rows(5),
        }]),
      () => whatsAppList("b", [{ rows: rows(1) }, { rows: rows(1) }]),
      () => whatsAppList("b", [{ rows: [{ id: "a", title: long(25) }] }]),
      () =>
        whatsAppList("b", [{
          rows: [{ id: "a", title: "t", description: long(73) }],
        }]),
      () => whatsAppList("b", []),
      () => whatsAppTemplate("", "en"),
      () => whatsAppTemplate(long(513), "en"),
      () => whatsAppLocation(91, 0),
      () => whatsAppLocation(0, 181),
      () => whatsAppLocation(Number.NaN, 0),
      () => whatsAppReaction("", "👍"),
      () => contentPayload(whatsAppButtons(rows(1)), long(1_025)),
      () => contentPayload(whatsAppButtons(rows(1)), ""),
      () => contentPayload(whatsAppList("b", [{ rows: rows(1) }]), long(4_097)),
      () => contentPayload({ type: "carousel" }, ""),
      () => contentPayload("buttons", ""),
      () => contentPayload({ type: "buttons", buttons: [1] }, "t"),
      () => contentPayload({ type: "template", template: [] }, "t"),
    ];
    for (const [index, call] of refused.entries()) {
      assert.throws(call, ValidationError, `row ${index}`);
    }
    assert.equal(
      contentPayload(whatsAppReaction("wamid.1", ""), "").value["emoji"],
      "",
    );
  });
});

describe("planMessage", () => {
  it("planMessage() cuts a long text into parts that make up the text", () => {
    const message = `${"word ".repeat(1_500)}👨‍👩‍👧‍👦 end`;
    const parts = planned({ message });
    assert.equal(parts.map(({ value }) => value["body"]).join(""), message);
    assert.ok(
      parts.length > 1 &&
        parts.every(({ value }) => String(value["body"]).length <= 4_096),
    );
  });

  it("planMessage() leaves out parts nobody would see", () => {
    assert.deepEqual(planned({ message: `a${" ".repeat(20_000)}` }).length, 1);
    assert.throws(() => planned({ message: " \n " }), ValidationError);
  });

  it("planMessage() makes a short text the caption of the first file", () => {
    assert.deepEqual(planned({ message: "Look", attachments: [png] }), [{
      type: "image",
      value: { caption: "Look" },
    }]);
    const own = planned({
      message: "Look",
      attachments: [{ ...png, caption: "Mine" }],
    });
    assert.deepEqual(own.map(({ type }) => type), ["text", "image"]);
    const long = planned({ message: "x".repeat(1_025), attachments: [png] });
    assert.deepEqual(long.map(({ type }) => type), ["text", "image"]);
    const audio = planned({
      message: "Listen",
      attachments: [{ ...png, contentType: "audio/mpeg" }],
    });
    assert.deepEqual(audio.map(({ type }) => type), ["text", "audio"]);
  });

  it("planMessage() sends files by id and by link, and what WhatsApp cannot show as a document", () => {
    assert.deepEqual(
      planned({
        message: "",
        attachments: [
          {
            filename: "v.mp4",
            contentType: "video/mp4; codecs=avc1",
            url: "https://example.com/v.mp4",
          },
          {
            filename: "a.zip",
            contentType: "application/zip",
            providerId: "42",
            caption: "all",
          },
        ],
      }),
      [
        { type: "video", value: { link: "https://example.com/v.mp4" } },
        {
          type: "document",
          value: { id: "42", caption: "all", filename: "a.zip" },
        },
      ],
    );
  });

  it("planMessage() refuses what WhatsApp would", () => {
    const attachments = [png];
    const refused: readonly OutgoingMessageInit[] = [
      {
        message: "",
        attachments: [{ ...png, contentType: "audio/ogg", caption: "c" }],
      },
      { message: "", attachments: [{ ...png, caption: "c".repeat(1_025) }] },
      {
        message: "",
        attachments: [{ ...png, bytes: new Uint8Array(5 * 1_048_576 + 1) }],
      },
      {
        message: "t",
        attachments,
        metadata: { whatsapp: whatsAppTemplate("a", "en") },
      },
      { message: "t", metadata: { whatsapp: { type: "nothing" } } },
    ];
    for (const init of refused) {
      assert.throws(() => planned(init), ValidationError);
    }
  });

  it("planMessage() sends files first and buttons last, a text ahead of a place", () => {
    const buttons = whatsAppButtons([{ id: "a", title: "A" }]);
    const withFile = planned({
      message: "t",
      attachments: [png],
      metadata: { whatsapp: buttons },
    });
    assert.deepEqual(withFile.map(({ type }) => type), [
      "image",
      "interactive",
    ]);
    const place = planned({
      message: "Here",
      metadata: { whatsapp: whatsAppLocation(52.5, 13.4) },
    });
    assert.deepEqual(place.map(({ type }) => type), ["text", "location"]);
  });
});

describe("addressFields", () => {
  it("addressFields() reads numbers, business-scoped user ids and groups", () => {
    const phone = { recipient_type: "individual", to: "491701234567" };
    for (
      const text of [
        "491701234567",
        "+49 170 1234567",
        "0049 (170) 123-45.67",
        " 491701234567 ",
      ]
    ) {
      assert.deepEqual(addressFields(text), phone, text);
      assert.equal(canonicalAddress(text), "491701234567");
    }
    for (
      const id of ["US.13491208655302741918", "DE.ENT.11815799212886844830"]
    ) {
      assert.deepEqual(addressFields(id), {
        recipient_type: "individual",
        recipient: id,
      });
    }
    assert.deepEqual(addressFields("group:Y2FwaQ=="), {
      recipient_type: "group",
      to: "Y2FwaQ==",
    });
    for (
      const text of [
        "",
        "ops@example.com",
        "12345",
        "1234567890123456",
        "us.1",
        "US.",
        "group:",
        "+49x170123456",
      ]
    ) {
      assert.equal(addressFields(text), undefined, text);
    }
  });
});
