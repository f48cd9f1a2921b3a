/**
 * Bodies of a mail, made 7-bit: quoted-printable, base64, or as they are.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** RFC 2045 6.8 and 6.7: encoded lines have at most 76 characters. */
const ENCODED_LINE = 76;
/** RFC 5322 2.1.1 allows 998; some servers wrap what is longer than this. */
const LONGEST_PLAIN_LINE = 900;

/** A body and how it is encoded. */
export interface EncodedBody {
  /** The value of `Content-Transfer-Encoding`. */
  readonly encoding: "7bit" | "quoted-printable" | "base64";
  /** The text, its lines ended by CRLF, the last one too. */
  readonly text: string;
}

/** What may stand in a body unencoded. */
const PLAIN = /^[\t\n\x20-\x7e]*$/;
// deno-lint-ignore no-control-regex -- everything that takes more than one byte
const MULTI_BYTE = /[^\x00-\x7f]/g;

/**
 * Encodes a text body.
 *
 * Short-lined ASCII stays as it is, unless a line could be taken for the boundary of a multipart (all of ours start with
 * `=_`, which neither encoding can produce); what is mostly ASCII becomes quoted-printable, the rest base64.
 *
 * @param text Any text; every kind of line break becomes CRLF.
 */
export function encodeTextBody(text: string): EncodedBody {
  const unix = text.replace(/\r\n?/g, "\n");
  if (PLAIN.test(unix) && !hasLongLine(unix) && !unix.includes("--=_")) {
    return { encoding: "7bit", text: ended(unix.replaceAll("\n", "\r\n")) };
  }
  const normal = ended(unix.replaceAll("\n", "\r\n"));
  const others = normal.match(MULTI_BYTE)?.length ?? 0;
  // A UTF-16 unit beyond ASCII takes six to nine characters quoted, about four in base64.
  return others * 5 > normal.length
    ? encodeBytesBody(new TextEncoder().encode(normal))
    : { encoding: "quoted-printable", text: quotePrintable(normal) };
}

/** By hand: a regular expression would look at every character up to 900 times. */
function hasLongLine(text: string): boolean {
  for (let start = 0; text.length - start > LONGEST_PLAIN_LINE;) {
    const end = text.indexOf("\n", start);
    if ((end < 0 ? text.length : end) - start > LONGEST_PLAIN_LINE) return true;
    start = end + 1;
  }
  return false;
}

/**
 * Encodes bytes as base64 lines.
 *
 * @param bytes The content.
 */
export function encodeBytesBody(bytes: Uint8Array): EncodedBody {
  const text = base64Of(bytes);
  const lines: string[] = [];
  for (let index = 0; index < text.length; index += ENCODED_LINE) {
    lines.push(text.slice(index, index + ENCODED_LINE));
  }
  lines.push("");
  return { encoding: "base64", text: lines.join("\r\n") };
}

/** Base64 (RFC 4648 4) in one line. */
export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function ended(text: string): string {
  return text.endsWith("\r\n") ? text : `${text}\r\n`;
}

const QUOTED: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => {
    const isPlain = (byte >= 0x20 && byte <= 0x7e && byte !== 0x3d) ||
      byte === 0x09;
    return isPlain ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  },
);

/** RFC 2045 6.7: soft breaks at 76 characters, and white space before a line break is quoted. */
function quotePrintable(text: string): string {
  return text.split("\r\n").map(quoteLine).join("\r\n");
}

function quoteLine(line: string): string {
  if (
    line.length < ENCODED_LINE && /^[\x21-\x3c\x3e-\x7e ]*$/.test(line) &&
    !line.endsWith(" ")
  ) return line;
  const bytes = new TextEncoder().encode(line);
  let out = "";
  let length = 0;
  bytes.forEach((byte, index) => {
    const isLast = index === bytes.length - 1;
    const quoted = isLast && (byte === 0x20 || byte === 0x09) ? `=${byte === 0x20 ? "20" : "09"}` : QUOTED[byte] ?? "";
    // One place is left for the "=" of a soft break.
    if (length + quoted.length > ENCODED_LINE - 1) {
      out += "=\r\n";
      length = 0;
    }
    out += quoted;
    length += quoted.length;
  });
  return out;
}
