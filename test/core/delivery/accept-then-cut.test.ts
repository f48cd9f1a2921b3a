import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { SmtpStandIn } from "../../../adapters/emulator/smtp-stand-in.ts";
import { TelegramStandIn } from "../../../adapters/emulator/telegram-stand-in.ts";
import { WebhookStandIn } from "../../../adapters/emulator/webhook-stand-in.ts";
import { WhatsAppStandIn } from "../../../adapters/emulator/whatsapp-stand-in.ts";
import { email } from "../../../adapters/smtp/mod.ts";
import { telegram } from "../../../adapters/telegram/mod.ts";
import { webhook } from "../../../adapters/webhook/mod.ts";
import { whatsapp } from "../../../adapters/whatsapp/mod.ts";
import { Application, fallback } from "../../../core/mod.ts";

const RUNS = 1_000;
const RATE = { backend: { count: 1_000_000 }, destination: { count: 1_000_000 } };

let other: WebhookStandIn;

beforeEach(async () => {
  other = new WebhookStandIn();
  await other.start();
});

afterEach(async () => {
  await other.stop();
});

/** Says as many messages to a group whose first channel takes them and cuts; holds the ledger against the networks' logs. */
async function run(first: Readonly<Record<string, unknown>> & { readonly type: string }, taken: () => number) {
  const app = await Application.create({
    communications: {
      enabled: true,
      backends: {
        // One attempt each, so that a run is a send; what happens after an unknown is left at its default.
        first: { ...first, labels: ["first"], retry: { max_attempts: 1 }, rate: RATE },
        second: { type: "webhook", url: other.origin, allow_private: true, labels: ["second"] },
        reach: { type: "fallback", channels: ["first", "second"], labels: ["page"] },
      },
    },
  }, { backends: [email, fallback, telegram, webhook, whatsapp] });
  try {
    const ids = Array.from({ length: RUNS }, (_, index) => `run-${index}`);
    const reports = await Promise.all(ids.map((id) => app.emit({ id, message: `fire ${id}`, label: "page" })));
    const settled = (await Promise.all(reports.map((report) => report.settled()))).flat();
    assert.deepEqual(new Set(settled.map(({ status, reason }) => `${status} ${reason}`)), new Set(["dead unknown"]));
    let unknown = 0;
    for (const id of ids) {
      const steps = (await app.ledger.eventsOf(id)).filter(({ backendName }) => backendName !== "reach");
      assert.deepEqual(steps.map(({ backendName, status }) => `${backendName} ${status}`), [
        "first queued",
        "first attempting",
        "first unknown",
      ]);
      unknown++;
    }
    assert.equal(unknown, RUNS);
    assert.equal(taken(), RUNS, "the stand-in took every one of them");
    assert.equal(other.requests.length, 0, "nothing was sent by the other channel");
  } finally {
    await app.stop();
  }
}

describe("a fallback group whose first channel takes 1,000 messages and cuts the connection (G13)", () => {
  it("telegram: records unknown, and sends nothing by the other", async () => {
    const server = await TelegramStandIn.start();
    server.api.inject({ kind: "cut", accept: true, times: Infinity });
    try {
      const chats = { default: { chat_id: "1" } };
      await run(
        { type: "telegram", token: server.api.token, api_root: server.url, chats },
        () => server.api.messages.length,
      );
    } finally {
      await server.stop();
    }
  });

  it("whatsapp: records unknown, and sends nothing by the other", async () => {
    const server = new WhatsAppStandIn();
    await server.start();
    server.inject({ fault: "cut", when: "after-accept" }, { times: Infinity });
    try {
      await run({
        type: "whatsapp",
        token: server.token,
        phone_number_id: server.phoneNumberId,
        api_root: server.origin,
        default_recipients: ["491701234567"],
      }, () => server.taken.length);
    } finally {
      await server.stop();
    }
  });

  it("email: records unknown, and sends nothing by the other", async () => {
    const server = await SmtpStandIn.start();
    server.script("dot", { keep: true, cut: true }, { times: Infinity });
    try {
      await run({
        type: "email",
        host: server.host,
        port: server.port,
        allow_insecure: true,
        from_address: "noreply@example.com",
        default_recipients: ["ops@example.com"],
      }, () => server.mails.length);
    } finally {
      await server.stop();
    }
  });

  it("webhook: records unknown, and sends nothing by the other", async () => {
    const server = new WebhookStandIn();
    await server.start();
    server.inject({ fault: "cut", when: "after-accept" }, { times: Infinity });
    try {
      await run({ type: "webhook", url: server.origin, allow_private: true }, () => server.taken.length);
    } finally {
      await server.stop();
    }
  });
});
