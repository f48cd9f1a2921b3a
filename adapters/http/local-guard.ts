/**
 * Who may use what is meant for the person at this machine: requests to a loopback name, from a page of the same origin
 * or from no page at all, with the token of this run.
 *
 * A server on `127.0.0.1` is reached by every web page the person has open. The `Host` check stops pages whose own name
 * was pointed at this machine (DNS rebinding), the `Origin` check stops the others, and the token stops what is no
 * browser.
 *
 * @module
 */
import { secureEqual } from "../../core/mod.ts";
import { problem } from "./problem.ts";

const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;
const PROXY_HEADERS = ["forwarded", "x-forwarded-for", "x-forwarded-host"] as const;

/**
 * Whether a request may pass.
 *
 * @param request The request. Its body is not touched.
 * @param token What it must show, as a bearer token or as `token` in the query.
 * @returns `undefined` when it may, otherwise the answer that refuses it.
 */
export async function refuseStranger(request: Request, token: string): Promise<Response | undefined> {
  const url = new URL(request.url);
  const host = request.headers.get("host") ?? url.host;
  if (!LOOPBACK_HOST.test(host) || !LOOPBACK_HOST.test(url.host)) {
    return problem("forbidden", { detail: "This page is for this machine only: use its loopback address" });
  }
  if (PROXY_HEADERS.some((name) => request.headers.has(name))) {
    return problem("forbidden", { detail: "This page is for this machine only: the request came through a proxy" });
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    return problem("forbidden", { detail: "The request comes from another origin" });
  }
  const site = request.headers.get("sec-fetch-site");
  const isNavigation = request.method === "GET" && request.headers.get("sec-fetch-mode") === "navigate";
  if (site !== null && site !== "same-origin" && site !== "none" && !isNavigation) {
    return problem("forbidden", { detail: "The request comes from another site" });
  }
  const given = bearerOf(request) ?? url.searchParams.get("token") ?? "";
  if (await secureEqual(given, token)) return undefined;
  return problem("unauthorized", {
    detail: "The token is missing, or is that of an earlier run: open the address that the program printed",
    headers: { "www-authenticate": "Bearer" },
  });
}

/**
 * The bearer token of a request.
 *
 * @param request The request.
 * @returns The token, or `undefined`.
 */
export function bearerOf(request: Request): string | undefined {
  return /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}
