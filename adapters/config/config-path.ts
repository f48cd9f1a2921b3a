/**
 * How a place in a configuration is written: `communications.backends.ops.labels[1]`.
 *
 * @module
 */

/** The keys and indexes from the root. */
export type ConfigPath = readonly (string | number)[];

/** One thing found wrong, before it is written as a `ConfigIssue`. */
export interface Finding {
  /** Where. */
  readonly path: ConfigPath;
  /** What is wrong, and what would be right. */
  readonly message: string;
}

/** How many findings are looked for before the rest is left to the next run: nobody reads more at once. */
export const MAX_FINDINGS = 100;

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
const MAX_SHOWN_KEY = 64;

/**
 * Writes a path. A key that is no plain word is quoted, shortened, and loses its control characters: keys come from a
 * file, and the text goes to a terminal or a log.
 *
 * @param path The keys and indexes from the root.
 * @returns The path; `""` is the root.
 */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, key) => appendKey(text, key), "");
}

/** A key as it is shown to a person. */
export function showKey(key: string): string {
  return PLAIN_KEY.test(key) ? key : quote(key);
}

function appendKey(text: string, key: string | number): string {
  if (typeof key === "number") return `${text}[${key}]`;
  if (!PLAIN_KEY.test(key)) return `${text}[${quote(key)}]`;
  return text === "" ? key : `${text}.${key}`;
}

function quote(key: string): string {
  const shown = key.length > MAX_SHOWN_KEY ? `${key.slice(0, MAX_SHOWN_KEY)}…` : key;
  // deno-lint-ignore no-control-regex -- control characters are what this takes out
  return JSON.stringify(shown.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "�"));
}
