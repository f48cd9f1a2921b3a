import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "bun:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import { parse } from "yaml";
import { ConfigError } from "../../../core/mod.ts";
import { checkConfig, configJsonSchema } from "../../../adapters/config/mod.ts";
import { SPEC_CONFIG, SPEC_CUSTOM, SPEC_EMAIL, SPEC_TELEGRAM } from "./spec-configs.ts";

const schema = configJsonSchema();
const isValid = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  schema,
);

/** Everything that is wrong with it. */
async function problemsOf(value: unknown): Promise<readonly string[]> {
  return await checkConfig(value).then(() => [], (error: unknown) => {
    if (error instanceof ConfigError) return error.issues.map(({ message }) => message);
    throw error;
  });
}

async function loads(value: unknown): Promise<boolean> {
  return (await problemsOf(value)).length === 0;
}

const MAIL = { type: "email", from_address: "a@b.example" };
const BOT = { type: "telegram", token: "1:a" };

function backend(config: object): object {
  return { communications: { enabled: true, backends: { one: config } } };
}

/** Values of every kind, tried at every key. */
const PROBES: readonly unknown[] = [
  null,
  true,
  false,
  "true",
  0,
  1,
  -1,
  1.5,
  99_999_999,
  "",
  "x",
  "5",
  "5m",
  "5 parsecs",
  "a@b.example",
  "https://a.example/",
  "a\tb",
  [],
  ["x"],
  [1],
  [""],
  {},
  { x: 1 },
];

