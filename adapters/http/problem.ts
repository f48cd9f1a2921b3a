/**
 * Errors as `application/problem+json` (RFC 9457): one place, so that every answer has a stable `code` and none has the
 * text of an exception.
 *
 * @module
 */
import {
  ConflictError,
  LeaseLostError,
  NotRunningError,
  PosthornError,
  QueueFullError,
  RoutingError,
  SchemaError,
  StoreError,
  TooLargeError,
  ValidationError,
} from "../../core/mod.ts";

/** The members of an answer that are not the same for every problem of its code. */
export interface ProblemDetails {
  /** What is wrong with this very request, for a person. */
  readonly detail?: string;
  /** The field that is wrong. */
  readonly argument?: string;
  /** A limit that was passed, in bytes. */
  readonly limitBytes?: number;
  /** When to come back, in seconds; also sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Everything that a schema found wrong. */
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
  /** What reached nobody, and why. */
  readonly undelivered?: readonly unknown[];
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A stable word for what went wrong. */
export type ProblemCode =
  | "malformed-json"
  | "body-lost"
  | "invalid-argument"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "api-off"
  | "unknown-conversation"
  | "unknown-channel"
  | "unknown-message"
  | "method-not-allowed"
  | "timeout"
  | "conflict"
  | "lease-lost"
  | "not-claimable"
  | "not-readable"
  | "idempotency-mismatch"
  | "too-many-conversations"
  | "too-large"
  | "schema"
  | "routing"
  | "queue-full"
  | "internal"
  | "store"
  | "not-running"
  | "busy";

/** Every code with its status and its title. Codes are stable; titles are for people. */
const PROBLEMS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  "malformed-json": [400, "The body is not JSON"],
  "body-lost": [400, "The body broke off"],
  "invalid-argument": [400, "A value is not as it must be"],
  "unauthorized": [401, "The request is not authorized"],
  "forbidden": [403, "The request is not allowed from there"],
  "not-found": [404, "There is nothing here"],
  "api-off": [404, "The API is off"],
  "unknown-conversation": [404, "There is no such conversation"],
  "unknown-channel": [404, "There is no such channel"],
  "unknown-message": [404, "There is no such message"],
  "method-not-allowed": [405, "The method is not allowed here"],
  "timeout": [408, "The body did not arrive in time"],
  "conflict": [409, "The state has changed meanwhile"],
  "lease-lost": [409, "The claim had ended"],
  "not-claimable": [409, "The channel has no claims"],
  "not-readable": [409, "The channel has claims only"],
  "idempotency-mismatch": [409, "The Idempotency-Key was used for another request"],
  "too-many-conversations": [409, "There are too many conversations"],
  "too-large": [413, "The body is too large"],
  "schema": [422, "The content does not fit the schema"],
  "routing": [422, "There is no way to deliver this"],
  "queue-full": [429, "There is too much waiting"],
  "internal": [500, "Something went wrong here"],
  "store": [503, "The store is not available"],
  "not-running": [503, "The application is not running"],
  "busy": [503, "There are too many connections"],
};

const DEFAULT_RETRY_AFTER_SECONDS = 5;

/**
 * An answer that says what is wrong.
 *
 * @param code What is wrong, as a stable word.
 * @param details What is special about this request.
 */
export function problem(code: ProblemCode, details: ProblemDetails = {}): Response {
  const [status, title] = PROBLEMS[code];
  const { headers = {}, retryAfterSeconds, ...members } = details;
  return new Response(JSON.stringify({ type: "about:blank", title, status, code, ...members }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
      ...headers,
    },
  });
}

/**
 * The answer to an error. What a caller did wrong is said in the library's own words, which name the field and the
 * value's kind; anything else is a code and no more, because the text of an exception may hold what is nobody's business.
 *
 * @param error What was thrown.
 */
export function problemOf(error: unknown): Response {
  if (error instanceof ValidationError) {
    return problem("invalid-argument", { detail: error.message, argument: error.argument });
  }
  if (error instanceof SchemaError) return problem("schema", { issues: error.issues });
  if (error instanceof TooLargeError) return problem("too-large", { limitBytes: error.limitBytes });
  if (error instanceof QueueFullError) {
    return problem("queue-full", { retryAfterSeconds: DEFAULT_RETRY_AFTER_SECONDS });
  }
  if (error instanceof StoreError) return problem("store", { retryAfterSeconds: DEFAULT_RETRY_AFTER_SECONDS });
  if (error instanceof NotRunningError) {
    return problem("not-running", { retryAfterSeconds: DEFAULT_RETRY_AFTER_SECONDS });
  }
  if (error instanceof LeaseLostError) return problem("lease-lost");
  if (error instanceof ConflictError) return problem("conflict");
  if (error instanceof RoutingError) return problem("routing");
  if (error instanceof PosthornError && error.code === "not-running") {
    return problem("not-running", { retryAfterSeconds: DEFAULT_RETRY_AFTER_SECONDS });
  }
  return problem("internal");
}

/** Whether an error is the caller's doing: there is no use in logging it as a fault, or in trying again. */
export function isCallersFault(error: unknown): boolean {
  return error instanceof ValidationError || error instanceof SchemaError || error instanceof TooLargeError ||
    error instanceof LeaseLostError || error instanceof ConflictError || error instanceof RoutingError ||
    error instanceof QueueFullError;
}
