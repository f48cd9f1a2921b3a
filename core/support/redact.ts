/**
 * Keeping secrets out of what is written down of an error.
 *
 * @module
 */

/** What secrets look like, with what is shown in their place. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  // A Telegram token, alone or in an address.
  [/\d{5,20}:[A-Za-z0-9_-]{20,}/g, "[redacted]"],
  [/\b(bearer|basic)(["':\s]{1,4})[\w.~+/=-]{8,}/gi, "$1$2[redacted]"],
  [/\bwhsec_[\w+/=-]+/g, "[redacted]"],
  // Tokens of Meta and of Slack.
  [/\bEAA[A-Za-z0-9]{20,}/g, "[redacted]"],
  [/\bxox[a-z]-[\w-]+/g, "[redacted]"],
  // In an address: who logs in, what it is asked for, and the paths that are keys by themselves.
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@"'<>]{1,500}@/gi, "$1[redacted]@"],
  [/([?&][^\s=&#"'<>]{1,64}=)[^\s&#"'<>]+/g, "$1[redacted]"],
  [/(\/(?:services|workflows|api\/webhooks)\/)[^\s"'<>?#]+/gi, "$1[redacted]"],
];

/** What would end a line of a log, or move a cursor. */
// deno-lint-ignore no-control-regex -- control characters are what must not get into a log
const BREAKS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** More than anybody reads, and enough to see where a secret ends. */
const MAX_LOOKED_AT = 4_000;

/**
 * A text of somebody else's, such as the message of an error, in one line and without what looks like a secret: tokens,
 * credentials in addresses and headers. The library's own sentences hold none; this is for errors of handlers and of backends written
 * elsewhere.
 *
 * @param text The text.
 * @param maxLength How much of it is kept.
 */
export function redactSecrets(text: string, maxLength: number = 500): string {
  let clean = text.slice(0, MAX_LOOKED_AT).replaceAll(BREAKS, " ");
  for (const [shape, shown] of SHAPES) clean = clean.replaceAll(shape, shown);
  return clean.slice(0, maxLength);
}

/**
 * An error in one line, for a dead letter.
 *
 * @param error What was thrown.
 */
export function describeError(error: unknown): string {
  return error instanceof Error ? redactSecrets(`${error.name}: ${error.message}`, 1_000) : typeof error;
}
