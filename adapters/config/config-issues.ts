/**
 * From findings to the issues of a `ConfigError`.
 *
 * @module
 */
import type { ConfigIssue } from "../../core/mod.ts";
import { type ConfigPath, type Finding, formatPath, MAX_FINDINGS } from "./config-path.ts";
import type { ParsedConfig } from "./plain-tree.ts";
import { isOfKey } from "./schema/object-fields.ts";

/**
 * The first finding of each place, with its line: what was found first is the cause of what was found later. But of an
 * unknown key nothing matters that its value names, such as a variable that is not set. A text that stands for a list of
 * one has the same place as its item.
 */
export function issuesOf(
  findings: readonly Finding[],
  locate: ParsedConfig["locate"],
): readonly ConfigIssue[] {
  const issues = new Map<string, string>();
  for (const { path, message } of findings) {
    const where = formatPath(path);
    const isItem = typeof path.at(-1) === "number";
    if ((issues.has(where) && !isOfKey(message)) || (isItem && issues.has(formatPath(path.slice(0, -1))))) continue;
    if (issues.size === MAX_FINDINGS && !issues.has(where)) {
      return [...toIssues(issues), { path: "", message: "and more problems" }];
    }
    const line = lineOf(path, locate);
    issues.set(where, line === undefined ? message : `${message} (line ${line})`);
  }
  return toIssues(issues);
}

function toIssues(issues: ReadonlyMap<string, string>): ConfigIssue[] {
  return Array.from(issues, ([path, message]) => ({ path, message }));
}

/** The line of the place, or of what should hold it. */
function lineOf(path: ConfigPath, locate: ParsedConfig["locate"]): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const line = locate?.(path.slice(0, length));
    if (line !== undefined) return line;
  }
  return undefined;
}
