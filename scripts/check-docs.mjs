// deno doc --lint on every entry point. It calls a type private when our signature names one of a package (Hono,
// nodemailer's Transporter): that is no fault of ours and left out; everything else counts.
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { pathOf, run } from "./tools.mjs";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));
const entries = Object.values(JSON.parse(readFileSync("deno.json", "utf8")).exports);
const { code, output } = await run(pathOf("deno"), ["doc", "--lint", ...entries], { env: { NO_COLOR: "1" } });
const blocks = output.split(/^(?=error(?:\[|:))/m);
const faults = blocks.filter((block) => block.startsWith("error[") && !namesTypeOfPackage(block));
for (const fault of faults) process.stdout.write(fault);
if (code !== 0 && !blocks.some((block) => block.startsWith("error["))) {
  faults.push(output) && process.stdout.write(output);
}
process.exitCode = faults.length > 0 ? 1 : 0;

function namesTypeOfPackage(block) {
  const name = /^error\[private-type-ref\]: .* references private type '([^'.]+)/.exec(block)?.[1];
  const file = /^\s*--> (.+):\d+:\d+$/m.exec(block)?.[1];
  if (name === undefined || file === undefined) return false;
  const imports = readFileSync(file, "utf8").matchAll(/^import\s[^;]*?\sfrom\s+"([^".][^"]*)"/gm);
  return Array.from(imports).some(([statement]) => new RegExp(`\\b${name}\\b`).test(statement));
}
