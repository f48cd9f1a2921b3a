/**
 * How far a request came that ended in an exception.
 *
 * @module
 */

/**
 * Codes of errors that happen before a request leaves: no address, no connection, no TLS. Node's and Bun's system codes,
 * undici's, OpenSSL's verification results. Anything else may have happened after the server had read everything.
 */
const NEVER_LEFT: ReadonlySet<string> = new Set([
  "EACCES",
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "ECONNREFUSED",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EMFILE",
  "ENETDOWN",
  "ENETUNREACH",
  "ENFILE",
  "ENOTFOUND",
  "EPERM",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_UNTRUSTED",
  "ConnectionRefused",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_INVALID_URL",
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "FailedToOpenSocket",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** An error of ours that names how far the request came, for clients that know it. */
export class RequestError extends Error {
  /** A stable word. */
  readonly code: string;
  /** Whether the request had a connection to leave by. */
  readonly mayHaveLeft: boolean;

  /**
   * @param code A stable word.
   * @param message One sentence that starts with "Cannot".
   * @param mayHaveLeft Whether the request may have left.
   */
  constructor(code: string, message: string, mayHaveLeft: boolean) {
    super(message);
    this.name = "RequestError";
    this.code = code;
    this.mayHaveLeft = mayHaveLeft;
  }
}

/** What an exception of a request tells. */
export interface RequestFailure {
  /** Whether the request may have left. Where the error does not tell (Deno's fetch has no codes), it may. */
  readonly mayHaveLeft: boolean;
  /** The runtime's own code, where it has one. */
  readonly code?: string;
}

/**
 * Reads how far a request came, from the codes of an error and its causes: never from its text.
 *
 * @param error What `fetch` threw.
 * @returns Whether it may have left, and the code that says so.
 */
export function readRequestFailure(error: unknown): RequestFailure {
  let found: string | undefined;
  let each: unknown = error;
  for (let depth = 0; depth < 8 && typeof each === "object" && each !== null; depth++) {
    if (each instanceof RequestError) return { mayHaveLeft: each.mayHaveLeft, code: each.code };
    const code: unknown = Reflect.get(each, "code");
    if (typeof code === "string") {
      if (NEVER_LEFT.has(code)) return { mayHaveLeft: false, code };
      found ??= code;
    }
    // Node collects the failures of several addresses: it never left if none of them did.
    if (each instanceof AggregateError && each.errors.length > 0) {
      const failures = each.errors.map((one: unknown) => readRequestFailure(one));
      if (failures.every((one) => !one.mayHaveLeft)) return failures[0] ?? { mayHaveLeft: false };
    }
    each = Reflect.get(each, "cause");
  }
  return found === undefined ? { mayHaveLeft: true } : { mayHaveLeft: true, code: found };
}
