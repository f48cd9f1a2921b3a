/**
 * The error family. Everything this library throws on purpose is a {@link PosthornError} with a stable `code`,
 * or a built-in `TypeError`/`RangeError` for a call that no input could make right.
 *
 * @module
 */

/** Options every error of the family takes. */
export interface PosthornErrorOptions {
  /** The error that led to this one. Never shown to a remote caller. */
  readonly cause?: unknown;
  /** Whether the same call may succeed later without a change. @default `false` */
  readonly retryable?: boolean;
}

/**
 * The root of the family. Catch it to handle everything the library refuses; read `code` to tell cases apart.
 *
 * @example
 * ```ts
 * import { PosthornError } from "posthorn";
 *
 * function describe(error: unknown): string {
 *   return error instanceof PosthornError ? `${error.code}: ${error.message}` : String(error);
 * }
 * console.log(describe(new PosthornError("store", "Cannot append: store is closed")));
 * ```
 */
export class PosthornError extends Error {
  /** A stable, machine-readable word such as `"invalid-argument"`. */
  readonly code: string;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;

  /**
   * Makes the error.
   *
   * @param code A stable, machine-readable word.
   * @param message One sentence that starts with "Cannot".
   * @param options Cause and retryability.
   */
  constructor(code: string, message: string, options: PosthornErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "PosthornError";
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** A value of the wrong kind, size or form was passed. `argument` names it. Code `invalid-argument`. */
export class ValidationError extends PosthornError {
  /** The path of the refused value, such as `"message.recipients[2]"`. */
  readonly argument: string;

  /**
   * Makes the error.
   *
   * @param argument The path of the refused value.
   * @param message One sentence that starts with "Cannot" and names the value's kind.
   * @param options Cause and retryability.
   */
  constructor(argument: string, message: string, options: PosthornErrorOptions = {}) {
    super("invalid-argument", message, options);
    this.name = "ValidationError";
    this.argument = argument;
  }
}

/** One thing a schema found wrong. */
export interface SchemaIssue {
  /** Where: the keys from the root, joined by dots. Empty for the root. */
  readonly path: string;
  /** What the schema says of it. */
  readonly message: string;
}

/** A payload does not fit the channel's schema. Code `schema`. Nothing was stored. */
export class SchemaError extends PosthornError {
  /** Everything that did not fit. */
  readonly issues: readonly SchemaIssue[];

  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   * @param issues Everything that did not fit.
   */
  constructor(message: string, issues: readonly SchemaIssue[]) {
    super("schema", message);
    this.name = "SchemaError";
    this.issues = issues;
  }
}

/** A message is larger than `maxMessageBytes`. Code `too-large`. Nothing was stored. */
export class TooLargeError extends PosthornError {
  /** The limit in bytes. */
  readonly limitBytes: number;

  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   * @param limitBytes The limit that was passed.
   */
  constructor(message: string, limitBytes: number) {
    super("too-large", message);
    this.name = "TooLargeError";
    this.limitBytes = limitBytes;
  }
}

/** A bounded queue or buffer is full: back-pressure. Code `queue-full`, retryable. */
export class QueueFullError extends PosthornError {
  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   */
  constructor(message: string) {
    super("queue-full", message, { retryable: true });
    this.name = "QueueFullError";
  }
}

/** The thing was not started, or was stopped. Code `not-running`. */
export class NotRunningError extends PosthornError {
  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   */
  constructor(message: string) {
    super("not-running", message, { retryable: true });
    this.name = "NotRunningError";
  }
}

/** The store could not do it: closed, busy, broken. Code `store`. Unless it says otherwise, nothing was written. */
export class StoreError extends PosthornError {
  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   * @param options Cause and retryability.
   */
  constructor(message: string, options: PosthornErrorOptions = {}) {
    super("store", message, options);
    this.name = "StoreError";
  }
}

/**
 * A lease was no longer held, so nothing that depended on it happened. Code `lease-lost`.
 * Somebody else has the message, or had it and finished.
 */
export class LeaseLostError extends PosthornError {
  /** The id of the message whose lease was lost. */
  readonly messageId: string;

  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   * @param messageId The id of the message whose lease was lost.
   */
  constructor(message: string, messageId: string) {
    super("lease-lost", message);
    this.name = "LeaseLostError";
    this.messageId = messageId;
  }
}

/** State changed between read and write (compare-and-set). Code `conflict`, retryable: read again, decide again. */
export class ConflictError extends PosthornError {
  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   */
  constructor(message: string) {
    super("conflict", message, { retryable: true });
    this.name = "ConflictError";
  }
}

/** A backend, label, channel or conversation that does not exist, or is there twice. Code `routing`. */
export class RoutingError extends PosthornError {
  /**
   * Makes the error.
   *
   * @param message One sentence that starts with "Cannot".
   */
  constructor(message: string) {
    super("routing", message);
    this.name = "RoutingError";
  }
}

/** One thing wrong with a configuration. */
export interface ConfigIssue {
  /** Where: `communications.backends.ops.token`. */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** A configuration cannot be used. Code `config`; `issues` lists everything that is wrong, all at once. */
export class ConfigError extends PosthornError {
  /** Everything that is wrong. */
  readonly issues: readonly ConfigIssue[];

  /**
   * Makes the error.
   *
   * @param issues Everything that is wrong.
   * @param options Cause and retryability.
   */
  constructor(issues: readonly ConfigIssue[], options: PosthornErrorOptions = {}) {
    const lines = issues.map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`));
    super("config", `Cannot use configuration: ${lines.join("; ")}`, options);
    this.name = "ConfigError";
    this.issues = issues;
  }
}

/** Names the kind of a value for an error sentence, never the value itself: it may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `array of ${value.length}`;
  if (typeof value === "string") return value === "" ? "empty string" : `string of ${value.length} characters`;
  if (typeof value === "object") {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype) return "object";
    const name = value.constructor?.name;
    return name === undefined || name === "" ? "object" : name;
  }
  return typeof value;
}
