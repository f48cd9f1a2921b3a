import assert from "node:assert/strict";
import { afterEach, describe, it } from "bun:test";
import type { StandInAnswer, StandInRequest } from "../../../adapters/emulator/http-stand-in.ts";
import { WebhookStandIn, type WebhookStandInOptions } from "../../../adapters/emulator/webhook-stand-in.ts";
import {
  createWebhookSecret,
  discord,
  DiscordCommunicator,
  ntfy,
  NtfyCommunicator,
  type PostingCommunicator,
  slack,
  SlackCommunicator,
  webhook,
  WebhookCommunicator,
} from "../../../adapters/webhook/mod.ts";
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

const SECRET = createWebhookSecret();
const open: WebhookStandIn[] = [];

async function startStandIn(options: WebhookStandInOptions = {}): Promise<WebhookStandIn> {
  const standIn = new WebhookStandIn(options);
  await standIn.start();
  open.push(standIn);
  return standIn;
}

function send(
  communicator: PostingCommunicator,
  init: Partial<OutgoingMessageInit> = {},
  context: Partial<SendContext> = {},
): Promise<Receipt> {
  const message = createOutgoingMessage({ message: "hello", ...init }, { newId: () => "m1", now: () => 0 });
  return communicator.send(message, {
    deliveryId: "delivery-1",
    attempt: 1,
    signal: new AbortController().signal,
    ...context,
  });
}

/** One backend of each kind, all posting to the same place. */
function allTo(origin: string): Readonly<Record<"standard" | "slack" | "discord" | "ntfy", PostingCommunicator>> {
  const options = { allowPrivate: true };
  return {
    standard: new WebhookCommunicator("hook", { ...options, url: `${origin}/hook`, secret: SECRET }),
    slack: new SlackCommunicator("slack", { ...options, webhookUrl: `${origin}/services/T/B/x` }),
    discord: new DiscordCommunicator("discord", { ...options, webhookUrl: `${origin}/api/webhooks/1/x` }),
    ntfy: new NtfyCommunicator("ntfy", { ...options, server: origin, topic: "alerts" }),
  };
}

