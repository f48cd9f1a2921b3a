import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { inspect } from "node:util";
import { createApplication, httpOptionsFrom, prepareApplication } from "../../adapters/app/mod.ts";
import { HttpStandIn, type StandInAnswer, type StandInFault } from "../../adapters/emulator/http-stand-in.ts";
import { SmtpStandIn, type SmtpStandInStage } from "../../adapters/emulator/smtp-stand-in.ts";
import { createHttpApp } from "../../adapters/http/mod.ts";
import { createWebhookSecret } from "../../adapters/webhook/mod.ts";
import { deadLetterKey } from "../../core/channels/dead-letter.ts";
import {
  type Application,
  type BackendType,
  Communicator,
  type DispatchEntry,
  type Logger,
  type Receipt,
} from "../../core/mod.ts";

/** Says back all it was sent, as the error page of a proxy does. */
class Parrot extends HttpStandIn {
  status = 400;

  protected override answer(request: { path: string; headers: object; body: Uint8Array }): StandInAnswer {
    const said = `${request.path} ${JSON.stringify(request.headers)} ${new TextDecoder().decode(request.body)}`;
    const message = said.slice(0, 4_000);
    return {
      status: this.status,
      headers: { "x-said": encodeURIComponent(message).slice(0, 2_000) },
      body: {
        ok: false,
        error_code: this.status,
        description: message,
        error: { code: 100, message, error_data: { details: message } },
        message,
        code: 50_035,
      },
    };
  }
}

const SECRETS: Readonly<Record<string, string>> = {
  TELEGRAM_TOKEN: "987654321:C4n4ryAHdqTcvCH1vGWJxfSeofSAs0K5PAA",
  TELEGRAM_SECRET: "C4n4ry_telegram_webhook",
  WHATSAPP_TOKEN: "EAAC4n4ryWhatsAppTokenOfALongLife",
  WHATSAPP_APP_SECRET: "c4n4ry0123456789abcdef0123456789",
  WHATSAPP_OLD_SECRET: "c4n4ryfedcba98760123456789abcdef",
  WHATSAPP_VERIFY: "C4n4ry-verify-token",
  HOOK_PATH: "C4n4ry-hook-path",
  HOOK_QUERY: "C4n4ry-hook-query",
  HOOK_SECRET: createWebhookSecret(),
  HOOK_OLD_SECRET: createWebhookSecret(),
  HOOK_AUTHORIZATION: "C4n4ry-hook-authorization",
  HOOK_KEY: "C4n4ry-hook-key",
  SLACK_PATH: "C4n4ry-slack-path",
  DISCORD_PATH: "C4n4ry-discord-path",
  NTFY_TOKEN: "tk_C4n4ryNtfyToken",
  MAIL_PASSWORD: "C4n4ry mail passw0rd",
  RELAY_PASSWORD: "C4n4ry-relay-passw0rd-of-another-length",
  EMULATOR_TOKEN: "C4n4ry-emulator-token",
  API_TOKEN: "C4n4ry-api-token-of-the-server",
  PAGER_KEY: "C4n4ry-pager-key",
  BROKEN_TOKEN: "123456789:C4n4ryBrokenBackendTokenOfTelegram",
  BROKEN_BEARER: "C4n4ry-broken-bearer-token",
  START_URL: "C4n4ry-start-of-a-backend",
  HANDLER_DATABASE: "C4n4ry-database-password",
  HANDLER_KEY: "C4n4ry-key-of-a-handler",
  HANDLER_HOOK: "C4n4ry/hook/of/a/handler",
};

/** The same secrets as they would look encoded, where that is how they travel. */
const FORMS: readonly string[] = Object.values(SECRETS).flatMap((secret) => {
  const inner = [0, 1, 2].map((shift) => base64(" ".repeat(shift) + secret).slice(shift === 0 ? 0 : 4, -4));
  return [secret, encodeURIComponent(secret), ...inner, ...(secret.startsWith("whsec_") ? [secret.slice(6)] : [])];
});

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** A backend written elsewhere, whose errors are as careless as such errors are. */
class Broken extends Communicator {
  readonly #key: string;
  #sends = 0;

  constructor(name: string, key: unknown) {
    super(name);
    this.#key = String(key);
  }

