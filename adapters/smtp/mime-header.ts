/**
 * Header lines of a mail: folded, encoded, and never more lines than asked for.
 *
 * @module
 */
import { ValidationError } from "../../core/mod.ts";
import { base64Of } from "./mime-body.ts";

/** RFC 5322 2.1.1: lines should have at most 78 characters without the line break. */
const LINE_LENGTH = 78;
/** RFC 5322 2.1.1: and must not have more than this. */
const LONGEST_LINE = 998;
/** So that an encoded word, `=?UTF-8?B?…?=`, and the field's name keep within the 76 characters of RFC 2047 2. */
const WORD_BYTES = 36;

// deno-lint-ignore no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const PRINTABLE = /^[\x20-\x7e]*$/;
const ATOM_TEXT = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/;

/**
 * One header line, folded. The value must be ASCII already, except where SMTPUTF8 allows more (RFC 6532).
 *
 * @param name The field's name.
 * @param value What stands after the colon.
 * @throws {ValidationError} If the value has a control character (a line break would start a header of its own), or a word
 * too long for any line.
 */
export function headerLine(name: string, value: string): string {
  if (CONTROL.test(value)) {
    throw new ValidationError(name, `Cannot compose mail as '${name}' contains a control character`);
  }
  if (value.length + name.length + 2 <= LINE_LENGTH) return `${name}: ${value}\r\n`;
  const folded = foldLine(name, value);
  if (folded.split("\r\n").some((line) => line.length > LONGEST_LINE)) {
    throw new ValidationError(
      name,
      `Cannot compose mail as '${name}' has a word of more than ${LONGEST_LINE} characters`,
    );
  }
  return folded;
}

/** Breaks at spaces, which stay on the next line, so that unfolding (RFC 5322 2.2.3) gives the value back. */
function foldLine(name: string, value: string): string {
  let text = "";
  let line = `${name}:`;
  for (const word of value.split(" ")) {
    if (
      word !== "" && line.length + 1 + word.length > LINE_LENGTH &&
      line.trim() !== "" && line !== `${name}:`
    ) {
      text += `${line}\r\n`;
      line = "";
    }
    line += ` ${word}`;
  }
  return `${text}${line}\r\n`;
}

/**
 * Free text for a header such as `Subject`: as it is where it is short ASCII, as encoded words (RFC 2047) otherwise.
 *
 * @param text Any text without control characters.
 */
export function encodeText(text: string): string {
  const isPlain = PRINTABLE.test(text) && !text.includes("=?") &&
    text.trim() === text && !text.includes("  ") &&
    (text.length <= LINE_LENGTH - 20 ||
      text.split(" ").every((word) => word.length <= LINE_LENGTH - 20));
  return isPlain ? text : encodeWords(text);
}

/**
 * A display name in front of an address.
 *
 * @param name Any text without control characters.
 */
export function encodePhrase(name: string): string {
  if (
    !PRINTABLE.test(name) || name.includes("=?") ||
    name.length > LINE_LENGTH - 20
  ) return encodeWords(name);
  return ATOM_TEXT.test(name) && name.trim() === name ? name : `"${name.replace(/["\\]/g, "\\$&")}"`;
}

/** Cuts between code points only: RFC 2047 5 wants whole characters in each word. */
function encodeWords(text: string): string {
  const words: string[] = [];
  let word = "";
  let bytes = 0;
  for (const character of text) {
    const size = utf8Size(character);
    if (bytes + size > WORD_BYTES) {
      words.push(word);
      word = "";
      bytes = 0;
    }
    word += character;
    bytes += size;
  }
  words.push(word);
  return words.map((each) => `=?UTF-8?B?${base64Of(new TextEncoder().encode(each))}?=`).join(" ");
}

function utf8Size(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
}

/**
 * A parameter of a structured header, such as `filename`: a quoted text where it is short ASCII, the continued and
 * percent-encoded form of RFC 2231 otherwise, with an ASCII stand-in before it for old readers.
 *
 * @param name The parameter's name.
 * @param value Any text without control characters.
 * @returns `; name="value"`, or the longer form.
 */
export function encodeParameter(name: string, value: string): string {
  if (PRINTABLE.test(value) && value.length <= LINE_LENGTH - 28) {
    return `; ${name}="${value.replace(/["\\]/g, "\\$&")}"`;
  }
  const standIn = value.replace(/[^\x20-\x7e]|["\\]/gu, "_").slice(0, 40);
  const pieces: string[] = [];
  let piece = "UTF-8''";
  for (const byte of new TextEncoder().encode(value)) {
    const character = String.fromCharCode(byte);
    const encoded = /[A-Za-z0-9._~-]/.test(character) ? character : `%${hexOf(byte)}`;
    if (piece.length + encoded.length > LINE_LENGTH - 28) {
      pieces.push(piece);
      piece = "";
    }
    piece += encoded;
  }
  pieces.push(piece);
  const long = pieces.length === 1
    ? `; ${name}*=${piece}`
    : pieces.map((each, index) => `; ${name}*${index}*=${each}`).join("");
  return `; ${name}="${standIn}"${long}`;
}

/** Two upper-case hexadecimal digits. */
export function hexOf(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * A time as RFC 5322 3.3 writes it, in UTC.
 *
 * @param timestamp Milliseconds since 1970.
 */
export function mailDate(timestamp: number): string {
  const date = new Date(timestamp);
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${DAYS[date.getUTCDay()]}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ` +
    `${String(date.getUTCFullYear()).padStart(4, "0")} ${time} +0000`;
}
