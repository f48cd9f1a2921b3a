import assert from "node:assert/strict";
import { it } from "bun:test";
import process from "node:process";
import { loadConfig } from "../../adapters/config/mod.ts";
import { ConfigError } from "../../core/mod.ts";
import { describeLong } from "../support/require.ts";

const LIMIT_MS = 200;
const LIMIT_BYTES = 64 * 1_048_576;

function aliasBomb(): string {
  const lines = Array.from(
    { length: 30 },
    (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`)}]`,
  );
  return `a0: &a0 [x, x, x, x, x, x, x, x, x]\n${lines.join("\n")}`;
}

const BOMBS: Readonly<Record<string, string>> = {
  "aliases of aliases": aliasBomb(),
  "100,000 brackets": "[".repeat(100_000),
  "100,000 dashes": "- ".repeat(100_000),
  "80,000 keys in one line": "a: ".repeat(80_000),
  "10 MB": `a: ${"x".repeat(10_000_000)}`,
  "10 MB of keys": Array.from({ length: 600_000 }, (_, index) => `key_${index}: 1`).join("\n"),
  "200 KB of keys": Array.from({ length: 12_000 }, (_, index) => `key_${index}: 1`).join("\n"),
  "keys of the prototype": '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
  "a key twice, 4,000 times": "k: v\n".repeat(4_000),
  "merge keys": "x-a: &a { __proto__: { polluted: 1 } }\nserver: { <<: *a }",
  "one long text in quotes": `a: "${"\\u0041".repeat(40_000)}"`,
};

describeLong("a configuration that is a bomb (G38)", () => {
  for (const [name, text] of Object.entries(BOMBS)) {
    it(`is refused in less than ${LIMIT_MS} ms and 64 MB: ${name} (G38)`, async () => {
      const times: number[] = [];
      const bytes: number[] = [];
      for (let round = 0; round < 7; round++) {
        const before = process.memoryUsage();
        const started = process.cpuUsage();
        const error = await loadConfig(text, { env: {} }).then(() => undefined, (thrown: unknown) => thrown);
        // Of the processor, not of the clock: who else runs on this machine is none of its doing.
        const { user, system } = process.cpuUsage(started);
        times.push((user + system) / 1_000);
        const after = process.memoryUsage();
        bytes.push(after.heapUsed + after.external - before.heapUsed - before.external);
        assert.ok(error instanceof ConfigError, String(error));
      }
      const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[3] ?? assert.fail();
      assert.ok(middle(times) < LIMIT_MS, `${middle(times)} ms`);
      assert.ok(middle(bytes) < LIMIT_BYTES, `${middle(bytes)} bytes`);
      assert.equal(Reflect.get({}, "polluted"), undefined);
    });
  }
});
