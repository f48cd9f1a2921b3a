/**
 * The arguments of a command.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { nearest } from "../../core/mod.ts";

/** One option of a command. */
export interface OptionRule {
  /** What it takes: nothing, one value, or one each time it is given. */
  readonly takes: "nothing" | "value" | "values";
  /** Its one letter. */
  readonly short?: string;
  /** What to call its value in the help. */
  readonly value?: string;
  /** What it does. */
  readonly description: string;
}

/** The options of a command by name. */
export type OptionRules = Readonly<Record<string, OptionRule>>;

/** What was given. */
export interface GivenArguments {
  /** Whether an option that takes nothing is there. */
  has(name: string): boolean;
  /** The value of an option. */
  value(name: string): string | undefined;
  /** Every value of an option. */
  values(name: string): readonly string[];
  /** What is not an option. */
  readonly positionals: readonly string[];
}

/** The command was called in a way it does not know. The exit code is 2. */
export class UsageError extends Error {
  /** @param message One sentence that says what would be right. */
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/**
 * Reads arguments.
 *
 * @param given The arguments behind the command's name.
 * @param rules The options.
 * @throws {UsageError} If one is unknown, lacks its value, or is there twice.
 */
export function readArguments(given: readonly string[], rules: OptionRules): GivenArguments {
  const options = Object.fromEntries(
    Object.entries(rules).map(([name, { takes, short }]) => [
      name,
      { type: takes === "nothing" ? "boolean" as const : "string" as const, ...(short === undefined ? {} : { short }) },
    ]),
  );
  const { tokens } = parseArgs({ args: [...given], options, strict: false, allowPositionals: true, tokens: true });
  const found = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) throw new UsageError(unknownOption(rawName, Object.keys(rules)));
    if (rule.takes === "nothing" && value !== undefined) throw new UsageError(`${rawName} takes no value`);
    if (rule.takes !== "nothing" && value === undefined) {
      throw new UsageError(`${rawName} needs a value: ${rawName} ${rule.value ?? "VALUE"}`);
    }
    const values = found.get(name) ?? [];
    if (rule.takes === "value" && values.length > 0) throw new UsageError(`${rawName} is given twice`);
    found.set(name, [...values, value ?? ""]);
  }
  return {
    has: (name) => found.has(name),
    value: (name) => found.get(name)?.[0],
    values: (name) => found.get(name) ?? [],
    positionals,
  };
}

function unknownOption(rawName: string, known: readonly string[]): string {
  const guess = rawName.startsWith("--") ? nearest(rawName.slice(2), known) : undefined;
  return `unknown option ${rawName}${guess === undefined ? "" : `; did you mean --${guess}?`}`;
}

/** The options as the help shows them. */
export function describeOptions(rules: OptionRules): string {
  const lines = Object.entries(rules).map(([name, { takes, short, value = "VALUE", description }]) => {
    const letter = short === undefined ? "    " : `-${short}, `;
    const left = `${letter}--${name}${takes === "nothing" ? "" : ` ${value}`}`;
    return `  ${left.padEnd(28)} ${description}${takes === "values" ? " (may be repeated)" : ""}`;
  });
  return lines.join("\n");
}
