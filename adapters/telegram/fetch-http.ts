/**
 * Requests by `fetch`.
 *
 * @module
 */
import type { HttpCall } from "./http.ts";
import { NetworkFailure, networkFailureOf } from "./network-error.ts";

/** Whether the platform's `fetch` sends a request once only, as its user agent says. */
const sendsOnce: boolean = /^(?:Node\.js|Bun)\//.test(globalThis.navigator?.userAgent ?? "");

/**
 * Makes requests by `fetch`.
 *
 * Deno sends a request again by itself when a kept connection ends without an answer, if the body is a text or bytes:
 * the message would go twice, and nobody would know. A `Blob` it does not send again; elsewhere a `Blob` is slower.
 *
 * @param doFetch The `fetch`. It is called as a function, as Workers want it.
 */
export function httpByFetch(doFetch: typeof fetch): HttpCall {
  return async function call({ url, contentType, body, signal }) {
    let response: Response;
    try {
      response = await doFetch(url, {
        method: "POST",
        headers: { "content-type": contentType },
        body: sendsOnce ? body : new Blob([body]),
        // A redirect would carry the message, and perhaps the token, to another place.
        redirect: "manual",
        signal: signal ?? null,
      });
    } catch (error) {
      throw networkFailureOf(error);
    }
    try {
      const retryAfter = response.headers.get("retry-after") ?? undefined;
      return { status: response.status, retryAfter, text: await response.text() };
    } catch (error) {
      throw new NetworkFailure("no-answer", networkFailureOf(error).code);
    }
  };
}
