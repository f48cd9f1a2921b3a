import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { HttpStandIn, type StandInAnswer } from "../../adapters/emulator/http-stand-in.ts";
import { SmtpStandIn } from "../../adapters/emulator/smtp-stand-in.ts";
import { TelegramStandIn } from "../../adapters/emulator/telegram-stand-in.ts";
import { WebhookStandIn } from "../../adapters/emulator/webhook-stand-in.ts";
import { WhatsAppStandIn } from "../../adapters/emulator/whatsapp-stand-in.ts";
import { email } from "../../adapters/smtp/mod.ts";
import { telegram } from "../../adapters/telegram/mod.ts";
import { ntfy, webhook, WebhookCommunicator } from "../../adapters/webhook/mod.ts";
import { whatsapp } from "../../adapters/whatsapp/mod.ts";
import { Application, type BackendType, ConfigError, createOutgoingMessage, type Receipt } from "../../core/mod.ts";
import { forbiddenUrls } from "../adapters/webhook/forbidden-urls.ts";

/** Where nobody may connect to: every connection counts, whatever is spoken over it. */
class Canary {
  connections = 0;
  port = 0;
  readonly #server: Server = createServer((socket) => {
    this.connections++;
    socket.destroy();
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.port = typeof address === "object" && address !== null ? address.port : assert.fail();
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Sends whoever asks on to the next place, and the last one to where nobody may go. */
class Redirector extends HttpStandIn {
  to = "";

  protected override answer({ number }: { readonly number: number }): StandInAnswer {
    return { status: [301, 302, 303, 307, 308][number % 5] ?? 302, headers: { location: this.to } };
  }
}

const MESSAGE = createOutgoingMessage({ message: "x" }, { newId: () => "m", now: () => 0 });

function sendBy(hook: WebhookCommunicator): Promise<Receipt> {
  return hook.send(MESSAGE, { deliveryId: "d", attempt: 1, signal: AbortSignal.timeout(20_000) });
}

describe("requests stay outside (G36)", () => {
  let canary = new Canary();

  beforeEach(async () => {
    canary = new Canary();
    await canary.start();
  });

  afterEach(async () => {
    await canary.stop();
  });

  it("a configuration with any of 300 inner addresses is refused, and nobody connects (G36)", () => {
    const urls = forbiddenUrls(canary.port);
    const all = [...urls, ...urls.map((url) => url.replace("https:", "http:"))].filter((url) =>
      !/example|localtest/.test(url)
    );
    assert.ok(new Set(all).size >= 300, String(new Set(all).size));
    for (const url of all) {
      const backends = { hook: { type: "webhook", url, allow_http: true } };
      assert.throws(
        () => Application.build({ communications: { enabled: true, backends } }, { backends: [webhook] }),
        (error) => error instanceof ConfigError && (url === "" || !error.message.includes(url)),
        url,
      );
    }
    assert.equal(canary.connections, 0);
  });

  it("a name that turns from an outer address to an inner one is asked once, and its answer is what is used (G36)", async () => {
    for (const answers of [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.0.0.1"]]) {
      let asked = 0;
      const hook = new WebhookCommunicator("hook", {
        url: `http://flip.example.com:${canary.port}/`,
        allowHttp: true,
        timeoutMs: 300,
        // Inner at the first look, outer ever after: a check that looked by itself would pass it.
        resolveHost: () => Promise.resolve(asked++ === 0 ? answers : ["8.8.8.8"]),
      });
      await hook.start();
      const receipt = await sendBy(hook);
      assert.ok(receipt.outcome === "rejected" && receipt.reason === "policy", JSON.stringify(receipt));
      assert.equal(asked, 1);
      await hook.stop();
    }
    assert.equal(canary.connections, 0);
  });

  it("a chain of redirects is not followed, not even its first step (G36)", async () => {
    const chain = [new Redirector(), new Redirector(), new Redirector()];
    for (const step of chain) await step.start();
    for (const [index, step] of chain.entries()) {
      step.to = `${chain[index + 1]?.origin ?? `http://127.0.0.1:${canary.port}`}/next`;
    }
    const [first = assert.fail(), ...others] = chain;
    const hook = new WebhookCommunicator("hook", { url: first.origin, allowPrivate: true });
    await hook.start();
    for (let count = 0; count < 10; count++) {
      const receipt = await sendBy(hook);
      assert.ok(receipt.outcome === "rejected" && !receipt.retryable, JSON.stringify(receipt));
    }
    assert.equal(first.requests.length, 10);
    assert.deepEqual(others.map(({ requests }) => requests.length), [0, 0]);
    assert.equal(canary.connections, 0);
    await hook.stop();
    for (const step of chain) await step.stop();
  });

  it("the address of an attachment is handed on, and never asked from here (G36)", async () => {
    const wa = new WhatsAppStandIn();
    const hook = new WebhookStandIn();
    const push = new WebhookStandIn({ network: "ntfy" });
    for (const server of [wa, hook, push]) await server.start();
    const tg = await TelegramStandIn.start();
    const smtp = await SmtpStandIn.start();
    const types: readonly BackendType[] = [email, ntfy, telegram, webhook, whatsapp];
    const common = { labels: ["all"], retry: { max_attempts: 1 } };
    const app = await Application.create({
      communications: {
        enabled: true,
        backends: {
          tg: {
            type: "telegram",
            token: tg.api.token,
            api_root: tg.url,
            chats: { default: { chat_id: "1" } },
            ...common,
          },
          wa: {
            type: "whatsapp",
            token: wa.token,
            phone_number_id: wa.phoneNumberId,
            api_root: wa.origin,
            default_recipients: ["491701234567"],
            ...common,
          },
          hook: { type: "webhook", url: hook.origin, allow_private: true, ...common },
          push: { type: "ntfy", server: push.origin, topic: "t", allow_private: true, ...common },
          mail: {
            type: "email",
            host: smtp.host,
            port: smtp.port,
            allow_insecure: true,
            from_address: "a@example.com",
            default_recipients: ["b@example.com"],
            ...common,
          },
        },
      },
    }, { backends: types });
    const url = `https://127.0.0.1:${canary.port}/latest/meta-data`;
    const attachments = [{ filename: "a.png", contentType: "image/png", url }];
    const report = await app.emit({ message: "x", label: "all", attachments });
    const settled = await report.settled();
    assert.deepEqual(settled.map(({ backendName, status }) => `${backendName} ${status}`).toSorted(), [
      "hook accepted",
      "mail dead",
      "push accepted",
      "tg accepted",
      "wa accepted",
    ]);
    await app.stop();
    for (const server of [wa, hook, push, tg, smtp]) await server.stop();
    assert.equal(canary.connections, 0);
  });
});
