// Fails when an import climbs a layer, crosses adapters, goes past core/mod.ts, closes a cycle, leaves the repository,
// or brings a package or a runtime's module to a place that must not know it.
import { existsSync } from "node:fs";
import process from "node:process";
import { importsOf, listSources, packageOf, resolveRelative } from "./source-files.ts";

/** The folders of core/, lowest first. Those of one layer do not know each other, except in the lowest. */
const LAYERS: readonly (readonly string[])[] = [
  ["core/errors.ts", "core/message", "core/support"],
  ["core/store"],
  ["core/channels"],
  ["core/communicators", "core/ledger"],
  ["core/delivery"],
  ["core/outbox", "core/inbox"],
  ["core/dispatcher"],
  ["core/application"],
  ["core/mod.ts"],
];

/** Where everything is put together: these may import their siblings. */
const ASSEMBLERS: readonly string[] = ["adapters/app", "adapters/cli"];

/** Folders that are shared parts of others, and by whom. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  "adapters/net": ["adapters/http", "adapters/smtp", "adapters/telegram", "adapters/webhook", "adapters/whatsapp"],
  "adapters/sql": ["adapters/sqlite", "adapters/durable-object"],
};

/** What an adapter may import besides our own files. Anything else is a fault. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "adapters/app": ["hono"],
  "adapters/cli": ["@hono/node-server", "node:*"],
  "adapters/config": ["valibot", "yaml"],
  "adapters/emulator": ["node:*"],
  "adapters/http": ["hono"],
  "adapters/nats": ["@nats-io/*"],
  "adapters/serve": ["@hono/node-server"],
  "adapters/smtp": ["nodemailer", "node:*"],
  "adapters/sqlite": ["node:sqlite"],
  "adapters/telegram": ["grammy"],
};

/** Packages that exactly one file may import, so that they can be replaced. */
const ONE_FILE: readonly string[] = ["yaml"];

const problems: string[] = [];
const published = listSources("mod.ts", "core", "adapters");
const everything = listSources("mod.ts", "core", "adapters", "test", "examples", "bench", "scripts");
const graph = new Map<string, string[]>();
const importers = new Map<string, Set<string>>();

for (const file of everything) {
  for (const { specifier, line } of importsOf(file)) {
    if (specifier === undefined) {
      if (published.includes(file)) problems.push(`${file}:${line}: must not import a computed specifier`);
    } else if (specifier.startsWith(".")) {
      checkRelative(file, line, specifier);
    } else if (published.includes(file)) {
      checkPackage(file, line, specifier);
    }
  }
}
for (const name of ONE_FILE) {
  const files = [...importers.get(name) ?? []];
  if (files.length > 1) problems.push(`${files.join(", ")}: only one file may import "${name}"`);
}
for (const cycle of findCycles()) problems.push(`cycle: ${cycle.join(" → ")}`);
for (const file of published) {
  if (file.startsWith("core/") && layerOf(file) < 0) problems.push(`${file}: is in no layer of check-boundaries.ts`);
}

for (const problem of problems.toSorted()) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`${published.length} published files, ${everything.length} in all`);

function checkRelative(file: string, line: number, specifier: string): void {
  const target = resolveRelative(file, specifier);
  const place = `${file}:${line}`;
  if (target.startsWith("..")) problems.push(`${place}: must not import ${target}, which is outside the repository`);
  else if (!existsSync(target)) problems.push(`${place}: imports ${target}, which does not exist`);
  if (!published.includes(file)) return;
  if (!isAllowed(file, target)) problems.push(`${place}: must not import ${target}`);
  graph.set(file, [...graph.get(file) ?? [], target]);
}

function checkPackage(file: string, line: number, specifier: string): void {
  const name = packageOf(specifier);
  importers.set(name, (importers.get(name) ?? new Set()).add(file));
  if (!file.startsWith("adapters/")) {
    problems.push(`${file}:${line}: must not import "${specifier}", the core depends on nothing`);
    return;
  }
  const allowed = PACKAGES[unitOf(file)] ?? [];
  const isListed = allowed.some((each) =>
    each.endsWith("*") ? specifier.startsWith(each.slice(0, -1)) : each === name || each === specifier
  );
  if (!isListed) problems.push(`${file}:${line}: must not import "${specifier}" (see PACKAGES in check-boundaries.ts)`);
}

function unitOf(file: string): string {
  return file.split("/").slice(0, 2).join("/");
}

function layerOf(file: string): number {
  return LAYERS.findIndex((units) => units.some((unit) => file === unit || file.startsWith(`${unit}/`)));
}

function isAllowed(from: string, to: string): boolean {
  if (from === "mod.ts") return to === "core/mod.ts";
  if (unitOf(from) === unitOf(to)) return true;
  if (from.startsWith("adapters/")) {
    if (to === "core/mod.ts") return true;
    if (!to.startsWith("adapters/")) return false;
    const sharers = SHARED[unitOf(to)];
    return ASSEMBLERS.includes(unitOf(from)) || (sharers?.includes(unitOf(from)) ?? false);
  }
  if (layerOf(from) === 0) return layerOf(to) === 0;
  return layerOf(to) >= 0 && layerOf(to) < layerOf(from);
}

/** Each cycle once, found depth first. Type imports count: what needs them in a circle is one concept in two files. */
function findCycles(): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  function visit(file: string): void {
    const seenAt = trail.indexOf(file);
    if (seenAt >= 0) {
      cycles.push([...trail.slice(seenAt), file]);
      return;
    }
    if (done.has(file)) return;
    trail.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    trail.pop();
    done.add(file);
  }
  for (const file of published) visit(file);
  return cycles;
}