describe("configJsonSchema", () => {
  it("configJsonSchema() is what posthorn.schema.json holds", () => {
    const file = readFileSync(new URL("../../../posthorn.schema.json", import.meta.url), "utf8");
    assert.deepEqual(JSON.parse(file), JSON.parse(JSON.stringify(schema)));
  });

  it("configJsonSchema() accepts the specification's configurations before their variables are filled in", () => {
    assert.ok(isValid(parse(SPEC_CONFIG)), JSON.stringify(isValid.errors));
    assert.ok(isValid(parse(SPEC_CUSTOM)), JSON.stringify(isValid.errors));
    for (const part of [SPEC_TELEGRAM, SPEC_EMAIL]) {
      assert.ok(isValid({ communications: parse(part) }), JSON.stringify(isValid.errors));
    }
  });

  it("configJsonSchema() accepts variables wherever a scalar stands", () => {
    const config = {
      store: { type: "sqlite", path: "${FILE}", synchronous: "${MODE}", busy_timeout: "${BUSY:-5}" },
      server: { port: "${PORT}", emulator: "${PAGE:-false}", public_url: "${URL}" },
      ...backend({ ...BOT, token: "${TOKEN:?ask ops}", webhook_secret: "${SECRET}", webhook_url: "${URL}" }),
    };
    assert.ok(isValid(config), JSON.stringify(isValid.errors));
  });

  const bases: Readonly<Record<string, object>> = {
    memory: { store: { type: "memory" } },
    sqlite: { store: { type: "sqlite", path: "a.db" } },
    server: { server: {} },
    outbox: { outbox: {} },
    inbox: { inbox: {} },
    ledger: { ledger: {} },
    "work queue": { channels: { jobs: { type: "work_queue" } } },
    mailbox: { channels: { mail: { type: "mailbox" } } },
    discovery: { channels: { who: { type: "discovery" } } },
    mail: backend(MAIL),
    telegram: backend({ ...BOT, chats: { default: { chat_id: "1" } } }),
    whatsapp: backend({ type: "whatsapp", token: "t", phone_number_id: "1" }),
    webhook: backend({ type: "webhook", url: "https://a.example/", headers: { accept: "x" } }),
    slack: backend({ type: "slack", webhook_url: "https://a.example/" }),
    discord: backend({ type: "discord", webhook_url: "https://a.example/" }),
    ntfy: backend({ type: "ntfy", topic: "t" }),
    emulator: backend({ type: "emulator" }),
    noop: backend({ type: "noop" }),
    fallback: {
      communications: { backends: { one: { type: "fallback", channels: ["two"] }, two: { type: "noop" } } },
    },
    paced: backend({ ...MAIL, rate: { backend: { count: 1 }, destination: { count: 1 } }, retry: {}, tls: {} }),
  };
  for (const [name, base] of Object.entries(bases)) {
    it(`configJsonSchema() agrees with checkConfig() on every key of ${name} with every kind of value`, async () => {
      let accepted = 0;
      let refused = 0;
      assert.ok(await loads(base));
      for (const place of placesOf(base)) {
        for (const probe of PROBES) {
          const candidate = withMember(base, place, probe);
          const problems = await problemsOf(candidate);
          const expected = problems.length === 0;
          if (expected) accepted += 1;
          else refused += 1;
          // A number or a duration in quotes: JSON Schema sees its form, only the loading sees its range.
          if (!expected && typeof probe === "string" && /^\d/.test(probe)) continue;
          assert.equal(isValid(candidate), expected, `${JSON.stringify(candidate)} ${JSON.stringify(isValid.errors)}`);
          // An unknown key is unknown whatever it holds.
          if (problems.some((problem) => problem.startsWith("unknown key"))) break;
        }
      }
      assert.ok(accepted > 0 && refused > 10, `${accepted} accepted, ${refused} refused`);
    });
  }

  it("configJsonSchema() agrees with checkConfig() on rules over several keys", async () => {
    const flags = [undefined, true, false, "true", "false"];
    for (const use_tls of flags) {
      for (const start_tls of flags) {
        const config = backend(JSON.parse(JSON.stringify({ ...MAIL, use_tls, start_tls })));
        assert.equal(isValid(config), await loads(config), JSON.stringify(config));
      }
    }
    for (const username of [undefined, "", "u"]) {
      for (const password of [undefined, "", "p"]) {
        const config = backend(JSON.parse(JSON.stringify({ ...MAIL, username, password })));
        assert.equal(isValid(config), await loads(config), JSON.stringify(config));
      }
    }
    const url = { webhook_url: "https://a.example/" };
    for (const config of [url, { ...url, webhook_secret: "s" }, { webhook_secret: "s" }]) {
      const whole = backend({ ...BOT, ...config });
      assert.equal(isValid(whole), await loads(whole), JSON.stringify(whole));
    }
  });

  it("configJsonSchema() refuses what checkConfig() refuses of 2,000 random trees, but for kinds it cannot know", async () => {
    const key = fc.constantFrom(
      "store",
      "type",
      "communications",
      "backends",
      "channels",
      "server",
      "port",
      "a",
      "labels",
      "token",
    );
    const leaf = fc.constantFrom<unknown>("memory", "email", "work_queue", "telegram", 1, true, null, "x");
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small" },
        leaf,
        fc.dictionary(key, tie("node"), { maxKeys: 4 }),
        fc.array(tie("node"), { maxLength: 2 }),
      ),
    })).node;
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, tree, { maxKeys: 4 }), async (config) => {
        if (await loads(config)) assert.ok(isValid(config), JSON.stringify(isValid.errors));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Each key that the schema knows anywhere, and one it does not, in each mapping of the base. */
function* placesOf(base: object): Generator<readonly string[]> {
  const keys = [...keysOf(schema), "no_such_key"];
  for (const path of mappingPaths(base)) {
    for (const key of keys) {
      // Which backends there are is for the loading to know, and so is what a kind of one's own wants.
      if (key === "channels" || key === "default_backend") continue;
      if (key === "type" && ["one", "two"].includes(path.at(-1) ?? "")) continue;
      yield [...path, key];
    }
  }
}

function keysOf(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, member] of Object.entries(value)) {
    if (key === "properties") { for (const name of Object.keys(member)) found.add(name); }
    keysOf(member, found);
  }
  return found;
}

function* mappingPaths(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  // Names of backends and channels are free; their members are what is tried.
  if (!["backends", "channels", "chats", "headers"].includes(path.at(-1) ?? "") && path.length > 0) yield path;
  for (const [key, member] of Object.entries(value)) yield* mappingPaths(member, [...path, key]);
}

function withMember(base: object, path: readonly string[], member: unknown): object {
  const copy = structuredClone(base);
  let target: object = copy;
  for (const key of path.slice(0, -1)) {
    const next: unknown = Reflect.get(target, key);
    if (typeof next !== "object" || next === null) throw new TypeError(`Cannot descend into ${key}`);
    target = next;
  }
  Reflect.set(target, path.at(-1) ?? "", member);
  return copy;
}
