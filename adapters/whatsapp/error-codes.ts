/**
 * What the error codes of the WhatsApp Cloud API mean for a delivery.
 *
 * Meta asks to go by `code`, never by titles or HTTP statuses:
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
 *
 * @module
 */
import type { RejectionReason } from "../../core/mod.ts";

/** What a code means. */
export interface CodeMeaning {
  /** Why, as a stable word. */
  readonly reason: RejectionReason;
  /** Whether the same message may be taken later. */
  readonly retryable: boolean;
  /** The number is throttled: how long to wait at first. It grows fourfold each time, as Meta asks. */
  readonly throttleMs?: number;
  /** Every message would meet it: a person must act. */
  readonly backendDown?: boolean;
}

/** Something on Meta's side; the same message will do later. */
const TRANSIENT: CodeMeaning = { reason: "unavailable", retryable: true };
/** The token, the app or the account: nothing goes out until somebody mends it, and then all of it does. */
const AUTH: CodeMeaning = { reason: "auth", retryable: true, backendDown: true };
/** The number or the account is not ready to send. */
const NOT_READY: CodeMeaning = { reason: "not-configured", retryable: false, backendDown: true };
/** The message is wrong and stays wrong. */
const INVALID: CodeMeaning = { reason: "invalid-message", retryable: false };
/** Meta does not want this message to reach this person. */
const POLICY: CodeMeaning = { reason: "policy", retryable: false };
const INVALID_RECIPIENT: CodeMeaning = { reason: "invalid-recipient", retryable: false };

const MEANINGS: ReadonlyMap<number, CodeMeaning> = new Map([
  // Authorisation.
  [0, AUTH],
  [3, AUTH],
  [10, AUTH],
  [190, AUTH],
  [131005, AUTH],
  [131031, AUTH],
  [368, AUTH],
  // Throttling.
  [4, { reason: "rate-limited", retryable: true, throttleMs: 60_000 }],
  [80007, { reason: "rate-limited", retryable: true, throttleMs: 60_000 }],
  [130429, { reason: "rate-limited", retryable: true, throttleMs: 1_000 }],
  [131056, { reason: "rate-limited", retryable: true, throttleMs: 1_000 }],
  [133016, { reason: "rate-limited", retryable: true, throttleMs: 60_000 }],
  // Too much of it was spam: waiting does not mend it, a person must look at the number's quality.
  [131048, { reason: "policy", retryable: true, backendDown: true }],
  [131064, POLICY],
  // Meta's own trouble.
  [1, TRANSIENT],
  [2, TRANSIENT],
  [131000, TRANSIENT],
  [131016, TRANSIENT],
  [131057, TRANSIENT],
  [133004, TRANSIENT],
  // The number or the account.
  [33, NOT_READY],
  [131037, NOT_READY],
  [131042, NOT_READY],
  [131045, NOT_READY],
  [133000, NOT_READY],
  [133005, NOT_READY],
  [133006, NOT_READY],
  [133008, NOT_READY],
  [133009, NOT_READY],
  [133010, NOT_READY],
  [133015, NOT_READY],
  [134011, NOT_READY],
  // The person.
  [131021, INVALID_RECIPIENT],
  [131030, INVALID_RECIPIENT],
  [131062, INVALID_RECIPIENT],
  [131026, { reason: "recipient-unreachable", retryable: false }],
  [131047, { reason: "window-closed", retryable: false }],
  [131050, { reason: "opted-out", retryable: false }],
  [130403, POLICY],
  [130472, POLICY],
  [130497, POLICY],
  [131049, POLICY],
  // The message.
  [100, INVALID],
  [131008, INVALID],
  [131009, INVALID],
  [131051, { reason: "unsupported", retryable: false }],
  [131052, INVALID],
  [131053, INVALID],
  [131055, INVALID],
  [132015, POLICY],
  [132016, POLICY],
  [132069, { reason: "rate-limited", retryable: true, throttleMs: 60_000 }],
  [135000, { reason: "other", retryable: false }],
]);

/**
 * Looks a code up.
 *
 * @param code The `error.code` of an answer or a status.
 * @returns What it means, or `undefined` for a code Meta has added since.
 */
export function meaningOf(code: number): CodeMeaning | undefined {
  const meaning = MEANINGS.get(code);
  if (meaning !== undefined) return meaning;
  if (code >= 200 && code <= 299) return AUTH;
  // Templates: wrong parameters, a wrong name, a text too long.
  if (code >= 132000 && code <= 132999) return INVALID;
  return undefined;
}

/** The codes {@link meaningOf} has an entry of its own for. */
export function knownCodes(): readonly number[] {
  return [...MEANINGS.keys()];
}
