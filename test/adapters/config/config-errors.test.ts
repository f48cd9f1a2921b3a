import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { ConfigError } from "../../../core/mod.ts";
import { loadConfig } from "../../../adapters/config/mod.ts";

const MAIL = "type: email, from_address: a@b.example";

/** What it was given, and every issue as `path: message`. */
const TABLE: readonly (readonly [name: string, text: string, ...issues: readonly string[]])[] = [
  // Syntax
  ["an empty file", "", ": the configuration is empty"],
  ["comments alone", "# nothing\n", ": the configuration is empty"],
  ["a list", "- a", ": must be a mapping, not a list"],
  ["a text", "hello", ": must be a mapping, not a text"],
  ["a control character", "a: 1\nb: \u0007", ": line 2: the control character U+0007 is not allowed"],
  ["a tab", "server:\n\tport: 1", ": line 2, column 1: a tab in the indentation; use spaces"],
  [
    "an open quote",
    "server:\n  host: 'abc",
    ": line 2, column 13: a colon, comma, quote or closing bracket is missing",
  ],
  [
    "an open bracket",
    "server: { port: 1",
    ": line 1, column 18: the indentation does not fit, or a closing bracket is missing",
  ],
  ["an open list", "server: [1", ": line 1, column 11: the indentation does not fit, or a closing bracket is missing"],
  [
    "a variable in braces",
    "server: { token: ${X} }",
    ': line 1, column 19: write "${NAME}" in quotes inside { } and [ ]',
  ],
  ["two documents", "server: {}\n---\nserver: {}", ": line 2, column 1: more than one document (---) in the file"],
  ["a tag", "server: !!js/function x", ": line 1, column 9: tags (!name) are not supported"],
  ["an alias without an anchor", "server: *nobody", "server: an alias without an anchor before it (line 1)"],
  [
    "an alias inside of its anchor",
    "server: &a { host: *a }",
    "server.host: an alias without an anchor before it (line 1)",
  ],
  ["a key twice", "server: {}\nserver: {}", "server: the key server is there twice (line 2)"],
  [
    "keys twice, all of them",
    "server:\n  port: 1\n  port: 2\noutbox: { lane_hold: 1, lane_hold: 1 }",
    "server.port: the key port is there twice (line 3)",
    "outbox.lane_hold: the key lane_hold is there twice (line 4)",
  ],
  ["a list for a key", "? [a]\n: 1", ": a key must be a text or a number (line 1)"],
  [
    "a merge key",
    "x-a: &a { port: 1 }\nserver:\n  <<: *a",
    'server["<<"]: merge keys (<<) are not supported; write the keys out (line 3)',
  ],
  ["__proto__", "server: { __proto__: { port: 1 } }", "server.__proto__: the key __proto__ is not allowed (line 1)"],
  ["constructor", "constructor: 1", "constructor: the key constructor is not allowed (line 1)"],
  ["prototype", "channels: { prototype: 1 }", "channels.prototype: the key prototype is not allowed (line 1)"],
  [
    "too many digits",
    `communications: { backends: { t: { type: telegram, token: "1:a", chats: { a: { chat_id: 12345678901234567890 } } } } }`,
    "communications.backends.t.chats.a.chat_id: the number has too many digits; put it in quotes (line 1)",
  ],
  ["infinity", "server: { port: .inf }", "server.port: must be a finite number (line 1)"],
  // Keys
  ["a section", "sever: {}", "sever: unknown key; did you mean server? (line 1)"],
  ["a section like none", "kubernetes: {}", "kubernetes: unknown key (line 1)"],
  ["an odd key", 'server: { "a\\u001b[31m b": 1 }', 'server["a�[31m b"]: unknown key (line 1)'],
  ["a key without a value", "server:\n  port:", "server.port: has no value: give it one or remove the key (line 2)"],
  ["a section without a value", "server:", "server: has no value: give it one or remove the key (line 1)"],
  ["a text for a section", "server: yes", "server: must be a mapping, not a text (line 1)"],
  ["a list for a section", "channels: []", "channels: must be a mapping, not a list (line 1)"],
  [
    "a key of communications",
    "communications: { enable: true }",
    "communications.enable: unknown key; did you mean enabled? (line 1)",
  ],
  [
    "several keys of a backend",
    `communications: { backends: { m: { ${MAIL}, prot: 1, hots: x, colour: red } } }`,
    "communications.backends.m.prot: unknown key; did you mean port? (line 1)",
    "communications.backends.m.hots: unknown key; did you mean host? (line 1)",
    "communications.backends.m.colour: unknown key (line 1)",
  ],
  [
    "a key of a chat",
    'communications: { backends: { t: { type: telegram, token: "1:a", chats: { a: { chat_id: 1, topic: 2 } } } } }',
    "communications.backends.t.chats.a.topic: unknown key; did you mean topic_id? (line 1)",
  ],
  [
    "a name of a backend",
    `communications: { backends: { "my mail": { ${MAIL} } } }`,
    'communications.backends["my mail"]: a name is 1 to 128 letters, digits, dots, underscores and hyphens (line 1)',
  ],
  [
    "a mistyped key whose variable is not set",
    'server: { tokn: "${NOWHERE}", token: "${NOWHERE}" }',
    "server.tokn: unknown key; did you mean token? (line 1)",
    "server.token: the environment variable NOWHERE is not set (line 1)",
  ],
  // Types
  [
    "a backend without a type",
    "communications: { backends: { a: {} } }",
    "communications.backends.a.type: is missing; known types are telegram, email, whatsapp, webhook, slack, discord, ntfy, emulator, noop, fallback (line 1)",
  ],
  [
    "a mistyped type",
    "communications: { backends: { a: { type: telegrm } } }",
    'communications.backends.a.type: unknown backend type; did you mean "telegram"? (line 1)',
  ],
  [
    "a type like none",
    "communications: { backends: { a: { type: carrier-pigeon } } }",
    "communications.backends.a.type: unknown backend type; known types are telegram, email, whatsapp, webhook, slack, discord, ntfy, emulator, noop, fallback (line 1)",
  ],
  [
    "a type that is a number",
    "store: { type: 1 }",
    "store.type: must be a text, not a number; put it in quotes (line 1)",
  ],
  ["a type without a value", "store: { type: }", "store.type: has no value: give it one or remove the key (line 1)"],
  ["a store", "store: { type: sqlit, path: x }", 'store.type: unknown store type; did you mean "sqlite"? (line 1)'],
  ["a store without its path", "store: { type: sqlite }", "store.path: is missing (line 1)"],
  ["a path in memory", "store: { type: memory, path: x }", "store.path: unknown key (line 1)"],
  [
    "a periodic channel",
    "channels: { p: { type: periodic } }",
    "channels.p.type: a periodic channel fetches by code: make it with new PeriodicChannel() (line 1)",
  ],
  [
    "a kind of channel",
    "channels: { p: { type: work-queue } }",
    'channels.p.type: unknown channel type; did you mean "work_queue"? (line 1)',
  ],
  // Values
  [
    "a text for a number",
    "server: { port: http }",
    "server.port: must be an integer from 0 to 65535, not a text (line 1)",
  ],
  ["a number out of range", "server: { port: 65536 }", "server.port: must be an integer from 0 to 65535 (line 1)"],
  ["half a port", "server: { port: 1.5 }", "server.port: must be an integer from 0 to 65535 (line 1)"],
  [
    "a number for a text",
    "server: { host: 1 }",
    "server.host: must be a text, not a number; put it in quotes (line 1)",
  ],
  [
    "a number for a secret",
    "server: { token: 12345 }",
    "server.token: must be a text, not a number; put it in quotes (line 1)",
  ],
  ["an empty secret", 'server: { token: "" }', "server.token: is empty (line 1)"],
  ["a line break", 'server: { host: "a\\nb" }', "server.host: holds a line break or a control character (line 1)"],
  ["a word for a flag", "server: { emulator: yes }", "server.emulator: must be true or false, not a text (line 1)"],
  [
    "no URL",
    "server: { public_url: example.com }",
    "server.public_url: must be an absolute http or https URL (line 1)",
  ],
  [
    "a duration",
    "outbox: { lane_hold: soon }",
    'outbox.lane_hold: must be a number of seconds or a text like "5m", not this text (line 1)',
  ],
  [
    "a duration out of range",
    "outbox: { send_timeout: 2d }",
    "outbox.send_timeout: must be from 0.001 to 86400 seconds (line 1)",
  ],
  [
    "one label without a list",
    `communications: { backends: { m: { ${MAIL}, labels: alerts } } }`,
    "communications.backends.m.labels: must be a list, not a text; write it in [ ] (line 1)",
  ],
  [
    "a number among labels",
    `communications: { backends: { m: { ${MAIL}, labels: [a, 1] } } }`,
    "communications.backends.m.labels[1]: must be a text, not a number; put it in quotes (line 1)",
  ],
  [
    "a severity",
    `communications: { backends: { m: { ${MAIL}, min_severity: warnin } } }`,
    'communications.backends.m.min_severity: must be one of debug, info, warning, error, critical; did you mean "warning"? (line 1)',
  ],
  [
    "retry and rate",
    `communications: { backends: { m: { ${MAIL}, retry: { max_attempts: 0, schedule: [] }, rate: { backend: { per: 1 } } } } }`,
    "communications.backends.m.retry.max_attempts: must be an integer from 1 to 1000 (line 1)",
    "communications.backends.m.retry.schedule: must have at least 1 entry (line 1)",
    "communications.backends.m.rate.backend.count: is missing (line 1)",
  ],
  // Several keys together
  [
    "TLS twice",
    `communications: { backends: { m: { ${MAIL}, use_tls: true, start_tls: "true" } } }`,
    "communications.backends.m.start_tls: use_tls and start_tls exclude each other: TLS from the first byte, or STARTTLS (line 1)",
  ],
  [
    "a password without a name",
    `communications: { backends: { m: { ${MAIL}, password: x } } }`,
    "communications.backends.m.username: is missing: password needs it (line 1)",
  ],
  [
    "a webhook without a secret",
    'communications: { backends: { t: { type: telegram, token: "1:a", webhook_url: "https://a.example/" } } }',
    "communications.backends.t.webhook_secret: is missing: webhook_url needs it (line 1)",
  ],
  [
    "a webhook without anything",
    "communications: { backends: { w: { type: webhook } } }",
    "communications.backends.w.url: is missing: give a url to send to, or a secret to receive with (line 1)",
  ],
  [
    "secrets and headers of a webhook",
    'communications: { backends: { w: { type: webhook, secret: [short], headers: { "a b": x, c: 1 } } } }',
    'communications.backends.w.secret[0]: must be "whsec_" followed by 24 to 64 bytes as base64 (line 1)',
    'communications.backends.w.headers["a b"]: this is no name of a header (line 1)',
    "communications.backends.w.headers.c: must be a text, not a number; put it in quotes (line 1)",
  ],
  [
    "a channel of the application's own",
    "channels: { inbox: { type: broadcast } }",
    "channels.inbox: the application uses this id itself; choose another (line 1)",
  ],
  [
    "a default backend that is not there",
    `communications: { default_backend: mial, backends: { mail: { ${MAIL} } } }`,
    'communications.default_backend: there is no backend of this name; did you mean "mail"? (line 1)',
  ],
  [
    "a fallback to nobody",
    `communications: { backends: { mail: { ${MAIL} }, f: { type: fallback, channels: [mial, mail, other] } } }`,
    'communications.backends.f.channels[0]: there is no backend of this name; did you mean "mail"? (line 1)',
    "communications.backends.f.channels[2]: there is no backend of this name (line 1)",
  ],
  [
    "a circle of fallbacks",
    "communications:\n  backends:\n    a: { type: fallback, channels: [b] }\n    b: { type: fallback, channels: [a] }",
    "communications.backends.a.channels[0]: leads back to a (line 3)",
    "communications.backends.b.channels[0]: leads back to b (line 4)",
  ],
];

