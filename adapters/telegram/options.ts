/**
 * What a Telegram backend can be told, checked once.
 *
 * @module
 */
import type { Transformer } from "grammy/web";
import { ConfigError, type ConfigIssue, kindOf } from "../../core/mod.ts";
import { parseAddress } from "./address.ts";

/** Which updates are asked for unless configured otherwise: those that say something in a chat. */
export const DEFAULT_ALLOWED_UPDATES: readonly string[] = [
  "message",
  "edited_message",
  "channel_post",
  "edited_channel_post",
  "callback_query",
  "message_reaction",
];

/** A chat that messages go to and may come from. */
export interface TelegramChat {
  /** Its id, such as `"-1001234567890"`, or `"@name"` of a public channel or group to send to. */
  readonly chatId: string;
  /** The topic of a forum: the `message_thread_id`. 1 is the General topic. Absent: the chat as a whole. */
  readonly topicId?: number;
  /** Whether messages from here are taken in. @default `false` */
  readonly commandAuthorized?: boolean;
  /** Whether messages are sent here. @default `true` */
  readonly active?: boolean;
  /** Whose messages are taken in: ids of users. Absent: everybody's in the chat. */
  readonly userIds?: readonly string[];
}

/** As much of a grammY `Bot` as is used: its token, where its API is, and the transformers installed on it. */
export interface TelegramBotLike {
  /** The bot's token. */
  readonly token: string;
  /** Its API. */
  readonly api: {
    /** Where the API is. */
    readonly options?:
      | { readonly apiRoot?: string | undefined; readonly environment?: "prod" | "test" | undefined }
      | undefined;
    /** What is installed on it. */
    readonly config: {
      /** Every call goes through these. */
      installedTransformers(): readonly Transformer[];
    };
  };
}

/** The options of `TelegramCommunicator`. Give exactly one of `token` and `bot`. */
export interface TelegramOptions {
  /** The bot's token, as BotFather gave it. */
  readonly token?: string;
  /** A ready grammY `Bot`, in the place of the token: the transformers installed on it by now see every call. */
  readonly bot?: TelegramBotLike;
  /** The chats by label. A message goes to the chat of its label, or else to `default`. @default `{}` */
  readonly chats?: Readonly<Record<string, TelegramChat>>;
  /** Whether messages are taken in: by webhook if there is a secret, by long polling otherwise. @default `false` */
  readonly listenToCommands?: boolean;
  /** The secret Telegram sends with each webhook request: 1 to 256 letters, digits, `_` and `-`. */
  readonly webhookSecret?: string;
  /** The public https address of the webhook. Given, `start()` registers it with Telegram. */
  readonly webhookUrl?: string;
  /** Where the Bot API is. @default `"https://api.telegram.org"` */
  readonly apiRoot?: string;
  /** Lets `apiRoot` be http on another host than this one. The token then travels in the clear. @default `false` */
  readonly allowInsecure?: boolean;
  /** `html`: a message's `html` is shown as such. `text`: only its plain text is sent. @default `"html"` */
  readonly parseMode?: "text" | "html";
  /** Which kinds of update to ask for. @default {@link DEFAULT_ALLOWED_UPDATES} */
  readonly allowedUpdates?: readonly string[];
  /** How long one long poll waits at Telegram. @default `25_000` */
  readonly pollTimeoutMs?: number;
  /** How long one request may take. @default `60_000` */
  readonly timeoutMs?: number;
  /** The pause between the parts of one message after the first three; a group waits three times as long. @default `1_000` */
  readonly partIntervalMs?: number;
  /** The most that is read of a file somebody sent. @default `26_214_400` */
  readonly maxMediaBytes?: number;
  /** How requests are made. @default as the platform does it best */
  readonly fetch?: typeof fetch;
}