describe("webhook backends", () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((standIn) => standIn.stop()));
  });

  it("send() reports every row of the table over the wire (L8)", async () => {
    const standIn = await startStandIn();
    const backends = allTo(standIn.origin);
    for (const { network, name, status, headers, body, expected } of OUTCOMES) {
      // Dates count from now.
      if (JSON.stringify(headers).includes("GMT")) continue;
      standIn.inject({ fault: "answer", answer: { status, headers, body } });
      const receipt = await send(backends[network]);
      for (const [key, value] of Object.entries(expected)) {
        assert.equal(Reflect.get(receipt, key), value, `${network} ${name}: ${key}`);
      }
    }
    assert.equal(standIn.requests.length, OUTCOMES.length - 2);
    assert.equal(standIn.taken.length, 0);
  });

  it("send() does not know what became of a message whose answer was lost; it was taken once", async () => {
    const standIn = await startStandIn();
    for (const backend of Object.values(allTo(standIn.origin))) {
      const before = standIn.taken.length;
      standIn.inject({ fault: "cut", when: "after-accept" });
      assert.equal((await send(backend)).outcome, "unknown", backend.name);
      assert.equal(standIn.taken.length, before + 1);
      standIn.inject({ fault: "cut", when: "within-answer" });
      // The status came, and says yes.
      assert.equal((await send(backend)).outcome, "accepted");
      assert.equal(standIn.taken.length, before + 2);
    }
  });

  it("send() of 1,000 messages cut after they were taken: each unknown, each taken once", async () => {
    const standIn = await startStandIn();
    const { standard } = allTo(standIn.origin);
    standIn.inject({ fault: "cut", when: "after-accept" }, { times: 1_000 });
    let unknown = 0;
    for (let round = 0; round < 100; round++) {
      const receipts = await Promise.all(Array.from({ length: 10 }, () => send(standard)));
      unknown += receipts.filter(({ outcome }) => outcome === "unknown").length;
    }
    assert.deepEqual([unknown, standIn.taken.length], [1_000, 1_000]);
  });

  it("send() over time is unknown when it had a connection, and not when it had none", async () => {
    const clock = new ManualClock();
    const standIn = await startStandIn();
    const url = `${standIn.origin}/hook`;
    const hook = new WebhookCommunicator("hook", { url, allowPrivate: true, clock });
    standIn.inject({ fault: "hang", accepted: true });
    const late = send(hook);
    while (standIn.taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(20_000);
    assert.deepEqual(await late, { outcome: "unknown", detail: "no answer within 20 s" });

    let asked = 0;
    const resolveHost = (): Promise<readonly string[]> => {
      asked++;
      return new Promise(() => {});
    };
    const stuck = new WebhookCommunicator("stuck", { url: "https://hook.example.com/", clock, resolveHost });
    const never = send(stuck);
    while (asked === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(20_000);
    const receipt = await never;
    assert.deepEqual(receipt.outcome === "rejected" && [receipt.reason, receipt.retryable], ["network", true]);
  });

  it("send() without a connection is not sent", async () => {
    const standIn = await startStandIn();
    const backends = Object.values(allTo(standIn.origin));
    await standIn.stop();
    for (const backend of backends) {
      const receipt = await send(backend);
      assert.deepEqual(receipt.outcome === "rejected" && [receipt.reason, receipt.retryable, receipt.code], [
        "network",
        true,
        "ECONNREFUSED",
      ]);
    }
  });

  it("WebhookCommunicator posts signed JSON with the same id and body on every try", async () => {
    const standIn = await startStandIn({ secret: SECRET });
    const clock = new ManualClock();
    const hook = new WebhookCommunicator("hook", {
      url: `${standIn.origin}/hook?a=1`,
      secret: [SECRET, createWebhookSecret()],
      headers: { Authorization: "Bearer x" },
      allowPrivate: true,
      clock,
    });
    const init = {
      message: "Grüße \u2028 👋",
      label: "alerts",
      severity: "error",
      subject: "S",
      source: "me",
      replyTo: "in-1",
      metadata: { a: [1] },
      attachments: [
        { filename: "a.bin", contentType: "application/octet-stream", bytes: Uint8Array.of(1, 2) },
        { filename: "b.png", contentType: "image/png", url: "https://example.com/b.png", caption: "B" },
      ],
    } as const;
    const context = { deliveryId: "m1.hook.7", recipient: "room-7" };
    assert.equal((await send(hook, init, context)).outcome, "accepted");
    await clock.advance(60_000);
    assert.equal((await send(hook, init, { ...context, attempt: 2 })).outcome, "accepted");
    const [first, second] = standIn.taken;
    assert.deepEqual(first?.body, {
      type: "message",
      timestamp: "1970-01-01T00:00:00.000Z",
      data: {
        id: "m1",
        delivery_id: "m1.hook.7",
        message: "Grüße \u2028 👋",
        label: "alerts",
        severity: "error",
        source: "me",
        subject: "S",
        reply_to: "in-1",
        recipient: "room-7",
        metadata: { a: [1] },
        attachments: [
          { filename: "a.bin", content_type: "application/octet-stream", base64: "AQI=" },
          { filename: "b.png", content_type: "image/png", url: "https://example.com/b.png", caption: "B" },
        ],
      },
    });
    assert.deepEqual([first?.id, first?.duplicate, second?.duplicate], ["m1_hook_7", false, true]);
    assert.deepEqual(standIn.requests[0]?.body, standIn.requests[1]?.body);
    assert.equal(standIn.requests[0]?.headers["authorization"], "Bearer x");
    assert.notEqual(
      standIn.requests[0]?.headers["webhook-timestamp"],
      standIn.requests[1]?.headers["webhook-timestamp"],
    );
  });

  it("WebhookCommunicator signed with another secret is refused, and unsigned too", async () => {
    const standIn = await startStandIn({ secret: SECRET });
    for (const secret of [createWebhookSecret(), undefined]) {
      const options = secret === undefined ? {} : { secret };
      const hook = new WebhookCommunicator("hook", { url: standIn.origin, allowPrivate: true, ...options });
      const receipt = await send(hook);
      assert.deepEqual(receipt.outcome === "rejected" && [receipt.reason, receipt.backendDown], ["auth", true]);
    }
  });

  it("WebhookCommunicator receives with a secret only, and verifies what another signer pushes", async () => {
    const hook = new WebhookCommunicator("hook", { secret: SECRET });
    const target = await startTarget(hook);
    const standIn = await startStandIn({ secret: SECRET });
    assert.equal(await standIn.push(target.origin, { conversation: "c", text: "hi" }), 200);
    assert.equal(await standIn.push(target.origin, { conversation: "c" }, { secret: createWebhookSecret() }), 401);
    assert.equal(await standIn.push(target.origin, { conversation: "c" }, { at: Date.now() - 600_000 }), 401);
    assert.equal(new WebhookCommunicator("out", { url: "https://example.com/" }).webhook, undefined);
    const quiet = new WebhookCommunicator("out", { url: "https://example.com/", secret: SECRET, receive: false });
    assert.equal(quiet.webhook, undefined);
    assert.equal((await send(hook)).outcome, "rejected");
  });

  it("SlackCommunicator pings nobody, whatever the text says", async () => {
    const standIn = await startStandIn({ network: "slack" });
    const { slack: backend } = allTo(standIn.origin);
    await send(backend, {
      message: "a <!channel> & <@U1> @here <https://evil.com|bank> > *b*",
      attachments: [{
        filename: "x|y<z>.png",
        contentType: "image/png",
        url: "https://example.com/a.png?x=<|>",
      }],
    });
    assert.deepEqual(standIn.taken.map(({ body }) => body), [
      {
        text: "a &lt;!channel&gt; &amp; &lt;@U1&gt; @here &lt;https://evil.com|bank&gt; &gt; *b*",
        mrkdwn: false,
        link_names: false,
        parse: "none",
      },
      {
        text: "<https://example.com/a.png?x=%3C%7C%3E|x¦y&lt;z&gt;.png>",
        mrkdwn: false,
        link_names: false,
        parse: "none",
      },
    ]);
  });

  it("SlackCommunicator goes on behind the parts that were taken", async () => {
    const standIn = await startStandIn({ network: "slack" });
    const { slack: backend } = allTo(standIn.origin);
    const message = "word & ".repeat(2_000);
    standIn.inject({ fault: "slow", delayMs: 0 });
    standIn.inject({ fault: "answer", answer: { status: 429, headers: { "retry-after": "2" }, body: "rate_limited" } });
    const first = await send(backend, { message });
    assert.ok(first.outcome === "rejected" && first.retryAfterMs === 2_000);
    assert.deepEqual(first.progress, { done: 1 });
    assert.equal((await send(backend, { message }, { progress: first.progress ?? {} })).outcome, "accepted");
    const texts = standIn.taken.map(({ body }) => String(body["text"]));
    assert.equal(texts.join(""), message.replaceAll("&", "&amp;"));
    assert.ok(texts.every((text) => text.length < 40_000));
  });

  it("DiscordCommunicator mentions nobody, gives the id back, and sends files", async () => {
    const standIn = await startStandIn({ network: "discord" });
    const { discord: backend } = allTo(standIn.origin);
    const receipt = await send(backend, { message: "@everyone <@1>" });
    assert.deepEqual(receipt, { outcome: "accepted", providerMessageId: "discord-1" });
    assert.deepEqual(standIn.taken[0]?.body, { content: "@everyone <@1>", allowed_mentions: { parse: [] } });
    assert.equal(standIn.taken[0]?.path, "/api/webhooks/1/x?wait=true");
    const bytes = Uint8Array.from({ length: 1_000 }, (_, index) => index & 255);
    const attachments = [
      { filename: "ä.bin", contentType: "application/octet-stream", bytes, caption: "cap" },
      { filename: "l", contentType: "image/png", url: "https://example.com/l.png" },
    ];
    const long = await send(backend, { message: "y".repeat(3_000), attachments });
    assert.deepEqual(long.outcome === "accepted" && long.providerMessageIds, ["discord-2", "discord-3"]);
    const [, text, files] = standIn.taken;
    assert.deepEqual([text?.files, files?.files], [[], ["ä.bin"]]);
    const joined = `${text?.body["content"]}${files?.body["content"]}`;
    assert.equal(joined, `${"y".repeat(3_000)}\nhttps://example.com/l.png\ncap`);
  });

  it("NtfyCommunicator sends title, priority and parts of at most 4,096 bytes", async () => {
    const standIn = await startStandIn({ network: "ntfy" });
    const ntfyBackend = new NtfyCommunicator("ntfy", {
      server: standIn.origin,
      topic: "alerts",
      token: "tk_1",
      allowPrivate: true,
    });
    const message = "ä€😀 ".repeat(2_000);
    const receipt = await send(ntfyBackend, { message, subject: "Grüße", severity: "critical" });
    assert.equal(receipt.outcome, "accepted");
    const texts = standIn.taken.map(({ body }) => String(body["message"]));
    assert.equal(texts.join(""), message);
    assert.ok(texts.every((text) => new TextEncoder().encode(text).length <= 4_096));
    const { message: _, ...rest } = standIn.taken[0]?.body ?? {};
    assert.deepEqual(rest, { topic: "alerts", title: "Grüße", priority: 5 });
    assert.equal(standIn.requests[0]?.headers["authorization"], "Bearer tk_1");
    await send(ntfyBackend, {
      message: "x",
      attachments: [{ filename: "a.png", contentType: "image/png", url: "https://example.com/a.png" }],
    });
    assert.equal(standIn.taken.at(-1)?.body["attach"], "https://example.com/a.png");
  });

  it("send() refuses what a network cannot carry, and asks nobody", async () => {
    const standIn = await startStandIn();
    const backends = allTo(standIn.origin);
    const file = { filename: "a", contentType: "image/png", bytes: Uint8Array.of(1) };
    const rows = [
      [backends.slack, { attachments: [file] }, "unsupported"],
      [backends.ntfy, { attachments: [file] }, "unsupported"],
      [
        backends.discord,
        { attachments: [{ filename: "a", contentType: "image/png", providerId: "1" }] },
        "unsupported",
      ],
      [backends.slack, { message: " \n" }, "invalid-message"],
      [backends.discord, { message: " \n" }, "invalid-message"],
      [backends.ntfy, { message: " \n" }, "invalid-message"],
      [backends.discord, { attachments: Array(11).fill(file) }, "invalid-message"],
    ] as const;
    for (const [backend, init, reason] of rows) {
      const receipt = await send(backend, init);
      assert.deepEqual(receipt.outcome === "rejected" && [receipt.reason, receipt.retryable], [reason, false]);
    }
    assert.equal(standIn.requests.length, 0);
  });

  it("create() of each type reads its options, and lists what is wrong at once", async () => {
    const store = new MemoryStore();
    const clock = new ManualClock();
    const context = {
      resolve: () => allTo("https://example.com").slack,
      clock,
      logger: silentLogger,
      store,
      extraFields: {},
    };
    const standIn = await startStandIn();
    const at = { allow_private: true, timeout: 5 };
    const made = [
      webhook.create("a", { type: "webhook", url: standIn.origin, secret: [SECRET], tolerance: 60, ...at }, context),
      slack.create("b", { type: "slack", webhook_url: `${standIn.origin}/s`, mrkdwn: true, ...at }, context),
      discord.create("c", { type: "discord", webhook_url: `${standIn.origin}/d`, username: "bot", ...at }, context),
      ntfy.create("d", { type: "ntfy", server: standIn.origin, topic: "t", ...at }, context),
    ];
    for (const backend of made) {
      await backend.start();
      const message = createOutgoingMessage({ message: "x" }, { newId: () => "m", now: () => 0 });
      const context = { deliveryId: "d", attempt: 1, signal: new AbortController().signal };
      assert.equal((await backend.send(message, context)).outcome, "accepted");
      await backend.stop();
    }
    const refused = [
      [webhook, {}, ["url"]],
      [webhook, { url: "http://example.com/" }, ["url"]],
      [webhook, { url: "https://example.com/", secret: "short" }, ["secret"]],
      [webhook, { url: "https://example.com/", receive: true }, ["secret"]],
      [webhook, { url: "https://example.com/", headers: { Host: "x" } }, ["headers"]],
      [webhook, { url: 7.5, headers: 1, timeout: -1 }, ["timeout", "url", "headers"]],
      [slack, {}, ["webhook_url"]],
      [slack, { webhook_url: "https://example.com/" }, ["webhook_url"]],
      [discord, { webhook_url: "https://hooks.slack.com/x" }, ["webhook_url"]],
      [ntfy, { topic: "a/b" }, ["topic"]],
      [ntfy, { topic: "a", token: "x\ny" }, ["token"]],
    ] as const;
    for (const [type, config, paths] of refused) {
      assert.throws(() => type.create("x", { type: type.type, ...config }, context), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.deepEqual(error.issues.map(({ path }) => path), paths);
        return true;
      });
    }
    await store.close();
  });

  it("WebhookCommunicator takes no header that would break the request", () => {
    const url = "https://example.com/";
    for (const headers of [{ "a b": "x" }, { a: "x\r\nb: y" }, { "webhook-id": "x" }, { a: "ä" }, { "": "x" }]) {
      assert.throws(() => new WebhookCommunicator("hook", { url, headers }), ValidationError);
    }
  });

  /** What an HTTP layer does: verify, then answer. */
  async function startTarget(hook: WebhookCommunicator): Promise<WebhookStandIn> {
    class Target extends WebhookStandIn {
      protected override async answer(request: StandInRequest): Promise<StandInAnswer> {
        const isAuthentic = await hook.webhook?.verify(new Headers(request.headers), request.body) ?? false;
        return { status: isAuthentic ? 200 : 401 };
      }
    }
    const target = new Target();
    await target.start();
    open.push(target);
    return target;
  }
});
