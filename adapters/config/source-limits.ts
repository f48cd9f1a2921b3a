/**
 * What is checked of a configuration's text before any parser sees it.
 *
 * @module
 */
import { ConfigError, kindOf } from "../../core/mod.ts";

/** How many bytes a configuration may have, unless `maxBytes` says otherwise. */
export const DEFAULT_MAX_CONFIG_BYTES = 262_144;

/**
 * Checks that a configuration is a text of a reasonable size without characters that YAML forbids.
 *
 * @param text The configuration.
 * @param maxBytes The most bytes as UTF-8.
 * @returns The text without a byte order mark.
 * @throws {ConfigError} If it is something else.
 */
export function checkSource(text: unknown, maxBytes: number): string {
  if (typeof text !== "string") {
    throw new ConfigError([{ path: "", message: `the configuration must be a text, not ${kindOf(text)}` }]);
  }
  // A UTF-16 unit is at least one byte of UTF-8, so what is too long needs no counting.
  const bytes = text.length > maxBytes ? text.length : new TextEncoder().encode(text).length;
  if (bytes > maxBytes) {
    throw new ConfigError([{
      path: "",
      message: `the configuration is larger than ${maxBytes} bytes; maxBytes raises the limit`,
    }]);
  }
  // deno-lint-ignore no-control-regex -- control characters are what this looks for
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text);
  if (control !== null) {
    const line = text.slice(0, control.index).split("\n").length;
    const code = control[0].charCodeAt(0).toString(16).padStart(4, "0").toUpperCase();
    throw new ConfigError([{ path: "", message: `line ${line}: the control character U+${code} is not allowed` }]);
  }
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}
