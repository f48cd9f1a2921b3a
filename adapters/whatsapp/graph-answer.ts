/**
 * What an answer of the Graph API says: pure, so that a table can hold it.
 *
 * @module
 */
import type { JsonObject, RejectedReceipt, UnknownReceipt } from "../../core/mod.ts";
import { type CodeMeaning, meaningOf } from "./error-codes.ts";

/** An answer, read. */
export interface GraphAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The body as JSON; `undefined` when it is something else, or was cut. */
  readonly body: unknown;
  /** How long its `Retry-After` asks to wait. */
  readonly retryAfterMs?: number;
}

/** The longest wait a throttled message is asked for. */
const LONGEST_THROTTLE_MS = 15 * 60_000;
/** The longest wait that is believed of a header. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

const BY_STATUS: ReadonlyMap<number, CodeMeaning> = new Map([
  [401, { reason: "auth", retryable: true, backendDown: true }],
  [403, { reason: "auth", retryable: true, backendDown: true }],
  [404, { reason: "not-configured", retryable: false, backendDown: true }],
  [413, { reason: "invalid-message", retryable: false }],
  [425, { reason: "unavailable", retryable: true }],
  [429, { reason: "rate-limited", retryable: true, throttleMs: 1_000 }],
  [503, { reason: "unavailable", retryable: true }],
]);

/** A member of a value that may be an object. */
export function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/** A text member that is not empty. */
export function textOf(value: unknown, key: string): string | undefined {
  const member = memberOf(value, key);
  return typeof member === "string" && member !== "" ? member : undefined;
}

/**
 * The id Meta gave a message it took.
 *
 * @param answer The answer to a message.
 * @returns The id, or `undefined`: then nobody can say whether the message was taken.
 */
export function messageIdOf({ status, body }: GraphAnswer): string | undefined {
  if (status < 200 || status > 299) return undefined;
  const messages = memberOf(body, "messages");
  return Array.isArray(messages) ? textOf(messages[0], "id") : undefined;
}

/**
 * Reads an answer that is not a plain yes.
 *
 * @param answer The answer.
 * @param throttled How often this delivery was throttled before; Meta asks to wait 4^n seconds.
 * @returns The receipt; `progress.throttled` counts on.
 */
export function readRefusal(answer: GraphAnswer, throttled: number): RejectedReceipt | UnknownReceipt {
  return waitingFor(answer.retryAfterMs, readUnwaited(answer, throttled));
}

/** A wait that the answer asks for counts for what may be tried again, and never shortens one. */
function waitingFor<Read extends RejectedReceipt | UnknownReceipt>(askedMs: number | undefined, receipt: Read): Read {
  if (askedMs === undefined || receipt.outcome !== "rejected" || !receipt.retryable) return receipt;
  return { ...receipt, retryAfterMs: Math.max(receipt.retryAfterMs ?? 0, Math.min(LONGEST_WAIT_MS, askedMs)) };
}

function readUnwaited(answer: GraphAnswer, throttled: number): RejectedReceipt | UnknownReceipt {
  const { status } = answer;
  const error = memberOf(answer.body, "error");
  const code = memberOf(error, "code");
  if (typeof code === "number") return readCode(code, error, status, throttled);
  if (status >= 200 && status <= 299) {
    return { outcome: "unknown", detail: "the answer has no message id, so the message may or may not go out" };
  }
  const meaning = BY_STATUS.get(status);
  if (meaning !== undefined) return refusal(meaning, String(status), `status ${status}`, throttled);
  // A gateway between us and Meta said it: the message may have passed it.
  if (status >= 500 || status === 408) {
    return { outcome: "unknown", detail: `status ${status} without an error code: the message may have been taken` };
  }
  if ((status >= 300 && status <= 399) || status === 0) {
    const detail = "redirected: redirects are not followed, as the token would go with them";
    return refusal({ reason: "not-configured", retryable: false, backendDown: true }, String(status), detail, 0);
  }
  return refusal({ reason: "other", retryable: false }, String(status), `status ${status}`, throttled);
}

function readCode(code: number, error: unknown, status: number, throttled: number): RejectedReceipt {
  const isTransient = memberOf(error, "is_transient") === true || status >= 500;
  const meaning: CodeMeaning = meaningOf(code) ??
    (isTransient ? { reason: "unavailable", retryable: true } : { reason: "other", retryable: false });
  return refusal(meaning, String(code), describeError(error), throttled);
}

/** What Meta says of an error, for people: its details before its title. */
export function describeError(error: unknown): string {
  const details = textOf(memberOf(error, "error_data"), "details");
  const text = details ?? textOf(error, "message") ?? textOf(error, "title") ?? "no details";
  // deno-lint-ignore no-control-regex -- control characters are what must not get into a log
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").slice(0, 300);
}

function refusal(meaning: CodeMeaning, code: string, detail: string, throttled: number): RejectedReceipt {
  const { reason, retryable, throttleMs, backendDown } = meaning;
  const progress: JsonObject | undefined = throttleMs === undefined ? undefined : { throttled: throttled + 1 };
  return {
    outcome: "rejected",
    retryable,
    reason,
    code,
    detail,
    ...(throttleMs === undefined
      ? {}
      : { retryAfterMs: Math.min(LONGEST_THROTTLE_MS, throttleMs * 4 ** Math.min(throttled, 10)) }),
    ...(backendDown === true ? { backendDown } : {}),
    ...(progress === undefined ? {} : { progress }),
  };
}
