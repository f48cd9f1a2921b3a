// Answer to a webhook → receipt: Standard Webhooks 1.0.0, Slack's, Discord's and ntfy's own error bodies.
import { DISCORD_RULES } from "../../../adapters/webhook/discord-communicator.ts";
import { NTFY_RULES } from "../../../adapters/webhook/ntfy-communicator.ts";
import { SLACK_RULES } from "../../../adapters/webhook/slack-communicator.ts";
import type { OutcomeRules } from "../../../adapters/webhook/webhook-outcome.ts";

/** One row. */
export interface OutcomeRow {
  readonly network: "standard" | "slack" | "discord" | "ntfy";
  readonly name: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly expected: object;
}

/** The rules of each network. */
export const RULES: Readonly<Record<OutcomeRow["network"], OutcomeRules>> = {
  standard: {},
  slack: SLACK_RULES,
  discord: DISCORD_RULES,
  ntfy: NTFY_RULES,
};

/** The time the table is read at. */
export const NOW = 1_763_724_000_000;

type Network = OutcomeRow["network"];

function rejected(
  network: Network,
  status: number,
  body: string | object,
  [reason, retryable, extras = {}]: readonly [string, boolean, object?],
  headers: Readonly<Record<string, string>> = {},
): OutcomeRow {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    network,
    name: `${status} ${text}${Object.keys(headers).length === 0 ? "" : ` ${JSON.stringify(headers)}`}`,
    status,
    headers,
    body: text,
    expected: { outcome: "rejected", reason, retryable, ...extras },
  };
}

function accepted(network: Network, status: number, body: string, extras: object = {}): OutcomeRow {
  const expected = { outcome: "accepted", ...extras };
  return { network, name: `${status} ${body}`, status, headers: {}, body, expected };
}

const DOWN = { backendDown: true };
const after = (value: string): Readonly<Record<string, string>> => ({ "retry-after": value });

