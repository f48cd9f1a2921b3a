/**
 * What a module of this repository exports, types included: read from its text, since types leave no trace at run time.
 *
 * @module
 */
import { readFileSync } from "node:fs";

const DECLARED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:class|function\*?|const|let|interface|type) ([A-Za-z_$][\w$]*)/gm;
const LISTED = /^export (?:type )?\{([^}]*)\}/gm;
const PASSED_ON = /^export \* from "([^"]+)"/gm;

/** The names a module exports. */
export function exportedNames(module: URL): ReadonlySet<string> {
  const text = readFileSync(module, "utf8").replaceAll(/^\s*(?:\/?\*|\/\/).*$/gm, "");
  const names = new Set<string>();
  for (const [, name = ""] of text.matchAll(DECLARED)) names.add(name);
  for (const [, list = ""] of text.matchAll(LISTED)) {
    for (const name of listedNames(list)) names.add(name);
  }
  for (const [, from = ""] of text.matchAll(PASSED_ON)) {
    for (const name of exportedNames(new URL(from, module))) names.add(name);
  }
  return names;
}

/** The names between the braces of an import or an export, without `type`; of `a as b`, `b` or, if asked, `a`. */
export function listedNames(list: string, side: "outer" | "inner" = "outer"): readonly string[] {
  return list.split(",").map((each) => each.trim().replace(/^type /, "")).filter((each) => each !== "")
    .map((each) => each.split(/\s+as\s+/)).map((pair) => (side === "inner" ? pair[0] : pair.at(-1)) ?? "");
}
