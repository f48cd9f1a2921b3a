/**
 * The kinds of backend that come with the library.
 *
 * @module
 */
import { COMMON_BACKEND_KEYS } from "./backend-common.ts";
import { type Field, flag, id, ignored, integer, type JsonSchema, name, secret, text, url, word } from "./fields.ts";
import { byLabel, type CrossRule, type KeyRules, list, mapping, oneOrMore, seconds } from "./object-fields.ts";
import type { BackendConfig } from "../../../core/mod.ts";

/** A kind of backend as the configuration knows it. */
export interface BackendSchema {
  /** Its keys, those of every backend included. */
  readonly keys: readonly string[];
  /** What its configuration must look like. */
  readonly field: Field<BackendConfig>;
  /** What it is, for editors. */
  readonly description: string;
}

const ADDRESS_PATTERN = { expression: /^[^\s@]{1,64}@[^\s@]{1,253}$/, words: "a mail address" };

function address(): Field<string> {
  return text({ maxLength: 320, pattern: ADDRESS_PATTERN });
}

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

const TELEGRAM: KeyRules = {
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

const TELEGRAM_RULES: readonly CrossRule[] = [{
  check(given, refuse) {
    if (given["webhook_url"] !== undefined && given["webhook_secret"] === undefined) {
      refuse("webhook_secret", "is missing: webhook_url needs it");
    }
  },
  json: { dependencies: { webhook_url: ["webhook_secret"] } },
}];

const EMAIL: KeyRules = {
  host: { field: text({ maxLength: 255 }), description: "The mail server", default: "localhost" },
  port: { field: integer(1, 65_535), description: "Its port", default: 587 },
  username: {
    field: secret({ allowEmpty: true }),
    description: "Whom to log in as; empty: nobody logs in",
    default: "",
  },
  password: { field: secret({ allowEmpty: true }), description: "The password that goes with it", default: "" },
  from_address: { field: address(), required: true, description: "Who writes" },
  from_name: { field: text({ maxLength: 200 }), description: "The name shown beside it" },
  return_path: { field: address(), description: "Where bounces go; from_address by default" },
  reply_to: { field: address(), description: "Where answers go; from_address by default" },
  default_recipients: {
    field: list(address()),
    description: "Who gets messages that name nobody",
    default: [],
  },
  use_tls: { field: flag(), description: "TLS from the first byte; by default on port 465" },
  start_tls: { field: flag(), description: "TLS by STARTTLS, required; by default on every port but 465" },
  allow_insecure: { field: flag(), description: "Clear text, on loopback only", default: false },
  tls: {
    field: mapping({
      ca: { field: secret(), description: "Certificates (PEM) to trust in the place of the system's" },
      servername: {
        field: text({ maxLength: 253 }),
        description: "The name in the certificate, where it is not the host",
      },
      cert: { field: secret(), description: "Our certificate (PEM), where the server asks for one" },
      key: { field: secret(), description: "Its key (PEM)" },
    }),
    description: "How the server is recognised, and how we are",
  },
  subject_prefix: { field: text({ maxLength: 200 }), description: "Put before every subject, as it is" },
  list_unsubscribe: {
    field: oneOrMore(text({ maxLength: 2_000 })),
    description: "For bulk mail: an https URL, a mailto: URL, or both",
  },
  client_name: { field: text({ maxLength: 253 }), description: "What we call ourselves in EHLO" },
  max_connections: { field: integer(1, 100), description: "How many connections at once", default: 5 },
  max_messages_per_connection: {
    field: integer(1, 1_000_000),
    description: "How many mails over one connection before it is replaced",
    default: 100,
  },
  idle_timeout: { field: seconds(0, 86_400), description: "How long an idle connection stays open", default: 60 },
  connect_timeout: { field: seconds(0.001, 86_400), description: "The most that connecting may take", default: 60 },
  command_timeout: { field: seconds(0.001, 86_400), description: "The most that a command may take", default: 300 },
  data_timeout: { field: seconds(0.001, 86_400), description: "The most that the mail itself may take", default: 600 },
};

const TRUE: JsonSchema = { enum: [true, "true"] };

const EMAIL_RULES: readonly CrossRule[] = [
  {
    check(given, refuse) {
      if (isTrue(given["use_tls"]) && isTrue(given["start_tls"])) {
        refuse("start_tls", "use_tls and start_tls exclude each other: TLS from the first byte, or STARTTLS");
      }
    },
    json: { not: { properties: { use_tls: TRUE, start_tls: TRUE }, required: ["use_tls", "start_tls"] } },
  },
  {
    check(given, refuse) {
      if (given["username"] && !given["password"]) refuse("password", "is missing: username needs it");
      if (given["password"] && !given["username"]) refuse("username", "is missing: password needs it");
    },
    json: { allOf: [needs("username", "password"), needs("password", "username")] },
  },
];

const WHATSAPP: KeyRules = {
  token: { field: secret(), required: true, description: "The access token of a system user" },
  phone_number_id: { field: id(), required: true, description: "The id, not the number, of the phone number" },
  api_version: {
    field: text({ pattern: { expression: /^v\d{1,3}\.\d{1,2}$/, words: 'a version like "v25.0"' } }),
    description: "The version of the Graph API",
    default: "v25.0",
  },
  api_root: { field: url(), description: "Where the Graph API is", default: "https://graph.facebook.com" },
  app_secret: {
    field: oneOrMore(secret()),
    description: "The app's secret, which signs webhooks; several while it changes",
  },
  verify_token: { field: secret(), description: "What Meta must say to verify the webhook's address" },
  default_recipients: { field: list(id()), description: "Who gets messages that name nobody", default: [] },
  timeout: { field: seconds(0.001, 3_600), description: "How long a request may take", default: 30 },
  preview_url: { field: flag(), description: "Show a preview of the first link", default: false },
  media_hosts: {
    field: list(text({ maxLength: 253 })),
    description: "Further hosts media may be fetched from with the token",
  },
  max_media_bytes: { field: integer(1, Number.MAX_SAFE_INTEGER), description: "The largest file that is fetched" },
};

const EMULATOR: KeyRules = {
  token: {
    field: secret(),
    description: "What the page must show, at least 16 characters; by default another in every run",
  },
  conversation: {
    field: text({ maxLength: 200 }),
    description: "Where messages without a recipient go",
    default: "main",
  },
  keep_entries: {
    field: integer(1, 1_000_000),
    description: "How many entries of the transcript are kept",
    default: 10_000,
  },
  max_conversations: { field: integer(1, 100_000), description: "How many conversations there may be", default: 1_000 },
  max_text_length: { field: integer(1, 100_000), description: "The longest text a person may type", default: 10_000 },
};

const FALLBACK: KeyRules = {
  channels: {
    field: list(name(), { minLength: 1, maxLength: 100 }),
    required: true,
    description: "The backends, in the order in which they are tried",
  },
  policy: {
    field: word(["ordered", "first_success"]),
    description: "One after the other, or all at once",
    default: "ordered",
  },
};

function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}

/** Where one key is a text that is not empty, another must be. */
function needs(key: string, other: string): JsonSchema {
  const filled = { type: "string", minLength: 1 };
  return {
    if: { properties: { [key]: filled }, required: [key] },
    then: { properties: { [other]: filled }, required: [other] },
  };
}

function schemaOf(description: string, keys: KeyRules, rules: readonly CrossRule[] = []): BackendSchema {
  const all = { ...COMMON_BACKEND_KEYS, ...keys };
  return { keys: Object.keys(all), field: mapping<BackendConfig>(all, rules), description };
}

/** The kinds of backend that come with the library, by the word in `type:`. */
export const BACKEND_SCHEMAS: Readonly<Record<string, BackendSchema>> = {
  telegram: schemaOf("A Telegram bot", TELEGRAM, TELEGRAM_RULES),
  email: schemaOf("Mail by SMTP", EMAIL, EMAIL_RULES),
  whatsapp: schemaOf("The WhatsApp Cloud API", WHATSAPP),
  emulator: schemaOf("The page that stands in for a network", EMULATOR),
  fallback: schemaOf("Backends tried one after the other until one delivers", FALLBACK),
};
