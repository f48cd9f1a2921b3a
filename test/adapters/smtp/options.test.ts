import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { type BackendConfig, type BackendContext, ConfigError, ValidationError } from "../../../core/mod.ts";
import {
  deriveSmtpSecurity,
  email,
  SMTP_OPTION_KEYS,
  SmtpCommunicator,
  type SmtpSecurityInput,
} from "../../../adapters/smtp/mod.ts";
import { loggerTo, messageOf } from "./fixture.ts";

type SecurityRow = readonly [given: Partial<SmtpSecurityInput>, expected: string];

const LOOPBACK = { host: "127.0.0.1" };

/** `implicit`, `starttls` or `none`, with `!` where something is said about it; or `error`. */
const SECURITY: readonly SecurityRow[] = [
  [{}, "starttls!"],
  [{ port: 25 }, "starttls!"],
  [{ port: 2525 }, "starttls!"],
  [{ port: 465 }, "implicit!"],
  [{ startTls: true }, "starttls"],
  [{ startTls: true, port: 25 }, "starttls"],
  [{ startTls: true, port: 465 }, "starttls!"],
  [{ startTls: true, useTls: false }, "starttls"],
  [{ startTls: true, useTls: true }, "error"],
  [{ startTls: true, useTls: true, port: 465 }, "error"],
  [{ useTls: true, port: 465 }, "implicit"],
  [{ useTls: true, port: 587 }, "implicit!"],
  [{ useTls: true, startTls: false, port: 587 }, "implicit!"],
  [{ useTls: true, startTls: false, port: 465 }, "implicit"],
  [{ startTls: false }, "implicit!"],
  [{ startTls: false, port: 465 }, "implicit!"],
  [{ useTls: false }, "starttls!"],
  [{ useTls: false, port: 465 }, "starttls!"],
  [{ useTls: false, startTls: false }, "error"],
  [{ useTls: false, startTls: false, ...LOOPBACK }, "error"],
  [{ useTls: false, startTls: false, allowInsecure: true, ...LOOPBACK }, "none!"],
  [{ allowInsecure: true, ...LOOPBACK }, "none!"],
  [{ allowInsecure: true, host: "localhost" }, "none!"],
  [{ allowInsecure: true, host: "mail.localhost" }, "none!"],
  [{ allowInsecure: true, host: "::1" }, "none!"],
  [{ allowInsecure: true }, "error"],
  [{ allowInsecure: true, host: "localhost.example.com" }, "error"],
  [{ allowInsecure: true, host: "127.0.0.1.example.com" }, "error"],
  [{ allowInsecure: true, host: "10.0.0.1" }, "error"],
  [{ allowInsecure: true, startTls: true }, "starttls"],
  [{ allowInsecure: true, useTls: true, port: 465 }, "implicit"],
  [{ allowInsecure: false, ...LOOPBACK }, "starttls!"],
];

describe("deriveSmtpSecurity()", () => {
  for (const [given, expected] of SECURITY) {
    it(`makes ${JSON.stringify(given)} ${expected}`, () => {
      const input = { host: "smtp.example.com", port: 587, ...given };
      if (expected === "error") return assert.throws(() => deriveSmtpSecurity(input), ValidationError);
      const { security, warning } = deriveSmtpSecurity(input);
      assert.equal(`${security}${warning === undefined ? "" : "!"}`, expected);
    });
  }
});

const BASE: BackendConfig = {
  type: "email",
  host: "smtp.example.com",
  port: 587,
  username: "ann",
  password: "correct horse",
  from_address: "noreply@example.com",
  start_tls: true,
  default_recipients: ["ops@example.com"],
  labels: ["alerts"],
};

function create(config: BackendConfig, log: string[] = []): SmtpCommunicator {
  // What email.create() uses of it.
  const context: Partial<BackendContext> = { logger: loggerTo(log) };
  const backend = email.create("my_email", config, context as BackendContext);
  assert.ok(backend instanceof SmtpCommunicator);
  return backend;
}

function issuesOf(config: BackendConfig): readonly string[] {
  try {
    create(config);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.issues.map(({ path }) => path);
  }
  return [];
}

