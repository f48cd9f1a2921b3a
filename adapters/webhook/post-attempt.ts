/**
 * One attempt to post, every ending told apart.
 *
 * @module
 */
import type { Receipt } from "../../core/mod.ts";
import { withDeadline } from "../net/deadline.ts";
import { readRequestFailure, type RequestFailure } from "../net/network-error.ts";
import type { ResolvedPostOptions } from "./options.ts";
import { type OutcomeRules, readWebhookAnswer } from "./webhook-outcome.ts";

/** What to post. */
export interface PostRequest {
  /** Where to. */
  readonly url: string;
  /** Header names and values. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * A post of JSON.
 *
 * @param url Where to.
 * @param payload What becomes the body.
 * @param headers Further header names and values.
 */
export function jsonPost(url: string, payload: object, headers: Readonly<Record<string, string>> = {}): PostRequest {
  const body = new TextEncoder().encode(JSON.stringify(payload));
  return { url, headers: { ...headers, "content-type": "application/json" }, body };
}

/**
 * Posts once and reads the answer.
 *
 * @param request What to post.
 * @param options How.
 * @param rules How the network reads its answers.
 * @param outer Ends it early.
 */
export async function attemptPost(
  request: PostRequest,
  options: ResolvedPostOptions,
  rules: OutcomeRules,
  outer: AbortSignal,
): Promise<Receipt> {
  const { clock, timeoutMs, maxAnswerBytes, post } = options;
  if (outer.aborted) {
    return {
      outcome: "rejected",
      retryable: true,
      reason: "network",
      detail: "the attempt was ended before the request",
    };
  }
  return await withDeadline(clock, timeoutMs, outer, async ({ signal, reason }): Promise<Receipt> => {
    try {
      return readWebhookAnswer(await post({ ...request, signal, maxAnswerBytes }), rules, clock.now());
    } catch (error) {
      const failure = readRequestFailure(error);
      const why = failure.mayHaveLeft ? reason() : undefined;
      if (why === "timeout") return { outcome: "unknown", detail: `no answer within ${timeoutMs / 1_000} s` };
      if (why === "stopped") {
        return { outcome: "unknown", detail: "the attempt was ended before the answer came" };
      }
      return readFailure(failure);
    }
  });
}

/** Never the error's own text: some runtimes write the address, which is a secret, into it. */
function readFailure({ mayHaveLeft, code }: RequestFailure): Receipt {
  if (mayHaveLeft) {
    const shown = code === undefined ? "" : ` (${code})`;
    return { outcome: "unknown", detail: `the connection was lost before the answer came${shown}` };
  }
  const isRefused = code === "egress-refused";
  return {
    outcome: "rejected",
    retryable: !isRefused,
    reason: isRefused ? "policy" : "network",
    ...(code === undefined ? {} : { code }),
    detail: isRefused ? "the address is none that may be asked" : "no connection",
  };
}
