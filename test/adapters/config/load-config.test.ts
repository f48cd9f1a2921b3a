import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import * as v from "valibot";
import { type BackendType, ConfigError, type ConfigIssue } from "../../../core/mod.ts";
import { checkConfig, loadConfig, parseSeconds } from "../../../adapters/config/mod.ts";
import { SPEC_CONFIG, SPEC_CUSTOM, SPEC_EMAIL, SPEC_TELEGRAM } from "./spec-configs.ts";

const ENV = {
  TELEGRAM_BOT_TOKEN: "123456:ABC-DEF",
  SMTP_USER: "posthorn",
  SMTP_PASS: "p4ss",
};

/** A kind of one's own; this suite makes none of it. */
function kind(type: string, schema?: BackendType["schema"]): BackendType {
  return {
    type,
    ...(schema === undefined ? {} : { schema }),
    create(): never {
      throw new Error("Cannot make one in this test");
    },
  };
}

function indented(text: string): string {
  return `communications:\n${text.replaceAll(/^(?=.)/gm, "  ")}`;
}

async function issuesOf(promise: Promise<unknown>): Promise<readonly ConfigIssue[]> {
  const error = await promise.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ConfigError, `not a ConfigError: ${String(error)}`);
  return error.issues;
}

describe("loadConfig", () => {
  it("loadConfig() loads the specification's configuration word for word, with one warning", async () => {
    const { config, warnings } = await loadConfig(SPEC_CONFIG, { env: ENV });
    assert.deepEqual(config, {
      communications: {
        enabled: true,
        backends: {
          my_telegram: {
            type: "telegram",
            token: "123456:ABC-DEF",
            labels: ["default", "alerts"],
            listen_to_commands: true,
            chats: {
              default: { chat_id: "-1001234567890", active: true },
              alerts: { chat_id: "-1009876543210", topic_id: 42, command_authorized: true, active: true },
            },
          },
          my_email: {
            type: "email",
            host: "smtp.example.com",
            port: 587,
            username: "posthorn",
            password: "p4ss",
            from_address: "noreply@example.com",
            start_tls: true,
            default_recipients: ["ops@example.com"],
            labels: ["alerts"],
          },
        },
      },
    });
    assert.deepEqual(warnings, [
      "api_id, api_hash, session_string are ignored (my_telegram): a bot needs its token alone",
    ]);
  });

  it("loadConfig() loads the specification's Telegram, mail and custom examples", async () => {
    const env = { ...ENV, SLACK_WEBHOOK_URL: "https://hooks.example.com/x" };
    const telegram = await loadConfig(indented(SPEC_TELEGRAM), { env });
    assert.equal(telegram.config.communications?.backends?.["my_telegram"]?.type, "telegram");
    const email = await loadConfig(indented(SPEC_EMAIL), { env });
    assert.equal(email.config.communications?.backends?.["my_email"]?.["use_tls"], true);
    const custom = await loadConfig(SPEC_CUSTOM, { env, backends: [kind("slack")] });
    assert.deepEqual(custom.config.communications?.backends, {
      my_slack: { type: "slack", labels: ["default"], webhook_url: "https://hooks.example.com/x" },
    });
  });

  it("loadConfig() gives durations in seconds, whatever they were written in", async () => {
    const { config } = await loadConfig(`
outbox: { lane_hold: 1m, send_timeout: 500ms, drain_timeout: "10" }
ledger: { max_age: 30d }
channels:
  jobs: { type: work_queue, claim_timeout: 300, backoff: { base_delay: 0.5, max_delay: 1.5h } }
communications:
  backends:
    mail: { type: email, from_address: a@b.example, retry: { max_attempts: 5, schedule: [30s, 5m, 1h] } }
`);
    assert.deepEqual(config.outbox, { lane_hold: 60, send_timeout: 0.5, drain_timeout: 10 });
    assert.deepEqual(config.ledger, { max_age: 2_592_000 });
    assert.deepEqual(config.channels?.["jobs"], {
      type: "work_queue",
      claim_timeout: 300,
      backoff: { base_delay: 0.5, max_delay: 5_400 },
    });
    const retry = config.communications?.backends?.["mail"]?.["retry"];
    assert.deepEqual(retry, { max_attempts: 5, schedule: [30, 300, 3_600] });
  });

  it("loadConfig() reads numbers and flags out of variables", async () => {
    const { config } = await loadConfig('server: { port: "${PORT}", emulator: "${EMULATOR}" }', {
      env: { PORT: "8080", EMULATOR: "true" },
    });
    assert.deepEqual(config.server, { port: 8080, emulator: true });
  });

  it("loadConfig() keeps ids that were written as numbers, digit by digit", async () => {
    const { config } = await loadConfig(`
communications:
  backends:
    ops: { type: telegram, token: "1:a", chats: { default: { chat_id: -1001234567890, user_ids: [42] } } }
`);
    assert.deepEqual(config.communications?.backends?.["ops"]?.["chats"], {
      default: { chat_id: "-1001234567890", user_ids: ["42"] },
    });
  });

  it("loadConfig() warns when backends are configured and nothing starts", async () => {
    const { warnings } = await loadConfig("communications: { backends: { page: { type: emulator } } }");
    assert.deepEqual(warnings, ["no backend starts, because communications.enabled is not true"]);
  });

  it("loadConfig() takes anchors, and keys that begin with x- for a place to put them", async () => {
    const { config } = await loadConfig(`
x-labels: &labels [alerts, page]
communications:
  enabled: true
  backends:
    a: { type: emulator, labels: *labels }
    b: { type: emulator, labels: *labels }
`);
    assert.deepEqual(config.communications?.backends?.["b"]?.labels, ["alerts", "page"]);
  });

  it("loadConfig() uses another parser in the place of the package", async () => {
    const { config } = await loadConfig('{"server": {"port": 1}}', { parse: JSON.parse });
    assert.deepEqual(config, { server: { port: 1 } });
    const issues = await issuesOf(loadConfig('{"token": "s3cr3t', { parse: JSON.parse }));
    assert.deepEqual(issues, [{ path: "", message: "the parser refused the configuration (SyntaxError)" }]);
    const fromMap = await loadConfig("", { parse: () => new Map([["server", new Map([["port", 2]])]]) });
    assert.deepEqual(fromMap.config, { server: { port: 2 } });
  });

  it("loadConfig() takes a byte order mark and Windows line ends", async () => {
    const { config } = await loadConfig("\ufeffserver:\r\n  port: 1\r\n");
    assert.deepEqual(config, { server: { port: 1 } });
  });

  it("loadConfig() reads `yes`, `off` and times as texts and 0o17 as a number: YAML 1.2", async () => {
    const { config } = await loadConfig(
      "%YAML 1.1\n---\ncommunications: { backends: { a: { type: own, x: yes, y: off, z: 12:30:00, o: 0o17 } } }",
      { backends: [kind("own")] },
    );
    assert.deepEqual(config.communications?.backends?.["a"], { type: "own", x: "yes", y: "off", z: "12:30:00", o: 15 });
  });
});

