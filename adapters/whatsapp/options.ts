/**
 * What the WhatsApp backend can be told.
 *
 * @module
 */
import {
  assertDurationMs,
  assertInteger,
  assertText,
  type Clock,
  kindOf,
  type Logger,
  type MessageStore,
  silentLogger,
  systemClock,
  ValidationError,
} from "../../core/mod.ts";
import { createOnceFetch, type FetchLike } from "../net/once-fetch.ts";

/** The slice of `fetch` that is used: give your own for a proxy, a trace, a test. */
export type { FetchLike };

/** Where ids of uploaded files, and of people whose id changed, are kept. A `MessageStore` fits. */
export type WhatsAppStore = Pick<MessageStore, "commit" | "getState">;

/** Options of {@link WhatsAppCommunicator}. */
export interface WhatsAppOptions {
  /** The access token of a system user with `whatsapp_business_messaging`. */
  readonly token: string;
  /** The id, not the number, of the phone number to send from. */
  readonly phoneNumberId: string;
  /** The version of the Graph API. @default `"v25.0"` */
  readonly apiVersion?: string;
  /** Where the Graph API is. @default `"https://graph.facebook.com"` */
  readonly apiRoot?: string;
  /**
   * The app's secret, which signs webhooks; several while it is being changed. Without one, nothing is received: there
   * is no webhook route.
   */
  readonly appSecret?: string | readonly string[];
  /** What Meta must say to verify the webhook's address: any text you made up. Without one, it cannot be verified. */
  readonly verifyToken?: string;
  /** Who gets messages that name nobody: phone numbers in international form, or business-scoped user ids. */
  readonly defaultRecipients?: readonly string[];
  /** How long a request may take. @default `30_000` */
  readonly timeoutMs?: number;
  /** Whether the first link of a text is shown with a preview. @default `false` */
  readonly previewUrl?: boolean;
  /** Hosts, besides Meta's, from which media may be fetched with the token. @default none */
  readonly mediaHosts?: readonly string[];
  /** The largest file that is fetched unless `open()` says otherwise. @default `104_857_600` (100 MiB) */
  readonly maxMediaBytes?: number;
  /**
   * How requests are made, each once: what repeats by itself sends messages twice. @default the platform's `fetch`, kept
   * from repeating on Deno
   */
  readonly fetch?: FetchLike;
  /** Time. @default the platform's */
  readonly clock?: Clock;
  /** Where it says what it does. @default nowhere */
  readonly logger?: Logger;
  /** Where ids of uploaded files and of people are kept. @default in memory, the latest 1,000 and 10,000 */
  readonly store?: WhatsAppStore;
}

/** {@link WhatsAppOptions}, checked and complete. */
export interface ResolvedWhatsAppOptions {
  /** See {@link WhatsAppOptions.token}. */
  readonly token: string;
  /** See {@link WhatsAppOptions.phoneNumberId}. */
  readonly phoneNumberId: string;
  /** Root and version: `"https://graph.facebook.com/v25.0"`. */
  readonly graphUrl: string;
  /** The secrets; empty: nothing is received. */
  readonly appSecrets: readonly string[];
  /** See {@link WhatsAppOptions.verifyToken}. */
  readonly verifyToken: string | undefined;
  /** See {@link WhatsAppOptions.defaultRecipients}. */
  readonly defaultRecipients: readonly string[];
  /** See {@link WhatsAppOptions.timeoutMs}. */
  readonly timeoutMs: number;
  /** See {@link WhatsAppOptions.previewUrl}. */
  readonly previewUrl: boolean;
  /** The hosts the token may go to, with ports where they are not the default. */
  readonly trustedHosts: ReadonlySet<string>;
  /** See {@link WhatsAppOptions.maxMediaBytes}. */
  readonly maxMediaBytes: number;
  /** See {@link WhatsAppOptions.fetch}. */
  readonly fetch: FetchLike;
  /** See {@link WhatsAppOptions.clock}. */
  readonly clock: Clock;
  /** See {@link WhatsAppOptions.logger}. */
  readonly logger: Logger;
  /** See {@link WhatsAppOptions.store}. */
  readonly store: WhatsAppStore | undefined;
}

