/**
 * What a server said, made fit for a receipt, a log and a person.
 *
 * @module
 */
import { base64Of } from "./mime-body.ts";

const MAX_LENGTH = 300;
const SHORTEST_SECRET = 4;

// deno-lint-ignore no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
const REPLY = /^(\d{3})(?:[ -](?:([245]\.\d{1,3}\.\d{1,3})(?:\s|$))?)?/;

/** A reply, taken apart. */
export interface ServerReply {
  /** Three digits; absent when the reply has none. */
  readonly code?: number;
  /** The enhanced code (RFC 2034), where its class fits the reply's. */
  readonly enhanced?: string;
}

/**
 * Takes the codes from a reply.
 *
 * @param reply The reply, of one line or several.
 */
export function parseServerReply(reply: string): ServerReply {
  const [, code, enhanced] = REPLY.exec(reply) ?? [];
  if (code === undefined) return {};
  return { code: Number(code), ...(enhanced === undefined || enhanced[0] !== code[0] ? {} : { enhanced }) };
}

/**
 * Makes a function that cleans a server's text: one line, short, and without our secrets, which a server may send back
 * as it got them.
 *
 * @param secrets Passwords and tokens.
 */
export function createCleaner(secrets: readonly { readonly username?: string; readonly secret: string }[]): (
  text: string,
) => string {
  const forms = secrets.flatMap(({ username = "", secret }) => formsOf(username, secret))
    .filter((form) => form.length >= SHORTEST_SECRET)
    .sort((left, right) => right.length - left.length);
  return (text) => {
    let clean = text.slice(0, 20_000).replace(CONTROL, " ");
    for (const form of forms) clean = clean.replaceAll(form, "[redacted]");
    clean = clean.trim();
    return clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH)}…` : clean;
  };
}

/** As AUTH sends them: plain, LOGIN, PLAIN, and the inner parts of base64, which do not depend on what stands before. */
function formsOf(username: string, secret: string): string[] {
  const encoder = new TextEncoder();
  const whole = [`\0${username}\0${secret}`, `${username}\0${username}\0${secret}`, secret];
  const shifted = [0, 1, 2].map((shift) => {
    const text = base64Of(encoder.encode(`${" ".repeat(shift)}${secret}`));
    // What the bytes before and after have a part in is cut off.
    return text.replace(/=+$/, "").slice(shift === 0 ? 0 : 2 + shift, -2);
  });
  return [secret, ...whole.map((each) => base64Of(encoder.encode(each)).replace(/=+$/, "")), ...shifted];
}
