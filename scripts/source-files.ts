// What the checks read: the source files and what each imports.
import { readdirSync, readFileSync } from "node:fs";
import { posix as path } from "node:path";

/** One import or re-export, static or dynamic. */
export interface ImportSite {
  /** The specifier, or `undefined` where it is computed. */
  readonly specifier: string | undefined;
  readonly line: number;
}

const STATIC = /^[ \t]*(?:import|export)\s(?:[^;"'`]*?\sfrom\s*)?"([^"\n]+)"/gm;
const DYNAMIC = /(?<![\w.$#])import\(\s*(?:"([^"\n]+)"\s*[,)]|(?=\S))/gm;
const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g;

/** Every `.ts` file below the given places, as paths relative to the root. */
export function listSources(...places: readonly string[]): string[] {
  const files = readdirSync(".", { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => !/(^|\/)(node_modules|dist|\.[^/]*)\//.test(file));
  return files
    .filter((file) => file.endsWith(".ts"))
    .filter((file) => places.some((place) => file === place || file.startsWith(`${place}/`)))
    .sort();
}

/** What a file imports. Examples in comments do not count. */
export function importsOf(file: string): ImportSite[] {
  const text = readFileSync(file, "utf8").replace(COMMENT, (comment) => comment.replace(/[^\n]/g, " "));
  const sites: ImportSite[] = [];
  for (const pattern of [STATIC, DYNAMIC]) {
    for (const match of text.matchAll(pattern)) {
      const before = text.slice(0, match.index + match[0].length);
      sites.push({ specifier: match[1], line: before.split("\n").length });
    }
  }
  return sites;
}

/** The file a relative specifier means. */
export function resolveRelative(from: string, specifier: string): string {
  return path.join(path.dirname(from), specifier);
}

/** `grammy` of `grammy/web`, `@hono/node-server` of `@hono/node-server/x`. */
export function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}
