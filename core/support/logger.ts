/**
 * Where the library says what it does. It says nothing by default: give a logger to hear it.
 *
 * @module
 */
import { redactSecrets } from "./redact.ts";

/** Facts that go with a log line: ids and numbers, never message texts, addresses or secrets above `debug`. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Anything with these four methods: `console`, LogTape and winston fit. pino takes the fields first, so it wants four
 * small functions around it.
 *
 * @example
 * ```ts
 * import { type Logger } from "posthorn";
 *
 * const lines: string[] = [];
 * const logger: Logger = {
 *   debug: () => {},
 *   info: (text) => void lines.push(text),
 *   warn: (text) => void lines.push(text),
 *   error: (text) => void lines.push(text),
 * };
 * logger.info("started");
 * ```
 */
export interface Logger {
  /** Details for somebody who looks for a fault. */
  debug(message: string, fields?: LogFields): void;
  /** What happened. */
  info(message: string, fields?: LogFields): void;
  /** What somebody should look at some day. */
  warn(message: string, fields?: LogFields): void;
  /** What somebody should look at now. */
  error(message: string, fields?: LogFields): void;
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug(): void {},
  info(): void {},
  warn(): void {},
  error(): void {},
};

/** The stable word and the sentence of an error, for a log line: never its stack, cause or inspected form, nor what looks like a secret. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error };
  const code: unknown = "code" in error ? error.code : undefined;
  return { error: error.name, message: redactSecrets(error.message), ...(typeof code === "string" ? { code } : {}) };
}
