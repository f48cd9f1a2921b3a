// Fails when the main entry loads anything but our own core: no package, no runtime's module.
// deno run --allow-read --allow-run --allow-env scripts/check-graph.ts
import process from "node:process";

interface ModuleGraph {
  readonly modules: readonly { readonly specifier: string; readonly error?: string }[];
}

const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json", "mod.ts"] }).outputSync();
const graph: ModuleGraph = JSON.parse(new TextDecoder().decode(stdout));
const root = new URL("../", import.meta.url).href;
const foreign = graph.modules.filter(({ specifier, error }) => {
  const file = specifier.startsWith(root) ? specifier.slice(root.length) : undefined;
  return error !== undefined || file === undefined || !(file === "mod.ts" || file.startsWith("core/"));
});
for (const { specifier, error } of foreign) console.error(`mod.ts loads ${specifier}${error ? `: ${error}` : ""}`);
if (foreign.length > 0 || graph.modules.length < 2) process.exit(1);
console.log(`${graph.modules.length} modules, all of them ours`);
