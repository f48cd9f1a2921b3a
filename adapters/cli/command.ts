/**
 * What a command is.
 *
 * @module
 */
import type { GivenArguments, OptionRules } from "./arguments.ts";
import type { CliIo } from "./cli-io.ts";

/**
 * How a command ended: 0 well; 1 not well (not delivered, problems found); 2 it could not even be tried (called wrongly,
 * no usable configuration).
 */
export type ExitCode = 0 | 1 | 2;

/** A command. */
export interface Command {
  /** One line that says what it does. */
  readonly summary: string;
  /** How it is called, behind its name. */
  readonly usage: string;
  /** What else a person should know. */
  readonly details: string;
  /** Its options. */
  readonly options: OptionRules;
  /** Runs it. */
  run(given: GivenArguments, io: CliIo): Promise<ExitCode>;
}

/** Options of every command that reads a configuration. */
export const CONFIG_OPTIONS: OptionRules = {
  config: { takes: "value", short: "c", value: "FILE", description: "The configuration (default: posthorn.yaml)" },
  "env-file": { takes: "values", value: "FILE", description: "Variables, one NAME=value a line; the environment wins" },
  json: { takes: "nothing", description: "Print JSON, for programs" },
};

/** Options that say what a message is. */
export const MESSAGE_OPTIONS: OptionRules = {
  label: { takes: "value", short: "l", value: "LABEL", description: "Chooses the backends (default: default)" },
  severity: {
    takes: "value",
    short: "s",
    value: "SEVERITY",
    description: "debug, info, warning, error or critical (default: info)",
  },
  to: { takes: "values", value: "ADDRESS", description: "Somebody to write to, in the place of those configured" },
};
