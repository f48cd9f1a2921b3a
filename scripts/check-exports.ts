// Holds deno.json, package.json and the lock files together: entry points, versions, peers, and the lowest versions
// that are free of known advisories.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { importsOf, listSources, packageOf } from "./source-files.ts";

/** Adapter folders that are parts of others and have no entry of their own. */
const NOT_ENTRIES: readonly string[] = ["sql", "cli"];

/** The first version without a known advisory. */
const FLOORS: Readonly<Record<string, string>> = {
  "@hono/node-server": "1.19.15",
  hono: "4.13.5",
  nodemailer: "10.0.9",
  valibot: "1.2.0",
  yaml: "2.8.3",
};

interface DenoManifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
}

interface NpmManifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** dev/package.json: what the tests, checks and benchmarks need. */
interface DevManifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

interface NpmLock {
  readonly version: string;
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

interface DenoLock {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, unknown>>;
}

const problems: string[] = [];
const deno: DenoManifest = readJson("deno.json");
const npm: NpmManifest = readJson("package.json");
const dev: DevManifest = readJson("dev/package.json");
const npmLock: NpmLock = readJson("package-lock.json");
const denoLock: DenoLock = readJson("deno.lock");

checkVersions();
checkEntries();
checkDependencies();
checkLocks();

for (const problem of problems.toSorted()) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`${Object.keys(deno.exports).length} entry points, ${Object.keys(npm.peerDependencies).length} peers`);

function checkVersions(): void {
  if (deno.version !== npm.version) problems.push(`version: deno.json ${deno.version}, package.json ${npm.version}`);
  if (npmLock.version !== npm.version) {
    problems.push(`version: package-lock.json ${npmLock.version}, package.json ${npm.version}`);
  }
}

function checkEntries(): void {
  for (const [entry, source] of Object.entries(deno.exports)) {
    if (!existsSync(source)) problems.push(`deno.json exports "${entry}": ${source} does not exist`);
    const built = source.replace(/^\.\//, "./dist/").replace(/\.ts$/, "");
    const found = npm.exports[entry];
    if (found === undefined) {
      problems.push(`package.json has no export "${entry}"`);
    } else if (typeof found === "string" || found.types !== `${built}.d.ts` || found.default !== `${built}.js`) {
      problems.push(`package.json exports "${entry}": must be types ${built}.d.ts and default ${built}.js`);
    } else if (Object.keys(found).join() !== "types,default") {
      problems.push(`package.json exports "${entry}": must have types first, then default, and nothing else`);
    }
  }
  for (const entry of Object.keys(npm.exports)) {
    if (entry !== "./package.json" && deno.exports[entry] === undefined) {
      problems.push(`deno.json has no export "${entry}"`);
    }
  }
  const folders = existsSync("adapters") ? readdirSync("adapters") : [];
  for (const name of folders) {
    if (NOT_ENTRIES.includes(name) || !existsSync(`adapters/${name}/mod.ts`)) continue;
    if (deno.exports[`./${name}`] !== `./adapters/${name}/mod.ts`) {
      problems.push(`deno.json exports "./${name}": must be ./adapters/${name}/mod.ts`);
    }
  }
}

function checkDependencies(): void {
  const isEmpty = Object.keys(npm.dependencies ?? {}).length === 0;
  if (!isEmpty) problems.push(`package.json: must have no dependencies`);
  for (const [name, range] of Object.entries(npm.peerDependencies)) {
    if (npm.peerDependenciesMeta[name]?.optional !== true) problems.push(`package.json peer "${name}": not optional`);
    if (deno.imports[name] !== `npm:${name}@${range}`) {
      problems.push(`deno.json imports "${name}": must be npm:${name}@${range}, as the peer in package.json`);
    }
    const version = dev.dependencies[name];
    if (version === undefined || !satisfies(version, range)) {
      problems.push(`dev/package.json "${name}": ${version} does not satisfy the peer range ${range}`);
    }
    const floor = FLOORS[name];
    if (floor !== undefined && compareVersions(range.replace(/^[\^~]|^>=/, ""), floor) < 0) {
      problems.push(`package.json peer "${name}": ${range} admits versions below ${floor}`);
    }
  }
  for (const [name, target] of Object.entries(deno.imports)) {
    if (target.startsWith("npm:") && npm.peerDependencies[name] === undefined) {
      problems.push(`deno.json imports "${name}": is no peer in package.json`);
    }
  }
  for (const [name, version] of Object.entries(dev.dependencies)) {
    if (!/^\d+\.\d+\.\d+$/.test(version)) problems.push(`dev/package.json "${name}": ${version} is no pin`);
  }
  for (const file of listSources("mod.ts", "core", "adapters")) {
    for (const { specifier, line } of importsOf(file)) {
      if (specifier === undefined || /^[.]|^(node|cloudflare):/.test(specifier)) continue;
      const name = packageOf(specifier);
      if (npm.peerDependencies[name] === undefined) {
        problems.push(`${file}:${line}: imports "${name}", which is no peer in package.json`);
      }
    }
  }
}

function checkLocks(): void {
  const inNpm = new Map<string, Set<string>>();
  for (const [place, { version }] of Object.entries(npmLock.packages)) {
    const name = place.split("node_modules/").at(-1) ?? "";
    if (version !== undefined) inNpm.set(name, (inNpm.get(name) ?? new Set()).add(version));
  }
  const inDeno = new Map<string, Set<string>>();
  for (const key of Object.keys(denoLock.npm)) {
    const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
    if (name !== undefined && version !== undefined) inDeno.set(name, (inDeno.get(name) ?? new Set()).add(version));
  }
  for (const [lock, versions] of Object.entries({ "package-lock.json": inNpm, "deno.lock": inDeno })) {
    for (const [name, floor] of Object.entries(FLOORS)) {
      for (const version of versions.get(name) ?? []) {
        if (compareVersions(version, floor) < 0) problems.push(`${lock}: ${name} ${version} is below ${floor}`);
      }
    }
    for (const [name, version] of Object.entries(dev.dependencies)) {
      if (lock === "deno.lock" && npm.peerDependencies[name] === undefined) continue; // Deno fetches the peers alone
      if (!versions.get(name)?.has(version)) problems.push(`${lock}: has no ${name} ${version}; update the lock`);
    }
  }
}

function readJson<Content>(file: string): Content {
  return JSON.parse(readFileSync(file, "utf8"));
}

function satisfies(version: string, range: string): boolean {
  const floor = range.replace(/^\^/, "");
  const sameMajor = version.split(".")[0] === floor.split(".")[0];
  return compareVersions(version, floor) >= 0 && (sameMajor || !range.startsWith("^"));
}

function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split(/[.-]/).slice(0, 3).map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