  override send(): Promise<Receipt> {
    const texts = [
      `fetch failed: https://api.telegram.org/bot${SECRETS["BROKEN_TOKEN"]}/sendMessage`,
      `401 for {"authorization":"Bearer ${SECRETS["BROKEN_BEARER"]}"}`,
      `Cannot connect to https://user:${this.#key}@pager.example.com/`,
    ];
    throw new Error(texts[this.#sends++ % texts.length], { cause: new Error(this.#key) });
  }
}

class NeverStarts extends Broken {
  override start(): Promise<void> {
    return Promise.reject(new Error(`ENOTFOUND https://hooks.slack.com/services/T/${SECRETS["START_URL"]}`));
  }
}

const pager: BackendType = { type: "pager", create: (name, config) => new Broken(name, config["api_key"]) };
const dead: BackendType = { type: "dead", create: (name) => new NeverStarts(name, "") };

const COMMON = "labels: [all], retry: { max_attempts: 1 }, send_timeout: 1";

function configOf(origin: string, [smtp, other]: readonly [SmtpStandIn, SmtpStandIn]): string {
  const post = `allow_private: true, ${COMMON}`;
  const mail =
    `type: email, host: "${smtp.host}", allow_insecure: true, from_address: a@example.com, default_recipients: [ops@example.com], ${COMMON}`;
  return `
server: { token: "\${API_TOKEN}", emulator: true }
outbox: { drain_timeout: 0 }
inbox: { max_deliveries: 1 }
communications:
  enabled: true
  backends:
    tg: { type: telegram, token: "\${TELEGRAM_TOKEN}", webhook_secret: "\${TELEGRAM_SECRET}", listen_to_commands: true,
          api_root: "${origin}", chats: { default: { chat_id: "1", command_authorized: true } }, ${COMMON} }
    wa: { type: whatsapp, token: "\${WHATSAPP_TOKEN}", phone_number_id: "1", api_root: "${origin}",
          app_secret: ["\${WHATSAPP_APP_SECRET}", "\${WHATSAPP_OLD_SECRET}"], verify_token: "\${WHATSAPP_VERIFY}",
          default_recipients: ["491701234567"], ${COMMON} }
    hook: { type: webhook, url: "${origin}/\${HOOK_PATH}?key=\${HOOK_QUERY}",
            secret: ["\${HOOK_SECRET}", "\${HOOK_OLD_SECRET}"],
            headers: { authorization: "Bearer \${HOOK_AUTHORIZATION}", x-key: "\${HOOK_KEY}" }, ${post} }
    slack: { type: slack, webhook_url: "${origin}/services/\${SLACK_PATH}", ${post} }
    discord: { type: discord, webhook_url: "${origin}/api/webhooks/1/\${DISCORD_PATH}", ${post} }
    ntfy: { type: ntfy, server: "${origin}", topic: t, token: "\${NTFY_TOKEN}", ${post} }
    mail: { ${mail}, port: ${smtp.port}, username: ann, password: "\${MAIL_PASSWORD}" }
    relay: { ${mail}, port: ${other.port}, username: bob, password: "\${RELAY_PASSWORD}" }
    emulator: { type: emulator, token: "\${EMULATOR_TOKEN}" }
    pager: { type: pager, api_key: "\${PAGER_KEY}", ${COMMON} }
    dead: { type: dead, ${COMMON} }
    reach: { type: fallback, channels: [tg, hook, pager], labels: [group] }
`;
}

const STATUSES = [200, 302, 400, 401, 403, 404, 410, 413, 429, 500, 503];
const CUTS: readonly StandInFault[] = [
  { fault: "cut", when: "before" },
  { fault: "cut", when: "after-accept" },
  { fault: "cut", when: "within-answer" },
  { fault: "hang", accepted: true },
];
const MAIL_STAGES: readonly SmtpStandInStage[] = ["auth", "mail", "rcpt", "data", "dot"];

describe("secrets (G37)", () => {
  let parrot = new Parrot();
  let mails: readonly [SmtpStandIn, SmtpStandIn];

  beforeEach(async () => {
    parrot = new Parrot();
    await parrot.start();
    mails = [
      await SmtpStandIn.start({ users: { ann: SECRETS["MAIL_PASSWORD"] ?? "" } }),
      await SmtpStandIn.start({ users: { bob: SECRETS["RELAY_PASSWORD"] ?? "" } }),
    ];
  });

  afterEach(async () => {
    await parrot.stop();
    for (const mail of mails) await mail.stop();
  });

  /** Runs an application through one way of failing. What anybody could see of it is returned. */
  async function run(fail: () => void): Promise<readonly unknown[]> {
    const lines: unknown[] = [];
    const log = (...args: readonly unknown[]): void => void lines.push(args);
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    const text = configOf(parrot.origin, mails);
    const backends = [pager, dead];
    const options = { env: SECRETS, backends, logger };
    const { config } = await prepareApplication(text, options);
    const app = await createApplication(text, options);
    const seen: unknown[] = [lines, app, ...app.communicators.values()];
    try {
      const http = createHttpApp(app, httpOptionsFrom(config));
      app.messenger.route((context) => {
        throw new Error(
          [
            `postgres://app:${SECRETS["HANDLER_DATABASE"]}@db/x`,
            `GET https://api.example.com/?key=${SECRETS["HANDLER_KEY"]}`,
            `POST https://hooks.slack.com/services/${SECRETS["HANDLER_HOOK"]}`,
          ][Number(context.message.text) % 3],
        );
      });
      const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
        const answer = await http.request(`http://127.0.0.1:8787${path}`, init);
        seen.push([answer.status, [...answer.headers], await answer.clone().text()]);
        return answer;
      };
      fail();
      const attachment = { filename: "a", contentType: "image/png", bytes: Uint8Array.of(1) };
      const reports = [
        await app.emit({ message: "x", label: "all" }),
        await app.emit({ message: "x", label: "all", attachments: [attachment] }),
        await app.emit({ message: "x", label: "group" }),
        await app.emit({ message: "x", label: "nobody" }),
      ];
      await sendIn(ask);
      // One backend never starts, and a group waits for its first channel.
      const tried = reports.flatMap(({ deliveries }) => deliveries)
        .filter(({ backendName }) => !["dead", "reach"].includes(backendName));
      assert.equal(tried.length, 18);
      await settle(app, tried);
      const bearer = { headers: { authorization: `Bearer ${SECRETS["API_TOKEN"]}` } };
      seen.push(reports, app.health(), await app.outbox.deadLetters(), await everythingIn(app));
      for (const { messageId } of reports) await ask(`/messages/${messageId}`, bearer);
      for (
        const path of [
          "/dead-letters",
          "/metrics",
          "/readyz",
          "/healthz",
          "/channels",
          "/channels/ledger",
          "/channels/ledger/messages?reader=a&limit=1000",
        ]
      ) assert.ok((await ask(path, bearer)).status < 504, path);
      await ask("/metrics", { headers: { authorization: `Bearer ${SECRETS["API_TOKEN"]}x` } });
      await ask(`/emulator?token=${SECRETS["EMULATOR_TOKEN"]}x`);
      for (const path of ["/messages", "/channels/x/messages", "/webhooks/nobody", "/nothing"]) {
        await ask(path, { method: "POST", body: "{", ...bearer });
      }
      seen.push(
        await failureOf(() =>
          app.communicators.get("tg")?.openAttachment?.({ kind: "image", providerId: "f" }, {
            signal: AbortSignal.timeout(500),
          })
        ),
      );
      seen.push(
        await failureOf(() =>
          app.communicators.get("wa")?.openAttachment?.({ kind: "image", providerId: "f" }, {
            signal: AbortSignal.timeout(500),
          })
        ),
      );
      seen.push(await failureOf(() => app.deliver({ notificationId: "", recipient: {}, textContent: "x" })));
      seen.push(await failureOf(() => app.messenger.sendMsg("x", "nobody")));
    } finally {
      seen.push(await failureOf(() => app.stop()));
    }
    seen.push(await failureOf(() => app.emit({ message: "x" })));
    return seen;
  }

  /** Webhooks that are refused, that are odd, and one whose handler throws. */
  async function sendIn(ask: (path: string, init?: RequestInit) => Promise<Response>): Promise<void> {
    const secret = { "x-telegram-bot-api-secret-token": SECRETS["TELEGRAM_SECRET"] ?? "" };
    const wrong = [secret, { "x-hub-signature-256": `sha256=${SECRETS["WHATSAPP_APP_SECRET"]}` }, {
      authorization: `Bearer ${SECRETS["API_TOKEN"]}`,
      "webhook-id": "a",
      "webhook-timestamp": String(Math.floor(Date.now() / 1_000)),
      "webhook-signature": `v1,${SECRETS["HOOK_SECRET"]}`,
    }];
    for (const headers of wrong) {
      for (const name of ["wa", "hook", "emulator"]) {
        const { status } = await ask(`/webhooks/${name}`, { method: "POST", headers, body: '{"a":1}' });
        assert.ok(status >= 400 && status < 500, `${name} ${status}`);
      }
    }
    assert.equal((await ask(`/webhooks/tg`, { method: "POST", headers: secret, body: "no update" })).status, 200);
    for (let text = 0; text < 3; text++) {
      const message = {
        message_id: text,
        date: 1,
        chat: { id: 1, type: "private" },
        from: { id: 1 },
        text: String(text),
      };
      const body = JSON.stringify({ update_id: text + 1, message });
      assert.equal((await ask(`/webhooks/tg`, { method: "POST", headers: secret, body })).status, 200);
    }
    const verify = "/webhooks/wa?hub.mode=subscribe&hub.challenge=1&hub.verify_token=";
    await ask(`${verify}${SECRETS["WHATSAPP_VERIFY"]}x`);
    await ask(`${verify}${SECRETS["WHATSAPP_VERIFY"]}`);
  }

  it("knows 25 secrets and more", () => assert.ok(Object.keys(SECRETS).length >= 25));

  for (const status of STATUSES) {
    it(`shows none of 26 secrets when every network says everything back with ${status} (G37)`, async () => {
      const seen = await run(() => {
        parrot.status = status;
        const stage = MAIL_STAGES[STATUSES.indexOf(status) % MAIL_STAGES.length] ?? "auth";
        for (const [index, mail] of mails.entries()) {
          const known = SECRETS[index === 0 ? "MAIL_PASSWORD" : "RELAY_PASSWORD"] ?? "";
          const user = index === 0 ? "ann" : "bob";
          const code = status < 500 ? 454 : 554;
          mail.script(stage, ({ command }) => ({
            reply: [`${code}-${command}`, `${code}-${known}`, `${code} ${base64(`\0${user}\0${known}`)}`],
          }), { times: 10 });
        }
      });
      assertClean(seen);
    }, 60_000);
  }

  for (const cut of CUTS) {
    it(`shows none of 26 secrets when every connection ends early: ${JSON.stringify(cut)} (G37)`, async () => {
      const seen = await run(() => {
        parrot.inject(cut, { times: Infinity });
        for (const mail of mails) mail.script("dot", { cut: true }, { times: Infinity });
      });
      assertClean(seen);
    }, 60_000);
  }

  it("shows none of 26 secrets when nobody listens (G37)", async () => {
    const seen = await run(() => void Promise.all([parrot.stop(), ...mails.map((mail) => mail.stop())]));
    assertClean(seen);
  }, 60_000);
});

/**
 * Waits until every delivery has been tried. Where the credentials are refused, the second message waits for a minute
 * behind the first: one of each backend is enough then.
 */
async function settle(app: Application, entries: readonly DispatchEntry[]): Promise<void> {
  const backends = new Map(entries.map(({ deliveryId, backendName }) => [deliveryId, backendName]));
  const waiting = new Set(backends.keys());
  const untried = new Set(backends.values());
  const started = Date.now();
  for (;;) {
    for (const { content } of await app.ledger.channel.read("test", { limit: 1_000 })) {
      if (["queued", "attempting"].includes(content.status)) continue;
      waiting.delete(content.deliveryId);
      untried.delete(backends.get(content.deliveryId) ?? "");
    }
    const { stored } = await app.inbox.queue.stats();
    const isEnough = waiting.size === 0 || untried.size === 0 && Date.now() - started > 3_000;
    if (isEnough && stored === 0) return;
    assert.ok(Date.now() - started < 20_000, `not tried: ${[...waiting].join()}; not handled: ${stored}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All that the store holds: rows, dead letters, transcripts, state. */
async function everythingIn({ store, ledger, inbox, outbox, communicators }: Application): Promise<readonly unknown[]> {
  const keys = [ledger.channel.key, inbox.queue.key, deadLetterKey(inbox.queue.key), inbox.quarantine.key];
  for (const name of communicators.keys()) {
    const { key } = await outbox.queue(name);
    keys.push(key, deadLetterKey(key));
  }
  const rows = await Promise.all(keys.map((channel) => store.query({ channel, limit: 1_000 })));
  return [rows, await store.listState("", { limit: 1_000 })];
}

async function failureOf(act: () => Promise<unknown> | undefined): Promise<unknown> {
  try {
    return await act();
  } catch (error) {
    return error;
  }
}

function assertClean(seen: readonly unknown[]): void {
  const texts = [
    inspect(seen, { depth: 10, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    JSON.stringify(seen, plain()),
  ];
  for (const text of texts) {
    assert.ok(text.length > 5_000);
    for (const form of FORMS) {
      const at = text.indexOf(form);
      assert.ok(at === -1, `a secret shows: ${text.slice(Math.max(0, at - 200), at)}[here]`);
    }
  }
}

/** Errors with all they hold, circles cut, and what JSON has no word for. */
function plain(): (key: string, value: unknown) => unknown {
  const known = new Set<unknown>();
  return function replace(_key, value) {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (known.has(value)) return undefined;
    known.add(value);
    if (!(value instanceof Error)) return value;
    return { ...value, name: value.name, message: value.message, stack: value.stack, cause: value.cause };
  };
}
