/**
 * A Telegram backend's configuration, read into options.
 *
 * @module
 */
import {
  BACKEND_COMMON_KEYS,
  type BackendConfig,
  ConfigError,
  type ConfigIssue,
  kindOf,
  nearest,
} from "../../core/mod.ts";
import { issuesOf, type TelegramChat, type TelegramOptions } from "./options.ts";

/** The keys of a Telegram backend in a configuration, without those every backend has. */
export const TELEGRAM_OPTION_KEYS = [
  "token",
  "chats",
  "listen_to_commands",
  "api_root",
  "allow_insecure",
  "webhook_secret",
  "webhook_url",
  "parse_mode",
  "allowed_updates",
  "poll_timeout",
  "timeout",
  "part_interval",
  "max_media_bytes",
  "api_id",
  "api_hash",
  "session_string",
] as const;

/** The keys of one entry of `chats` in a configuration. */
export const TELEGRAM_CHAT_KEYS = ["chat_id", "topic_id", "command_authorized", "active", "user_ids"] as const;

/** Accepted because the specification's examples have them. The Bot API needs none of them. */
const IGNORED_KEYS = ["api_id", "api_hash", "session_string"] as const;

/** What {@link readTelegramConfig} found. */
export interface TelegramConfig {
  /** The options as code writes them. */
  readonly options: TelegramOptions;
  /** What somebody should know: keys that have no effect. */
  readonly warnings: readonly string[];
}

/**
 * Reads a backend's configuration: snake_case keys, durations in seconds.
 *
 * @param config The configuration.
 * @returns The options, and what to warn of.
 * @throws {ConfigError} With everything that is wrong, all at once.
 */
export function readTelegramConfig(config: BackendConfig): TelegramConfig {
  const issues: ConfigIssue[] = [];
  const reader = new ConfigReader(config, "", issues);
  const warnings: string[] = [];
  const known: readonly string[] = [...TELEGRAM_OPTION_KEYS, ...BACKEND_COMMON_KEYS];
  for (const key of Object.keys(config)) {
    if (known.includes(key)) continue;
    const guess = nearest(key, known);
    if (guess === undefined) warnings.push(`option "${key}" is not known and has no effect`);
    else issues.push({ path: key, message: `unknown option; did you mean "${guess}"?` });
  }
  const ignored = IGNORED_KEYS.filter((key) => config[key] !== undefined && config[key] !== "");
  if (ignored.length > 0) {
    warnings.push(
      `${ignored.join(", ")} ${ignored.length === 1 ? "has" : "have"} no effect: the Bot API needs a token only`,
    );
  }
  const parseMode = reader.oneOf("parse_mode", ["text", "html"]);
  const options: TelegramOptions = withoutUndefined({
    token: reader.text("token"),
    chats: readChats(config["chats"], issues),
    listenToCommands: reader.flag("listen_to_commands"),
    webhookSecret: reader.text("webhook_secret"),
    webhookUrl: reader.text("webhook_url"),
    apiRoot: reader.text("api_root"),
    allowInsecure: reader.flag("allow_insecure"),
    parseMode,
    allowedUpdates: reader.texts("allowed_updates"),
    pollTimeoutMs: reader.seconds("poll_timeout"),
    timeoutMs: reader.seconds("timeout"),
    partIntervalMs: reader.seconds("part_interval"),
    maxMediaBytes: reader.number("max_media_bytes"),
  });
  issues.push(...issuesOf(options));
  if (issues.length > 0) throw new ConfigError(issues);
  return { options, warnings };
}

function readChats(value: unknown, issues: ConfigIssue[]): Readonly<Record<string, TelegramChat>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) {
    issues.push({ path: "chats", message: `must be an object of chats by label, not ${kindOf(value)}` });
    return undefined;
  }
  const chats: [string, TelegramChat][] = [];
  for (const [label, chat] of Object.entries(value)) {
    const path = `chats.${label}`;
    if (!isRecord(chat)) {
      issues.push({ path, message: `must be an object with a chat_id, not ${kindOf(chat)}` });
      continue;
    }
    for (const key of Object.keys(chat)) {
      if (TELEGRAM_CHAT_KEYS.some((known) => known === key)) continue;
      const guess = nearest(key, TELEGRAM_CHAT_KEYS) ?? TELEGRAM_CHAT_KEYS.join(", ");
      issues.push({ path: `${path}.${key}`, message: `unknown option; did you mean "${guess}"?` });
    }
    const reader = new ConfigReader(chat, `${path}.`, issues);
    chats.push([
      label,
      {
        chatId: reader.id("chat_id") ?? "",
        ...withoutUndefined({
          topicId: reader.number("topic_id"),
          commandAuthorized: reader.flag("command_authorized"),
          active: reader.flag("active"),
          userIds: reader.ids("user_ids"),
        }),
      },
    ]);
  }
  return Object.fromEntries(chats);
}

/** Reads keys of a configuration, noting what is of the wrong kind. A key that is null counts as absent. */
class ConfigReader {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #issues: ConfigIssue[];

  constructor(values: Readonly<Record<string, unknown>>, path: string, issues: ConfigIssue[]) {
    this.#values = values;
    this.#path = path;
    this.#issues = issues;
  }

  text(key: string): string | undefined {
    return this.#read(key, "a text", (value) => typeof value === "string" ? value : undefined);
  }

  flag(key: string): boolean | undefined {
    return this.#read(key, "true or false", (value) => typeof value === "boolean" ? value : undefined);
  }

  number(key: string): number | undefined {
    return this.#read(key, "a number", (value) => typeof value === "number" ? value : undefined);
  }

  seconds(key: string): number | undefined {
    return this.#read(key, "a number of seconds", (value) => typeof value === "number" ? value * 1_000 : undefined);
  }

  oneOf<Word extends string>(key: string, words: readonly Word[]): Word | undefined {
    return this.#read(key, `one of ${words.join(", ")}`, (value) => words.find((word) => word === value));
  }

  /** An id: YAML reads `-100123` as a number where people mean a text. */
  id(key: string): string | undefined {
    return this.#read(key, "an id", idOf);
  }

  ids(key: string): readonly string[] | undefined {
    return this.#read(key, "a list of ids", (value) => listOf(value, idOf));
  }

  texts(key: string): readonly string[] | undefined {
    return this.#read(
      key,
      "a list of texts",
      (value) => listOf(value, (item) => typeof item === "string" ? item : undefined),
    );
  }

  #read<Value>(key: string, wanted: string, read: (value: unknown) => Value | undefined): Value | undefined {
    const value = this.#values[key];
    if (value === undefined || value === null) return undefined;
    const found = read(value);
    if (found === undefined) {
      this.#issues.push({ path: `${this.#path}${key}`, message: `must be ${wanted}, not ${kindOf(value)}` });
    }
    return found;
  }
}

function idOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : undefined;
}

function listOf<Item>(value: unknown, read: (item: unknown) => Item | undefined): readonly Item[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(read).filter((item) => item !== undefined);
  return items.length === value.length ? items : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Defined<Values> = { [Key in keyof Values]?: Exclude<Values[Key], undefined> };

/** Leaves out what is undefined, as `exactOptionalPropertyTypes` wants it. */
function withoutUndefined<Values extends object>(values: Values): Defined<Values> {
  const kept: Defined<Values> = { ...values };
  for (const key of Object.keys(kept)) {
    if (Reflect.get(kept, key) === undefined) Reflect.deleteProperty(kept, key);
  }
  return kept;
}
