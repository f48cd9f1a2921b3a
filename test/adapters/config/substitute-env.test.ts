import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import { ConfigError } from "../../../core/mod.ts";
import { checkConfig, type ConfigEnvironment, loadConfig } from "../../../adapters/config/mod.ts";

/** What one text becomes. A password takes any text. */
async function expand(text: string, env: ConfigEnvironment = {}): Promise<unknown> {
  const { config } = await checkConfig({ server: { token: text } }, { env });
  return config.server?.token;
}

async function problemOf(text: string, env: ConfigEnvironment = {}): Promise<string> {
  const error = await expand(text, env).then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ConfigError, `not refused: ${text}`);
  assert.equal(error.issues.length, 1, error.message);
  assert.equal(error.issues[0]?.path, "server.token");
  return error.issues[0]?.message ?? "";
}

describe("substituteEnv", () => {
  const env = { A: "a", B: "b", EMPTY: "", NESTED: "${A}", LONG_name_1: "x" };

  it("substituteEnv() knows three forms and a literal", async () => {
    const table: readonly (readonly [string, string])[] = [
      ["plain", "plain"],
      ["${A}", "a"],
      ["<${A}-${B}>", "<a-b>"],
      ["${LONG_name_1}", "x"],
      ["${A:-other}", "a"],
      ["${NONE:-other}", "other"],
      ["${EMPTY:-other}", "other"],
      ["${NONE:-a:b?c-d e}", "a:b?c-d e"],
      ["x${EMPTY}", "x"],
      ["x${NONE:-}", "x"],
      ["${A:?must be there}", "a"],
      ["$${A}", "${A}"],
      ["$${", "${"],
      ["$$${A}", "$${A}"],
      ["$A $ $$ }{", "$A $ $$ }{"],
      ["${A}}", "a}"],
      ["${NESTED}", "${A}"],
      ["${A}${NESTED}${A}", "a${A}a"],
    ];
    for (const [text, expanded] of table) assert.equal(await expand(text, env), expanded, text);
  });

  it("substituteEnv() refuses references it cannot read", async () => {
    const how = "cannot read a reference: write ${NAME}, ${NAME:-default} or ${NAME:?message}; $${ is a literal ${";
    for (
      const text of ["${", "${}", "${A", "${1A}", "${A-x}", "${A:x}", "${A:+x}", "${ A}", "${A }", "${A.b}", "${{A}}"]
    ) {
      assert.equal(await problemOf(text, env), how, text);
    }
    assert.equal(
      await problemOf("${NONE:-${A}}", env),
      "cannot read the reference to NONE: what follows :- cannot hold another reference",
    );
  });

  it("substituteEnv() names the variable that is missing, and the message that was written for it (G39)", async () => {
    assert.equal(await problemOf("${NONE}", env), "the environment variable NONE is not set");
    assert.equal(await problemOf("${NONE:?}", env), "the environment variable NONE is not set");
    assert.equal(await problemOf("${NONE:?ask ops}", env), "the environment variable NONE is not set: ask ops");
    assert.equal(await problemOf("${EMPTY:?ask\nops}", env), "the environment variable EMPTY is empty: ask ops");
    assert.equal(await problemOf("${EMPTY}", env), "is empty");
  });

  it("substituteEnv() names all missing variables at once, each with its place", async () => {
    const names = Array.from({ length: 50 }, (_, index) => `MISSING_${index}`);
    const text = `x-all:\n${names.map((name) => `  - "\${${name}}"`).join("\n")}\n`;
    const error = await loadConfig(text).then(() => undefined, (thrown: unknown) => thrown);
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(
      error.issues.map(({ path, message }) => `${path}: ${message}`),
      names.map((name, index) => `x-all[${index}]: the environment variable ${name} is not set (line ${index + 2})`),
    );
  });

  it("substituteEnv() looks at own texts alone: prototypes and bindings are no variables", async () => {
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      assert.equal(await problemOf(`\${${name}}`), `the environment variable ${name} is not set`);
    }
    assert.equal(await problemOf("${KV}", { KV: { get(): void {} } }), "the environment variable KV is not set");
    assert.equal(await expand("${X}", (name) => name === "X" ? "from a function" : undefined), "from a function");
  });

  it("substituteEnv() leaves keys, numbers and flags alone", async () => {
    const { config } = await checkConfig({ "x-${A}": { "${A}": 1 }, server: { port: 1, emulator: true } }, { env });
    assert.deepEqual(config, { server: { port: 1, emulator: true } });
  });

  it("substituteEnv() keeps 10,000 random values as they are, looked at once (G39, P20)", async () => {
    const nasty = fc.constantFrom(
      "${A}",
      "$${",
      "${",
      "}",
      '"',
      "'",
      "\n",
      "\r",
      "\t",
      ": ",
      "- ",
      "#",
      "&a",
      "*a",
      "%",
      "\\",
    );
    const value = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
      fc.array(fc.oneof(nasty, fc.string({ maxLength: 5 })), { minLength: 1, maxLength: 12 }).map((parts) =>
        parts.join("")
      ),
    ).filter((text) => text !== "");
    const style = fc.constantFrom("plain", '"double"', "'single'", "|-\n    literal");
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 10, maxLength: 10 }), style, async (values, written) => {
        const env = Object.fromEntries(values.map((text, index) => [`V${index}`, text]));
        const entries = values.map((_, index) =>
          `  k${index}: ${written.replace(/plain|double|single|literal/, `\${V${index}}`)}`
        );
        const kind = { type: "own", create: (): never => assert.fail() };
        const text = `communications:\n  backends:\n    own:\n      type: own\n${
          entries.join("\n").replaceAll(/^/gm, "    ")
        }\n`;
        const { config } = await loadConfig(text, { env, backends: [kind] });
        const backend = config.communications?.backends?.["own"];
        values.forEach((expected, index) => assert.equal(backend?.[`k${index}`], expected));
      }),
      { numRuns: 1_000 },
    );
  });
});
