/**
 * `${NAME}` in the texts of a configuration.
 *
 * It happens once, after parsing, in scalar texts only. So a value can hold anything: quotes, line breaks, `: `, another
 * `${NAME}`; it stays the text it is.
 *
 * @module
 */
import type { ConfigPath, Finding } from "./config-path.ts";
import type { ConfigValue } from "./plain-tree.ts";

/** Where variables come from: `process.env`, the `env` of a Worker, or a function. */
export type ConfigEnvironment =
  | Readonly<Record<string, unknown>>
  | ((name: string) => string | undefined);

const REFERENCE = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]{0,254})(?:(:[-?])([^}]*))?\})?/g;
const MAX_MESSAGE = 200;

/**
 * Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?message}` by the variables' values, and `$${` by `${`.
 *
 * @param tree The configuration.
 * @param env Where the variables come from.
 * @param findings Takes every missing variable and every reference that cannot be read.
 * @returns A copy with the values in it.
 */
export function substituteEnv(tree: ConfigValue, env: ConfigEnvironment, findings: Finding[]): ConfigValue {
  return visit(tree, []);

  function visit(value: ConfigValue, path: ConfigPath): ConfigValue {
    if (typeof value === "string") return value.includes("${") ? expand(value, path) : value;
    if (typeof value !== "object" || value === null) return value;
    if (isList(value)) return value.map((item, index) => visit(item, [...path, index]));
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, visit(member, [...path, key])]));
  }

  function expand(text: string, path: ConfigPath): string {
    return text.replace(REFERENCE, (all: string, name?: string, operator?: string, operand = "") => {
      if (all === "$${") return "${";
      if (name === undefined) {
        refuse(
          path,
          "cannot read a reference: write ${NAME}, ${NAME:-default} or ${NAME:?message}; $${ is a literal ${",
        );
        return "";
      }
      if (operand.includes("${")) {
        refuse(path, `cannot read the reference to ${name}: what follows ${operator} cannot hold another reference`);
        return "";
      }
      const value = lookUp(env, name);
      // As in a shell, the forms with a colon take an empty variable for a missing one.
      if (value !== undefined && (value !== "" || operator === undefined)) return value;
      if (operator === ":-") return operand;
      const state = value === undefined ? "not set" : "empty";
      const message = operator === ":?" && operand !== "" ? `: ${shown(operand)}` : "";
      refuse(path, `the environment variable ${name} is ${state}${message}`);
      return "";
    });
  }

  function refuse(path: ConfigPath, message: string): void {
    findings.push({ path, message });
  }
}

function lookUp(env: ConfigEnvironment, name: string): string | undefined {
  if (typeof env === "function") return env(name);
  // Own properties only: "constructor" is no variable. A Worker's env also holds bindings, which are no texts.
  const value: unknown = Object.getOwnPropertyDescriptor(env, name) === undefined ? undefined : env[name];
  return typeof value === "string" ? value : undefined;
}

function isList(value: readonly ConfigValue[] | object): value is readonly ConfigValue[] {
  return Array.isArray(value);
}

/** The message comes from the file and goes to a terminal. */
function shown(message: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what this takes out
  return message.slice(0, MAX_MESSAGE).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ");
}
