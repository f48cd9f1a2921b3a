import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { inspect } from "node:util";
import { HttpStandIn, type StandInAnswer, type StandInFault } from "../../../adapters/emulator/http-stand-in.ts";
import {
  createWebhookSecret,
  discord,
  DiscordCommunicator,
  ntfy,
  NtfyCommunicator,
  slack,
  SlackCommunicator,
  webhook,
  WebhookCommunicator,
} from "../../../adapters/webhook/mod.ts";
import { whatsapp, WhatsAppCommunicator } from "../../../adapters/whatsapp/mod.ts";
import {
  type BackendConfig,
  type BackendType,
  type Communicator,
  createOutgoingMessage,
  type Logger,
  MemoryStore,
  type OutgoingMessageInit,
  systemClock,
} from "../../../core/mod.ts";

/** Says back everything it was sent, which is what a proxy's error page does. */
class Parrot extends HttpStandIn {
  status = 400;

  protected override answer(request: { path: string; headers: object; body: Uint8Array }): StandInAnswer {
    const said = `${request.path} ${JSON.stringify(request.headers)} ${new TextDecoder().decode(request.body)}`;
    return {
      status: this.status,
      body: { error: { code: 100, message: said, error_data: { details: said } }, message: said, code: 50035 },
    };
  }
}

let count = 0;
const canaries: string[] = [];

/** A secret that is looked for in everything that comes out. */
function canary(): string {
  const secret = `canary${++count}-${"s3cr3t".repeat(3)}`;
  canaries.push(secret);
  return secret;
}

function webhookCanary(): string {
  const secret = createWebhookSecret();
  canaries.push(secret, secret.slice("whsec_".length));
  return secret;
}

const FAULTS: readonly (StandInFault | undefined)[] = [
  undefined,
  { fault: "cut", when: "before" },
  { fault: "cut", when: "after-accept" },
  { fault: "cut", when: "within-answer" },
  { fault: "answer", answer: { status: 302, headers: { location: "http://127.0.0.1:1/" } } },
];

