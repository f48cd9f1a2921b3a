/**
 * Reads a mail as strictly as RFC 5322 and RFC 2045 allow, and refuses what is not exactly right. It shares no code with
 * what composes mails.
 *
 * @module
 */

/** A part of a mail. */
export interface StrictPart {
  /** Names as written and values unfolded, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The first value of a header, by lower-case name. */
  header(name: string): string | undefined;
  /** The content with its transfer encoding undone; empty for a multipart. */
  readonly bytes: Uint8Array;
  /** The same as UTF-8, lines ended by LF. */
  readonly text: string;
  /** The parts of a multipart. */
  readonly parts: readonly StrictPart[];
}

/** Reads a mail of one character a byte. */
export function readStrictly(raw: string, options: { readonly allowUtf8Headers?: boolean } = {}): StrictPart {
  const lines = raw.split("\r\n");
  if (lines.pop() !== "") throw new Error("The last line has no end");
  for (const line of lines) {
    if (line.length > 998) throw new Error(`A line has ${line.length} characters`);
    // deno-lint-ignore no-control-regex -- control characters are what this looks for
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) {
      throw new Error(`A line has a control character: ${JSON.stringify(line)}`);
    }
  }
  return readPart(lines, options.allowUtf8Headers === true);
}

function readPart(lines: readonly string[], allowUtf8: boolean): StrictPart {
  const end = lines.indexOf("");
  if (end < 0) throw new Error("There is no empty line after the headers");
  const headers: [string, string][] = [];
  for (const line of lines.slice(0, end)) {
    if (!allowUtf8 && /[^\x20-\x7e\t]/.test(line)) throw new Error(`A header is not ASCII: ${JSON.stringify(line)}`);
    if (/^[ \t]/.test(line)) {
      const last = headers.at(-1);
      if (last === undefined || line.trim() === "") throw new Error(`A folded line is wrong: ${JSON.stringify(line)}`);
      last[1] += line;
      continue;
    }
    const [, name, value] = /^([A-Za-z][A-Za-z0-9-]*):(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`No header line: ${JSON.stringify(line)}`);
    headers.push([name, value]);
  }
  for (const header of headers) header[1] = header[1].replace(/^ /, "");
  const names = headers.map(([name]) => name.toLowerCase());
  if (new Set(names).size !== names.length) throw new Error(`A header is there twice: ${names}`);
  const header = (name: string): string | undefined => headers.find(([each]) => each.toLowerCase() === name)?.[1];
  const boundary = /^multipart\/[a-z]+; boundary="([^"]+)"$/.exec(header("content-type") ?? "")?.[1];
  const body = lines.slice(end + 1);
  if (boundary !== undefined) {
    return { headers, header, bytes: new Uint8Array(), text: "", parts: partsOf(body, boundary, allowUtf8) };
  }
  const bytes = decodeBody(body, header("content-transfer-encoding") ?? "");
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes).replaceAll("\r\n", "\n");
  return { headers, header, bytes, text, parts: [] };
}

function partsOf(lines: readonly string[], boundary: string, allowUtf8: boolean): StrictPart[] {
  const parts: StrictPart[] = [];
  let part: string[] | undefined;
  let isOver = false;
  for (const line of lines) {
    if (isOver) throw new Error(`Something follows the last part: ${JSON.stringify(line)}`);
    if (line === `--${boundary}` || line === `--${boundary}--`) {
      if (part !== undefined) parts.push(readPart(part, allowUtf8));
      part = [];
      isOver = line.endsWith("--") && line !== `--${boundary}`;
    } else if (part === undefined) {
      throw new Error(`Something comes before the first part: ${JSON.stringify(line)}`);
    } else {
      part.push(line);
    }
  }
  if (!isOver) throw new Error("The multipart does not end");
  return parts;
}

function decodeBody(lines: readonly string[], encoding: string): Uint8Array {
  const text = lines.map((line) => `${line}\r\n`).join("");
  if (/[\u0080-\uffff]/.test(text)) throw new Error("A body is not 7-bit");
  if (encoding === "7bit") return bytesOf(text);
  if (encoding === "base64") {
    if (!lines.every((line) => /^[A-Za-z0-9+/]{0,76}={0,2}$/.test(line))) throw new Error("A base64 line is wrong");
    return bytesOf(atob(lines.join("")));
  }
  if (encoding !== "quoted-printable") throw new Error(`Encoding is ${JSON.stringify(encoding)}`);
  if (!lines.every((line) => /^(?:[\t \x21-\x3c\x3e-\x7e]|=[0-9A-F]{2})*=?$/.test(line) && line.length <= 76)) {
    throw new Error("A quoted-printable line is wrong");
  }
  if (lines.some((line) => /[ \t]$/.test(line))) throw new Error("A quoted-printable line ends in white space");
  return bytesOf(
    text.replaceAll("=\r\n", "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

function bytesOf(binary: string): Uint8Array {
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Undoes RFC 2047, as RFC 2047 6.2 says: white space between encoded words is none. */
export function decodeWords(value: string): string {
  return value
    .replace(/(\?=)[ \t]+(?==\?)/g, "$1")
    .replace(
      /=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=/g,
      (_, base64) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(atob(base64))),
    );
}

/** The value of a parameter, by RFC 2231 where it was used. */
export function parameterOf(value: string, name: string): string | undefined {
  const pieces = Array.from(
    value.matchAll(new RegExp(`; ${name}\\*(?:\\d+\\*)?=([^;\\s]+)`, "g")),
    ([, piece]) => piece,
  );
  if (pieces.length > 0) return decodeURIComponent(pieces.join("").replace(/^UTF-8''/, ""));
  return new RegExp(`; ${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(value)?.[1]?.replace(/\\(.)/g, "$1");
}

/** Strings to lone surrogates, which no encoding can carry, are compared as their replacement. */
export function wellFormed(text: string): string {
  return text.toWellFormed();
}
