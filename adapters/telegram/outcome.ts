/**
 * What a failed call means for the message: from codes and parameters, never from words.
 *
 * @module
 */
import type { RejectedReceipt, RejectionReason, UnknownReceipt } from "../../core/mod.ts";
import type { CallFailure } from "./client.ts";

interface Verdict {
  readonly reason: RejectionReason;
  readonly retryable: boolean;
  readonly backendDown?: boolean;
}

/**
 * The Bot API's own refusals by `error_code`. It gives 400 to a bad message and to a chat it does not know alike.
 * 403: the person blocked the bot, or it is no member of the group. 404: the token is none.
 */
const REFUSALS: Readonly<Record<number, Verdict>> = {
  400: { reason: "invalid-message", retryable: false },
  401: { reason: "auth", retryable: false, backendDown: true },
  403: { reason: "recipient-unreachable", retryable: false },
  404: { reason: "auth", retryable: false, backendDown: true },
  408: { reason: "unavailable", retryable: true },
  409: { reason: "unavailable", retryable: true },
  413: { reason: "invalid-message", retryable: false },
  420: { reason: "rate-limited", retryable: true },
  425: { reason: "unavailable", retryable: true },
  429: { reason: "rate-limited", retryable: true },
};

/** Answers of somebody in between, by HTTP status: none of these can have passed the message on. */
const FOREIGN: Readonly<Record<number, Verdict>> = {
  400: { reason: "other", retryable: false },
  401: { reason: "not-configured", retryable: false, backendDown: true },
  403: { reason: "unavailable", retryable: true },
  404: { reason: "not-configured", retryable: false, backendDown: true },
  407: { reason: "not-configured", retryable: false, backendDown: true },
  408: { reason: "unavailable", retryable: true },
  413: { reason: "invalid-message", retryable: false },
  421: { reason: "unavailable", retryable: true },
  425: { reason: "unavailable", retryable: true },
  429: { reason: "rate-limited", retryable: true },
  503: { reason: "unavailable", retryable: true },
};

/**
 * Says what a failure means.
 *
 * A refusal of the Bot API is a refusal, 5xx included: it says itself that it did not do it. An answer of somebody in
 * between (a page of a proxy) is a refusal when its status says that nothing was passed on, and `unknown` for 500, 502,
 * 504 and whatever is not in the table. No answer is `unknown`.
 *
 * @param failure How the call failed.
 * @returns The receipt, without progress.
 */
export function classifyFailure(failure: CallFailure): RejectedReceipt | UnknownReceipt {
  switch (failure.kind) {
    case "not-sent":
      return {
        outcome: "rejected",
        reason: "network",
        retryable: true,
        ...(failure.code === undefined ? {} : { code: failure.code }),
        detail: failure.code === "aborted" ? "stopped before the request was sent" : "no connection to Telegram",
      };
    case "no-answer":
      return {
        outcome: "unknown",
        detail: `the request was sent and no answer came${failure.code === undefined ? "" : ` (${failure.code})`}`,
      };
    case "foreign":
      return classifyForeign(failure.status, failure.retryAfterMs);
    case "refused":
      return classifyRefusal(failure);
  }
}

function classifyRefusal(
  failure: Extract<CallFailure, { readonly kind: "refused" }>,
): RejectedReceipt | UnknownReceipt {
  const { code, description, retryAfterMs } = failure;
  const detail = description === "" ? `Telegram answered ${code}` : description;
  if (!Number.isInteger(code) || code < 300 || code > 599) {
    return { outcome: "unknown", detail: `Telegram answered with the unforeseen code ${code}` };
  }
  if (failure.migrateToChatId !== undefined) {
    return rejected({ reason: "invalid-recipient", retryable: false }, code, detail, undefined);
  }
  const verdict = REFUSALS[code] ??
    (code >= 500 ? { reason: "unavailable", retryable: true } : { reason: "other", retryable: false });
  return rejected(verdict, code, detail, retryAfterMs);
}

function classifyForeign(status: number, retryAfterMs: number | undefined): RejectedReceipt | UnknownReceipt {
  // A redirect that is not followed reads as status 0 on some runtimes, as itself on others.
  if (status === 0 || (status >= 300 && status < 400)) {
    const verdict: Verdict = { reason: "not-configured", retryable: false, backendDown: true };
    return rejected(verdict, status, "api_root answers with a redirect, which is not followed", undefined);
  }
  const verdict = FOREIGN[status] ??
    (status >= 400 && status < 500 ? { reason: "other" as const, retryable: false } : undefined);
  if (verdict === undefined) {
    return { outcome: "unknown", detail: `somebody other than the Bot API answered with status ${status}` };
  }
  return rejected(verdict, status, `somebody other than the Bot API answered with status ${status}`, retryAfterMs);
}

function rejected(verdict: Verdict, code: number, detail: string, retryAfterMs: number | undefined): RejectedReceipt {
  return {
    outcome: "rejected",
    ...verdict,
    code: String(code),
    detail,
    ...(retryAfterMs === undefined || !verdict.retryable ? {} : { retryAfterMs }),
  };
}
