/**
 * The kinds of backend that come with the library.
 *
 * @module
 */
import type { BackendConfig } from "../../../core/mod.ts";
import { COMMON_BACKEND_KEYS } from "./backend-common.ts";
import { EMAIL, EMAIL_RULES } from "./backend-email.ts";
import { DISCORD, NTFY, SLACK, WEBHOOK, WEBHOOK_RULES } from "./backend-posting.ts";
import { TELEGRAM, TELEGRAM_RULES } from "./backend-telegram.ts";
import { WHATSAPP } from "./backend-whatsapp.ts";
import { type Field, integer, name, secret, text, word } from "./fields.ts";
import { type CrossRule, type KeyRules, list, mapping, seconds } from "./object-fields.ts";

/** A kind of backend as the configuration knows it. */
export interface BackendSchema {
  /** Its keys, those of every backend included. */
  readonly keys: readonly string[];
  /** What its configuration must look like. */
  readonly field: Field<BackendConfig>;
  /** What it is, for editors. */
  readonly description: string;
}

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
    field: word(["ordered", "parallel"]),
    description: "One after the other, or all at once and the first that delivers wins",
    default: "ordered",
  },
  confirm: {
    field: word(["accepted", "delivered", "read", "reply"]),
    description: "What counts as arrived",
    default: "accepted",
  },
  within: {
    field: seconds(0.001, 31_622_400),
    description: "How long a channel has to arrive; then the next is tried",
  },
  others: {
    field: word(["tell", "edit", "leave"]),
    description:
      "With `confirm: reply`: what those who were asked too hear of an answer. `tell`: their message is changed, or they " +
      "get a short one; `edit`: it is changed where the network can",
    default: "tell",
  },
  others_text: {
    field: text({ maxLength: 500 }),
    description: "How they are told; `{sender}` and `{backend}` are who answered and where",
    default: "Answered by {sender} on {backend}",
  },
};

function schemaOf(description: string, keys: KeyRules, rules: readonly CrossRule[] = []): BackendSchema {
  const all = { ...COMMON_BACKEND_KEYS, ...keys };
  return { keys: Object.keys(all), field: mapping<BackendConfig>(all, rules), description };
}

/** The kinds of backend that come with the library, by the word in `type:`. */
export const BACKEND_SCHEMAS: Readonly<Record<string, BackendSchema>> = {
  telegram: schemaOf("A Telegram bot", TELEGRAM, TELEGRAM_RULES),
  email: schemaOf("Mail by SMTP", EMAIL, EMAIL_RULES),
  whatsapp: schemaOf("The WhatsApp Cloud API", WHATSAPP),
  webhook: schemaOf("Signed JSON, both ways, by Standard Webhooks", WEBHOOK, WEBHOOK_RULES),
  slack: schemaOf("An incoming webhook of Slack", SLACK),
  discord: schemaOf("A webhook of Discord", DISCORD),
  ntfy: schemaOf("A topic of an ntfy server", NTFY),
  emulator: schemaOf("The page that stands in for a network", EMULATOR),
  noop: schemaOf("Accepts everything and sends nothing", {}),
  fallback: schemaOf("Backends tried one after the other until one delivers", FALLBACK),
};