/** The version of the Graph API that is used unless the configuration names another. */
export const DEFAULT_API_VERSION = "v25.0";

/** Where the Graph API is unless the configuration says otherwise. */
export const DEFAULT_API_ROOT = "https://graph.facebook.com";

/** The hosts Meta keeps media on. */
const MEDIA_HOSTS: readonly string[] = ["graph.facebook.com", "lookaside.fbsbx.com"];

/**
 * The keys of a WhatsApp backend in a configuration, beside those every backend has: `token`, `phone_number_id`
 * (required), `api_version`, `api_root`, `app_secret` (text or list), `verify_token`, `default_recipients` (list),
 * `timeout` (seconds), `preview_url` (flag), `media_hosts` (list), `max_media_bytes`.
 */
export const WHATSAPP_OPTION_KEYS: readonly string[] = [
  "token",
  "phone_number_id",
  "api_version",
  "api_root",
  "app_secret",
  "verify_token",
  "default_recipients",
  "timeout",
  "preview_url",
  "media_hosts",
  "max_media_bytes",
];

/**
 * Checks options and completes them.
 *
 * @param options What the caller wrote.
 * @throws {ValidationError} If one is of the wrong kind.
 */
export function resolveWhatsAppOptions(options: WhatsAppOptions): ResolvedWhatsAppOptions {
  const {
    apiVersion = DEFAULT_API_VERSION,
    timeoutMs = 30_000,
    previewUrl = false,
    defaultRecipients = [],
    mediaHosts = [],
    maxMediaBytes = 104_857_600,
    fetch: fetchLike = createOnceFetch(),
    clock = systemClock,
    logger = silentLogger,
    store,
  } = options;
  const root = checkRoot(options.apiRoot ?? DEFAULT_API_ROOT);
  if (!/^v\d{1,3}\.\d{1,2}$/.test(apiVersion)) {
    throw new ValidationError(
      "apiVersion",
      `Cannot use 'apiVersion': it must read like "v25.0", not ${kindOf(apiVersion)}`,
    );
  }
  const phoneNumberId = assertText(options.phoneNumberId, "phoneNumberId", { maxLength: 64 });
  if (!/^\w+$/.test(phoneNumberId)) {
    throw new ValidationError(
      "phoneNumberId",
      "Cannot use 'phoneNumberId': it must be the id of the number, digits only, not the number itself",
    );
  }
  for (const [index, recipient] of defaultRecipients.entries()) {
    assertText(recipient, `defaultRecipients[${index}]`, { maxLength: 500 });
  }
  return {
    token: checkSecret(options.token, "token"),
    phoneNumberId,
    graphUrl: `${root.href.replace(/\/+$/, "")}/${apiVersion}`,
    appSecrets: checkSecrets(options.appSecret),
    verifyToken: options.verifyToken === undefined ? undefined : checkSecret(options.verifyToken, "verifyToken"),
    defaultRecipients,
    timeoutMs: assertDurationMs(timeoutMs, "timeoutMs", 1),
    previewUrl,
    trustedHosts: new Set([...MEDIA_HOSTS, ...mediaHosts.map((host) => host.toLowerCase()), root.host]),
    maxMediaBytes: assertInteger(maxMediaBytes, "maxMediaBytes", 1),
    fetch: fetchLike,
    clock,
    logger,
    store,
  };
}

function checkRoot(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isLoopback = url !== undefined && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url === undefined || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback))) {
    throw new ValidationError(
      "apiRoot",
      "Cannot use 'apiRoot': it must be an https URL, or an http one of this machine",
    );
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new ValidationError("apiRoot", "Cannot use 'apiRoot': it must have no credentials, query or fragment");
  }
  return url;
}

/** A secret goes into a header or a comparison: no spaces around it (a frequent slip), no control characters. */
function checkSecret(value: unknown, name: string): string {
  const text = assertText(value, name, { maxLength: 4_096 });
  if (text.trim() !== text) throw new ValidationError(name, `Cannot use '${name}': it begins or ends with a space`);
  return text;
}

function checkSecrets(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === "string") return [checkSecret(value, "appSecret")];
  return value.map((secret, index) => checkSecret(secret, `appSecret[${index}]`));
}
