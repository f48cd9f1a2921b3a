import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { SMTP_OPTION_KEYS, SMTP_TLS_KEYS } from "../../../adapters/smtp/mod.ts";
import { TELEGRAM_CHAT_KEYS, TELEGRAM_OPTION_KEYS } from "../../../adapters/telegram/mod.ts";
import {
  DISCORD_OPTION_KEYS,
  NTFY_OPTION_KEYS,
  SLACK_OPTION_KEYS,
  WEBHOOK_OPTION_KEYS,
} from "../../../adapters/webhook/mod.ts";
import { WHATSAPP_OPTION_KEYS } from "../../../adapters/whatsapp/mod.ts";
import { loadBuiltInBackends } from "../../../adapters/app/built-in-backends.ts";
import { prepareApplication, previewApplication } from "../../../adapters/app/mod.ts";
import { configJsonSchema } from "../../../adapters/config/mod.ts";
import { COMMON_BACKEND_KEYS } from "../../../adapters/config/schema/backend-common.ts";
import { BACKEND_SCHEMAS } from "../../../adapters/config/schema/backends.ts";

const COMMON = Object.keys(COMMON_BACKEND_KEYS);

function ownKeys(type: string): readonly string[] {
  return (BACKEND_SCHEMAS[type]?.keys ?? []).filter((key) => !COMMON.includes(key)).toSorted();
}

function withoutCommon(keys: readonly string[]): readonly string[] {
  return keys.filter((key) => !COMMON.includes(key)).toSorted();
}

describe("BACKEND_SCHEMAS", () => {
  const adapters: Readonly<Record<string, readonly string[]>> = {
    telegram: TELEGRAM_OPTION_KEYS,
    email: Object.values(SMTP_OPTION_KEYS),
    whatsapp: WHATSAPP_OPTION_KEYS,
    webhook: WEBHOOK_OPTION_KEYS,
    slack: SLACK_OPTION_KEYS,
    discord: DISCORD_OPTION_KEYS,
    ntfy: NTFY_OPTION_KEYS,
  };
  for (const [type, keys] of Object.entries(adapters)) {
    it(`BACKEND_SCHEMAS has every key that ${type} reads, and no other`, () => {
      assert.deepEqual(ownKeys(type), withoutCommon(keys));
    });
  }

  it("BACKEND_SCHEMAS has the keys of a Telegram chat and of mail's tls", () => {
    const text = JSON.stringify(configJsonSchema());
    const { definitions } = JSON.parse(text);
    const chats = definitions.backend_telegram.properties.chats.additionalProperties.properties;
    assert.deepEqual(Object.keys(chats).toSorted(), [...TELEGRAM_CHAT_KEYS].toSorted());
    const tls = definitions.backend_email.properties.tls.properties;
    assert.deepEqual(Object.keys(tls).toSorted(), [...SMTP_TLS_KEYS].toSorted());
  });

  it("BACKEND_SCHEMAS has a kind for every one that can be loaded", async () => {
    const loaded = await loadBuiltInBackends(Object.keys(BACKEND_SCHEMAS));
    assert.deepEqual(loaded.map(({ type }) => type), Object.keys(BACKEND_SCHEMAS));
  });

  it("every kind takes every key that all backends have", async () => {
    const least: Readonly<Record<string, object>> = {
      telegram: { token: "1:a" },
      email: { from_address: "a@b.example", start_tls: true },
      whatsapp: { token: "t", phone_number_id: "1" },
      webhook: { url: "https://a.example/" },
      slack: { webhook_url: "https://hooks.slack.com/services/x" },
      discord: { webhook_url: "https://discord.com/api/webhooks/1/x" },
      ntfy: { topic: "t" },
      emulator: {},
      noop: {},
      fallback: { channels: ["noop"] },
    };
    assert.deepEqual(Object.keys(least).toSorted(), Object.keys(BACKEND_SCHEMAS).toSorted());
    const common = {
      enabled: true,
      labels: ["a"],
      min_severity: "error",
      retry: { max_attempts: 2, base_delay: 1, max_delay: 2, schedule: [1] },
      rate: { backend: { count: 1, per: 1, burst: 1 }, destination: { count: 1 } },
      on_unknown: "hold",
      concurrency: 1,
      lane_hold: 1,
      send_timeout: 1,
      hold_for: 600,
      resting: { after_failures: 3, for: 10 },
      allow_recipients: ["*"],
    };
    assert.deepEqual(["type", ...Object.keys(common)].toSorted(), COMMON.toSorted());
    const backends = Object.fromEntries(
      Object.entries(least).map(([type, own]) => [type, { type, ...common, ...own }]),
    );
    const { warnings } = previewApplication(await prepareApplication({ communications: { enabled: true, backends } }));
    assert.deepEqual(warnings, []);
  });
});