describe("email.create()", () => {
  it("takes both examples of the specification, word for word", () => {
    assert.deepEqual(issuesOf(BASE), []);
    const log: string[] = [];
    create({ ...BASE, use_tls: true, start_tls: false }, log);
    assert.equal(log.length, 1);
    assert.match(log[0] ?? "", /^warn Backend "my_email": TLS from the start on port 587/);
  });

  it("says what it derived (P18)", () => {
    const log: string[] = [];
    const { start_tls: _, ...open } = BASE;
    create(open, log);
    assert.match(log.join("\n"), /neither use_tls nor start_tls is given: requiring STARTTLS \(port 587\)/);
  });

  it("takes every option", () => {
    assert.deepEqual(
      issuesOf({
        ...BASE,
        from_name: "Posthorn",
        return_path: "bounces@example.com",
        reply_to: "help@example.com",
        allow_recipients: ["*@example.com"],
        use_tls: false,
        allow_insecure: false,
        tls: { servername: "mail.example.com", ca: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n" },
        subject_prefix: "[prod] ",
        list_unsubscribe: "https://example.com/u/{delivery_id}",
        client_name: "app.example.com",
        max_connections: 2,
        max_messages_per_connection: 50,
        idle_timeout: 0,
        connect_timeout: 5,
        command_timeout: 10.5,
        data_timeout: 60,
        min_severity: "warning",
        rate: { count: 1 },
        retry: {},
        on_unknown: "hold",
        enabled: true,
      }),
      [],
    );
  });

  it("takes empty texts, as an unset variable leaves them, for nothing", () => {
    assert.deepEqual(issuesOf({ ...BASE, username: "", password: "", reply_to: null }), []);
  });

  it("lists everything that is wrong at once", () => {
    const wrong = {
      type: "email",
      host: "smtp example",
      port: 70_000,
      username: "ann",
      from_address: "Ann <ann@example.com>",
      use_tls: true,
      start_tls: true,
      default_recipients: ["ops@example.com", "ops@example.com\r\nRCPT TO:<evil@example.org>"],
      default_recipient: ["x@example.com"],
      tls: { server_name: "x" },
      list_unsubscribe: "http://example.com",
      client_name: "a\r\nMAIL FROM:<x>",
      max_connections: 0,
      idle_timeout: -1,
      allow_recipients: ["*.example.com"],
    };
    assert.deepEqual(
      issuesOf(wrong).toSorted(),
      [
        "allow_recipients.0",
        "client_name",
        "default_recipient",
        "default_recipients.1",
        "from_address",
        "host",
        "idle_timeout",
        "list_unsubscribe",
        "max_connections",
        "password",
        "port",
        "start_tls",
        "tls.server_name",
      ],
    );
  });

  for (const from_address of [undefined, null, ""]) {
    it(`asks for from_address when it is ${String(from_address) || "empty"}`, () => {
      assert.deepEqual(issuesOf({ ...BASE, from_address }), ["from_address"]);
    });
  }

  it("knows a configuration key for every option", () => {
    const keys = Object.values(SMTP_OPTION_KEYS);
    assert.equal(new Set(keys).size, keys.length);
    for (const key of keys) assert.match(key, /^[a-z]+(?:_[a-z]+)*$/);
  });
});

describe("SmtpCommunicator.destinations()", () => {
  const backend = create({ ...BASE, default_recipients: ["ops@example.com", "ops@EXAMPLE.com", "ann@example.com"] });

  it("gives one for each default recipient, once", () => {
    assert.deepEqual(backend.destinations(messageOf()), [{ recipient: "ops@example.com" }, {
      recipient: "ann@example.com",
    }]);
  });

  it("gives one for each recipient of the message, once, in its place", () => {
    const message = messageOf({ recipients: ["x@example.com", "x@Example.COM", "y@bücher.example"] });
    assert.deepEqual(backend.destinations(message), [{ recipient: "x@example.com" }, {
      recipient: "y@xn--bcher-kva.example",
    }]);
    assert.deepEqual(
      backend.destinations(messageOf({ metadata: { recipients: ["admin@example.com"] } })),
      [{ recipient: "admin@example.com" }],
    );
  });

  it("keeps what is no address, for a receipt that says so", () => {
    assert.deepEqual(backend.destinations(messageOf({ recipients: ["nobody"] })), [{ recipient: "nobody" }]);
  });

  it("gives none where nobody is configured", () => {
    assert.deepEqual(create({ ...BASE, default_recipients: [] }).destinations(messageOf()), []);
  });
});

describe("SmtpCommunicator.retryPolicy", () => {
  it("tries for four to five days", () => {
    const { retryPolicy: { maxAttempts, scheduleMs = [] } } = create(BASE);
    let totalMs = 0;
    for (let attempt = 2; attempt <= maxAttempts; attempt++) {
      totalMs += scheduleMs[Math.min(attempt - 2, scheduleMs.length - 1)] ?? Number.NaN;
    }
    const days = totalMs / 86_400_000;
    assert.ok(days > 4 && days < 5, String(days));
  });
});
