import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import {
  type BackendConfig,
  BackendRegistry,
  ConfigError,
  ManualClock,
  MemoryStore,
  silentLogger,
} from "../../../core/mod.ts";
import { telegram, TELEGRAM_OPTION_KEYS, TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { readTelegramConfig } from "../../../adapters/telegram/config.ts";
import { type LogLine, recordingLogger } from "./support.ts";

const TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

/** The example of the specification, with its variables filled in. */
const SPECIFIED: BackendConfig = {
  type: "telegram",
  api_id: "12345",
  api_hash: "0123456789abcdef",
  token: TOKEN,
  session_string: "",
  labels: ["default", "alerts"],
  listen_to_commands: true,
  chats: {
    default: { chat_id: "-1001234567890", active: true },
    alerts: { chat_id: "-1009876543210", topic_id: 42, command_authorized: true, active: true },
  },
};

function issuesOf(config: Record<string, unknown>): readonly string[] {
  try {
    readTelegramConfig({ type: "telegram", ...config });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.issues.map(({ path }) => path);
  }
  return [];
}

describe("readTelegramConfig()", () => {
  it("takes the example of the specification as it is, and warns once of what has no effect", () => {
    const { options, warnings } = readTelegramConfig(SPECIFIED);
    assert.equal(options.listenToCommands, true);
    assert.deepEqual(options.chats?.["alerts"], {
      chatId: "-1009876543210",
      topicId: 42,
      commandAuthorized: true,
      active: true,
    });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^api_id, api_hash have no effect/);
  });

  it("takes a chat id that YAML read as a number", () => {
    const { options } = readTelegramConfig({
      type: "telegram",
      token: TOKEN,
      chats: { default: { chat_id: -1001234567890, user_ids: [4711, "4712"] } },
    });
    assert.deepEqual(options.chats?.["default"], { chatId: "-1001234567890", userIds: ["4711", "4712"] });
  });

  it("reads durations in seconds", () => {
    const { options } = readTelegramConfig({
      type: "telegram",
      token: TOKEN,
      poll_timeout: 10,
      timeout: 2.5,
      part_interval: 0,
    });
    assert.equal(options.pollTimeoutMs, 10_000);
    assert.equal(options.timeoutMs, 2_500);
    assert.equal(options.partIntervalMs, 0);
  });

  it("lists everything that is wrong at once", () => {
    const issues = issuesOf({
      token: "no token",
      webhook_secret: "not allowed!",
      api_root: "http://example.org",
      parse_mode: "markdown",
      listen_to_commands: "yes",
      timeout: "soon",
      allowed_updates: "message",
      chats: {
        a: { chat_id: "somebody" },
        b: { chat_id: "@channel", command_authorized: true },
        c: { chat_id: "-1", topic_id: 0 },
        d: "-100",
        e: { chat_id: "-1", topicid: 3 },
        f: { chat_id: "-1/4" },
        g: {},
        h: { chat_id: "-1", user_ids: ["ada"] },
      },
    });
    assert.deepEqual(
      new Set(issues),
      new Set([
        "token",
        "webhook_secret",
        "api_root",
        "parse_mode",
        "listen_to_commands",
        "timeout",
        "allowed_updates",
        "chats.a.chat_id",
        "chats.b.chat_id",
        "chats.c.topic_id",
        "chats.d",
        "chats.e.topicid",
        "chats.f.chat_id",
        "chats.g.chat_id",
        "chats.h.user_ids",
      ]),
    );
  });

  it("never quotes a value", () => {
    const secret = "c4n4ry-$ecret";
    try {
      readTelegramConfig({ type: "telegram", token: secret, webhook_secret: secret, api_root: `http://${secret}@x/` });
      assert.fail("it took them");
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      assert.ok(!JSON.stringify([error.message, error.issues]).includes("c4n4ry"));
    }
  });

  it("takes http on this machine, and elsewhere only when told to", () => {
    for (
      const api_root of [
        "http://127.0.0.1:8081",
        "http://localhost:8081/",
        "http://[::1]:8081",
        "https://example.org/api",
      ]
    ) {
      assert.deepEqual(issuesOf({ token: TOKEN, api_root }), []);
    }
    for (
      const api_root of [
        "http://telegram-bot-api:8081",
        "http://127.0.0.1.example.org",
        "ftp://127.0.0.1",
        "no",
        "https://example.org/?a=1",
      ]
    ) {
      assert.deepEqual(issuesOf({ token: TOKEN, api_root }), ["api_root"], api_root);
    }
    assert.deepEqual(issuesOf({ token: TOKEN, api_root: "http://telegram-bot-api:8081", allow_insecure: true }), []);
  });

  it("wants a secret with a webhook address", () => {
    assert.deepEqual(issuesOf({ token: TOKEN, webhook_url: "https://example.org/hook" }), ["webhook_url"]);
    assert.deepEqual(issuesOf({ token: TOKEN, webhook_url: "http://example.org/hook", webhook_secret: "s" }), [
      "webhook_url",
    ]);
  });

  it("names the nearest key to a mistyped one, and lets a strange one pass with a warning", () => {
    assert.deepEqual(issuesOf({ token: TOKEN, web_hook_secret: "s" }), ["web_hook_secret"]);
    const { warnings } = readTelegramConfig({ type: "telegram", token: TOKEN, something_of_tomorrow: 1 });
    assert.equal(warnings.length, 1);
  });

  it("reads every key it lists", () => {
    const config: Record<string, unknown> = Object.fromEntries(TELEGRAM_OPTION_KEYS.map((key) => [key, Symbol(key)]));
    const issues = issuesOf(config);
    for (const key of TELEGRAM_OPTION_KEYS) {
      if (!["api_id", "api_hash", "session_string"].includes(key)) assert.ok(issues.includes(key), key);
    }
  });
});

