/**
 * Checks a parsed configuration, all of it at once.
 *
 * @module
 */
import * as v from "valibot";
import {
  type BackendConfig,
  type BackendType,
  type ChannelConfig,
  type CommunicationsConfig,
  ConfigError,
  nearest,
} from "../../core/mod.ts";
import { checkCustomBackend } from "./check-custom-backend.ts";
import { issuesOf } from "./config-issues.ts";
import { type ConfigPath, type Finding, MAX_FINDINGS } from "./config-path.ts";
import type { PosthornConfig, StoreConfig } from "./config-types.ts";
import { dropIgnoredKeys } from "./ignored-keys.ts";
import { type ConfigObject, type ConfigValue, type ParsedConfig, toPlainTree } from "./plain-tree.ts";
import { BACKEND_SCHEMAS } from "./schema/backends.ts";
import { CHANNEL_SCHEMAS } from "./schema/channels.ts";
import { EMPTY, type Field, flag, NAME, name, wanted } from "./schema/fields.ts";
import { describeIssue, isRecord, unknownKey } from "./schema/object-fields.ts";
import { INBOX_FIELD, LEDGER_FIELD, OUTBOX_FIELD, SERVER_FIELD, STORE_SCHEMAS } from "./schema/settings.ts";
import { type ConfigEnvironment, substituteEnv } from "./substitute-env.ts";

/** Options of {@link checkConfig}. */
export interface CheckConfigOptions {
  /**
   * Where `${NAME}` comes from: `process.env`, `Deno.env.toObject()`, the `env` of a Worker, or a function.
   * @default no variables
   */
  readonly env?: ConfigEnvironment;
  /**
   * Kinds of backend of your own. Those that come with the library are known; one of yours with the same word takes
   * their place. @default none
   */
  readonly backends?: readonly BackendType[];
}

/** A configuration that can be used. */
export interface LoadedConfig {
  /** The configuration: variables filled in, durations in seconds. It holds secrets: do not print it. */
  readonly config: PosthornConfig;
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
}

/** Ids of channels that the application uses itself. */
const RESERVED = /^(inbox|ledger|quarantine|plans|outbox\..*)$/;

const SECTIONS = ["store", "communications", "channels", "server", "outbox", "inbox", "ledger"] as const;

/**
 * Checks a configuration that is an object already, and fills in its variables. Use it where there is no YAML: JSON from
 * a Worker's binding, an object in code. `loadConfig` is this after a parser.
 *
 * @param value The configuration.
 * @param options Variables, kinds of your own.
 * @returns The configuration and what a person should know of it.
 * @throws {ConfigError} With everything that is wrong, each with its path.
 *
 * @example
 * ```ts
 * import { checkConfig } from "posthorn/config";
 *
 * const { config } = await checkConfig({ store: { type: "memory" } });
 * console.log(config.store?.type); // "memory"
 * ```
 */
export async function checkConfig(value: unknown, options: CheckConfigOptions = {}): Promise<LoadedConfig> {
  return await checkParsed({ value }, options);
}

/** {@link checkConfig} for a parser that knows where things stand. */
export async function checkParsed(parsed: ParsedConfig, options: CheckConfigOptions): Promise<LoadedConfig> {
  const { env = {}, backends = [] } = options;
  const findings: Finding[] = [];
  const { tree: written, warnings } = dropIgnoredKeys(toPlainTree(parsed.value, findings));
  const tree = substituteEnv(written, env, findings);
  const checker = new ConfigChecker(backends, findings);
  const config = await checker.check(tree);
  if (findings.length > 0) throw new ConfigError(issuesOf(findings, parsed.locate));
  return { config, warnings: [...warnings, ...idleWarnings(config)] };
}

function idleWarnings({ communications }: PosthornConfig): readonly string[] {
  if (communications?.enabled === true || Object.keys(communications?.backends ?? {}).length === 0) return [];
  return ["no backend starts, because communications.enabled is not true"];
}

class ConfigChecker {
  readonly #custom: ReadonlyMap<string, BackendType>;
  readonly #findings: Finding[];

  constructor(backends: readonly BackendType[], findings: Finding[]) {
    this.#custom = new Map(backends.map((backend) => [backend.type, backend]));
    this.#findings = findings;
  }

