/**
 * How notifications are delivered and questions are asked.
 *
 * @module
 */
import { CONFIRMATIONS, OTHERS_POLICIES } from "../delivery/fallback-group.ts";
import type { Confirmation, OthersPolicy } from "../delivery/delivery-plan.ts";
import { kindOf, ValidationError } from "../errors.ts";
import { assertDurationMs, assertText } from "../support/assert.ts";
import { nearest } from "../support/nearest.ts";

/** How {@link Application.deliver} tries. A fallback group among the channels keeps what it says itself. */
export interface DeliverOptions {
  /** One after the other, or all at once. @default `"ordered"` */
  readonly policy?: "ordered" | "parallel";
  /** What counts as arrived. @default `"accepted"` */
  readonly confirm?: Confirmation;
  /** How long a channel has to arrive; then the next is tried. @default for ever */
  readonly withinMs?: number;
  /** With `confirm: "reply"`: what those who were asked too hear once somebody has answered. @default `"tell"` */
  readonly others?: OthersPolicy;
  /** How that is said: see {@link AskOptions.othersText}. */
  readonly othersText?: string;
  /** Ends the wait, not the delivery. */
  readonly signal?: AbortSignal;
}

/** How {@link Application.ask} asks. A fallback group among the channels keeps its own policy and time. */
export interface AskOptions {
  /** All at once, or one after the other. @default `"parallel"` */
  readonly policy?: "ordered" | "parallel";
  /** With `ordered`: how long each has to answer; then the next is asked. @default for ever */
  readonly withinMs?: number;
  /** What those who were asked too hear once somebody has answered. @default `"tell"` */
  readonly others?: OthersPolicy;
  /**
   * How that is said; `{sender}` and `{backend}` in it are who answered and where.
   * @default `"Answered by {sender} on {backend}"`
   */
  readonly othersText?: string;
  /**
   * How long to wait for an answer; then the question is closed.
   * @default for ever; with `withinMs` until the last one's time is over
   */
  readonly timeoutMs?: number;
  /** Ends the wait, not the question. */
  readonly signal?: AbortSignal;
}

type Check = (value: unknown, name: string) => void;

const COMMON: Readonly<Record<string, Check>> = {
  policy: (value, name) => assertWord(value, name, ["ordered", "parallel"]),
  withinMs: (value, name) => assertDurationMs(value, name, 1),
  others: (value, name) => assertWord(value, name, OTHERS_POLICIES),
  othersText: (value, name) => assertText(value, name, { maxLength: 500, multiline: true }),
  signal: assertSignal,
};
const OF_DELIVER: Readonly<Record<string, Check>> = {
  ...COMMON,
  confirm: (value, name) => assertWord(value, name, CONFIRMATIONS),
};
const OF_ASK: Readonly<Record<string, Check>> = {
  ...COMMON,
  timeoutMs: (value, name) => assertDurationMs(value, name, 1),
};

/** Checks what a caller wrote. @throws {ValidationError} If an option is not known, or not what it must be. */
export function checkDeliverOptions(options: DeliverOptions): DeliverOptions {
  return checked(options, OF_DELIVER);
}

/** Checks what a caller wrote. @throws {ValidationError} If an option is not known, or not what it must be. */
export function checkAskOptions(options: AskOptions): AskOptions {
  return checked(options, OF_ASK);
}

function checked<Options extends object>(options: Options, checks: Readonly<Record<string, Check>>): Options {
  if (typeof options !== "object" || options === null) {
    throw new ValidationError("options", `Cannot accept 'options': it must be an object, not ${kindOf(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw unknownOption(name, Object.keys(checks));
    if (value !== undefined) check(value, name);
  }
  return options;
}

function unknownOption(name: string, known: readonly string[]): ValidationError {
  const guess = nearest(name, known);
  const hint = guess === undefined ? `known options are ${known.join(", ")}` : `did you mean "${guess}"?`;
  return new ValidationError(name, `Cannot accept an option that is not known, "${name}": ${hint}`);
}

function assertWord(value: unknown, name: string, words: readonly string[]): void {
  if (typeof value === "string" && words.includes(value)) return;
  throw new ValidationError(
    name,
    `Cannot accept '${name}': it must be one of ${words.join(", ")}, not ${kindOf(value)}`,
  );
}

function assertSignal(value: unknown, name: string): void {
  if (value instanceof AbortSignal) return;
  throw new ValidationError(name, `Cannot accept '${name}': it must be an AbortSignal, not ${kindOf(value)}`);
}
