/**
 * JSON values: what content and metadata are made of, checked, measured and copied in one pass.
 *
 * @module
 */
import { kindOf, TooLargeError, ValidationError } from "../errors.ts";

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  /** A member: any JSON value. */
  readonly [key: string]: JsonValue;
}

/** Limits of {@link cloneJson}. */
export interface JsonLimits {
  /** How many bytes the value may take as UTF-8 JSON. @default `1_048_576` */
  readonly maxBytes?: number;
  /** How deep it may nest. @default `64` */
  readonly maxDepth?: number;
}

/** The default of `maxMessageBytes`: 1 MiB. */
export const DEFAULT_MAX_MESSAGE_BYTES = 1_048_576;

const DEFAULT_MAX_DEPTH = 64;

/** One for all: most messages have no metadata, and who is given this one need not look into it. */
export const EMPTY_OBJECT: JsonObject = Object.freeze({});
/** Likewise: most messages have no attachments. */
const EMPTY_ARRAY: readonly JsonValue[] = Object.freeze([]);

/** Counts at most three bytes a UTF-16 unit, six for what JSON escapes: never less than the truth. */
interface Measure {
  upperBound: number;
}

/**
 * Checks that a value is JSON, copies it and freezes the copy. Later changes to the original change nothing, and nobody
 * who reads the copy can change it for others.
 *
 * `undefined` members of objects are left out, as `JSON.stringify` does; everything else that JSON cannot say
 * (functions, symbols, bigints, `NaN`, dates, maps, classes, cycles) is refused rather than changed in silence.
 *
 * @param value The value.
 * @param path What to call it in an error: `"content"`.
 * @param limits Size and depth.
 * @returns A frozen copy.
 * @throws {ValidationError} If it is not JSON, or nests too deep.
 * @throws {TooLargeError} If it is too large.
 *
 * @example
 * ```ts
 * import { cloneJson } from "posthorn";
 *
 * console.log(cloneJson({ temperature: 22.4, note: undefined }, "content"));
 * ```
 */
export function cloneJson(value: unknown, path: string, limits: JsonLimits = {}): JsonValue {
  const { maxBytes = DEFAULT_MAX_MESSAGE_BYTES, maxDepth = DEFAULT_MAX_DEPTH } = limits;
  const measure: Measure = { upperBound: 0 };
  const copy = cloneValue(value, path, maxDepth, measure);
  if (measure.upperBound > maxBytes) assertFits(copy, path, maxBytes);
  return copy;
}

/** Measures exactly, once the cheap bound was not enough. */
function assertFits(copy: JsonValue, path: string, maxBytes: number): void {
  const bytes = jsonByteLength(copy);
  if (bytes > maxBytes) {
    throw new TooLargeError(`Cannot accept '${path}' of ${bytes} bytes: limit is ${maxBytes} bytes`, maxBytes);
  }
}

/** How many bytes a JSON value takes as UTF-8 JSON text. */
export function jsonByteLength(value: JsonValue): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

function cloneValue(value: unknown, path: string, depthLeft: number, measure: Measure): JsonValue {
  switch (typeof value) {
    case "string":
      measure.upperBound += 2 + value.length * 6;
      return value;
    case "number":
      if (!Number.isFinite(value)) throw refuse(path, value);
      measure.upperBound += 25;
      return value;
    case "boolean":
      measure.upperBound += 6;
      return value;
    case "object":
      break;
    default:
      throw refuse(path, value);
  }
  if (value === null) {
    measure.upperBound += 5;
    return null;
  }
  if (depthLeft === 0) throw new ValidationError(path, `Cannot accept '${path}': nested too deep, or a cycle`);
  measure.upperBound += 3;
  if (Array.isArray(value)) {
    const items: JsonValue[] = [];
    const itemPath = `${path}[]`;
    for (let index = 0; index < value.length; index++) {
      items.push(cloneValue(value[index], itemPath, depthLeft - 1, measure));
    }
    return items.length === 0 ? EMPTY_ARRAY : Object.freeze(items);
  }
  if (!isPlain(value)) throw refuse(path, value);
  const copy: Record<string, JsonValue> = {};
  let isEmpty = true;
  // Not Object.entries, which makes an array for every member.
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    const member = value[key];
    if (member === undefined) continue;
    if (key === "__proto__") throw new ValidationError(path, `Cannot accept '${path}': it has a key "__proto__"`);
    measure.upperBound += 4 + key.length * 6;
    copy[key] = cloneMember(member, path, key, depthLeft, measure);
    isEmpty = false;
  }
  return isEmpty ? EMPTY_OBJECT : Object.freeze(copy);
}

/** Strings and numbers, the most of all members, without building a path nobody will read. */
function cloneMember(member: unknown, path: string, key: string, depthLeft: number, measure: Measure): JsonValue {
  if (typeof member === "string") {
    measure.upperBound += 2 + member.length * 6;
    return member;
  }
  if (typeof member === "number" && Number.isFinite(member)) {
    measure.upperBound += 25;
    return member;
  }
  return cloneValue(member, `${path}.${key}`, depthLeft - 1, measure);
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function refuse(path: string, value: unknown): ValidationError {
  return new ValidationError(path, `Cannot accept '${path}': it must be JSON, not ${kindOf(value)}`);
}
