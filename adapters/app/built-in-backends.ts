/**
 * The kinds of backend that come with the library, loaded when a configuration names them.
 *
 * @module
 */
import { type BackendType, ConfigError, fallback, noOp } from "../../core/mod.ts";
import { isMissing } from "./missing-package.ts";

interface BuiltIn {
  /** The package it needs, if any. */
  readonly needs?: string;
  /** Loads it. Literal specifiers: bundlers have to see them. */
  readonly load: () => Promise<BackendType>;
}

const BUILT_IN: Readonly<Record<string, BuiltIn>> = {
  telegram: { needs: "grammy", load: async () => (await import("../telegram/mod.ts")).telegram },
  email: { needs: "nodemailer", load: async () => (await import("../smtp/mod.ts")).email },
  whatsapp: { load: async () => (await import("../whatsapp/mod.ts")).whatsapp },
  webhook: { load: async () => (await import("../webhook/mod.ts")).webhook },
  slack: { load: async () => (await import("../webhook/mod.ts")).slack },
  discord: { load: async () => (await import("../webhook/mod.ts")).discord },
  ntfy: { load: async () => (await import("../webhook/mod.ts")).ntfy },
  emulator: { load: async () => (await import("../emulator/mod.ts")).emulator },
  fallback: { load: () => Promise.resolve(fallback) },
  noop: { load: () => Promise.resolve(noOp) },
};

/**
 * Loads kinds of backend: those of the given words that come with the library, and nothing else. A configuration without
 * Telegram loads no grammY.
 *
 * @param types The words. One that the library does not have is left out.
 * @returns The kinds.
 * @throws {ConfigError} If a package that one needs is not installed.
 */
export async function loadBuiltInBackends(types: Iterable<string>): Promise<readonly BackendType[]> {
  const wanted = [...new Set(types)].filter((type) => Object.hasOwn(BUILT_IN, type));
  return await Promise.all(wanted.map(loadOne));
}

async function loadOne(type: string): Promise<BackendType> {
  const builtIn = BUILT_IN[type];
  if (builtIn === undefined) throw new RangeError(`Cannot load backend type "${type}"`);
  try {
    return await builtIn.load();
  } catch (error) {
    if (builtIn.needs === undefined || !isMissing(builtIn.needs, error)) throw error;
    const message = `type ${type} needs the package ${builtIn.needs}: npm install ${builtIn.needs}`;
    throw new ConfigError([{ path: "communications.backends", message }], { cause: error });
  }
}
