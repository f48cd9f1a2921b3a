import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "bun:test";
import { parse } from "yaml";
import { configJsonSchema, loadConfig } from "../../../adapters/config/mod.ts";

const TEXT = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");

/** Every key of every mapping with known keys. */
function keysOf(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, member] of Object.entries(value)) {
    if (key === "if") continue;
    if (key === "properties") { for (const name of Object.keys(member)) found.add(name); }
    keysOf(member, found);
  }
  return found;
}

describe("docs/configuration.md", () => {
  it("docs/configuration.md names every key there is", () => {
    const missing = [...keysOf(configJsonSchema())].filter((key) => !TEXT.includes(`\`${key}\``));
    assert.deepEqual(missing, []);
  });

  it("docs/configuration.md names no key that there is not", () => {
    const known = keysOf(configJsonSchema());
    const rows = TEXT.matchAll(/^\| (?:`(?:slack|discord|ntfy)` +\| )?(`[a-z_]+`(?:, `[a-z_]+`)*) +\|/gm);
    const named = Array.from(rows, ([, cell = ""]) => cell.replaceAll("`", "").split(", ")).flat();
    assert.ok(named.length > 100, String(named.length));
    assert.deepEqual(named.filter((key) => !known.has(key) && !/^(true|false)$/.test(key)), []);
  });

  it("docs/configuration.md begins with a configuration that loads", async () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(TEXT)?.[1] ?? "";
    const { config, warnings } = await loadConfig(example, {
      env: { TELEGRAM_BOT_TOKEN: "1:a", SMTP_USER: "u", SMTP_PASS: "p", POSTHORN_TOKEN: "t" },
    });
    assert.deepEqual(warnings, []);
    assert.deepEqual(Object.keys(config), Object.keys(parse(example)));
  });
});
