/**
 * One HTTP request to the Bot API.
 *
 * @module
 */

/** A request. */
export interface HttpRequest {
  /** The address. It holds the token: it goes nowhere but into the request. */
  readonly url: string;
  /** The media type of the body. */
  readonly contentType: string;
  /** The body. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** Ends it. */
  readonly signal: AbortSignal | undefined;
}

/** An answer. */
export interface HttpAnswer {
  /** The status; 0 for a redirect on some runtimes. None is followed. */
  readonly status: number;
  /** The `Retry-After` header. */
  readonly retryAfter: string | undefined;
  /** The body. */
  readonly text: string;
}

/**
 * Makes a request, once, and follows nobody elsewhere.
 *
 * It rejects with a `NetworkFailure`, and with nothing else.
 */
export type HttpCall = (request: HttpRequest) => Promise<HttpAnswer>;
