import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { WhatsAppStandIn } from "../../../adapters/emulator/whatsapp-stand-in.ts";
import {
  whatsapp,
  whatsAppButtons,
  WhatsAppCommunicator,
  type WhatsAppOptions,
  whatsAppTemplate,
} from "../../../adapters/whatsapp/mod.ts";
import {
  ConfigError,
  createOutgoingMessage,
  ManualClock,
  MemoryStore,
  type OutgoingMessageInit,
  type Receipt,
  type SendContext,
  silentLogger,
  ValidationError,
} from "../../../core/mod.ts";
import { OUTCOMES } from "./outcome-table.ts";

const TO = "491701234567";

describe("WhatsAppCommunicator", () => {
  const meta = new WhatsAppStandIn();

  beforeEach(async () => {
    await meta.start();
  });

  afterEach(async () => {
    meta.clearFaults();
    await meta.stop();
  });

  function create(
    options: Partial<WhatsAppOptions> = {},
  ): WhatsAppCommunicator {
    return new WhatsAppCommunicator("wa", {
      token: meta.token,
      phoneNumberId: meta.phoneNumberId,
      apiRoot: meta.origin,
      ...options,
    });
  }

  function send(
    communicator: WhatsAppCommunicator,
    init: Partial<OutgoingMessageInit>,
    context: Partial<SendContext> = {},
  ): Promise<Receipt> {
    const message = createOutgoingMessage({ message: "hello", ...init }, {
      newId: () => "m1",
      now: () => 0,
    });
    return communicator.send(message, {
      deliveryId: "delivery-1",
      recipient: TO,
      attempt: 1,
      signal: new AbortController().signal,
      ...context,
    });
  }

  function taken(from = 0): readonly unknown[] {
    return meta.taken.slice(from).map(({ payload }) => payload);
  }

  it("send() sends a text, marked with the delivery, as an answer where it is one", async () => {
    const before = meta.taken.length;
    const receipt = await send(create(), {
      message: "Grüße 👋",
      replyTo: "wamid.in",
    }, {
      recipient: "+49 170 1234567",
    });
    assert.equal(receipt.outcome, "accepted");
    assert.deepEqual(taken(before), [{
      messaging_product: "whatsapp",
      recipient_type: "individual",
      to: TO,
      context: { message_id: "wamid.in" },
      biz_opaque_callback_data: "delivery-1",
      type: "text",
      text: { body: "Grüße 👋", preview_url: false },
    }]);
    assert.equal(
      receipt.outcome === "accepted" && receipt.providerMessageId,
      meta.taken[before]?.wamid,
    );
  });

  it("send() addresses people without a number by their user id, and groups", async () => {
    const before = meta.taken.length;
    await send(create(), {}, { recipient: "US.13491208655302741918" });
    await send(create(), {}, { recipient: "group:Y2FwaQ==" });
    const [person, group] = meta.taken.slice(before).map(({ payload }) => payload);
    assert.deepEqual([person?.["recipient"], person?.["to"]], [
      "US.13491208655302741918",
      undefined,
    ]);
    assert.deepEqual([group?.["recipient_type"], group?.["to"]], [
      "group",
      "Y2FwaQ==",
    ]);
  });

  for (const { name, status, body, expected } of OUTCOMES) {
    it(`send() reports ${name}`, async () => {
      const text = body === undefined ? "<html>no JSON</html>" : JSON.stringify(body);
      meta.inject({
        fault: "answer",
        answer: {
          status,
          body: text,
          headers: { location: "http://127.0.0.1:1/" },
        },
      });
      const before = meta.requests.length;
      const receipt = await send(create(), {});
      assert.deepEqual({ ...receipt, ...expected }, receipt);
      assert.equal(meta.requests.length, before + 1);
    });
  }

  it("send() does not know what became of a message whose answer was lost, and it was taken once (L10)", async () => {
    const clock = new ManualClock();
    const communicator = create({ clock });
    const before = meta.taken.length;
    meta.inject({ fault: "cut", when: "after-accept" });
    assert.equal((await send(communicator, {})).outcome, "unknown");
    meta.inject({ fault: "cut", when: "within-answer" });
    assert.equal((await send(communicator, {})).outcome, "unknown");
    meta.inject({
      fault: "answer",
      accepted: true,
      answer: { status: 500, body: "oops" },
    });
    assert.equal((await send(communicator, {})).outcome, "unknown");
    meta.inject({ fault: "hang", accepted: true });
    const hanging = send(communicator, {});
    await until(() => meta.taken.length === before + 4);
    await clock.advance(30_000);
    const late = await hanging;
    assert.deepEqual(late, {
      outcome: "unknown",
      detail: "no answer within 30 s",
    });
    assert.equal(meta.taken.length, before + 4);
  });

  it("send() of 1,000 messages cut after they were taken: each unknown, each taken once", async () => {
    const communicator = create();
    const before = meta.taken.length;
    meta.inject({ fault: "cut", when: "after-accept" }, { times: 1_000 });
    let unknown = 0;
    for (let round = 0; round < 100; round++) {
      const receipts = await Promise.all(
        Array.from({ length: 10 }, () => send(communicator, {})),
      );
      unknown += receipts.filter(({ outcome }) => outcome === "unknown").length;
    }
    assert.deepEqual([unknown, meta.taken.length - before], [1_000, 1_000]);
  });

  it("send() that is stopped half-way does not know either; stopped before, nothing is asked", async () => {
    const controller = new AbortController();
    const before = meta.taken.length;
    meta.inject({ fault: "hang", accepted: true });
    const stopped = send(create(), {}, { signal: controller.signal });
    await until(() => meta.taken.length === before + 1);
    controller.abort();
    assert.equal((await stopped).outcome, "unknown");
    const requests = meta.requests.length;
    const never = await send(create(), {}, { signal: controller.signal });
    assert.deepEqual([
      never.outcome,
      never.outcome === "rejected" && never.retryable,
    ], ["rejected", true]);
    assert.equal(meta.requests.length, requests);
  });

  it("send() without a connection is not sent, where the runtime says so", async () => {
    const apiRoot = meta.origin;
    await meta.stop();
    const receipt = await send(create({ apiRoot }), {});
    // Deno's fetch gives no codes, so there it may have left.
    if (receipt.outcome === "rejected") {
      assert.deepEqual([receipt.reason, receipt.retryable], ["network", true]);
    } else {assert.ok(
        receipt.outcome === "unknown" && Reflect.has(globalThis, "Deno"),
      );}
  });

  it("send() goes on behind the parts that were taken", async () => {
    const communicator = create();
    const before = meta.taken.length;
    const message = Array.from(
      { length: 1_500 },
      (_, index) => `line ${index}\n`,
    ).join("");
    meta.inject({
      fault: "answer",
      answer: { status: 400, body: { error: { code: 131056 } } },
    }, { times: 1 });
    const throttled = await send(communicator, { message });
    assert.deepEqual(
      throttled.outcome === "rejected" &&
        [throttled.retryAfterMs, throttled.progress],
      [
        1_000,
        { throttled: 1 },
      ],
    );
    // The first part passes, the second meets a fault.
    await communicator.stop();
    meta.inject({ fault: "slow", delayMs: 0 });
    meta.inject({
      fault: "answer",
      answer: { status: 400, body: { error: { code: 131056 } } },
    });
    const context = { progress: { throttled: 1 } };
    const second = await send(communicator, { message }, context);
    assert.ok(second.outcome === "rejected" && second.retryAfterMs === 4_000);
    const first = meta.taken[before]?.wamid;
    assert.deepEqual(second.progress, { ids: [first], throttled: 2 });
    const done = await send(communicator, { message }, {
      progress: second.progress ?? {},
    });
    assert.equal(done.outcome, "accepted");
    const sent = meta.taken.slice(before);
    assert.equal(sent.map(({ payload }) => bodyOf(payload)).join(""), message);
    assert.deepEqual(
      done.outcome === "accepted" && done.providerMessageIds,
      sent.map(({ wamid }) => wamid),
    );
  });

  it("send() names the delivery with the last part alone: a status of another says nothing of the whole", async () => {
    const before = meta.taken.length;
    const message = "line of text\n".repeat(900);
    assert.equal((await send(create(), { message })).outcome, "accepted");
    const named = meta.taken.slice(before).map(({ payload }) => payload["biz_opaque_callback_data"]);
    assert.deepEqual(named, [undefined, undefined, "delivery-1"]);
  });

  it("send() uploads a file once, and remembers it in the store", async () => {
    const store = new MemoryStore();
    const attachments = [{
      filename: "a.png",
      contentType: "image/png",
      bytes: Uint8Array.of(1, 2, 3),
    }];
    const uploads = (): number => meta.requests.filter(({ path }) => path.endsWith("/media")).length;
    const before = uploads();
    const from = meta.taken.length;
    await send(create({ store }), { message: "Look", attachments });
    await send(create({ store }), { message: "", attachments });
    assert.equal(uploads(), before + 1);
    const [first, second] = meta.taken.slice(from);
    const image = first?.payload["image"];
    assert.ok(
      typeof image === "object" && image !== null && "id" in image &&
        typeof image.id === "string",
    );
    assert.deepEqual(image, { id: image.id, caption: "Look" });
    assert.deepEqual(second?.payload["image"], { id: image.id });
    assert.deepEqual(meta.media.get(image.id)?.bytes, Uint8Array.of(1, 2, 3));
    assert.equal(meta.media.get(image.id)?.contentType, "image/png");
    await store.close();
  });

  it("send() whose upload was lost says that nothing reached anybody", async () => {
    const attachments = [{
      filename: "a.pdf",
      contentType: "application/pdf",
      bytes: Uint8Array.of(9),
    }];
    const before = meta.taken.length;
    for (
      const fault of [{ fault: "cut", when: "after-accept" }, {
        fault: "cut",
        when: "within-answer",
      }] as const
    ) {
      meta.inject(fault, { path: "/media" });
      const receipt = await send(create(), { message: "", attachments });
      assert.ok(
        receipt.outcome === "rejected" && receipt.retryable,
        JSON.stringify(receipt),
      );
    }
    meta.inject({
      fault: "answer",
      answer: { status: 400, body: { error: { code: 131053 } } },
    }, { path: "/media" });
    const refused = await send(create(), { message: "", attachments });
    assert.ok(
      refused.outcome === "rejected" && !refused.retryable &&
        refused.code === "131053",
    );
    assert.equal(meta.taken.length, before);
  });

  it("send() reaches a closed window by template alone", async () => {
    const recipient = "4915550009999";
    meta.closeWindow(recipient);
    const text = await send(create(), {}, { recipient });
    assert.deepEqual(
      text.outcome === "rejected" && [text.reason, text.retryable, text.code],
      [
        "window-closed",
        false,
        "131047",
      ],
    );
    const metadata = {
      whatsapp: whatsAppTemplate("order_shipped", "en_US", { body: ["1042"] }),
    };
    assert.equal(
      (await send(create(), { metadata }, { recipient })).outcome,
      "accepted",
    );
  });

  it("send() refuses what cannot be sent before it asks Meta", async () => {
    const before = meta.requests.length;
    const communicator = create();
    const buttons = { whatsapp: whatsAppButtons([{ id: "a", title: "A" }]) };
    const receipts = [
      await send(communicator, {}, { recipient: "ops@example.com" }),
      await send(communicator, {
        message: "x".repeat(1_025),
        metadata: buttons,
      }),
      await send(communicator, { metadata: { whatsapp: { type: "poll" } } }),
    ];
    const message = createOutgoingMessage({ message: "x" }, {
      newId: () => "m",
      now: () => 0,
    });
    receipts.push(
      await communicator.send(message, {
        deliveryId: "d",
        attempt: 1,
        signal: new AbortController().signal,
      }),
    );
    assert.deepEqual(
      receipts.map((each) => each.outcome === "rejected" && [each.reason, each.retryable]),
      [
        ["invalid-recipient", false],
        ["invalid-message", false],
        ["invalid-message", false],
        ["invalid-recipient", false],
      ],
    );
    assert.equal(meta.requests.length, before);
  });

  it("destinations() knows one person by two spellings, and falls back to the configured ones", () => {
    const communicator = create({ defaultRecipients: ["US.1"] });
    const message = (recipients: readonly string[]) =>
      createOutgoingMessage({ message: "x", recipients }, {
        newId: () => "m",
        now: () => 0,
      });
    assert.deepEqual(
      communicator.destinations(
        message(["+49 170 1234567", "491701234567", "12025550123"]),
      ),
      [
        { recipient: "+49 170 1234567", lane: "491701234567" },
        { recipient: "12025550123", lane: "12025550123" },
      ],
    );
    assert.deepEqual(communicator.destinations(message([])), [{
      recipient: "US.1",
      lane: "US.1",
    }]);
    assert.deepEqual(create().destinations(message([])), []);
  });

  it("webhook is there with a secret only, and takes what the network pushes", async () => {
    assert.equal(create().webhook, undefined);
    assert.equal(create().supportsReceiving, false);
    const communicator = create({
      appSecret: meta.appSecret,
      verifyToken: "t",
    });
    assert.equal(communicator.supportsReceiving, true);
    const before = meta.taken.length;
    await send(communicator, {});
    const wamid = meta.taken[before]?.wamid ?? "";
    const payload = JSON.stringify(
      meta.statusesPayload([meta.statusOf(wamid, "delivered")]),
    );
    const batch = communicator.webhook?.parse(
      new TextEncoder().encode(payload),
    );
    assert.deepEqual(batch?.receipts, [{
      providerMessageId: wamid,
      status: "delivered",
      timestamp: 1_763_724_000_000,
      recipient: TO,
      deliveryId: "delivery-1",
    }]);
  });

  it("create() of whatsapp lists everything that is wrong with its options at once", async () => {
    const store = new MemoryStore();
    const context = {
      resolve: () => create(),
      clock: new ManualClock(),
      logger: silentLogger,
      store,
      extraFields: {},
    };
    assert.throws(
      () =>
        whatsapp.create("wa", {
          type: "whatsapp",
          token: 7.5,
          preview_url: "yes",
          timeout: 0,
        }, context),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(error.issues.map(({ path }) => path), [
          "token",
          "phone_number_id",
          "timeout",
          "preview_url",
        ]);
        return true;
      },
    );
    assert.throws(
      () =>
        whatsapp.create("wa", {
          type: "whatsapp",
          token: "t",
          phone_number_id: 5,
          api_root: "http://x.org",
        }, context),
      (error) => error instanceof ConfigError && error.issues[0]?.path === "api_root",
    );
    const made = whatsapp.create("wa", {
      type: "whatsapp",
      token: meta.token,
      phone_number_id: Number(meta.phoneNumberId),
      api_root: meta.origin,
      app_secret: ["new", "old"],
    }, context);
    assert.equal(made.supportsReceiving, true);
    await store.close();
  });

  it("WhatsAppCommunicator refuses options that could send the token astray", () => {
    for (
      const options of [
        { apiRoot: "http://graph.example.com" },
        { apiRoot: "https://user:pass@graph.facebook.com" },
        { apiRoot: "https://graph.facebook.com/?x=1" },
        { apiRoot: "graph.facebook.com" },
        { apiVersion: "latest" },
        { apiVersion: "v25.0/../x" },
        { token: "" },
        { token: "a\nb" },
        { token: " a" },
        { phoneNumberId: "+49 170" },
        { phoneNumberId: "../1" },
        { appSecret: "" },
        { verifyToken: "" },
        { timeoutMs: 0 },
      ]
    ) {
      assert.throws(
        () => create(options),
        ValidationError,
        JSON.stringify(options),
      );
    }
  });
});

function bodyOf(payload: object): unknown {
  const text: unknown = Reflect.get(payload, "text");
  return typeof text === "object" && text !== null ? Reflect.get(text, "body") : undefined;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
