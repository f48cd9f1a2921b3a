/**
 * Checks of values that come from outside: each gives the value back or an error that names it and its kind.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";

/** Rules of {@link assertText}. */
export interface TextRules {
  /** The most UTF-16 units. @default `1_000` */
  readonly maxLength?: number;
  /** Whether `""` will do. @default `false` */
  readonly allowEmpty?: boolean;
  /** Whether line breaks and tabs are allowed. Other control characters never are. @default `false` */
  readonly multiline?: boolean;
}

// deno-lint-ignore no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
// deno-lint-ignore no-control-regex -- as above, without tab, line feed and carriage return
const CONTROL_BUT_BREAKS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;

/**
 * A text without control characters.
 *
 * @param value The value.
 * @param argument What to call it.
 * @param rules Length, emptiness, line breaks.
 * @returns The text.
 * @throws {ValidationError} If it is something else.
 */
export function assertText(value: unknown, argument: string, rules: TextRules = {}): string {
  const { maxLength = 1_000, allowEmpty = false, multiline = false } = rules;
  if (typeof value !== "string") {
    throw new ValidationError(argument, `Cannot accept '${argument}': it must be a text, not ${kindOf(value)}`);
  }
  if (value === "" && !allowEmpty) throw new ValidationError(argument, `Cannot accept '${argument}': it is empty`);
  if (value.length > maxLength) {
    throw new ValidationError(
      argument,
      `Cannot accept '${argument}' of ${value.length} characters: limit is ${maxLength}`,
    );
  }
  if ((multiline ? CONTROL_BUT_BREAKS : CONTROL).test(value)) {
    throw new ValidationError(argument, `Cannot accept '${argument}': it contains a control character`);
  }
  return value;
}

const ID = /^[\x21-\x7e\u00a1-\u2027\u202a-\ud7ff\uf900-\ufffd]{1,200}$/;

/**
 * A sender, reader, worker or recipient id: 1 to 200 characters, no spaces, no control characters.
 *
 * @param value The value.
 * @param argument What to call it.
 * @returns The id.
 * @throws {ValidationError} If it is something else.
 */
export function assertId(value: unknown, argument: string): string {
  if (typeof value === "string" && ID.test(value)) return value;
  throw new ValidationError(
    argument,
    `Cannot accept '${argument}': it must be 1 to 200 characters without spaces or control characters, not ${
      kindOf(value)
    }`,
  );
}

const CHANNEL_ID = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * A channel id or a backend name: 1 to 128 letters, digits, `.`, `_`, `-`.
 *
 * @param value The value.
 * @param argument What to call it.
 * @returns The name.
 * @throws {ValidationError} If it is something else.
 */
export function assertName(value: unknown, argument: string): string {
  if (typeof value === "string" && CHANNEL_ID.test(value)) return value;
  throw new ValidationError(
    argument,
    `Cannot accept '${argument}': it must be 1 to 128 letters, digits, dots, underscores or hyphens, not ${
      kindOf(value)
    }`,
  );
}

/**
 * An integer within bounds.
 *
 * @param value The value.
 * @param argument What to call it.
 * @param minimum The least.
 * @param maximum The most.
 * @returns The number.
 * @throws {ValidationError} If it is something else.
 */
export function assertInteger(
  value: unknown,
  argument: string,
  minimum: number,
  maximum: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw new ValidationError(
    argument,
    `Cannot accept '${argument}': it must be an integer from ${minimum} to ${maximum}, not ${numberOrKind(value)}`,
  );
}

/**
 * A duration in milliseconds.
 *
 * @param value The value.
 * @param argument What to call it: it should end in `Ms`.
 * @param minimum The least. @default `0`
 * @returns The number; `Infinity` will do.
 * @throws {ValidationError} If it is something else.
 */
export function assertDurationMs(value: unknown, argument: string, minimum = 0): number {
  if (typeof value === "number" && !Number.isNaN(value) && value >= minimum) return value;
  throw new ValidationError(
    argument,
    `Cannot accept '${argument}': it must be a number of milliseconds of at least ${minimum}, not ${
      numberOrKind(value)
    }`,
  );
}

/** A number where a number is wanted is no secret. */
function numberOrKind(value: unknown): string {
  return typeof value === "number" ? String(value) : kindOf(value);
}
