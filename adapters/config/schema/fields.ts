/**
 * The kinds of value a configuration has. Each says in plain words what it wants, and as JSON Schema for editors.
 * No message holds the value that was given: it may be a secret.
 *
 * @module
 */
import * as v from "valibot";
import { nearest } from "../../../core/mod.ts";

/** A schema of one value: it takes anything and gives a `T`. */
export type Field<T> = v.GenericSchema<unknown, T>;

/** A part of a JSON Schema. */
export interface JsonSchema {
  readonly [key: string]: unknown;
}

/** What a reading gave: a value, or what is wrong. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** Where a field's JSON Schema is kept in its metadata. */
export const JSON_KEY = "json";

/** What is said of a key without a value. */
export const EMPTY = "has no value: give it one or remove the key";

/** A name of a backend or a channel, as `assertName` of the core has it. */
export const NAME: RegExp = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** The characters no setting needs: C0 without tab, line feed and carriage return, DEL, C1. */
// deno-lint-ignore no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/**
 * A field of one value.
 *
 * @param json What it wants as JSON Schema.
 * @param read Reads the value.
 * @returns The field.
 */
export function scalar<T>(json: JsonSchema, read: (value: unknown) => Reading<T>): Field<T> {
  return v.pipe(
    v.unknown(),
    v.metadata({ [JSON_KEY]: json }),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const reading: Reading<T> = dataset.value === null || dataset.value === undefined
        ? { problem: EMPTY }
        : read(dataset.value);
      if ("value" in reading) return reading.value;
      addIssue({ message: reading.problem });
      return NEVER;
    }),
  );
}

/** Rules of {@link text}. */
export interface TextFieldRules {
  /** The most UTF-16 units. @default `2_000` */
  readonly maxLength?: number;
  /** Whether `""` will do. @default `false` */
  readonly allowEmpty?: boolean;
  /** What it must match, with the words for it. */
  readonly pattern?: { readonly expression: RegExp; readonly words: string };
}

/** A text on one line. */
export function text(rules: TextFieldRules = {}): Field<string> {
  const { maxLength = 2_000, allowEmpty = false, pattern } = rules;
  const json = {
    type: "string",
    maxLength,
    ...(allowEmpty ? {} : { minLength: 1 }),
    ...(pattern === undefined ? {} : { pattern: pattern.expression.source }),
  };
  return scalar(json, (value) => {
    if (typeof value !== "string") return { problem: wanted("a text", value) };
    if (value === "" && !allowEmpty) return { problem: "is empty" };
    if (value.length > maxLength) return { problem: `must have at most ${maxLength} characters` };
    if (CONTROL.test(value) || /[\n\r]/.test(value)) {
      return { problem: "holds a line break or a control character" };
    }
    if (pattern !== undefined && !pattern.expression.test(value)) return { problem: `must be ${pattern.words}` };
    return { value };
  });
}

/** Rules of {@link secret}. */
export interface SecretFieldRules {
  /** Whether `""` will do. @default `false` */
  readonly allowEmpty?: boolean;
  /** What it must match, with the words for it. */
  readonly pattern?: { readonly expression: RegExp; readonly words: string };
}

/** A secret: any text, with nothing said of what is in it. */
export function secret(rules: SecretFieldRules = {}): Field<string> {
  const { allowEmpty = false, pattern } = rules;
  const json = {
    type: "string",
    maxLength: MAX_SECRET_LENGTH,
    ...(allowEmpty ? {} : { minLength: 1 }),
    ...(pattern === undefined ? {} : { pattern: pattern.expression.source }),
  };
  return scalar(json, (value) => {
    if (typeof value !== "string") return { problem: wanted("a text", value) };
    if (value === "" && !allowEmpty) return { problem: "is empty" };
    if (value.length > MAX_SECRET_LENGTH) return { problem: `must have at most ${MAX_SECRET_LENGTH} characters` };
    return pattern === undefined || pattern.expression.test(value)
      ? { value }
      : { problem: `must be ${pattern.words}` };
  });
}

const MAX_SECRET_LENGTH = 16_384;

