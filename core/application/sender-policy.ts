/**
 * From a backend's configuration to how its deliveries are handled.
 *
 * @module
 */
import type { BackendConfig } from "../communicators/backend-registry.ts";
import type { PacingDefaults, PacingRule, RetryPolicy } from "../communicators/communicator.ts";
import type { RestingOptions } from "../delivery/resting.ts";
import { ConfigError, kindOf } from "../errors.ts";
import { SEVERITIES, type Severity } from "../message/outgoing-message.ts";
import type { SenderPolicy, UnknownPolicy } from "../outbox/sender-policy.ts";
import type { OutboxConfig } from "./application-config.ts";

const UNKNOWN_POLICIES: readonly UnknownPolicy[] = ["retry", "hold", "fallback"];

/**
 * Reads what every backend may set: `min_severity`, `retry`, `rate`, `on_unknown`, `hold_for`, `resting`, and in the place
 * of the outbox's `concurrency`, `lane_hold` and `send_timeout`.
 *
 * @param config The backend's configuration.
 * @param path Where it stands, for errors.
 * @param outbox The outbox's section.
 * @throws {ConfigError} If one is of the wrong kind.
 */
export function senderPolicyFrom(
  config: BackendConfig,
  path: string,
  outbox: OutboxConfig = {},
): { readonly policy: SenderPolicy; readonly minSeverity?: Severity } {
  const minSeverity = wordOf(config["min_severity"], SEVERITIES, `${path}.min_severity`);
  const onUnknown = wordOf(config["on_unknown"], UNKNOWN_POLICIES, `${path}.on_unknown`);
  const retry = retryOf(config["retry"], `${path}.retry`);
  const pacing = pacingOf(config["rate"], `${path}.rate`);
  const concurrency = numberOf(config["concurrency"], `${path}.concurrency`) ?? outbox.concurrency;
  const laneHold = numberOf(config["lane_hold"], `${path}.lane_hold`) ?? outbox.lane_hold;
  const sendTimeout = numberOf(config["send_timeout"], `${path}.send_timeout`) ?? outbox.send_timeout;
  const holdFor = numberOf(config["hold_for"], `${path}.hold_for`);
  const resting = restingOf(config["resting"], `${path}.resting`);
  const policy: SenderPolicy = {
    ...(onUnknown === undefined ? {} : { onUnknown }),
    ...(retry === undefined ? {} : { retry }),
    ...(pacing === undefined ? {} : { pacing }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(laneHold === undefined ? {} : { laneHoldMs: laneHold * 1_000 }),
    ...(resting === undefined ? {} : { resting }),
    ...(holdFor === undefined ? {} : { holdMs: holdFor * 1_000 }),
    ...(sendTimeout === undefined ? {} : { sendTimeoutMs: sendTimeout * 1_000 }),
  };
  return minSeverity === undefined ? { policy } : { policy, minSeverity };
}

/** Only what is given: the rest is the network's own. A delay of one's own takes the place of its schedule. */
function retryOf(value: unknown, path: string): Partial<RetryPolicy> | undefined {
  if (value === undefined) return undefined;
  const record = recordOf(value, path);
  const maxAttempts = numberOf(record["max_attempts"], `${path}.max_attempts`);
  const baseDelay = numberOf(record["base_delay"], `${path}.base_delay`);
  const maxDelay = numberOf(record["max_delay"], `${path}.max_delay`);
  const schedule = record["schedule"];
  if (schedule !== undefined && !Array.isArray(schedule)) {
    throw wrong(`${path}.schedule`, "a list of seconds", schedule);
  }
  const scheduleMs = schedule === undefined
    ? baseDelay === undefined && maxDelay === undefined ? undefined : []
    : schedule.map((item, index) => (numberOf(item, `${path}.schedule[${index}]`) ?? 0) * 1_000);
  return {
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(baseDelay === undefined ? {} : { baseDelayMs: baseDelay * 1_000 }),
    ...(maxDelay === undefined ? {} : { maxDelayMs: maxDelay * 1_000 }),
    ...(scheduleMs === undefined ? {} : { scheduleMs }),
  };
}

function restingOf(value: unknown, path: string): RestingOptions | undefined {
  if (value === undefined) return undefined;
  const record = recordOf(value, path);
  const afterFailures = numberOf(record["after_failures"], `${path}.after_failures`);
  const duration = numberOf(record["for"], `${path}.for`);
  return {
    ...(afterFailures === undefined ? {} : { afterFailures }),
    ...(duration === undefined ? {} : { forMs: duration * 1_000 }),
  };
}

function pacingOf(value: unknown, path: string): PacingDefaults | undefined {
  if (value === undefined) return undefined;
  const record = recordOf(value, path);
  const backend = ruleOf(record["backend"], `${path}.backend`);
  const destination = ruleOf(record["destination"], `${path}.destination`);
  return { ...(backend === undefined ? {} : { backend }), ...(destination === undefined ? {} : { destination }) };
}

function ruleOf(value: unknown, path: string): PacingRule | undefined {
  if (value === undefined) return undefined;
  const record = recordOf(value, path);
  const count = numberOf(record["count"], `${path}.count`);
  if (count === undefined || count === 0) throw wrong(`${path}.count`, "a number above 0", record["count"]);
  const burst = numberOf(record["burst"], `${path}.burst`);
  const perMs = (numberOf(record["per"], `${path}.per`) ?? 1) * 1_000;
  return { count, perMs, ...(burst === undefined ? {} : { burst }) };
}

function recordOf(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw wrong(path, "a mapping", value);
}

function numberOf(value: unknown, path: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  throw wrong(path, "a number of at least 0", value);
}

function wordOf<Word extends string>(value: unknown, words: readonly Word[], path: string): Word | undefined {
  if (value === undefined) return undefined;
  const word = words.find((known) => known === value);
  if (word !== undefined) return word;
  throw wrong(path, `one of ${words.join(", ")}`, value);
}

function wrong(path: string, wanted: string, value: unknown): ConfigError {
  return new ConfigError([{ path, message: `must be ${wanted}, not ${kindOf(value)}` }]);
}
