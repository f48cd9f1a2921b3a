/**
 * `type: webhook`, `slack`, `discord` and `ntfy` in a configuration.
 *
 * @module
 */
import { flag, integer, scalar, secret, text, url, wanted } from "./fields.ts";
import { byName, type CrossRule, type KeyRules, list, oneOrMore, seconds } from "./object-fields.ts";

const WEBHOOK_SECRET = {
  expression: /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/,
  words: '"whsec_" followed by 24 to 64 bytes as base64',
};
const TOPIC = { expression: /^[-_A-Za-z0-9]{1,64}$/, words: "1 to 64 letters, digits, hyphens and underscores" };

/** What all of them take. */
const POST: KeyRules = {
  timeout: { field: seconds(0.001, 3_600), description: "How long a request may take", default: 20 },
  max_answer_bytes: {
    field: integer(1, Number.MAX_SAFE_INTEGER),
    description: "The most of an answer that is read",
    default: 65_536,
  },
  allow_hosts: {
    field: list(text({ maxLength: 255 })),
    description: 'Hosts that may be asked, and no others; "*.example.com" is every name below it',
  },
  allow_private: {
    field: flag(),
    description: "Whether this machine and private networks may be asked",
    default: false,
  },
  allow_http: { field: flag(), description: "Whether plain http may be used", default: false },
};

/** The keys of `type: webhook`. */
export const WEBHOOK: KeyRules = {
  url: { field: url(), description: "Where messages are posted; without it, messages only come in" },
  secret: {
    field: oneOrMore(secret({ pattern: WEBHOOK_SECRET })),
    description: "What requests are signed with, both ways; several while it changes",
  },
  headers: {
    field: byName(
      scalar(
        { type: "string", maxLength: 4_000 },
        (value) =>
          typeof value === "string" && value.length <= 4_000 ? { value } : { problem: wanted("a text", value) },
      ),
    ),
    description: "Headers to send along",
  },
  receive: { field: flag(), description: "Whether messages are taken in; by default with a secret" },
  tolerance: { field: seconds(0.001, 86_400), description: "How old or how early a request may be", default: 300 },
  max_body_bytes: {
    field: integer(1, Number.MAX_SAFE_INTEGER),
    description: "The largest request that is taken in",
    default: 1_048_576,
  },
  ...POST,
};

/** Rules over several of them. */
export const WEBHOOK_RULES: readonly CrossRule[] = [{
  check(given, refuse) {
    if (given["url"] === undefined && given["secret"] === undefined) {
      refuse("url", "is missing: give a url to send to, or a secret to receive with");
    }
  },
  json: { anyOf: [{ required: ["url"] }, { required: ["secret"] }] },
}];

/** The keys of `type: slack`. */
export const SLACK: KeyRules = {
  webhook_url: { field: url(), required: true, description: "The address Slack gave the incoming webhook" },
  mrkdwn: { field: flag(), description: "Whether texts are Slack's markup", default: false },
  ...POST,
};

/** The keys of `type: discord`. */
export const DISCORD: KeyRules = {
  webhook_url: { field: url(), required: true, description: "The address Discord gave the webhook" },
  username: { field: text({ maxLength: 80 }), description: "The name messages are shown under" },
  ...POST,
};

/** The keys of `type: ntfy`. */
export const NTFY: KeyRules = {
  topic: { field: text({ pattern: TOPIC }), required: true, description: "The topic" },
  server: { field: url(), description: "The server", default: "https://ntfy.sh" },
  token: { field: secret(), description: "The access token, where the server wants one" },
  ...POST,
};
