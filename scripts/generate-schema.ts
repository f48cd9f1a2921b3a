// Writes posthorn.schema.json, the configuration as JSON Schema for editors. With --check, only says whether it is fresh.
// deno run --allow-read --allow-write=posthorn.schema.json scripts/generate-schema.ts [--check]
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { configJsonSchema } from "../adapters/config/mod.ts";

const FILE = new URL("../posthorn.schema.json", import.meta.url);
const text = `${JSON.stringify(configJsonSchema(), null, 2)}\n`;

if (!process.argv.includes("--check")) {
  writeFileSync(FILE, text);
} else if (read() !== text) {
  console.error("posthorn.schema.json is stale: run npx --yes deno@2 run -A scripts/generate-schema.ts");
  process.exit(1);
}

function read(): string {
  try {
    return readFileSync(FILE, "utf8").replaceAll("\r\n", "\n");
  } catch {
    return "";
  }
}
