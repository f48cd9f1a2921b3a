/**
 * The keys every backend has.
 *
 * @module
 */
import { SEVERITIES } from "../../../core/mod.ts";
import { amount, type Field, flag, integer, scalar, text, wanted, word } from "./fields.ts";
import { type KeyRules, list, mapping, seconds } from "./object-fields.ts";

const DAY = 86_400;

/** A token bucket as a configuration has it. */
export interface RateRule {
  /** How many messages per {@link RateRule.per}. */
  readonly count: number;
  /** The span in seconds. @default `1` */
  readonly per?: number;
  /** How many may go at once after a pause. @default `count` */
  readonly burst?: number;
}

/** How a backend is paced, in the place of its network's defaults. */
export interface RateSettings {
  /** All its messages. */
  readonly backend?: RateRule;
  /** The messages to one destination. */
  readonly destination?: RateRule;
}

/** How a backend's messages are retried, in the place of its network's defaults. */
export interface RetrySettings {
  /** How many attempts in all. */
  readonly max_attempts?: number;
  /** The delay before the second attempt in seconds; it doubles, with full jitter. */
  readonly base_delay?: number;
  /** The longest delay in seconds. */
  readonly max_delay?: number;
  /** Fixed delays before attempts 2, 3, … in seconds; the last repeats. */
  readonly schedule?: readonly number[];
}

/** When a backend that keeps failing rests. */
export interface RestingSettings {
  /** How many failures in a row send it to rest; 0: none does. */
  readonly after_failures?: number;
  /** How long it rests, in seconds; then one message tries it. */
  readonly for?: number;
}

const RATE_RULE: Field<RateRule> = mapping<RateRule>({
  count: { field: amount(1_000_000), required: true, description: "How many messages per `per`" },
  per: { field: seconds(0.001, DAY), description: 'The span: seconds, or a text like "1m"', default: 1 },
  burst: { field: integer(1, 1_000_000), description: "How many may go at once after a pause; `count` by default" },
});

const RATE: Field<RateSettings> = mapping<RateSettings>({
  backend: { field: RATE_RULE, description: "All messages of the backend" },
  destination: { field: RATE_RULE, description: "The messages to one destination" },
});

const RETRY: Field<RetrySettings> = mapping<RetrySettings>({
  max_attempts: { field: integer(1, 1_000), description: "How many attempts in all" },
  base_delay: {
    field: seconds(0, 7 * DAY),
    description: "The delay before the second attempt; it doubles, with jitter",
  },
  max_delay: { field: seconds(0, 7 * DAY), description: "The longest delay" },
  schedule: {
    field: list(seconds(0, 30 * DAY), { minLength: 1, maxLength: 100 }),
    description: "Fixed delays before attempts 2, 3, …; the last repeats. In the place of base_delay and max_delay",
  },
});

const RESTING: Field<RestingSettings> = mapping<RestingSettings>({
  after_failures: {
    field: integer(0, 1_000_000),
    description: "How many failures in a row send it to rest; 0: none does",
    default: 5,
  },
  for: { field: seconds(0.001, 7 * DAY), description: "How long it rests; then one message tries it", default: 60 },
});

/** A label, or `*` for every one. */
function label(): Field<string> {
  return text({ maxLength: 200 });
}

/** The word of the kind; which one was decided before. */
function kind(): Field<string> {
  return scalar(
    { type: "string", minLength: 1, maxLength: 128 },
    (value) => typeof value === "string" && value !== "" ? { value } : { problem: wanted("a text", value) },
  );
}

/** The keys every backend has, whatever its kind. */
export const COMMON_BACKEND_KEYS: KeyRules = {
  type: { field: kind(), required: true, description: "The kind of backend" },
  enabled: { field: flag(), description: "Whether it takes part", default: true },
  labels: {
    field: list(label()),
    description: 'The labels it takes; "*" is every label',
    default: ["default"],
  },
  min_severity: { field: word(SEVERITIES), description: "Messages milder than this are not for it" },
  retry: { field: RETRY, description: "How its messages are retried, in the place of its network's defaults" },
  rate: { field: RATE, description: "How it is paced, in the place of its network's defaults" },
  on_unknown: {
    field: word(["retry", "hold", "fallback"]),
    description: "What becomes of a message of which nobody can say whether it arrived",
    default: "retry",
  },
  hold_for: {
    field: seconds(0.001, 366 * DAY),
    description: "With `on_unknown: hold`: how long such a message waits for a person",
    default: 86_400,
  },
  resting: {
    field: RESTING,
    description: "When it rests after failing again and again: fallback groups then go on to the next channel",
  },
  concurrency: { field: integer(1, 10_000), description: "How many sends at once, in the place of the outbox's" },
  lane_hold: {
    field: seconds(0, 366 * DAY),
    description: "How long a lane waits for its head's retry at most, in the place of the outbox's",
  },
  send_timeout: {
    field: seconds(0.001, DAY),
    description: "How long one attempt may take, in the place of the outbox's",
  },
  allow_recipients: {
    field: list(text({ maxLength: 500 }), { maxLength: 10_000 }),
    description: "Whom callers of the HTTP API may address; for mail, whom anybody may",
  },
};