describe("loadConfig with kinds of one's own", () => {
  const text = (own: string): string => `communications: { backends: { mine: { type: own, labels: [a], ${own} } } }`;

  it("loadConfig() keeps every extra key of a kind without a schema", async () => {
    const { config } = await loadConfig(text("room: 7, nested: { deep: [1, null, x] }"), { backends: [kind("own")] });
    assert.deepEqual(config.communications?.backends?.["mine"], {
      type: "own",
      labels: ["a"],
      room: 7,
      nested: { deep: [1, null, "x"] },
    });
  });

  it("loadConfig() checks the keys every backend has, of a kind without a schema too", async () => {
    const issues = await issuesOf(loadConfig(text("min_severity: errror"), { backends: [kind("own")] }));
    assert.deepEqual(issues, [{
      path: "communications.backends.mine.min_severity",
      message: 'must be one of debug, info, warning, error, critical; did you mean "error"? (line 1)',
    }]);
  });

  it("loadConfig() gives the own keys to a Standard Schema and takes what it makes of them", async () => {
    const schema = v.strictObject({ room: v.pipe(v.number(), v.transform(String)), key: v.optional(v.string(), "k") });
    const { config } = await loadConfig(text("room: 7"), { backends: [kind("own", schema)] });
    assert.deepEqual(config.communications?.backends?.["mine"], { type: "own", labels: ["a"], room: "7", key: "k" });
  });

  it("loadConfig() reports what a Standard Schema refuses without the values it quotes", async () => {
    const schema = v.strictObject({ room: v.number(), key: v.pipe(v.string(), v.maxLength(3)) });
    const issues = await issuesOf(
      loadConfig(text('room: "${SECRET}", key: longer'), {
        env: { SECRET: "s3cr3t" },
        backends: [kind("own", schema)],
      }),
    );
    assert.deepEqual(issues.map(({ path }) => path), [
      "communications.backends.mine.room",
      "communications.backends.mine.key",
    ]);
    assert.ok(!JSON.stringify(issues).includes("s3cr3t"));
    assert.match(issues[0]?.message ?? "", /^Invalid type: Expected number but received this value/);
  });

  it("loadConfig() lets a kind of one's own take the place of one of the library", async () => {
    const { config } = await loadConfig("communications: { backends: { a: { type: email, anything: 1 } } }", {
      backends: [kind("email")],
    });
    assert.deepEqual(config.communications?.backends?.["a"], { type: "email", anything: 1 });
  });
});

describe("checkConfig", () => {
  it("checkConfig() checks an object, fills in its variables and leaves it alone", async () => {
    const given = Object.freeze({ server: Object.freeze({ token: "${TOKEN}" }) });
    const { config } = await checkConfig(given, { env: (name) => name === "TOKEN" ? "t" : undefined });
    assert.deepEqual(config, { server: { token: "t" } });
  });

  it("checkConfig() refuses what is no plain value", async () => {
    const issues = await issuesOf(checkConfig({
      server: { token: new Date(0), port: () => 1, host: Symbol("h") },
      outbox: { concurrency: Number.NaN },
    }));
    assert.deepEqual(issues.map(({ path, message }) => `${path}: ${message}`), [
      "server.token: cannot hold a value of kind Date",
      "server.port: cannot hold a value of kind function",
      "server.host: cannot hold a value of kind symbol",
      "outbox.concurrency: must be a finite number",
    ]);
  });
});

describe("parseSeconds", () => {
  it("parseSeconds() reads seconds and units, and nothing else", () => {
    const good: readonly (readonly [unknown, number])[] = [
      [0, 0],
      [1.5, 1.5],
      ["0", 0],
      ["90", 90],
      ["500ms", 0.5],
      ["1ms", 0.001],
      ["30s", 30],
      ["0.1s", 0.1],
      ["5m", 300],
      ["5 m", 300],
      ["1.5h", 5_400],
      ["7d", 604_800],
    ];
    for (const [text, seconds] of good) assert.equal(parseSeconds(text), seconds, String(text));
    for (
      const bad of ["", " 1", "1 ", "1w", "-1", "1e3", "1,5s", "s", "5mm", "0x10", -1, NaN, Infinity, null, true, []]
    ) {
      assert.equal(parseSeconds(bad), undefined, String(bad));
    }
  });
});
