/**
 * How long a server asks to wait.
 *
 * @module
 */

/**
 * Reads `Retry-After`: seconds, or a date.
 *
 * @param value The header.
 * @param now The time, in milliseconds since 1970.
 * @returns Milliseconds from now, or `undefined` if it says neither.
 */
export function readRetryAfterMs(value: string | null | undefined, now: number): number | undefined {
  if (value === null || value === undefined) return undefined;
  if (/^\d{1,9}(?:\.\d{1,6})?$/.test(value.trim())) return Math.ceil(Number(value) * 1_000);
  // A date by RFC 9110, which ends in GMT; anything else a date parser would guess at.
  const date = /^\w{3,9},? [\w :-]{10,30} GMT$/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