  async check(tree: ConfigValue): Promise<PosthornConfig> {
    if (!isRecord(tree)) {
      this.#refuse([], tree === null ? "the configuration is empty" : wanted("a mapping", tree));
      return {};
    }
    // As in Compose files, keys that begin with x- are the author's own: a place for anchors.
    this.#refuseUnknown([], tree, [...SECTIONS, ...Object.keys(tree).filter((key) => key.startsWith("x-"))]);
    return omitUndefined({
      store: this.#kind<StoreConfig>(["store"], tree["store"], "store", STORE_SCHEMAS),
      communications: await this.#communications(tree["communications"]),
      channels: this.#channels(tree["channels"]),
      server: this.#field(["server"], tree["server"], SERVER_FIELD),
      outbox: this.#field(["outbox"], tree["outbox"], OUTBOX_FIELD),
      inbox: this.#field(["inbox"], tree["inbox"], INBOX_FIELD),
      ledger: this.#field(["ledger"], tree["ledger"], LEDGER_FIELD),
    });
  }

  async #communications(value: ConfigValue | undefined): Promise<CommunicationsConfig | undefined> {
    const path = ["communications"];
    const section = this.#mapping(path, value);
    if (section === undefined) return undefined;
    this.#refuseUnknown(path, section, ["enabled", "backends", "default_backend"]);
    const given = this.#mapping([...path, "backends"], section["backends"]);
    const backends: Record<string, BackendConfig> = {};
    for (const [name, config] of this.#named([...path, "backends"], given)) {
      const checked = await this.#backend([...path, "backends", name], config);
      if (checked !== undefined) backends[name] = checked;
    }
    this.#checkFallbacks([...path, "backends"], given ?? {});
    const defaultBackend = this.#field([...path, "default_backend"], section["default_backend"], name());
    if (defaultBackend !== undefined) this.#isBackend([...path, "default_backend"], defaultBackend, given ?? {});
    return omitUndefined({
      enabled: this.#field([...path, "enabled"], section["enabled"], flag()),
      backends: given === undefined ? undefined : backends,
      default_backend: defaultBackend,
    });
  }

  async #backend(path: ConfigPath, config: ConfigValue): Promise<BackendConfig | undefined> {
    const known = [...new Set([...Object.keys(BACKEND_SCHEMAS), ...this.#custom.keys()])];
    const type = this.#typeOf(path, config, "backend", known);
    if (type === undefined || !isRecord(config)) return undefined;
    const custom = this.#custom.get(type);
    if (custom === undefined) return this.#field(path, config, BACKEND_SCHEMAS[type]?.field);
    const { value, findings } = await checkCustomBackend(config, custom.schema);
    for (const finding of findings) this.#refuse([...path, ...finding.path], finding.message);
    return value;
  }

  #channels(value: ConfigValue | undefined): PosthornConfig["channels"] {
    const given = this.#mapping(["channels"], value);
    if (given === undefined) return undefined;
    const channels: Record<string, ChannelConfig> = {};
    for (const [name, config] of this.#named(["channels"], given)) {
      if (isRecord(config) && config["type"] === "periodic") {
        this.#refuse(
          ["channels", name, "type"],
          "a periodic channel fetches by code: make it with new PeriodicChannel()",
        );
        continue;
      }
      if (RESERVED.test(name)) {
        this.#refuse(["channels", name], "the application uses this id itself; choose another");
        continue;
      }
      const checked = this.#kind<ChannelConfig>(["channels", name], config, "channel", CHANNEL_SCHEMAS);
      if (checked !== undefined) channels[name] = checked;
    }
    return channels;
  }

  /** What a fallback names must be there, and must not lead back to it. */
  #checkFallbacks(path: ConfigPath, backends: ConfigObject): void {
    for (const [name, config] of Object.entries(backends)) {
      const channels = channelsOf(config);
      for (const [index, channel] of channels.entries()) {
        const at = [...path, name, "channels", index];
        if (backends[channel] === undefined) {
          const guess = nearest(channel, Object.keys(backends));
          this.#refuse(
            at,
            `there is no backend of this name${guess === undefined ? "" : `; did you mean "${guess}"?`}`,
          );
        } else if (leadsTo(channel, name, backends)) {
          this.#refuse(at, `leads back to ${name}`);
        }
      }
    }
  }

  #isBackend(path: ConfigPath, name: string, backends: ConfigObject): boolean {
    if (backends[name] !== undefined) return true;
    const guess = nearest(name, Object.keys(backends));
    this.#refuse(path, `there is no backend of this name${guess === undefined ? "" : `; did you mean "${guess}"?`}`);
    return false;
  }

  /** A mapping whose `type` chooses its schema. */
  #kind<T>(
    path: ConfigPath,
    value: ConfigValue | undefined,
    what: string,
    schemas: Readonly<Record<string, { readonly field: Field<T> }>>,
  ): T | undefined {
    if (value === undefined) return undefined;
    const type = this.#typeOf(path, value, what, Object.keys(schemas));
    return type === undefined ? undefined : this.#field(path, value, schemas[type]?.field);
  }

  #typeOf(path: ConfigPath, value: ConfigValue, what: string, known: readonly string[]): string | undefined {
    const mapping = this.#mapping(path, value);
    if (mapping === undefined) return undefined;
    const type = mapping["type"];
    if (typeof type === "string" && known.includes(type)) return type;
    const at = [...path, "type"];
    if (type === undefined) this.#refuse(at, `is missing; known types are ${known.join(", ")}`);
    else if (typeof type !== "string" || type === "") this.#refuse(at, type === null ? EMPTY : wanted("a text", type));
    else {
      const guess = nearest(type, known);
      const hint = guess === undefined ? `known types are ${known.join(", ")}` : `did you mean "${guess}"?`;
      this.#refuse(at, `unknown ${what} type; ${hint}`);
    }
    return undefined;
  }

  #field<T>(path: ConfigPath, value: ConfigValue | undefined, field: Field<T> | undefined): T | undefined {
    if (value === undefined || field === undefined) return undefined;
    const result = v.safeParse(field, value, { message: describeIssue });
    if (result.success) return result.output;
    for (const issue of result.issues) {
      this.#refuse([...path, ...(issue.path ?? []).map(({ key }) => keyOf(key))], issue.message);
    }
    return undefined;
  }

  #mapping(path: ConfigPath, value: ConfigValue | undefined): ConfigObject | undefined {
    if (value === undefined) return undefined;
    if (isRecord(value)) return value;
    this.#refuse(path, value === null ? EMPTY : wanted("a mapping", value));
    return undefined;
  }

  #named(path: ConfigPath, mapping: ConfigObject | undefined): (readonly [string, ConfigValue])[] {
    return Object.entries(mapping ?? {}).filter(([name]) => {
      if (NAME.test(name)) return true;
      this.#refuse([...path, name], "a name is 1 to 128 letters, digits, dots, underscores and hyphens");
      return false;
    });
  }

  #refuseUnknown(path: ConfigPath, mapping: ConfigObject, known: readonly string[]): void {
    for (const key of Object.keys(mapping)) {
      if (this.#findings.length > MAX_FINDINGS) return;
      if (!known.includes(key)) this.#refuse([...path, key], unknownKey(key, known));
    }
  }

  #refuse(path: ConfigPath, message: string): void {
    this.#findings.push({ path, message });
  }
}

function channelsOf(config: ConfigValue | undefined): readonly string[] {
  if (!isRecord(config) || config["type"] !== "fallback") return [];
  const channels = config["channels"];
  return Array.isArray(channels) ? channels.filter((each) => typeof each === "string") : [];
}

function leadsTo(from: string, target: string, backends: ConfigObject): boolean {
  const seen = new Set<string>();
  const waiting = [from];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === target) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    waiting.push(...channelsOf(backends[name]));
  }
  return false;
}

function keyOf(key: unknown): string | number {
  return typeof key === "number" ? key : String(key);
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function omitUndefined<T extends object>(value: T): Defined<T> {
  const copy: Defined<T> = { ...value };
  for (const key of Object.keys(value)) {
    if (Reflect.get(copy, key) === undefined) Reflect.deleteProperty(copy, key);
  }
  return copy;
}
