/**
 * `type: telegram` in a configuration.
 *
 * @module
 */
import { flag, id, ignored, integer, secret, text, url, word } from "./fields.ts";
import { byLabel, type CrossRule, type KeyRules, list, mapping, seconds } from "./object-fields.ts";

const BOT_TOKEN = { expression: /^\d{1,20}:[A-Za-z0-9_-]{1,200}$/, words: 'a bot token such as "123456:ABC-DEF"' };
const WEBHOOK_SECRET = { expression: /^[A-Za-z0-9_-]{1,256}$/, words: "1 to 256 letters, digits, _ and -" };
const UPDATE_KIND = { expression: /^[a-z_]{1,64}$/, words: 'the name of a kind of update, such as "message"' };

const TELEGRAM_CHAT: KeyRules = {
  chat_id: {
    field: id(),
    required: true,
    description: "The chat's or channel's id, or @name of a public one to send to",
  },
  topic_id: {
    field: integer(1, Number.MAX_SAFE_INTEGER),
    description: "The topic of a forum; the whole chat by default",
  },
  command_authorized: { field: flag(), description: "Take messages in from this chat", default: false },
  active: { field: flag(), description: "Send messages to this chat", default: true },
  user_ids: {
    field: list(id(), { maxLength: 10_000 }),
    description: "Whose messages are taken in; everybody's by default",
  },
};

/** The keys of `type: telegram`. */
export const TELEGRAM: KeyRules = {
  token: {
    field: secret({ pattern: BOT_TOKEN }),
    required: true,
    description: "The bot's token, as BotFather gave it",
  },
  chats: {
    field: byLabel(mapping(TELEGRAM_CHAT)),
    description: "The chats by label; messages of other labels go to the chat named default",
    default: {},
  },
  listen_to_commands: { field: flag(), description: "Take messages in from authorised chats", default: false },
  webhook_secret: {
    field: secret({ pattern: WEBHOOK_SECRET }),
    description: "What Telegram sends with each webhook request; without one, messages are polled for",
  },
  webhook_url: {
    field: url({ https: true }),
    description: "The public address of the webhook; given, it is registered",
  },
  parse_mode: {
    field: word(["html", "text"]),
    description: "Whether a message's html is shown as such",
    default: "html",
  },
  allowed_updates: {
    field: list(text({ pattern: UPDATE_KIND }), { maxLength: 50 }),
    description: "Which updates to ask for",
  },
  poll_timeout: { field: seconds(0, 50), description: "How long one long poll waits at Telegram", default: 25 },
  timeout: { field: seconds(0.001, 3_600), description: "How long one request may take", default: 60 },
  part_interval: { field: seconds(0, 60), description: "The pause between the parts of a long message", default: 1 },
  max_media_bytes: {
    field: integer(1, Number.MAX_SAFE_INTEGER),
    description: "The most that is read of a file somebody sent",
    default: 26_214_400,
  },
  api_root: {
    field: url(),
    description: "Where the Bot API is; for a local server or a stand-in",
    default: "https://api.telegram.org",
  },
  allow_insecure: { field: flag(), description: "Let api_root be http on another machine", default: false },
  api_id: { field: ignored(), description: "Ignored: a bot needs its token alone" },
  api_hash: { field: ignored(), description: "Ignored: a bot needs its token alone" },
  session_string: { field: ignored(), description: "Ignored: a bot needs its token alone" },
};

/** Rules over several of them. */
export const TELEGRAM_RULES: readonly CrossRule[] = [{
  check(given, refuse) {
    if (given["webhook_url"] !== undefined && given["webhook_secret"] === undefined) {
      refuse("webhook_secret", "is missing: webhook_url needs it");
    }
  },
  json: { dependencies: { webhook_url: ["webhook_secret"] } },
}];