describe("telegram", () => {
  it("create() makes a communicator and says what has no effect through the logger, once", () => {
    const lines: LogLine[] = [];
    const clock = new ManualClock();
    const backend = new BackendRegistry([telegram]).get("telegram", "type").create("ops", SPECIFIED, {
      resolve: () => assert.fail("resolves nothing"),
      clock,
      logger: recordingLogger(lines),
      store: new MemoryStore({ clock }),
      extraFields: {},
    });
    assert.ok(backend instanceof TelegramCommunicator);
    assert.equal(backend.name, "ops");
    assert.deepEqual(lines.map(({ level }) => level), ["warn"]);
  });
});

describe("TelegramCommunicator", () => {
  it("has a webhook only with a secret, and receives only when it listens", () => {
    const make = (more: object): TelegramCommunicator => new TelegramCommunicator("ops", { token: TOKEN, ...more });
    assert.equal(make({}).webhook, undefined);
    assert.equal(make({}).supportsReceiving, false);
    assert.equal(make({ webhookSecret: "s" }).webhook, undefined);
    assert.equal(make({ listenToCommands: true }).webhook, undefined);
    assert.equal(make({ listenToCommands: true }).supportsReceiving, true);
    assert.notEqual(make({ listenToCommands: true, webhookSecret: "s" }).webhook, undefined);
  });

  it("wants a token or a bot, not both and not neither", () => {
    const bot = { token: TOKEN, api: { config: { installedTransformers: () => [] } } };
    assert.throws(() => new TelegramCommunicator("ops", {}), ConfigError);
    assert.throws(() => new TelegramCommunicator("ops", { token: TOKEN, bot }), ConfigError);
    assert.doesNotThrow(() => new TelegramCommunicator("ops", { bot }, { logger: silentLogger }));
  });

  it("pacing has no window above Telegram's limits", () => {
    const { pacing } = new TelegramCommunicator("ops", { token: TOKEN });
    const windowOf = (rule: { readonly count: number; readonly burst?: number } | undefined): number =>
      (rule?.count ?? Infinity) + (rule?.burst ?? rule?.count ?? Infinity);
    assert.equal(windowOf(pacing.backend), 30);
    assert.ok(typeof pacing.destination === "function");
    for (const group of ["-1001234567890", "-4711/3", "@channel"]) {
      assert.equal(pacing.destination(group)?.perMs, 60_000);
      assert.equal(windowOf(pacing.destination(group)), 20);
    }
    assert.equal(pacing.destination("4711")?.count, 1);
    assert.equal(pacing.destination(undefined)?.count, 1);
  });
});
