/**
 * What the command line reads and writes, so that tests and other programs can run it in their own process.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";

/** Where a command reads from and writes to. */
export interface CliIo {
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person types, so that nothing is to be read from them. */
  readonly isInteractive: boolean;
  /** Writes results. */
  out(text: string): void;
  /** Writes what is not a result. */
  err(text: string): void;
  /** Reads a file as text. */
  readFile(path: string): Promise<string>;
  /** Reads the standard input as text, this many bytes at most. */
  readInput(maxBytes: number): Promise<string>;
}

/** The process's own. */
export function processIo(): CliIo {
  return {
    env: process.env,
    isInteractive: process.stdin.isTTY === true,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    readFile: (path) => readFile(path, "utf8"),
    readInput: readStandardInput,
  };
}

async function readStandardInput(maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : new Uint8Array(chunk);
    size += bytes.length;
    if (size > maxBytes) throw new RangeError(`Cannot read more than ${maxBytes} bytes from the standard input`);
    chunks.push(bytes);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return new TextDecoder().decode(whole);
}
