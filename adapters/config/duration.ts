/**
 * Durations in a configuration: seconds, or a text with a unit.
 *
 * @module
 */

const UNITS: Readonly<Record<string, number>> = { "": 1, ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 };

/** What a duration looks like: `30`, `"30s"`, `"1.5h"`. */
export const DURATION_PATTERN: RegExp = /^(\d{1,12}(?:\.\d{1,6})?)(?: ?(ms|s|m|h|d))?$/;

/**
 * Reads a duration.
 *
 * @param value A number of seconds, or a text: `"500ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"`, `"30"`.
 * @returns Seconds, or `undefined` if it is no duration.
 *
 * @example
 * ```ts
 * import { parseSeconds } from "posthorn/config";
 *
 * console.log(parseSeconds("5m")); // 300
 * ```
 */
export function parseSeconds(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== "string") return undefined;
  const [, digits, unit = ""] = DURATION_PATTERN.exec(value) ?? [];
  const factor = UNITS[unit];
  if (digits === undefined || factor === undefined) return undefined;
  // Whole milliseconds, so that "0.1s" is not 0.1000000001 of anything.
  return Math.round(Number(digits) * factor * 1_000) / 1_000;
}