/** {@link TelegramOptions}, checked and complete. */
export interface ResolvedTelegramOptions {
  /** See {@link TelegramOptions.token}. */
  readonly token: string;
  /** What every call goes through. */
  readonly transformers: readonly Transformer[];
  /** Telegram's production or test environment. */
  readonly environment: "prod" | "test";
  /** See {@link TelegramOptions.chats}. */
  readonly chats: ReadonlyMap<string, ResolvedTelegramChat>;
  /** See {@link TelegramOptions.listenToCommands}. */
  readonly listenToCommands: boolean;
  /** See {@link TelegramOptions.webhookSecret}. */
  readonly webhookSecret: string | undefined;
  /** See {@link TelegramOptions.webhookUrl}. */
  readonly webhookUrl: string | undefined;
  /** See {@link TelegramOptions.apiRoot}. */
  readonly apiRoot: string;
  /** See {@link TelegramOptions.parseMode}. */
  readonly parseMode: "text" | "html";
  /** See {@link TelegramOptions.allowedUpdates}. */
  readonly allowedUpdates: readonly string[];
  /** See {@link TelegramOptions.pollTimeoutMs}. */
  readonly pollTimeoutMs: number;
  /** See {@link TelegramOptions.timeoutMs}. */
  readonly timeoutMs: number;
  /** See {@link TelegramOptions.partIntervalMs}. */
  readonly partIntervalMs: number;
  /** See {@link TelegramOptions.maxMediaBytes}. */
  readonly maxMediaBytes: number;
  /** See {@link TelegramOptions.fetch}. */
  readonly fetch: typeof fetch | undefined;
}

/** {@link TelegramChat}, checked and complete. */
export interface ResolvedTelegramChat {
  /** See {@link TelegramChat.chatId}. */
  readonly chatId: string;
  /** See {@link TelegramChat.topicId}. */
  readonly topicId: number | undefined;
  /** See {@link TelegramChat.commandAuthorized}. */
  readonly commandAuthorized: boolean;
  /** See {@link TelegramChat.active}. */
  readonly active: boolean;
  /** See {@link TelegramChat.userIds}. */
  readonly userIds: ReadonlySet<string> | undefined;
}

const TOKEN = /^\d{1,20}:[A-Za-z0-9_-]{1,200}$/;
const SECRET = /^[A-Za-z0-9_-]{1,256}$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const UPDATE_KIND = /^[a-z_]{1,64}$/;

/**
 * Checks the options and completes them.
 *
 * @param options The options as the caller wrote them.
 * @returns The options, complete.
 * @throws {ConfigError} With everything that is wrong, all at once. No value is quoted.
 */
export function resolveTelegramOptions(options: TelegramOptions): ResolvedTelegramOptions {
  const issues = issuesOf(options);
  if (issues.length > 0) throw new ConfigError(issues);
  const { bot, chats = {} } = options;
  return {
    token: bot?.token ?? options.token ?? "",
    transformers: bot?.api.config.installedTransformers() ?? [],
    environment: bot?.api.options?.environment ?? "prod",
    chats: new Map(Object.entries(chats).map(([label, chat]) => [label, resolveChat(chat)])),
    listenToCommands: options.listenToCommands ?? false,
    webhookSecret: options.webhookSecret,
    webhookUrl: options.webhookUrl,
    apiRoot: (options.apiRoot ?? bot?.api.options?.apiRoot ?? "https://api.telegram.org").replace(/\/+$/, ""),
    parseMode: options.parseMode ?? "html",
    allowedUpdates: options.allowedUpdates ?? DEFAULT_ALLOWED_UPDATES,
    pollTimeoutMs: options.pollTimeoutMs ?? 25_000,
    timeoutMs: options.timeoutMs ?? 60_000,
    partIntervalMs: options.partIntervalMs ?? 1_000,
    maxMediaBytes: options.maxMediaBytes ?? 26_214_400,
    fetch: options.fetch,
  };
}

function resolveChat(chat: TelegramChat): ResolvedTelegramChat {
  return {
    chatId: chat.chatId,
    topicId: chat.topicId,
    commandAuthorized: chat.commandAuthorized ?? false,
    active: chat.active ?? true,
    userIds: chat.userIds === undefined ? undefined : new Set(chat.userIds),
  };
}

