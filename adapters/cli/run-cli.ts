/**
 * The command line.
 *
 * @module
 */
import { ConfigError, nearest, PosthornError } from "../../core/mod.ts";
import { describeOptions, type GivenArguments, readArguments, UsageError } from "./arguments.ts";
import { check } from "./check.ts";
import type { CliIo } from "./cli-io.ts";
import type { Command, ExitCode } from "./command.ts";
import { explain } from "./explain.ts";
import { plain } from "./printing.ts";
import { configFile, printProblems } from "./read-config.ts";
import { send } from "./send.ts";

const COMMANDS: Readonly<Record<string, Command>> = { send, check, explain };
const HELP = { help: { takes: "nothing", short: "h", description: "Print this" } } as const;

/**
 * Runs a command.
 *
 * @param given The arguments, beginning with the command's name.
 * @param io Where it reads from and writes to.
 * @returns The exit code: 0 well, 1 not well, 2 called wrongly or without a usable configuration.
 */
export async function runCli(given: readonly string[], io: CliIo): Promise<ExitCode> {
  const [name, ...rest] = given;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return help(rest[0], name, io);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const guess = nearest(name, Object.keys(COMMANDS));
    const hint = guess === undefined ? "posthorn --help lists them" : `did you mean ${guess}?`;
    io.err(`posthorn: unknown command ${plain(name.slice(0, 40))}; ${hint}\n`);
    return 2;
  }
  let readable: GivenArguments | undefined;
  try {
    readable = readArguments(rest, { ...command.options, ...HELP });
    if (readable.has("help")) {
      io.out(helpOf(name, command));
      return 0;
    }
    return await command.run(readable, io);
  } catch (error) {
    return explainError(name, error, readable, io);
  }
}

function explainError(name: string, error: unknown, given: GivenArguments | undefined, io: CliIo): ExitCode {
  if (error instanceof ConfigError && given !== undefined) {
    printProblems(configFile(given), error, given, io);
  } else if (error instanceof UsageError) {
    io.err(`posthorn ${name}: ${plain(error.message)}\nposthorn ${name} --help says more.\n`);
  } else if (error instanceof PosthornError) {
    io.err(`posthorn ${name}: ${plain(error.message)}\n`);
  } else {
    // The message of a foreign error may hold anything, a token in an address for one: only its name is shown.
    io.err(`posthorn ${name}: unexpected ${error instanceof Error ? plain(error.name) : typeof error}\n`);
  }
  return 2;
}

function help(topic: string | undefined, called: string | undefined, io: CliIo): ExitCode {
  const command = topic !== undefined && Object.hasOwn(COMMANDS, topic) ? COMMANDS[topic] : undefined;
  if (topic !== undefined && command !== undefined) {
    io.out(helpOf(topic, command));
    return 0;
  }
  const list = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}\n`).join("");
  const text = `Usage: posthorn COMMAND [OPTIONS]\n\n${list}\nposthorn COMMAND --help says more of each.\n`;
  if (called === undefined) {
    io.err(text);
    return 2;
  }
  io.out(text);
  return 0;
}

function helpOf(name: string, { summary, usage, details, options }: Command): string {
  return `${summary}\n\nUsage: posthorn ${name} ${usage}\n\n${
    describeOptions({ ...options, ...HELP })
  }\n\n${details}\n`;
}
