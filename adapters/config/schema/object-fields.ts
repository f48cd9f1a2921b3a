/**
 * Mappings, lists and durations of a configuration.
 *
 * @module
 */
import * as v from "valibot";
import { nearest } from "../../../core/mod.ts";
import { MAX_FINDINGS, showKey } from "../config-path.ts";
import { DURATION_PATTERN, parseSeconds } from "../duration.ts";
import { EMPTY, type Field, JSON_KEY, type JsonSchema, kindWord, scalar, wanted } from "./fields.ts";

/** One key of a mapping. */
export interface KeyRule {
  /** What its value must be. */
  readonly field: Field<unknown>;
  /** What it is for, in the words an editor shows. */
  readonly description: string;
  /** Whether it must be there. @default `false` */
  readonly required?: boolean;
  /** What holds when it is not there; said to people only, nothing is filled in. */
  readonly default?: unknown;
}

/** The keys of a mapping. */
export type KeyRules = Readonly<Record<string, KeyRule>>;

/** A rule over several keys. */
export interface CrossRule {
  /** Looks at what was given, right or not, and says what is wrong. */
  readonly check: (given: Readonly<Record<string, unknown>>, refuse: (key: string, message: string) => void) => void;
  /** The same as JSON Schema, where it can be said. */
  readonly json?: JsonSchema;
}

/**
 * A mapping with known keys. Every unknown key is refused, with the nearest known one.
 *
 * @param keys The keys.
 * @param rules Rules over several keys.
 * @returns The field.
 */
export function mapping<T extends object>(keys: KeyRules, rules: readonly CrossRule[] = []): Field<T> {
  const names = Object.keys(keys);
  const entries = Object.fromEntries(
    Object.entries(keys).map(([key, { field, required = false }]) => [key, required ? field : v.exactOptional(field)]),
  );
  return v.pipe(
    record(),
    v.looseObject(entries),
    v.metadata({ [JSON_KEY]: { keys, rules: rules.flatMap(({ json }) => json === undefined ? [] : [json]) } }),
    v.rawCheck(({ dataset, addIssue }) => {
      const input: unknown = dataset.value;
      if (!isRecord(input)) return;
      const refuse = (key: string, message: string): void =>
        addIssue({ message, path: [{ type: "object", origin: "key", input, key, value: input[key] }] });
      const unknown = Object.keys(input).filter((key) => !names.includes(key));
      for (const key of unknown.slice(0, MAX_FINDINGS + 1)) refuse(key, unknownKey(key, names));
      for (const { check } of rules) check(input, refuse);
    }),
    // The one place where the keys above and the type meet: the rules say at run time what T says to the compiler.
    v.transform((value) => value as T),
  );
}

/** How what is said of an unknown key begins. */
const UNKNOWN_KEY = "unknown key";

/** Whether a fault is the key itself, so that nothing its value may be matters. */
export function isOfKey(message: string): boolean {
  return message.startsWith(UNKNOWN_KEY);
}

/** Says that a key is unknown, and which one was meant. */
export function unknownKey(key: string, known: readonly string[]): string {
  const guess = nearest(key, known) ?? known.find((each) => each.startsWith(`${key}_`) || key.startsWith(`${each}_`));
  return guess === undefined ? UNKNOWN_KEY : `${UNKNOWN_KEY}; did you mean ${showKey(guess)}?`;
}

/** A label: a text on one line. */
// deno-lint-ignore no-control-regex -- control characters are what this keeps out
const LABEL = { expression: /^[^\u0000-\u001f\u007f-\u009f]{1,200}$/, words: "a label has 1 to 200 characters" };

/** The name of a header. */
const HEADER = { expression: /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, words: "this is no name of a header" };

/** A mapping from labels to values of one kind. */
export function byLabel<T>(value: Field<T>): Field<Readonly<Record<string, T>>> {
  return byKey(value, LABEL);
}

/** A mapping from names of headers to values of one kind. */
export function byName<T>(value: Field<T>): Field<Readonly<Record<string, T>>> {
  return byKey(value, HEADER);
}

function byKey<T>(
  value: Field<T>,
  { expression, words }: { readonly expression: RegExp; readonly words: string },
): Field<Readonly<Record<string, T>>> {
  return v.pipe(
    record(),
    v.record(v.pipe(v.string(), v.regex(expression, words)), value),
    v.metadata({ [JSON_KEY]: { values: value, names: expression.source } }),
  );
}

/** A list. */
export function list<T>(
  item: Field<T>,
  rules: { readonly minLength?: number; readonly maxLength?: number } = {},
): Field<
  readonly T[]
> {
  const { minLength = 0, maxLength = 1_000 } = rules;
  return v.pipe(
    v.array(item),
    v.metadata({ [JSON_KEY]: { items: item, minItems: minLength, maxItems: maxLength } }),
    v.minLength(minLength, `must have at least ${minLength} ${minLength === 1 ? "entry" : "entries"}`),
    v.maxLength(maxLength, `must have at most ${maxLength} entries`),
  );
}

/** One value, or a list of them: given on as a list. */
export function oneOrMore<T>(item: Field<T>): Field<readonly T[]> {
  return v.pipe(
    v.unknown(),
    v.metadata({ [JSON_KEY]: { oneOrMore: item } }),
    v.transform((value) => Array.isArray(value) ? value : [value]),
    v.array(item),
    v.minLength(1, "must have at least 1 entry"),
    v.maxLength(100, "must have at most 100 entries"),
  );
}

/** A duration: seconds, or a text with a unit. It is given on in seconds. */
export function seconds(minimum: number, maximum: number): Field<number> {
  const json = {
    anyOf: [{ type: "number", minimum, maximum }, { type: "string", pattern: DURATION_PATTERN.source }],
  };
  return scalar(json, (value) => {
    const parsed = parseSeconds(value);
    if (parsed === undefined) {
      return { problem: `must be a number of seconds or a text like "5m", not ${kindOrForm(value)}` };
    }
    return parsed >= minimum && parsed <= maximum
      ? { value: parsed }
      : { problem: `must be from ${minimum} to ${maximum} seconds` };
  });
}

/** The words for what valibot itself finds: lists, and keys that must be there. */
export function describeIssue(issue: v.BaseIssue<unknown>): string {
  if (issue.type !== "array") return "is missing";
  if (issue.input === null) return EMPTY;
  const hint = typeof issue.input === "string" ? "; write it in [ ]" : "";
  return `${wanted("a list", issue.input)}${hint}`;
}

/** A mapping, before its keys are looked at: valibot takes an array for an object. */
function record(): v.GenericSchema<unknown, Record<string, unknown>> {
  return v.custom<Record<string, unknown>>(
    isRecord,
    ({ input }) => input === null ? EMPTY : wanted("a mapping", input),
  );
}

function kindOrForm(value: unknown): string {
  return typeof value === "string" ? "this text" : kindWord(value);
}

/** Whether a value is a mapping. */
export function isRecord<Member = unknown>(value: unknown): value is Readonly<Record<string, Member>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