describe("secrets", () => {
  let parrot = new Parrot();

  beforeEach(async () => {
    parrot = new Parrot();
    await parrot.start();
  });

  afterEach(async () => {
    await parrot.stop();
  });

  it("no secret comes out of any backend by any failure", async () => {
    const lines: unknown[] = [];
    const log = (...args: readonly unknown[]): void => void lines.push(args);
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    const post = { allowPrivate: true, logger };
    const at = (path: string): string => `${parrot.origin}/${path}`;
    const backends: readonly Communicator[] = [
      new WhatsAppCommunicator("wa", {
        token: canary(),
        phoneNumberId: "1",
        appSecret: [canary(), canary()],
        verifyToken: canary(),
        apiRoot: parrot.origin,
        logger,
      }),
      new WebhookCommunicator("hook", {
        ...post,
        url: at(`${canary()}?key=${canary()}`),
        secret: [webhookCanary(), webhookCanary()],
        headers: { authorization: `Bearer ${canary()}`, "x-key": canary() },
      }),
      new SlackCommunicator("slack", { ...post, webhookUrl: at(`services/${canary()}`) }),
      new DiscordCommunicator("discord", { ...post, webhookUrl: at(`api/webhooks/1/${canary()}`) }),
      new NtfyCommunicator("ntfy", { ...post, server: parrot.origin, topic: "t", token: canary() }),
    ];
    const inits: readonly OutgoingMessageInit[] = [
      { message: "x" },
      { message: " " },
      { message: "x", metadata: { whatsapp: { type: "none" } } },
      { message: "x", attachments: [{ filename: "a", contentType: "image/png", bytes: Uint8Array.of(1) }] },
    ];
    const seen: unknown[] = [...backends];
    for (const backend of backends) {
      for (const init of inits) {
        const message = createOutgoingMessage(init, { newId: () => "m", now: () => 0 });
        for (const status of [200, 302, 400, 401, 403, 404, 410, 413, 429, 500, 503]) {
          parrot.status = status;
          for (const fault of FAULTS) {
            parrot.clearFaults();
            if (fault !== undefined) parrot.inject(fault);
            const context = { deliveryId: "d", recipient: "491701234567", attempt: 1 };
            seen.push(await backend.send(message, { ...context, signal: new AbortController().signal }));
          }
        }
      }
      seen.push(await failureOf(() => backend.receive([])), await failureOf(() => backend.receiveReceipts([])));
      seen.push(await failureOf(() => backend.openAttachment?.({ kind: "image", providerId: "1" }, {})));
      seen.push(await backend.webhook?.handshake?.(new URL("https://x/?hub.mode=subscribe&hub.verify_token=a")));
    }
    await parrot.stop();
    const message = createOutgoingMessage({ message: "x" }, { newId: () => "m", now: () => 0 });
    for (const backend of backends) {
      const context = { deliveryId: "d", recipient: "491701234567", attempt: 1, signal: AbortSignal.timeout(10_000) };
      seen.push(await backend.send(message, context));
    }
    assertClean([seen, lines]);
  });

  it("no secret comes out of a configuration that is refused", async () => {
    const store = new MemoryStore();
    const logger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
    const resolve = (): Communicator => new WebhookCommunicator("x", { url: "https://example.com/" });
    const context = { resolve, clock: systemClock, logger, store, extraFields: {} };
    const refused: readonly (readonly [BackendType, Omit<BackendConfig, "type">])[] = [
      [whatsapp, { token: `${canary()}\n`, phone_number_id: "1" }],
      [whatsapp, { token: canary(), phone_number_id: canary().replace("-", "/"), app_secret: ` ${canary()}` }],
      [whatsapp, { token: canary(), phone_number_id: "1", api_root: `https://u:${canary()}@x.org` }],
      [whatsapp, { token: canary(), phone_number_id: "1", verify_token: `${canary()} ` }],
      [webhook, { url: `http://example.com/${canary()}` }],
      [webhook, { url: `https://127.0.0.1/${canary()}`, secret: webhookCanary() }],
      [webhook, { url: "https://example.com/", secret: canary() }],
      [webhook, { url: "https://example.com/", secret: [webhookCanary(), `whsec_${canary()}`] }],
      [webhook, { url: "https://example.com/", headers: { authorization: `${canary()}\n` } }],
      [webhook, { url: "https://example.com/", headers: { [canary()]: 1 } }],
      [slack, { webhook_url: `https://evil.example.com/${canary()}` }],
      [slack, { webhook_url: [canary()] }],
      [discord, { webhook_url: `not a url ${canary()}` }],
      [ntfy, { topic: `${canary()}/x`, token: canary() }],
      [ntfy, { topic: "t", token: `${canary()}\n` }],
    ];
    const failures: unknown[] = [];
    for (const [type, config] of refused) {
      failures.push(await failureOf(() => Promise.resolve(type.create("x", { type: type.type, ...config }, context))));
    }
    assert.equal(failures.filter((each) => each instanceof Error).length, refused.length);
    // The name of a header is shown in its path: whoever writes a secret as a key has written it as a name.
    assertClean(failures.filter((_, index) => index !== 9));
    assert.ok(canaries.length >= 25);
    await store.close();
  });
});

async function failureOf(act: () => Promise<unknown> | undefined): Promise<unknown> {
  try {
    return await act();
  } catch (error) {
    return error;
  }
}

function assertClean(value: unknown): void {
  const texts = [inspect(value, { depth: 10, showHidden: true, maxStringLength: null }), JSON.stringify(value, plain)];
  for (const text of texts) {
    assert.ok(text.length > 1_000);
    for (const secret of canaries) assert.ok(!text.includes(secret), `${secret} in ${text.slice(0, 200)}`);
  }
}

/** Errors as they are when somebody writes all of them down. */
function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return { ...value, name: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
