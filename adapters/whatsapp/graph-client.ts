/**
 * Requests to the Graph API: one attempt each, every ending told apart.
 *
 * @module
 */
import { readBounded } from "../net/bounded-body.ts";
import { withDeadline } from "../net/deadline.ts";
import { readRequestFailure } from "../net/network-error.ts";
import { readRetryAfterMs } from "../net/retry-after.ts";
import type { GraphAnswer } from "./graph-answer.ts";
import type { ResolvedWhatsAppOptions } from "./options.ts";

/** How a request ended. */
export type GraphResult =
  /** Meta, or something between, answered. */
  | { readonly ended: "answer"; readonly answer: GraphAnswer }
  /** It never left. */
  | { readonly ended: "not-sent"; readonly code?: string; readonly detail: string }
  /** It may have left, and no answer came. */
  | { readonly ended: "no-answer"; readonly code?: string; readonly detail: string };

/** More of an answer nobody reads. */
const MAX_ANSWER_BYTES = 262_144;

/** Makes requests to the Graph API. The token goes to it alone: redirects are not followed. */
export class GraphClient {
  readonly #options: ResolvedWhatsAppOptions;

  /**
   * Makes a client.
   *
   * @param options The backend's options.
   */
  constructor(options: ResolvedWhatsAppOptions) {
    this.#options = options;
  }

  /** Posts JSON to an edge of the phone number: `"messages"`. */
  post(edge: string, body: string, signal: AbortSignal): Promise<GraphResult> {
    return this.#request(`${this.#options.phoneNumberId}/${edge}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    }, signal);
  }

  /** Posts a form to an edge of the phone number: `"media"`. */
  postForm(edge: string, body: FormData, signal: AbortSignal): Promise<GraphResult> {
    return this.#request(`${this.#options.phoneNumberId}/${edge}`, { method: "POST", body }, signal);
  }

  /** Reads a node. */
  get(node: string, signal: AbortSignal | undefined): Promise<GraphResult> {
    return this.#request(encodeURIComponent(node), { method: "GET" }, signal);
  }

  async #request(path: string, init: RequestInit, outer: AbortSignal | undefined): Promise<GraphResult> {
    const { clock, timeoutMs, graphUrl, token, fetch } = this.#options;
    if (outer?.aborted === true) {
      return { ended: "not-sent", detail: "the attempt was ended before the request" };
    }
    return await withDeadline(clock, timeoutMs, outer, async ({ signal, reason }): Promise<GraphResult> => {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${token}`);
      headers.set("accept", "application/json");
      try {
        const response = await fetch(`${graphUrl}/${path}`, { ...init, headers, redirect: "manual", signal });
        return { ended: "answer", answer: await readAnswer(response, clock.now()) };
      } catch (error) {
        const why = reason();
        if (why === "timeout") return { ended: "no-answer", detail: `no answer within ${timeoutMs / 1_000} s` };
        if (why === "stopped") return { ended: "no-answer", detail: "the attempt was ended before the answer came" };
        const { mayHaveLeft, code } = readRequestFailure(error);
        const known = code === undefined ? {} : { code };
        // Never the error's own text: some runtimes write the address into it.
        return mayHaveLeft
          ? { ended: "no-answer", ...known, detail: "the connection was lost before the answer came" }
          : { ended: "not-sent", ...known, detail: "no connection" };
      }
    });
  }
}

/** Reads the body; one that is cut or no JSON leaves the status to go by. */
async function readAnswer(response: Response, now: number): Promise<GraphAnswer> {
  const { status } = response;
  const asked = readRetryAfterMs(response.headers.get("retry-after"), now);
  const wait = asked === undefined ? {} : { retryAfterMs: asked };
  try {
    const { bytes } = await readBounded(response.body, MAX_ANSWER_BYTES);
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return { status, body, ...wait };
  } catch {
    return { status, body: undefined, ...wait };
  }
}
