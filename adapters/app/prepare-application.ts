/**
 * A configuration, read and checked, with the kinds of backend that it needs.
 *
 * @module
 */
import { type BackendType, PosthornError, registeredBackends } from "../../core/mod.ts";
import type { LoadedConfig } from "../config/check-config.ts";
import type { LoadConfigOptions } from "../config/load-config.ts";
import type { PosthornConfig } from "../config/config-types.ts";
import { loadBuiltInBackends } from "./built-in-backends.ts";
import { isMissing } from "./missing-package.ts";

/** Options of {@link prepareApplication}. */
export interface PrepareOptions extends Pick<LoadConfigOptions, "env" | "parse" | "maxBytes"> {
  /**
   * Kinds of backend of your own, beside those of `registerBackend`. Those that come with the library are loaded when
   * the configuration names them; one of yours with the same word takes their place. @default none
   */
  readonly backends?: readonly BackendType[];
}

/** What {@link prepareApplication} found. */
export interface PreparedApplication {
  /** The configuration: variables filled in, durations in seconds. It holds secrets: do not print it. */
  readonly config: PosthornConfig;
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
  /** The kinds of backend it needs. */
  readonly backends: readonly BackendType[];
}

/**
 * Reads a configuration and loads the kinds of backend that it names: all that can be done before anything is opened.
 *
 * @param source The configuration: YAML, or an object.
 * @param options Variables, kinds of your own.
 * @throws {ConfigError} With everything that is wrong.
 * @throws {PosthornError} With code `missing-package` if valibot is not installed.
 */
export async function prepareApplication(
  source: string | object,
  options: PrepareOptions = {},
): Promise<PreparedApplication> {
  const own = await ownBackends(options.backends ?? []);
  const checked = await read(source, { ...options, backends: own });
  const taken = new Set(own.map(({ type }) => type));
  const named = Object.values(checked.config.communications?.backends ?? {})
    .filter(({ type, enabled }) => enabled !== false && !taken.has(type))
    .map(({ type }) => type);
  return { ...checked, backends: [...own, ...await loadBuiltInBackends(named)] };
}

async function read(source: string | object, options: PrepareOptions): Promise<LoadedConfig> {
  try {
    const { checkConfig, loadConfig } = await import("../config/mod.ts");
    return typeof source === "string" ? await loadConfig(source, options) : await checkConfig(source, options);
  } catch (error) {
    if (!isMissing("valibot", error)) throw error;
    const packages = typeof source === "string" && options.parse === undefined ? "valibot yaml" : "valibot";
    throw new PosthornError(
      "missing-package",
      `Cannot read a configuration: a package is missing; npm install ${packages}`,
      { cause: error },
    );
  }
}

/** What is the user's own: a kind of the library that is passed by hand is still the library's, with its schema. */
async function ownBackends(given: readonly BackendType[]): Promise<readonly BackendType[]> {
  const builtIn = new Set(await loadBuiltInBackends(given.map(({ type }) => type)));
  const own = given.filter((backend) => !builtIn.has(backend));
  const taken = new Set(own.map(({ type }) => type));
  const registry = registeredBackends();
  const registered = registry.types.filter((type) => !taken.has(type)).map((type) => registry.get(type, type));
  return [...own, ...registered];
}