async function issuesOf(text: string, env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const error = await loadConfig(text, { env }).then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ConfigError, `not a ConfigError: ${String(error)}`);
  assert.equal(error.code, "config");
  return error.issues.map(({ path, message }) => `${path}: ${message}`);
}

describe("loadConfig, what is wrong", () => {
  for (const [name, text, ...issues] of TABLE) {
    it(`loadConfig() says what is wrong with ${name}`, async () => {
      assert.deepEqual(await issuesOf(text), issues);
    });
  }

  it("loadConfig() lists everything at once, from syntax trees to variables", async () => {
    const issues = await issuesOf(
      `
stor: { type: memory }
server: { port: 99999, token: "\${TOKEN}", tokn: x }
communications:
  enabled: maybe
  backends:
    a: { type: telegrm }
    b: { type: email, use_tls: true, start_tls: true, porrt: 1 }
    c: { type: telegram, token: "\${BOT}", chats: { default: { id: 1 } } }
    d: { type: fallback, channels: [nobody] }
channels:
  q: { type: work_queue, claim_timeout: 5 minutes }
`,
    );
    assert.deepEqual(issues.toSorted(), [
      'channels.q.claim_timeout: must be a number of seconds or a text like "5m", not this text (line 12)',
      'communications.backends.a.type: unknown backend type; did you mean "telegram"? (line 7)',
      "communications.backends.b.from_address: is missing (line 8)",
      "communications.backends.b.porrt: unknown key; did you mean port? (line 8)",
      "communications.backends.b.start_tls: use_tls and start_tls exclude each other: TLS from the first byte, or STARTTLS (line 8)",
      "communications.backends.c.chats.default.chat_id: is missing (line 9)",
      "communications.backends.c.chats.default.id: unknown key (line 9)",
      "communications.backends.c.token: the environment variable BOT is not set (line 9)",
      "communications.backends.d.channels[0]: there is no backend of this name (line 10)",
      "communications.enabled: must be true or false, not a text (line 5)",
      "server.port: must be an integer from 0 to 65535 (line 3)",
      "server.token: the environment variable TOKEN is not set (line 3)",
      "server.tokn: unknown key; did you mean token? (line 3)",
      "stor: unknown key; did you mean store? (line 2)",
    ]);
  });

  it("loadConfig() never shows a value: 25 places, each holding a canary of the wrong kind", async () => {
    const canary = "cAnArY-7f3a";
    const places = [
      (it: string) => `server: { port: ${it} }`,
      (it: string) => `server: { emulator: ${it} }`,
      (it: string) => `server: { public_url: ${it} }`,
      (it: string) => `server: { token: [${it}] }`,
      (it: string) => `server: { host: "${it}\\n" }`,
      (it: string) => `outbox: { lane_hold: ${it} }`,
      (it: string) => `store: { type: ${it} }`,
      (it: string) => `store: ${it}`,
      (it: string) => `communications: { enabled: ${it} }`,
      (it: string) => `communications: { backends: ${it} }`,
      (it: string) => `communications: { backends: { a: ${it} } }`,
      (it: string) => `communications: { backends: { a: { type: ${it} } } }`,
      (it: string) => `communications: { backends: { a: { type: telegram, token: ${it} } } }`,
      (it: string) => `communications: { backends: { a: { type: telegram, token: "1:a", webhook_secret: "${it}!" } } }`,
      (it: string) => `communications: { backends: { a: { type: email, from_address: ${it} } } }`,
      (it: string) => `communications: { backends: { a: { ${MAIL}, password: ${it} } } }`,
      (it: string) => `communications: { backends: { a: { ${MAIL}, retry: ${it} } } }`,
      (it: string) => `communications: { backends: { a: { ${MAIL}, min_severity: ${it} } } }`,
      (it: string) => `communications: { backends: { a: { type: fallback, channels: [${it}] } } }`,
      (it: string) => `server: { token: '${it}`,
      (it: string) => `server: { token: "${it}\\q" }`,
      (it: string) => `server: {}\n  ${it}`,
      (it: string) => `server: ${it}: ${it}: ${it}`,
      (it: string) => `server: { token: "\${lower-${it}" }`,
      (it: string) => `server: { token: "\${A:-\${${it}}}" }`,
    ];
    for (const place of places) {
      const text = place(canary);
      const error = await loadConfig(text).then(() => undefined, (thrown: unknown) => thrown);
      assert.ok(error instanceof ConfigError, text);
      const said = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
      assert.ok(!said.includes(canary), `${text}\n${said}`);
    }
  });
});
