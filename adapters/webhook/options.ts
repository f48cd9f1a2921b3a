/**
 * What the webhook backends can be told.
 *
 * @module
 */
import {
  assertDurationMs,
  assertInteger,
  assertText,
  type Clock,
  type Logger,
  silentLogger,
  systemClock,
  ValidationError,
} from "../../core/mod.ts";
import { createOnceFetch, type FetchLike } from "../net/once-fetch.ts";
import { EgressGuard, type EgressOptions, type ResolveHost } from "./egress-guard.ts";
import { createFetchPost } from "./fetch-post.ts";
import { createPinnedPost, type GuardedPost } from "./pinned-fetch.ts";

export type { FetchLike };

/** What every backend that posts can be told. */
export interface PostOptions extends EgressOptions {
  /** How long a request may take. @default `20_000` */
  readonly timeoutMs?: number;
  /** The most of an answer that is read. @default `65_536` */
  readonly maxAnswerBytes?: number;
  /**
   * How requests are made, each once. @default connections to checked addresses where the runtime can (Node, Deno, Bun),
   * the platform's `fetch` elsewhere
   */
  readonly fetch?: FetchLike;
  /** Finds the addresses of a name. @default the runtime's own way, where it has one */
  readonly resolveHost?: ResolveHost;
  /** Time. @default the platform's */
  readonly clock?: Clock;
  /** Where it says what it does. @default nowhere */
  readonly logger?: Logger;
}

/** {@link PostOptions}, checked and complete. */
export interface ResolvedPostOptions {
  /** Makes requests. */
  readonly post: GuardedPost;
  /** Says which addresses may be asked. */
  readonly guard: EgressGuard;
  /** See {@link PostOptions.timeoutMs}. */
  readonly timeoutMs: number;
  /** See {@link PostOptions.maxAnswerBytes}. */
  readonly maxAnswerBytes: number;
  /** See {@link PostOptions.clock}. */
  readonly clock: Clock;
  /** See {@link PostOptions.logger}. */
  readonly logger: Logger;
}

/** Options of {@link WebhookCommunicator}. */
export interface WebhookOptions extends PostOptions {
  /** Where messages are posted. Without it the backend only receives. */
  readonly url?: string;
  /**
   * What requests are signed with, both ways: `whsec_` and base64. Several while it is being changed: requests are signed
   * with all, and one signed with any is taken. Without one, what is sent is not signed, and nothing is received.
   */
  readonly secret?: string | readonly string[];
  /** Headers to send along, for example `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether messages are taken in. @default `true` with a secret */
  readonly receive?: boolean;
  /** How old or how early a request that comes in may be. @default `300_000` */
  readonly toleranceMs?: number;
  /** The largest request that is taken in. @default `1_048_576` */
  readonly maxBodyBytes?: number;
}

/** Keys all of these backends take in a configuration. */
const POST_KEYS: readonly string[] = ["timeout", "max_answer_bytes", "allow_hosts", "allow_private", "allow_http"];

/**
 * The keys of a `webhook` backend, beside those every backend has: `url`, `secret` (text or list), `headers` (texts by
 * name), `receive` (flag), `tolerance` (seconds), `max_body_bytes`, `timeout` (seconds), `max_answer_bytes`,
 * `allow_hosts` (list), `allow_private` (flag), `allow_http` (flag).
 */
export const WEBHOOK_OPTION_KEYS: readonly string[] = [
  "url",
  "secret",
  "headers",
  "receive",
  "tolerance",
  "max_body_bytes",
  ...POST_KEYS,
];

/** The keys of a `slack` backend: `webhook_url` (required), `mrkdwn` (flag), and the common ones of `webhook`. */
export const SLACK_OPTION_KEYS: readonly string[] = ["webhook_url", "mrkdwn", ...POST_KEYS];

/** The keys of a `discord` backend: `webhook_url` (required), `username`, and the common ones of `webhook`. */
export const DISCORD_OPTION_KEYS: readonly string[] = ["webhook_url", "username", ...POST_KEYS];

/** The keys of an `ntfy` backend: `topic` (required), `server`, `token`, and the common ones of `webhook`. */
export const NTFY_OPTION_KEYS: readonly string[] = ["topic", "server", "token", ...POST_KEYS];

/**
 * Checks what every posting backend is told.
 *
 * @param options What the caller wrote.
 * @param defaultHosts The hosts that may be asked where the caller names none and stays outside.
 * @throws {ValidationError} If something is of the wrong kind.
 */
export function resolvePostOptions(options: PostOptions, defaultHosts?: readonly string[]): ResolvedPostOptions {
  const { timeoutMs = 20_000, maxAnswerBytes = 65_536, clock = systemClock, logger = silentLogger } = options;
  const allowHosts = options.allowHosts ?? (options.allowPrivate === true ? undefined : defaultHosts);
  const guard = new EgressGuard({ ...options, ...(allowHosts === undefined ? {} : { allowHosts }) });
  const { fetch, resolveHost } = options;
  const post = fetch === undefined
    ? createPinnedPost(guard, resolveHost) ?? createFetchPost(guard, createOnceFetch(), resolveHost)
    : createFetchPost(guard, fetch, resolveHost);
  return {
    post,
    guard,
    timeoutMs: assertDurationMs(timeoutMs, "timeoutMs", 1),
    maxAnswerBytes: assertInteger(maxAnswerBytes, "maxAnswerBytes", 0),
    clock,
    logger,
  };
}

/**
 * Checks an address while the configuration can still be mended.
 *
 * @param value The address.
 * @param argument What to call it.
 * @param guard Says which addresses may be asked.
 * @throws {ValidationError} If it is none, or none that may be asked. It is never in the message: it may be a secret.
 */
export function checkUrl(value: unknown, argument: string, guard: EgressGuard): string {
  const text = assertText(value, argument, { maxLength: 4_000 });
  try {
    guard.check(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^Cannot send to this address: /, "") : "it is refused";
    throw new ValidationError(argument, `Cannot use '${argument}': ${why}`);
  }
  return text;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
/** Headers that are ours, or the connection's. */
const RESERVED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "transfer-encoding",
  "webhook-id",
  "webhook-signature",
  "webhook-timestamp",
]);

/**
 * Checks headers to send along.
 *
 * @param headers Names and values.
 * @throws {ValidationError} If a name is none or ours, or a value has a control character in it.
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!TOKEN.test(name) || RESERVED.has(lower)) {
      throw new ValidationError("headers", `Cannot send a header of this name along: it is no name, or taken`);
    }
    const text = assertText(value, `headers.${lower}`, { maxLength: 4_000, allowEmpty: true });
    if (!/^[\x20-\x7e]*$/.test(text)) {
      throw new ValidationError(`headers.${lower}`, `Cannot send 'headers.${lower}': it must be ASCII`);
    }
    checked[lower] = text;
  }
  return checked;
}
