/**
 * Loads a configuration from YAML.
 *
 * @module
 */
import { ConfigError } from "../../core/mod.ts";
import { type CheckConfigOptions, checkParsed, type LoadedConfig } from "./check-config.ts";
import { checkSource, DEFAULT_MAX_CONFIG_BYTES } from "./source-limits.ts";
import type { ParsedConfig } from "./plain-tree.ts";

/** Options of {@link loadConfig}. */
export interface LoadConfigOptions extends CheckConfigOptions {
  /**
   * Parses the text, in the place of the `yaml` package, which is then not loaded. The standard library's
   * `parse` of `@std/yaml` fits, and so does `JSON.parse`.
   */
  readonly parse?: (text: string) => unknown;
  /** How many bytes the text may have. @default `262_144` */
  readonly maxBytes?: number;
}

/**
 * Loads a configuration: parses it, fills in `${NAME}`, checks everything.
 *
 * @param text The configuration as YAML 1.2 (JSON is YAML).
 * @param options Variables, kinds of backend of your own, another parser.
 * @returns The configuration and what a person should know of it.
 * @throws {ConfigError} With everything that is wrong, each with its path and line.
 *
 * @example
 * ```ts
 * import { loadConfig } from "posthorn/config";
 *
 * const text = `
 * communications:
 *   enabled: true
 *   backends:
 *     ops: { type: telegram, token: "\${TOKEN}", chats: { default: { chat_id: "-100123" } } }
 * `;
 * const { config, warnings } = await loadConfig(text, { env: { TOKEN: "123:abc" } });
 * console.log(config.communications?.backends?.["ops"]?.type, warnings); // "telegram" []
 * ```
 */
export async function loadConfig(text: string, options: LoadConfigOptions = {}): Promise<LoadedConfig> {
  const { parse, maxBytes = DEFAULT_MAX_CONFIG_BYTES } = options;
  const source = checkSource(text, maxBytes);
  const parsed = parse === undefined ? await parseAsYaml(source, maxBytes) : parseBy(parse, source);
  return await checkParsed(parsed, options);
}

async function parseAsYaml(source: string, maxBytes: number): Promise<ParsedConfig> {
  const { parseYaml } = await import("./parse-yaml.ts").catch((error: unknown) => {
    throw new ConfigError([{
      path: "",
      message: "reading YAML needs the package yaml: npm install yaml, or pass a parser of your own as { parse }",
    }], { cause: error });
  });
  return parseYaml(source, maxBytes);
}

function parseBy(parse: (text: string) => unknown, source: string): ParsedConfig {
  try {
    return { value: parse(source) };
  } catch (error) {
    // Its message may quote the text, and the text may hold secrets.
    const name = error instanceof Error ? error.name : typeof error;
    throw new ConfigError([{ path: "", message: `the parser refused the configuration (${name})` }]);
  }
}
