/**
 * `type: email` in a configuration.
 *
 * @module
 */
import { type Field, flag, integer, type JsonSchema, secret, text } from "./fields.ts";
import { type CrossRule, type KeyRules, list, mapping, oneOrMore, seconds } from "./object-fields.ts";

const ADDRESS_PATTERN = { expression: /^[^\s@]{1,64}@[^\s@]{1,253}$/, words: "a mail address" };

function address(): Field<string> {
  return text({ maxLength: 320, pattern: ADDRESS_PATTERN });
}

/** The keys of `type: email`. */
export const EMAIL: KeyRules = {
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

/** Rules over several of them. */
export const EMAIL_RULES: readonly CrossRule[] = [
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
