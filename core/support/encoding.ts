/**
 * Bytes as text: hexadecimal and base64, strictly, by table.
 *
 * Both decoders accept exactly one spelling of any bytes (lower-case hexadecimal; canonical, padded base64), so that a
 * signature cannot be written in two ways.
 *
 * @module
 */
const HEX = "0123456789abcdef";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NOT_A_DIGIT = 255;

const HEX_VALUES = valuesOf(HEX);
const BASE64_VALUES = valuesOf(BASE64);
const HEX_PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function valuesOf(alphabet: string): Uint8Array<ArrayBuffer> {
  const values = new Uint8Array(128).fill(NOT_A_DIGIT);
  for (let index = 0; index < alphabet.length; index++) values[alphabet.charCodeAt(index)] = index;
  return values;
}

function valueAt(values: Uint8Array, text: string, index: number): number {
  return values[text.charCodeAt(index)] ?? NOT_A_DIGIT;
}

/**
 * Writes bytes as lower-case hexadecimal.
 *
 * @param bytes The bytes.
 * @returns Two digits a byte.
 */
export function encodeHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX_PAIRS[byte] ?? "";
  return text;
}

/**
 * Reads lower-case hexadecimal.
 *
 * @param text Two digits a byte, nothing else. Capitals are refused: a signature has one spelling.
 * @returns The bytes, or `undefined` if it is something else.
 *
 * @example
 * ```ts
 * import { decodeHex } from "posthorn";
 *
 * console.log(decodeHex("00ff")); // Uint8Array [ 0, 255 ]
 * console.log(decodeHex("00FF")); // undefined
 * ```
 */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    const high = valueAt(HEX_VALUES, text, index * 2);
    const low = valueAt(HEX_VALUES, text, index * 2 + 1);
    if (high === NOT_A_DIGIT || low === NOT_A_DIGIT) return undefined;
    bytes[index] = high << 4 | low;
  }
  return bytes;
}

/**
 * Writes bytes as base64 with padding.
 *
 * @param bytes The bytes.
 * @returns Four characters for every three bytes.
 */
export function encodeBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  // In pieces: a text built character by character from megabytes is a rope nobody can read fast.
  for (let start = 0; start < bytes.length; start += 24_576) {
    pieces.push(encodePiece(bytes, start, Math.min(bytes.length, start + 24_576)));
  }
  return pieces.join("");
}

function encodePiece(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let index = start; index < end; index += 3) {
    const first = bytes[index] ?? 0;
    const second = bytes[index + 1] ?? 0;
    const third = bytes[index + 2] ?? 0;
    const left = end - index;
    text += BASE64.charAt(first >> 2) + BASE64.charAt((first & 3) << 4 | second >> 4) +
      (left > 1 ? BASE64.charAt((second & 15) << 2 | third >> 6) : "=") + (left > 2 ? BASE64.charAt(third & 63) : "=");
  }
  return text;
}

/**
 * Reads base64 as RFC 4648, section 4 has it: with padding, without spaces, and with the unused bits zero.
 *
 * @param text The base64.
 * @returns The bytes, or `undefined` if it is something else.
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const digits = text.length - padding;
  const bytes = new Uint8Array(text.length / 4 * 3 - padding);
  let bits = 0;
  let length = 0;
  for (let index = 0; index < digits; index++) {
    const value = valueAt(BASE64_VALUES, text, index);
    if (value === NOT_A_DIGIT) return undefined;
    bits = (bits << 6 | value) & 0xff_ffff;
    if (index % 4 === 0) continue;
    const unused = 6 - (index % 4) * 2;
    bytes[length++] = bits >> unused & 255;
  }
  const unused = padding * 2;
  return (bits & (1 << unused) - 1) === 0 ? bytes : undefined;
}
