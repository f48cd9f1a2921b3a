import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import { ConfigError } from "../../../core/mod.ts";
import { checkConfig, DEFAULT_MAX_CONFIG_BYTES, loadConfig } from "../../../adapters/config/mod.ts";
import { findNestingProblem, type LexedToken } from "../../../adapters/config/yaml-nesting.ts";
import { SPEC_CONFIG } from "./spec-configs.ts";

async function refusal(text: string): Promise<string> {
  const error = await loadConfig(text).then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ConfigError, `not a ConfigError: ${String(error)}`);
  return `${error.issues[0]?.path}: ${error.issues[0]?.message}`;
}

const TOO_DEEP = /^: line \d+: nested deeper than 64 levels$/;

describe("loadConfig, bombs (G38)", () => {
  const deep: Readonly<Record<string, string>> = {
    "100,000 brackets": "[".repeat(100_000),
    "100,000 brackets, closed": "[".repeat(100_000) + "]".repeat(100_000),
    "40,000 braces": "{a: ".repeat(40_000),
    "100,000 dashes": "- ".repeat(100_000),
    "100,000 question marks": "? ".repeat(100_000),
    "100,000 colons": ": ".repeat(100_000),
    "80,000 keys in one line": "a: ".repeat(80_000),
    "80,000 keys between brackets": `[${"a: ".repeat(80_000)}]`,
    "80,000 keys between braces": `{${"a: ".repeat(80_000)}}`,
    "100,000 question marks between brackets": `[${"? ".repeat(100_000)}]`,
    "100,000 dashes between brackets": `[${"- ".repeat(100_000)}]`,
    "600 levels of indentation": Array.from({ length: 600 }, (_, level) => `${" ".repeat(level)}a:`).join("\n"),
    "500 levels behind comments": Array.from({ length: 500 }, (_, level) => `${" ".repeat(level)}a:\n#`).join("\n"),
    "400 levels of lists in lists": Array.from({ length: 400 }, (_, level) => `${" ".repeat(level)}-`).join("\n"),
    "levels of all kinds": `${"- a:\n".replace("a", "- - [{ b: [") + "[".repeat(100)}`,
  };
  for (const [name, text] of Object.entries(deep)) {
    it(`loadConfig() refuses ${name} before it parses`, async () => {
      assert.match(await refusal(text), TOO_DEEP);
    });
  }

  it("loadConfig() does not take brackets in texts and comments for nesting", async () => {
    const brackets = "[{".repeat(200);
    const text = `
# ${brackets}
x-plain: a${brackets}
x-single: '${brackets}'
x-double: "${brackets}
  ${brackets}"
x-literal: |
  ${brackets}
   - - - - ${brackets}
x-folded: >
  ${brackets}
server: { port: 1 }
`;
    assert.deepEqual((await loadConfig(text)).config, { server: { port: 1 } });
  });

  it("loadConfig() takes 60 levels, and many shallow ones one after the other", async () => {
    const nested = (levels: number): string => `x-a: ${"[".repeat(levels)}${"]".repeat(levels)}`;
    assert.deepEqual((await loadConfig(nested(60))).config, {});
    const lines = Array.from({ length: 800 }, (_, index) => `  - { a: { b: [${index}, { c: d }] } }`);
    assert.deepEqual((await loadConfig(`x-list:\n${lines.join("\n")}`)).config, {});
  });

  it("loadConfig() refuses 10 MB by its size alone", async () => {
    const words = ": the configuration is larger than 262144 bytes; maxBytes raises the limit";
    assert.equal(await refusal(`a: ${"x".repeat(10_000_000)}`), words);
    assert.equal(await refusal("€".repeat(DEFAULT_MAX_CONFIG_BYTES / 3 + 1)), words);
    const { config } = await loadConfig(`# ${"x".repeat(300_000)}\nserver: {}`, { maxBytes: 400_000 });
    assert.deepEqual(config, { server: {} });
  });

  it("loadConfig() refuses more words than a parser should be given", async () => {
    const words = /^: line 1: more than 26215 words and signs; maxBytes raises the limit$/;
    assert.match(await refusal(`[${"a,".repeat(60_000)}]`), words);
    assert.match(await refusal("]".repeat(60_000)), words);
  });

  it("loadConfig() lists a hundred problems of thousands, and says that there are more", async () => {
    const keys = Array.from({ length: 4_000 }, (_, index) => `key_${index}: 1`);
    const error = await loadConfig(keys.join("\n")).then(() => undefined, (thrown: unknown) => thrown);
    assert.ok(error instanceof ConfigError);
    assert.equal(error.issues.length, 101);
    assert.deepEqual(error.issues.at(-1), { path: "", message: "and more problems" });
    const twice = await loadConfig("k: v\n".repeat(4_000)).then(() => undefined, (thrown: unknown) => thrown);
    assert.ok(twice instanceof ConfigError);
    assert.equal(twice.issues.length, 20);
  });

  it("loadConfig() refuses aliases of aliases that would become a billion values", async () => {
    const lines = Array.from(
      { length: 20 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`)}]`,
    );
    const text = `a0: &a0 [x, x, x, x, x, x, x, x, x]\n${lines.join("\n")}`;
    assert.equal(await refusal(text), ": more than 100000 values; do aliases repeat each other?");
  });

  it("loadConfig() leaves prototypes untouched, whoever parses", async () => {
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    const text =
      '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "server": {"__proto__": {"port": 1}}}';
    for (const options of [{}, { parse: JSON.parse }]) {
      const error = await loadConfig(text, options).then(() => undefined, (thrown: unknown) => thrown);
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.issues.map(({ path }) => path), ["__proto__", "constructor", "server.__proto__"]);
    }
    assert.equal(Reflect.get({}, "polluted"), undefined);
    assert.equal(Object.getOwnPropertyNames(Object.prototype).length, before);
  });

  it("checkConfig() refuses an object that holds itself", async () => {
    const circle: Record<string, unknown> = {};
    circle["x-a"] = circle;
    const error = await checkConfig(circle).then(() => undefined, (thrown: unknown) => thrown);
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /nested deeper than 64 levels/);
  });

  it("loadConfig() loads or refuses 3,000 mutations of a configuration, and nothing else", async () => {
    const piece = fc.constantFrom(
      "[",
      "]",
      "{",
      "}",
      ":",
      ": ",
      "- ",
      "? ",
      "&a ",
      "*a",
      "!!int ",
      "|",
      ">",
      "'",
      '"',
      "#",
      "\n",
      "  ",
      "\t",
      "${",
      "}",
      "---\n",
      "...",
      "%YAML 1.1\n",
      "<<: ",
      "\\",
      "\u2028",
      "\ud800",
      "0x1",
      ".nan",
      "~",
    );
    const edit = fc.tuple(fc.nat(SPEC_CONFIG.length), fc.nat(8), fc.oneof(piece, fc.string({ maxLength: 4 })));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), async (edits) => {
        const text = edits.reduce(
          (whole, [at, gone, put]) => whole.slice(0, at) + put + whole.slice(at + gone),
          SPEC_CONFIG,
        );
        const error = await loadConfig(text, { env: () => "1:a" }).then(() => undefined, (thrown: unknown) => thrown);
        assert.ok(error === undefined || error instanceof ConfigError, String(error));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("findNestingProblem", () => {
  it("findNestingProblem() stops at the token that goes too deep", () => {
    let drawn = 0;
    function* endless(): Generator<LexedToken> {
      for (;;) {
        drawn += 1;
        yield { kind: "open", text: "[" };
      }
    }
    assert.deepEqual(findNestingProblem(endless(), { maxDepth: 64, maxTokens: 1_000 }), {
      line: 1,
      reason: "too-deep",
    });
    assert.ok(drawn <= 66, String(drawn));
  });
});
