/**
 * Webhooks of the WhatsApp Cloud API.
 *
 * @module
 */
import {
  createHmacSha256,
  decodeHex,
  type HmacImplementation,
  type HmacSha256,
  secureEqual,
  type WebhookBatch,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { platformHmac } from "../net/platform-hmac.ts";
import type { MediaOpener } from "./inbound-content.ts";
import { readBatch } from "./webhook-batch.ts";

/** What {@link WhatsAppWebhookReceiver} needs. */
export interface WhatsAppWebhookOptions {
  /** The backend's name. */
  readonly backendName: string;
  /** The number it is for. */
  readonly phoneNumberId: string;
  /** The app's secrets, at least one; several while it is being changed. */
  readonly appSecrets: readonly string[];
  /** What Meta must say to verify the address; without one the handshake is always refused. */
  readonly verifyToken: string | undefined;
  /** Gives the time. */
  readonly now: () => number;
  /** Opens a file. */
  readonly open: MediaOpener;
  /** How signatures are computed. @default the fastest way the runtime has */
  readonly hmac?: HmacImplementation;
}

/** Meta sends up to 3 MB. */
const MAX_BODY_BYTES = 3_145_728;
/** `sha256=` and 64 digits, in the one spelling Meta uses. */
const SIGNATURE = /^sha256=([0-9a-f]{64})$/;
const CHALLENGE = /^[\x21-\x7e]{1,500}$/;

/** Verifies and reads webhooks of the WhatsApp Cloud API. */
export class WhatsAppWebhookReceiver implements WebhookReceiver {
  /** {@inheritDoc WebhookReceiver.maxBodyBytes} */
  readonly maxBodyBytes: number = MAX_BODY_BYTES;
  readonly #options: WhatsAppWebhookOptions;
  readonly #keys: readonly HmacSha256[];

  /**
   * Prepares the keys.
   *
   * @param options Secrets and names.
   * @throws {ValidationError} If a secret is empty.
   */
  constructor(options: WhatsAppWebhookOptions) {
    this.#options = options;
    this.#keys = options.appSecrets.map((secret) => createHmacSha256(secret, options.hmac ?? platformHmac()));
  }

  /**
   * Checks `X-Hub-Signature-256` over the raw bytes: Meta signs the text it sends, with its own escapes, and no parsed
   * and rewritten JSON has the same.
   */
  async verify(headers: Headers, body: Uint8Array): Promise<boolean> {
    const digits = SIGNATURE.exec(headers.get("x-hub-signature-256") ?? "")?.[1];
    const signature = digits === undefined ? undefined : decodeHex(digits);
    if (signature === undefined) return false;
    let isAuthentic = false;
    // All of them, always: which one fits is nobody's business.
    for (const key of this.#keys) isAuthentic = await key.verify(body, signature) || isAuthentic;
    return isAuthentic;
  }

  /** {@inheritDoc WebhookReceiver.parse} */
  parse(body: Uint8Array): WebhookBatch {
    return readBatch(body, this.#options);
  }

  /** Answers Meta's verification of the address: 200 with the challenge, or 403. */
  async handshake(url: URL): Promise<Response> {
    const { verifyToken = "" } = this.#options;
    const token = url.searchParams.get("hub.verify_token") ?? "";
    const challenge = url.searchParams.get("hub.challenge") ?? "";
    const isMeta = await secureEqual(token, verifyToken) && url.searchParams.get("hub.mode") === "subscribe";
    const isFit = CHALLENGE.test(challenge);
    return new Response(isMeta && isFit ? challenge : "", {
      status: isMeta ? isFit ? 200 : 400 : 403,
      headers: {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
      },
    });
  }
}
