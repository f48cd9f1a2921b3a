/**
 * How fast Telegram wants to be sent to.
 *
 * @module
 */
import type { PacingDefaults, PacingRule } from "../../core/mod.ts";
import { isGroup } from "./address.ts";

/**
 * Telegram's limits as token buckets: 30 messages a second in all, 1 a second to a person, 20 a minute to a group. The
 * rate and the burst of each add up to the limit, so that no window of that length sees more.
 * Source: core.telegram.org/bots/faq#broadcasting-to-users.
 */
const ALL_MESSAGES: PacingRule = { count: 25, perMs: 1_000, burst: 5 };
const TO_A_PERSON: PacingRule = { count: 1, perMs: 1_000, burst: 3 };
const TO_A_GROUP: PacingRule = { count: 17, perMs: 60_000, burst: 3 };

/** The pacing of a Telegram backend, unless it is configured otherwise. A 429 is the authority. */
export const TELEGRAM_PACING: PacingDefaults = { backend: ALL_MESSAGES, destination: pacingOf };

function pacingOf(recipient: string | undefined): PacingRule {
  return recipient !== undefined && isGroup(recipient) ? TO_A_GROUP : TO_A_PERSON;
}
