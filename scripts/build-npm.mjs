// npm run build: dist/ for npm. With --verify also what a consumer will meet: publint, arethetypeswrong, and the packed
// tarball installed and used, its types under both resolutions, its code on the oldest and the newest Node.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "./install.mjs";
import { pathOf, run } from "./tools.mjs";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const BIN = path.join(ROOT, "node_modules/.bin");
process.chdir(ROOT);
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const entries = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json");

await ensureInstalled();
rmSync("dist", { recursive: true, force: true });
await must("tsc", path.join(BIN, "tsc"), ["-p", "tsconfig.build.json"]);
for (const entry of entries) {
  for (const target of Object.values(manifest.exports[entry])) {
    if (!existsSync(target)) throw new Error(`Cannot ship "${entry}": the build made no ${target}`);
  }
}
if (process.argv.includes("--verify")) await verify();

async function verify() {
  // Consumers stand below the root, so that the optional peers are found in our own node_modules.
  mkdirSync("dist/.verify", { recursive: true });
  const place = mkdtempSync(path.join(ROOT, "dist/.verify/"));
  const empty = mkdtempSync(path.join(os.tmpdir(), "posthorn-consumer-"));
  try {
    await must("npm pack", "npm", ["pack", "--silent", "--ignore-scripts", `--pack-destination=${empty}`]);
    const tarball = path.join(empty, readdirSync(empty).find((file) => file.endsWith(".tgz")) ?? "");
    await must("publint", path.join(BIN, "publint"), ["run", tarball, "--strict"]);
    await must("arethetypeswrong", path.join(BIN, "attw"), [tarball, "--profile", "esm-only"]);
    await useAlone(empty, tarball);
    await useWithPeers(place, tarball);
  } finally {
    rmSync(empty, { recursive: true, force: true });
    rmSync(path.join(ROOT, "dist/.verify"), { recursive: true, force: true });
  }
}

/** In an empty project, with no peer in reach, the main entry loads and works. */
async function useAlone(place, tarball) {
  await install(place, tarball);
  write(place, "main.mjs", [
    `import * as posthorn from "posthorn";`,
    `const names = Object.keys(posthorn);`,
    `if (names.length === 0) throw new Error("posthorn exports nothing");`,
    `const { name } = (await import("posthorn/package.json", { with: { type: "json" } })).default;`,
    `if (name !== "posthorn") throw new Error("package.json is not exported");`,
  ]);
  checkLinks(path.join(place, "node_modules/posthorn"));
  const loaded = readdirSync(path.join(place, "node_modules")).filter((name) => !name.startsWith("."));
  if (loaded.join() !== "posthorn") throw new Error(`Cannot ship: installing posthorn also installs ${loaded}`);
  write(place, "posthorn.yaml", ["communications: { enabled: true }"]);
  const { output } = await run(path.join(place, "node_modules/.bin/posthorn"), ["check"], { cwd: place });
  if (!output.includes("npm install valibot yaml")) throw new Error(`Cannot ship a command that says: ${output}`);
  for (const node of ["node", "oldestNode"]) {
    await must(`main entry on ${node}`, pathOf(node), ["main.mjs"], { cwd: place });
  }
}

/** Every page of the package finds what it links to, in the package. */
function checkLinks(root) {
  const pages = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".md"));
  const dead = [];
  for (const page of pages) {
    const text = readFileSync(path.join(root, page), "utf8").replaceAll(/^(`{3,}).*?^\1/gms, "");
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(path.join(root, path.dirname(page), target))) dead.push(`${page}: ${target}`);
    }
  }
  if (pages.length < 2) dead.push("the pages of docs/ are missing");
  if (dead.length > 0) throw new Error(`Cannot ship pages with dead links:\n  ${dead.join("\n  ")}`);
}

/** With the peers in reach, each entry loads, and its types resolve under nodenext and bundler. */
async function useWithPeers(place, tarball) {
  await install(place, tarball);
  const specifiers = entries.map((entry) => path.posix.join("posthorn", entry));
  const imports = specifiers.map((specifier, index) => `import * as entry${index} from "${specifier}";`);
  const all = `[${specifiers.map((_, index) => `entry${index}`).join(", ")}]`;
  write(place, "main.mjs", [
    ...specifiers.map((specifier) => `await import("${specifier}");`),
  ]);
  write(place, "main.ts", [...imports, `export const entries: readonly object[] = ${all};`]);
  await must("every entry on node", pathOf("node"), ["main.mjs"], { cwd: place });
  for (const [module, resolution] of [["NodeNext", "NodeNext"], ["ESNext", "Bundler"]]) {
    await must(`types under ${resolution}`, path.join(BIN, "tsc"), [
      ...[
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--target",
        "ES2023",
        "--lib",
        "ES2023,ESNext.Disposable,DOM,DOM.Iterable",
      ],
      ...["--module", module, "--moduleResolution", resolution, "--types", "node", "main.ts"],
      // Faults in the types of a peer are not ours; ours are in the tarball and checked by the build.
      "--skipLibCheck",
    ], { cwd: place });
  }
}

async function install(place, tarball) {
  write(place, "package.json", [JSON.stringify({ name: "consumer", private: true, type: "module" })]);
  await must("npm install", "npm", [
    ...["install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=peer", "--no-package-lock", tarball],
  ], { cwd: place });
}

function write(place, file, lines) {
  writeFileSync(path.join(place, file), `${lines.join("\n")}\n`);
}

async function must(what, command, args, options = {}) {
  const { code, output } = await run(command, args, { timeoutMs: 300_000, ...options });
  if (code === 0) return;
  process.stderr.write(output);
  process.stderr.write(`Cannot build for npm: ${what} ended with code ${code}\n`);
  process.exit(1);
}
