/**
 * The configuration a command works with.
 *
 * @module
 */
import { parseEnv } from "node:util";
import type { ConfigError } from "../../core/mod.ts";
import { prepareApplication, type PreparedApplication } from "../app/prepare-application.ts";
import { type GivenArguments, UsageError } from "./arguments.ts";
import type { CliIo } from "./cli-io.ts";
import { count, json, plain } from "./printing.ts";

const DEFAULT_FILE = "posthorn.yaml";

/** A configuration that can be used, and where it came from. */
export interface ReadConfig extends PreparedApplication {
  /** The file. */
  readonly file: string;
}

/** The file a command was told to read. */
export function configFile(given: GivenArguments): string {
  return given.value("config") ?? DEFAULT_FILE;
}

/**
 * Reads the configuration.
 *
 * @throws {UsageError} If a file cannot be read.
 * @throws {ConfigError} If the configuration cannot be used.
 */
export async function readConfig(given: GivenArguments, io: CliIo): Promise<ReadConfig> {
  const file = configFile(given);
  const hint = given.value("config") === undefined ? "; name one with --config FILE" : "";
  const text = await readText(file, io, hint);
  const env = { ...await readEnvFiles(given.values("env-file"), io), ...io.env };
  return { file, ...await prepareApplication(text, { env }) };
}

async function readEnvFiles(
  files: readonly string[],
  io: CliIo,
): Promise<Readonly<Record<string, string | undefined>>> {
  const all = await Promise.all(files.map(async (file) => parseEnv(await readText(file, io, ""))));
  return Object.assign({}, ...all);
}

async function readText(file: string, io: CliIo, hint: string): Promise<string> {
  try {
    return await io.readFile(file);
  } catch (error) {
    throw new UsageError(`cannot read ${plain(file)}: ${reasonOf(error)}${hint}`);
  }
}

function reasonOf(error: unknown): string {
  const code: unknown = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  return typeof code === "string" ? code : error instanceof Error ? error.name : typeof error;
}

/** Prints everything that is wrong with a configuration. */
export function printProblems(file: string, error: ConfigError, given: GivenArguments, io: CliIo): void {
  if (given.has("json")) {
    io.out(json({ ok: false, file, problems: error.issues.map(({ path, message }) => ({ path, message })) }));
    return;
  }
  io.err(`${plain(file)} cannot be used: ${count(error.issues.length, "problem")}\n`);
  for (const { path, message } of error.issues) io.err(`  ${path === "" ? "" : `${plain(path)}: `}${plain(message)}\n`);
}
