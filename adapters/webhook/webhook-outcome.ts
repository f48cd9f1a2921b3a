/**
 * What an answer to a webhook says: pure, so that tables can hold it.
 *
 * @module
 */
import type { Receipt, RejectionReason } from "../../core/mod.ts";
import { readRetryAfterMs } from "../net/retry-after.ts";

/** What a status, or a word in a body, means. */
export interface Meaning {
  /** Why, as a stable word. */
  readonly reason: RejectionReason;
  /** Whether the same message may be taken later. */
  readonly retryable: boolean;
  /** Every message would meet it: a person must act. */
  readonly backendDown?: boolean;
}

/** How a network reads its answers. */
export interface OutcomeRules {
  /** By status, before {@link COMMON_STATUSES}. */
  readonly statuses?: ReadonlyMap<number, Meaning>;
  /** By the first word of the body of a refusal, before any status. */
  readonly words?: ReadonlyMap<string, Meaning>;
  /** Finds the word in a body. @default the body itself, where it is one word */
  readonly wordOf?: (body: string) => string | undefined;
  /** A wait that the body asks for, in milliseconds. */
  readonly waitOf?: (body: string) => number | undefined;
  /** The id in the body of a success. */
  readonly messageIdOf?: (body: string) => string | undefined;
}

/** An answer, read. */
export interface WebhookAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The headers. */
  readonly headers: Headers;
  /** The body. */
  readonly body: string;
}

const UNAVAILABLE: Meaning = { reason: "unavailable", retryable: true };
const GONE: Meaning = { reason: "recipient-unreachable", retryable: false, backendDown: true };
const INVALID: Meaning = { reason: "invalid-message", retryable: false };

/** What statuses mean unless a network says otherwise: Standard Webhooks, and RFC 9110 for what that leaves open. */
export const COMMON_STATUSES: ReadonlyMap<number, Meaning> = new Map([
  [400, INVALID],
  [401, { reason: "auth", retryable: false, backendDown: true }],
  [403, { reason: "auth", retryable: false }],
  [404, { reason: "recipient-unreachable", retryable: false }],
  [405, { reason: "not-configured", retryable: false }],
  [408, UNAVAILABLE],
  [410, GONE],
  [413, INVALID],
  [415, INVALID],
  [422, INVALID],
  [425, UNAVAILABLE],
  [429, { reason: "rate-limited", retryable: true }],
]);

const LONGEST_WAIT_MS = 24 * 3_600_000;

/**
 * Reads an answer.
 *
 * @param answer The answer.
 * @param rules How the network reads it.
 * @param now The time, for `Retry-After` with a date.
 */
export function readWebhookAnswer(answer: WebhookAnswer, rules: OutcomeRules, now: number): Receipt {
  const { status, body } = answer;
  if (status >= 200 && status <= 299) {
    // Some say no with a status of yes.
    const word = (rules.wordOf ?? wordOfText)(body);
    if (word !== undefined && rules.words?.has(word) === true) return readRefusal(answer, rules, now, INVALID);
    const providerMessageId = rules.messageIdOf?.(body);
    return { outcome: "accepted", ...(providerMessageId === undefined ? {} : { providerMessageId }) };
  }
  return readRefusal(answer, rules, now, meaningOf(status, rules));
}

function meaningOf(status: number, rules: OutcomeRules): Meaning {
  const meaning = rules.statuses?.get(status) ?? COMMON_STATUSES.get(status);
  if (meaning !== undefined) return meaning;
  if (status >= 500 && status <= 599) return UNAVAILABLE;
  // Redirects are not followed: an address that moved must be changed by a person. 0 is how browsers show one.
  if ((status >= 300 && status <= 399) || status === 0) return { reason: "not-configured", retryable: false };
  return { reason: "other", retryable: false };
}

function readRefusal(
  { status, headers, body }: WebhookAnswer,
  rules: OutcomeRules,
  now: number,
  byStatus: Meaning,
): Receipt {
  const word = (rules.wordOf ?? wordOfText)(body);
  const byWord = word === undefined ? undefined : rules.words?.get(word);
  const { reason, retryable, backendDown } = byWord ?? byStatus;
  const waits = [readRetryAfterMs(headers.get("retry-after"), now), rules.waitOf?.(body)];
  const known = waits.filter((wait): wait is number => wait !== undefined && Number.isFinite(wait) && wait >= 0);
  return {
    outcome: "rejected",
    retryable,
    reason,
    code: byWord === undefined || word === undefined ? String(status) : word,
    // Never the body: who answers is a stranger, and may repeat what it was sent.
    detail: `status ${status}`,
    ...(retryable && known.length > 0 ? { retryAfterMs: Math.min(LONGEST_WAIT_MS, Math.max(...known)) } : {}),
    ...(backendDown === true ? { backendDown } : {}),
  };
}

/** The body, where it is one short word. */
export function wordOfText(body: string): string | undefined {
  const text = body.trim();
  return /^[\w-]{1,60}$/.test(text) ? text : undefined;
}

/** The number called `code`, as Discord and ntfy say what is wrong. */
export function codeOfJson(body: string): string | undefined {
  const code = jsonMember(body, "code");
  return typeof code === "number" ? String(code) : undefined;
}

/** The text called `id`, as Discord and ntfy name what they took. */
export function idOfJson(body: string): string | undefined {
  const id = jsonMember(body, "id");
  return typeof id === "string" ? id : undefined;
}

/** A member of the body where it is a JSON object. */
export function jsonMember(body: string, key: string): unknown {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && Object.hasOwn(value, key)
      ? Reflect.get(value, key)
      : undefined;
  } catch {
    return undefined;
  }
}
