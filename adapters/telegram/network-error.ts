/**
 * What a failed request tells: whether it had left when it failed.
 *
 * @module
 */

/**
 * A request came to nothing. `not-sent`: it never left, and Telegram knows nothing of it. `no-answer`: it may have left.
 *
 * It keeps a code and nothing else of the platform's error, whose text and properties may hold the address, and with it
 * the token.
 */
export class NetworkFailure extends Error {
  /** How far the request came. */
  readonly phase: "not-sent" | "no-answer";
  /** The platform's code, such as `"ECONNREFUSED"`. */
  readonly code: string | undefined;

  /**
   * @param phase How far the request came.
   * @param code The platform's code.
   */
  constructor(phase: "not-sent" | "no-answer", code: string | undefined) {
    super(`Cannot reach Telegram: ${phase === "not-sent" ? "no connection" : "no answer"}${code ? ` (${code})` : ""}`);
    this.name = "NetworkFailure";
    this.phase = phase;
    this.code = code;
  }
}

/** An answer came that is not the Bot API's: a proxy's page, a redirect. */
export class ForeignAnswer extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** What `Retry-After` asks for. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param status The HTTP status.
   * @param retryAfterMs What `Retry-After` asks for.
   */
  constructor(status: number, retryAfterMs: number | undefined) {
    super(`Cannot read answer: status is ${status}`);
    this.name = "ForeignAnswer";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Codes that only a connection that was never made gives: Node (and undici), Bun, and OpenSSL's names for bad certificates. */
const NOT_SENT_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
  "FailedToOpenSocket",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** Calls that come before anything is sent. */
const NOT_SENT_SYSCALLS: ReadonlySet<string> = new Set(["connect", "getaddrinfo"]);

/**
 * Deno gives no code. Its HTTP client (hyper) names the stage in this fixed form, which stands behind the address; no
 * other text can come before it but our own configuration.
 */
const DENO_CONNECT_STAGE = /\): client error \(Connect\)(?::|$)/;

/**
 * Reads what `fetch` threw.
 *
 * @param error What it threw.
 * @returns The failure, without anything of the error but its code. In doubt, the request may have left.
 */
export function networkFailureOf(error: unknown): NetworkFailure {
  let code: string | undefined;
  let current: unknown = error;
  for (let depth = 0; depth < 5 && typeof current === "object" && current !== null; depth += 1) {
    const found: unknown = Reflect.get(current, "code");
    if (typeof found === "string") code ??= found.slice(0, 64);
    if (isNotSent(current)) return new NetworkFailure("not-sent", code);
    current = Reflect.get(current, "cause");
  }
  return new NetworkFailure("no-answer", code);
}

function isNotSent(error: object): boolean {
  const code: unknown = Reflect.get(error, "code");
  if (typeof code === "string") {
    const syscall: unknown = Reflect.get(error, "syscall");
    return NOT_SENT_CODES.has(code) || (typeof syscall === "string" && NOT_SENT_SYSCALLS.has(syscall));
  }
  const inner: unknown = Reflect.get(error, "errors");
  if (Array.isArray(inner) && inner.length > 0) {
    return inner.every((each) => typeof each === "object" && each !== null && isNotSent(each));
  }
  return error instanceof Error && DENO_CONNECT_STAGE.test(error.message);
}
