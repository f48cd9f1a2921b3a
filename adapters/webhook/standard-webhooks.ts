/**
 * Standard Webhooks 1.0.0: how requests are signed and verified (https://www.standardwebhooks.com).
 *
 * @module
 */
import {
  createHmacSha256,
  decodeBase64,
  encodeBase64,
  type HmacImplementation,
  type HmacSha256,
  ValidationError,
} from "../../core/mod.ts";
import { platformHmac } from "../net/platform-hmac.ts";

const ENCODER = new TextEncoder();
const PREFIX = "whsec_";
const VERSION = "v1,";
/** At least 24 bytes by the specification; more than 64 no HMAC-SHA256 gains by, and the specification ends there. */
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;
/** More signatures than anybody needs to change a secret. */
const MAX_SIGNATURES = 20;
const DIGITS = /^(?:0|[1-9]\d{0,14})$/;
/** An id may have any visible character but the dot, which ends it in what is signed. */
const ID = /^[\x21-\x2d\x2f-\x7e]{1,250}$/;

/** The three headers. */
export interface SignatureHeaders extends Readonly<Record<string, string>> {
  /** Names the message: the same on every try. */
  readonly "webhook-id": string;
  /** Seconds since 1970 of this try. */
  readonly "webhook-timestamp": string;
  /** `v1,<base64>`, one for each secret. */
  readonly "webhook-signature": string;
}

/** Options of {@link StandardWebhookSigner}. */
export interface StandardWebhookSignerOptions {
  /** How old or how early a request may be. @default `300_000` */
  readonly toleranceMs?: number;
  /** How signatures are computed. @default the fastest way the runtime has */
  readonly hmac?: HmacImplementation;
}

/**
 * Reads a secret: `whsec_` and base64 of 24 to 64 bytes.
 *
 * @param text The secret.
 * @param argument What to call it in an error; the secret itself is never in one.
 * @throws {ValidationError} If it is something else.
 */
export function parseWebhookSecret(text: string, argument = "secret"): Uint8Array {
  const bytes = text.startsWith(PREFIX) ? decodeBase64(text.slice(PREFIX.length)) : undefined;
  if (bytes === undefined) {
    throw new ValidationError(argument, `Cannot use '${argument}': it must be "whsec_" followed by base64`);
  }
  if (bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
    throw new ValidationError(
      argument,
      `Cannot use '${argument}' of ${bytes.length} bytes: Standard Webhooks wants 24 to 64`,
    );
  }
  return bytes;
}

/** Makes a new secret of 32 random bytes, to be kept on both sides. */
export function createWebhookSecret(): string {
  return PREFIX + encodeBase64(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * Signs and verifies requests by Standard Webhooks, with one secret or, while it is being changed, with several.
 *
 * @example
 * ```ts
 * import { createWebhookSecret, StandardWebhookSigner } from "posthorn/webhook";
 *
 * const signer = new StandardWebhookSigner([createWebhookSecret()]);
 * const body = new TextEncoder().encode('{"type":"ping"}');
 * const headers = new Headers(await signer.sign("msg_1", body, Date.now()));
 * console.log(await signer.verify(headers, body, Date.now())); // true
 * ```
 */
export class StandardWebhookSigner {
  readonly #keys: readonly HmacSha256[];
  readonly #toleranceMs: number;

  /**
   * Prepares the keys.
   *
   * @param secrets The secrets, the newest first; at least one.
   * @param options Tolerance.
   * @throws {ValidationError} If there is none, or one is no secret.
   */
  constructor(secrets: readonly string[], options: StandardWebhookSignerOptions = {}) {
    const { toleranceMs = 300_000, hmac = platformHmac() } = options;
    if (secrets.length === 0) throw new ValidationError("secret", "Cannot sign without a secret");
    if (!(toleranceMs > 0)) {
      throw new ValidationError("toleranceMs", "Cannot verify as 'toleranceMs' must be above zero");
    }
    this.#toleranceMs = toleranceMs;
    this.#keys = secrets.map((secret, index) =>
      createHmacSha256(parseWebhookSecret(secret, secrets.length === 1 ? "secret" : `secret[${index}]`), hmac)
    );
  }

  /**
   * Signs a request, once for each secret.
   *
   * @param id Names the message: the same on every try, without a dot.
   * @param body The body.
   * @param now The time, in milliseconds since 1970.
   * @throws {ValidationError} If the id has a dot, a space or nothing in it.
   */
  async sign(id: string, body: Uint8Array, now: number): Promise<SignatureHeaders> {
    if (!ID.test(id)) {
      throw new ValidationError("id", "Cannot sign as 'id' must be visible characters without a dot, at most 250");
    }
    const timestamp = String(Math.floor(now / 1_000));
    const content = signedContent(id, timestamp, body);
    const signatures: string[] = [];
    for (const key of this.#keys) signatures.push(VERSION + encodeBase64(await key.sign(content)));
    return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
  }

  /**
   * Whether a request is authentic and of these minutes: in a time that does not depend on how wrong it is, from the raw
   * bytes. It never throws.
   *
   * @param headers The request's headers.
   * @param body The raw body.
   * @param now The time, in milliseconds since 1970.
   */
  async verify(headers: Headers, body: Uint8Array, now: number): Promise<boolean> {
    const id = headers.get("webhook-id") ?? "";
    const timestamp = headers.get("webhook-timestamp") ?? "";
    if (!ID.test(id) || !DIGITS.test(timestamp)) return false;
    if (Math.abs(now - Number(timestamp) * 1_000) > this.#toleranceMs) return false;
    const given = (headers.get("webhook-signature") ?? "").split(" ");
    if (given.length > MAX_SIGNATURES) return false;
    const content = signedContent(id, timestamp, body);
    let isAuthentic = false;
    // Every signature against every key, whichever fits first.
    for (const each of given) {
      const signature = each.startsWith(VERSION) ? decodeBase64(each.slice(VERSION.length)) : undefined;
      if (signature === undefined) continue;
      for (const key of this.#keys) isAuthentic = await key.verify(content, signature) || isAuthentic;
    }
    return isAuthentic;
  }
}

/** `{id}.{timestamp}.{body}`. */
function signedContent(id: string, timestamp: string, body: Uint8Array): Uint8Array {
  const head = ENCODER.encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}