/** The table. */
export const OUTCOMES: readonly OutcomeRow[] = [
  accepted("standard", 200, ""),
  accepted("standard", 201, "created"),
  accepted("standard", 202, '{"id":"x"}'),
  accepted("standard", 204, ""),
  rejected("standard", 301, "", ["not-configured", false], { location: "https://example.com/" }),
  rejected("standard", 302, "", ["not-configured", false], { location: "http://127.0.0.1/" }),
  rejected("standard", 304, "", ["not-configured", false]),
  rejected("standard", 307, "", ["not-configured", false], { location: "/again" }),
  rejected("standard", 308, "", ["not-configured", false]),
  rejected("standard", 400, "bad", ["invalid-message", false, { code: "400" }]),
  rejected("standard", 401, "", ["auth", false, DOWN]),
  rejected("standard", 402, "", ["other", false]),
  rejected("standard", 403, "", ["auth", false]),
  rejected("standard", 404, "", ["recipient-unreachable", false]),
  rejected("standard", 405, "", ["not-configured", false]),
  rejected("standard", 408, "", ["unavailable", true]),
  rejected("standard", 409, "", ["other", false]),
  rejected("standard", 410, "", ["recipient-unreachable", false, DOWN]),
  rejected("standard", 413, "", ["invalid-message", false]),
  rejected("standard", 415, "", ["invalid-message", false]),
  rejected("standard", 422, "", ["invalid-message", false]),
  rejected("standard", 425, "", ["unavailable", true]),
  rejected("standard", 429, "", ["rate-limited", true]),
  rejected("standard", 429, "", ["rate-limited", true, { retryAfterMs: 30_000 }], after("30")),
  rejected("standard", 429, "", ["rate-limited", true, { retryAfterMs: 1_500 }], after("1.5")),
  rejected("standard", 429, "", ["rate-limited", true, { retryAfterMs: 86_400_000 }], after("999999")),
  rejected(
    "standard",
    429,
    "",
    ["rate-limited", true, { retryAfterMs: 60_000 }],
    after(new Date(NOW + 60_000).toUTCString()),
  ),
  rejected(
    "standard",
    503,
    "",
    ["unavailable", true, { retryAfterMs: 0 }],
    after(new Date(NOW - 60_000).toUTCString()),
  ),
  rejected("standard", 429, "", ["rate-limited", true, { retryAfterMs: undefined }], after("soon")),
  rejected("standard", 429, "", ["rate-limited", true, { retryAfterMs: undefined }], after("-5")),
  rejected("standard", 400, "", ["invalid-message", false, { retryAfterMs: undefined }], after("5")),
  rejected("standard", 418, "", ["other", false]),
  rejected("standard", 451, "", ["other", false]),
  rejected("standard", 500, "<html>", ["unavailable", true, { code: "500" }]),
  rejected("standard", 501, "", ["unavailable", true]),
  rejected("standard", 502, "", ["unavailable", true]),
  rejected("standard", 503, "", ["unavailable", true, { retryAfterMs: 120_000 }], after("120")),
  rejected("standard", 504, "", ["unavailable", true]),
  rejected("standard", 599, "", ["unavailable", true]),
  rejected("standard", 400, "invalid_payload", ["invalid-message", false, { code: "400" }]),

  accepted("slack", 200, "ok"),
  accepted("slack", 200, '{"success":true}'),
  rejected("slack", 200, "invalid_payload", ["invalid-message", false, { code: "invalid_payload" }]),
  rejected("slack", 400, "invalid_payload", ["invalid-message", false, { code: "invalid_payload" }]),
  rejected("slack", 400, "no_text", ["invalid-message", false]),
  rejected("slack", 400, "missing_text_or_fallback_or_attachments", ["invalid-message", false]),
  rejected("slack", 400, "too_many_attachments", ["invalid-message", false]),
  rejected("slack", 400, "msg_too_long", ["invalid-message", false]),
  rejected("slack", 400, "user_not_found", ["recipient-unreachable", false, DOWN]),
  rejected("slack", 403, "action_prohibited", ["policy", false, { backendDown: undefined }]),
  rejected("slack", 403, "posting_to_general_channel_denied", ["policy", false]),
  rejected("slack", 404, "channel_not_found", ["recipient-unreachable", false, DOWN]),
  rejected("slack", 410, "channel_is_archived", ["recipient-unreachable", false, DOWN]),
  rejected("slack", 404, "no_service", ["not-configured", false, DOWN]),
  rejected("slack", 404, "no_team", ["not-configured", false, DOWN]),
  rejected("slack", 403, "invalid_token", ["not-configured", false, DOWN]),
  rejected("slack", 404, "something new", ["recipient-unreachable", false, DOWN]),
  rejected("slack", 500, "rollup_error", ["unavailable", true, { code: "rollup_error" }]),
  rejected("slack", 429, "rate_limited", ["rate-limited", true, { retryAfterMs: 7_000, code: "429" }], after("7")),
  rejected("slack", 503, "", ["unavailable", true]),

  accepted("discord", 200, '{"id":"1177"}', { providerMessageId: "1177" }),
  accepted("discord", 204, ""),
  rejected("discord", 400, { code: 50006 }, ["invalid-message", false, { code: "50006" }]),
  rejected("discord", 400, { code: 50035 }, ["invalid-message", false]),
  rejected("discord", 413, { code: 40005 }, ["invalid-message", false]),
  rejected("discord", 401, { code: 50027 }, ["auth", false, DOWN]),
  rejected("discord", 403, {}, ["auth", false, DOWN]),
  rejected("discord", 404, { code: 10015 }, ["recipient-unreachable", false, { ...DOWN, code: "10015" }]),
  rejected("discord", 404, "gone", ["recipient-unreachable", false, DOWN]),
  rejected("discord", 429, { retry_after: 0.65 }, ["rate-limited", true, { retryAfterMs: 650 }]),
  rejected("discord", 429, { retry_after: 0.65 }, ["rate-limited", true, { retryAfterMs: 1_000 }], after("1")),
  rejected("discord", 429, { retry_after: 6_457 }, ["rate-limited", true, { retryAfterMs: 6_457 }]),
  rejected("discord", 429, "<html>banned</html>", ["rate-limited", true, { retryAfterMs: 3_600_000 }], after("3600")),
  rejected("discord", 502, "", ["unavailable", true]),

  accepted("ntfy", 200, '{"id":"sPs71M8A2T","event":"message"}', { providerMessageId: "sPs71M8A2T" }),
  rejected("ntfy", 400, { code: 40057 }, ["invalid-message", false]),
  rejected("ntfy", 401, { code: 40101 }, ["auth", true, DOWN]),
  rejected("ntfy", 403, { code: 40301 }, ["auth", true, DOWN]),
  rejected("ntfy", 413, { code: 41301 }, ["invalid-message", false]),
  rejected("ntfy", 429, { code: 42901 }, ["rate-limited", true]),
  rejected("ntfy", 507, { code: 50701 }, ["rate-limited", true]),
  rejected("ntfy", 500, { code: 50001 }, ["unavailable", true]),
];