/** Everything that is wrong, by the keys of the configuration. Values are never quoted: they may be secrets. */
export function issuesOf(options: TelegramOptions): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const report = (path: string, message: string): void => void issues.push({ path, message });
  const { token, bot, webhookSecret, webhookUrl, apiRoot, allowedUpdates, chats = {} } = options;
  if ((token === undefined) === (bot === undefined)) {
    report("token", bot === undefined ? "is required" : "must not be given beside a bot");
  } else if (token !== undefined && !TOKEN.test(token)) {
    report("token", `must be a bot token such as "123456:ABC-DEF", not ${kindOf(token)}`);
  }
  if (webhookSecret !== undefined && !SECRET.test(webhookSecret)) {
    report("webhook_secret", `must be 1 to 256 letters, digits, "_" and "-", not ${kindOf(webhookSecret)}`);
  }
  if (webhookUrl !== undefined) {
    if (!isUrl(webhookUrl, "https:")) report("webhook_url", "must be an absolute https URL");
    if (webhookSecret === undefined) report("webhook_url", "needs a webhook_secret: no webhook goes without one");
  }
  if (apiRoot !== undefined) checkApiRoot(apiRoot, options.allowInsecure ?? false, report);
  if (allowedUpdates !== undefined && !allowedUpdates.every((kind) => UPDATE_KIND.test(kind))) {
    report("allowed_updates", 'must be names of updates, such as "message"');
  }
  checkRange(options.pollTimeoutMs, "poll_timeout", 0, 50_000, report);
  checkRange(options.timeoutMs, "timeout", 1, 3_600_000, report);
  checkRange(options.partIntervalMs, "part_interval", 0, 60_000, report);
  checkRange(options.maxMediaBytes, "max_media_bytes", 1, Number.MAX_SAFE_INTEGER, report);
  for (const [label, chat] of Object.entries(chats)) checkChat(label, chat, report);
  return issues;
}

type Report = (path: string, message: string) => void;

function checkApiRoot(apiRoot: string, allowInsecure: boolean, report: Report): void {
  if (!isUrl(apiRoot, "https:", "http:")) return report("api_root", "must be an absolute URL");
  const { protocol, hostname, username, password, search, hash } = new URL(apiRoot);
  if (username !== "" || password !== "" || search !== "" || hash !== "") {
    report("api_root", "must not have a user, a query or a fragment");
  }
  if (protocol === "http:" && !LOOPBACK.test(hostname) && !allowInsecure) {
    report("api_root", "must be https, as the token is part of every address; or set allow_insecure: true");
  }
}

function checkRange(value: number | undefined, path: string, least: number, most: number, report: Report): void {
  if (value === undefined || (Number.isFinite(value) && value >= least && value <= most)) return;
  report(path, `is out of range: ${kindOf(value)}`);
}

function checkChat(label: string, chat: TelegramChat, report: Report): void {
  const path = `chats.${label}`;
  const address = parseAddress(chat.chatId);
  if (address === undefined || address.topicId !== undefined) {
    report(`${path}.chat_id`, `must be an id such as "-1001234567890", or "@name", not ${kindOf(chat.chatId)}`);
  } else if (chat.commandAuthorized === true && chat.chatId.startsWith("@")) {
    report(`${path}.chat_id`, "must be a number where command_authorized is true: a name can pass to somebody else");
  }
  if (chat.topicId !== undefined && (!Number.isSafeInteger(chat.topicId) || chat.topicId < 1)) {
    report(`${path}.topic_id`, `must be a positive integer, not ${kindOf(chat.topicId)}`);
  }
  if (chat.userIds !== undefined && !chat.userIds.every((id) => /^-?\d{1,16}$/.test(id))) {
    report(`${path}.user_ids`, "must be ids of users");
  }
}

function isUrl(text: string, ...protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}