/** An id of a network: a text, or a number that lost no digit, as the text it was. */
export function id(): Field<string> {
  const json = { anyOf: [{ type: "string", minLength: 1, maxLength: 500 }, { type: "integer" }] };
  return scalar(json, (value) => {
    if (typeof value === "number" && Number.isSafeInteger(value)) return { value: String(value) };
    if (typeof value !== "string") return { problem: wanted("a text", value) };
    if (value === "" || value.length > 500) return { problem: "must have 1 to 500 characters" };
    return CONTROL.test(value) || /[\n\r]/.test(value)
      ? { problem: "holds a line break or a control character" }
      : { value };
  });
}

/** An integer; a variable that holds one will do. */
export function integer(minimum: number, maximum: number): Field<number> {
  const json = { anyOf: [{ type: "integer", minimum, maximum }, { type: "string", pattern: "^-?\\d{1,15}$" }] };
  return scalar(json, (value) => {
    const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    return typeof number === "number" && Number.isInteger(number) && number >= minimum && number <= maximum
      ? { value: number }
      : { problem: `must be an integer from ${minimum} to ${maximum}${notNumber(number)}` };
  });
}

/** A number above zero; a variable that holds one will do. */
export function amount(maximum: number): Field<number> {
  const json = {
    anyOf: [{ type: "number", exclusiveMinimum: 0, maximum }, { type: "string", pattern: AMOUNT.source }],
  };
  return scalar(json, (value) => {
    const number = typeof value === "string" && AMOUNT.test(value) ? Number(value) : value;
    return typeof number === "number" && number > 0 && number <= maximum
      ? { value: number }
      : { problem: `must be a number above 0, at most ${maximum}${notNumber(number)}` };
  });
}

const AMOUNT = /^\d{1,15}(\.\d{1,9})?$/;

/** `true` or `false`; a variable that says so will do. */
export function flag(): Field<boolean> {
  return scalar({ enum: [true, false, "true", "false"] }, (value) => {
    if (typeof value === "boolean") return { value };
    if (value === "true" || value === "false") return { value: value === "true" };
    return { problem: wanted("true or false", value) };
  });
}

/** One of some words. */
export function word<const Word extends string>(words: readonly Word[]): Field<Word> {
  return scalar({ enum: [...words] }, (value) => {
    const found = words.find((each) => each === value);
    if (found !== undefined) return { value: found };
    const guess = typeof value === "string" ? nearest(value, words) : undefined;
    const hint = guess === undefined ? "" : `; did you mean "${guess}"?`;
    return { problem: `must be one of ${words.join(", ")}${hint}` };
  });
}

/** Takes any scalar and keeps nothing: for keys that other systems have and this one does not need. */
export function ignored(): Field<undefined> {
  return v.pipe(
    v.unknown(),
    v.metadata({ [JSON_KEY]: { deprecated: true } }),
    v.transform(() => undefined),
  );
}

/** A name of a backend or a channel. */
export function name(): Field<string> {
  return text({
    maxLength: 128,
    pattern: { expression: NAME, words: "a name of letters, digits, dots, underscores and hyphens" },
  });
}

/** An address on the Web. */
export function url(rules: { readonly https?: boolean } = {}): Field<string> {
  const { https = false } = rules;
  const json = { type: "string", pattern: https ? "^https://" : "^https?://", maxLength: 2_000 };
  const words = https ? "an absolute https URL" : "an absolute http or https URL";
  return scalar(json, (value) => {
    if (typeof value !== "string") return { problem: wanted("a text", value) };
    if (value.length > 2_000 || !URL.canParse(value)) return { problem: `must be ${words}` };
    const { protocol } = new URL(value);
    return protocol === "https:" || (protocol === "http:" && !https) ? { value } : { problem: `must be ${words}` };
  });
}

/** Says what was wanted and the kind of what came. */
export function wanted(words: string, value: unknown): string {
  return `must be ${words}, not ${kindWord(value)}${quoteHint(words, value)}`;
}

/** The kind of a value, and never the value. */
export function kindWord(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "string":
      return "a text";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    default:
      return "a mapping";
  }
}

function quoteHint(words: string, value: unknown): string {
  const isScalar = typeof value === "number" || typeof value === "boolean";
  return words === "a text" && isScalar ? "; put it in quotes" : "";
}

function notNumber(value: unknown): string {
  return typeof value === "number" ? "" : `, not ${kindWord(value)}`;
}
