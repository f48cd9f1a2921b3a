/**
 * Requests by `fetch`, for runtimes that have nothing else, and for callers who bring their own.
 *
 * @module
 */
import { readBounded } from "../net/bounded-body.ts";
import type { FetchLike } from "../net/once-fetch.ts";
import type { EgressGuard, ResolveHost } from "./egress-guard.ts";
import { parseIp } from "./ip-address.ts";
import type { GuardedPost } from "./pinned-fetch.ts";

/**
 * Posts by `fetch`: the URL is checked, its name too where a resolver is given, and no redirect is followed. Between the
 * check of a name and its use lies a second look-up that nobody here sees: a host of the allow-list is the stronger
 * protection where `fetch` is all there is.
 *
 * @param guard Says which addresses may be asked.
 * @param fetch Makes the request.
 * @param resolveHost Finds the addresses of a name.
 */
export function createFetchPost(guard: EgressGuard, fetch: FetchLike, resolveHost?: ResolveHost): GuardedPost {
  return async function postByFetch({ url: text, headers, body, signal, maxAnswerBytes }) {
    const url = guard.check(text);
    if (resolveHost !== undefined && parseIp(url.hostname) === undefined) {
      guard.checkAddresses(await resolveHost(url.hostname));
    }
    const response = await fetch(url.href, { method: "POST", headers, body, signal, redirect: "manual" });
    const { status, headers: answerHeaders } = response;
    try {
      const { bytes } = await readBounded(response.body, maxAnswerBytes);
      return { status, headers: answerHeaders, body: new TextDecoder().decode(bytes) };
    } catch {
      // The status has been said; what follows it was cut.
      return { status, headers: answerHeaders, body: "" };
    }
  };
}
