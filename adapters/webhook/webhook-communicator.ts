/**
 * The generic webhook: messages as signed JSON, both ways.
 *
 * @module
 */
import {
  assertInteger,
  type CommunicatorCapabilities,
  encodeBase64,
  type JsonObject,
  type OutgoingMessage,
  type RetryPolicy,
  type SendContext,
  ValidationError,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { checkHeaders, checkUrl, resolvePostOptions, type WebhookOptions } from "./options.ts";
import type { PostRequest } from "./post-attempt.ts";
import { PostingCommunicator } from "./posting-communicator.ts";
import { StandardWebhookSigner } from "./standard-webhooks.ts";
import { StandardWebhookReceiver } from "./webhook-receiver.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

/**
 * Posts messages as JSON to an address, signed by Standard Webhooks 1.0.0, and takes signed requests in.
 *
 * What is posted is `{ type: "message", timestamp, data: { id, delivery_id, message, label, severity, … } }`; what is
 * taken in is described by {@link INBOUND_SCHEMA}. The `webhook-id` is the delivery's id, the same on every try.
 *
 * @example
 * ```ts
 * import { createWebhookSecret, WebhookCommunicator } from "posthorn/webhook";
 *
 * const hook = new WebhookCommunicator("ops", {
 *   url: "https://hooks.example.com/ops",
 *   secret: createWebhookSecret(),
 * });
 * console.log(hook.supportsReceiving); // true
 * ```
 */
export class WebhookCommunicator extends PostingCommunicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities;
  /** {@inheritDoc Communicator.webhook} */
  declare readonly webhook?: WebhookReceiver;
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "webhook";
  /** Ten tries over two days and a half, as Standard Webhooks suggests. */
  override readonly retryPolicy: RetryPolicy = {
    maxAttempts: 10,
    baseDelayMs: 5 * SECOND,
    maxDelayMs: 24 * HOUR,
    scheduleMs: [
      5 * SECOND,
      5 * MINUTE,
      30 * MINUTE,
      2 * HOUR,
      5 * HOUR,
      10 * HOUR,
      14 * HOUR,
      20 * HOUR,
      24 * HOUR,
    ],
  };
  readonly #url: string | undefined;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signer: StandardWebhookSigner | undefined;
  readonly #now: () => number;

  /**
   * Makes the backend.
   *
   * @param name The backend's name.
   * @param options Address, secret.
   * @throws {ValidationError} If an option is of the wrong kind, or the address is none that may be asked.
   */
  constructor(name: string, options: WebhookOptions) {
    const post = resolvePostOptions(options);
    super(name, post, {});
    const { secret, headers = {}, toleranceMs, maxBodyBytes = 1_048_576 } = options;
    this.#url = options.url === undefined ? undefined : checkUrl(options.url, "url", post.guard);
    this.#headers = checkHeaders(headers);
    this.#now = () => post.clock.now();
    const secrets = typeof secret === "string" ? [secret] : secret ?? [];
    const receives = options.receive ?? secrets.length > 0;
    if (receives && secrets.length === 0) {
      throw new ValidationError("secret", "Cannot receive without a secret: anybody could send anything");
    }
    if (this.#url === undefined && !receives) {
      throw new ValidationError("url", "Cannot do anything: give a url to send to, or a secret to receive with");
    }
    this.#signer = secrets.length === 0
      ? undefined
      : new StandardWebhookSigner(secrets, toleranceMs === undefined ? {} : { toleranceMs });
    this.capabilities = { receives, html: true, attachments: true, edits: false };
    if (receives && this.#signer !== undefined) {
      this.webhook = new StandardWebhookReceiver({
        backendName: name,
        signer: this.#signer,
        maxBodyBytes: assertInteger(maxBodyBytes, "maxBodyBytes", 1),
        now: this.#now,
      });
    }
  }

  /** {@inheritDoc PostingCommunicator.plan} */
  protected override async plan(message: OutgoingMessage, context: SendContext): Promise<readonly PostRequest[]> {
    if (this.#url === undefined) throw new ValidationError("url", "Cannot send: the backend has no url");
    const body = new TextEncoder().encode(JSON.stringify(payloadOf(message, context)));
    const id = webhookId(context.deliveryId);
    const signature = this.#signer === undefined
      ? { "webhook-id": id, "webhook-timestamp": String(Math.floor(this.#now() / SECOND)) }
      : await this.#signer.sign(id, body, this.#now());
    const headers = { ...this.#headers, "content-type": "application/json", "user-agent": "posthorn", ...signature };
    return [{ url: this.#url, headers, body }];
  }
}

/** An id for a header: a dot would end it in what is signed. */
function webhookId(deliveryId: string): string {
  return deliveryId.replaceAll(/[^\x21-\x2d\x2f-\x7e]/g, "_").slice(0, 250);
}

/** The same on every try, so that a receiver that keeps what it verified can compare. */
function payloadOf(message: OutgoingMessage, context: SendContext): JsonObject {
  const { source, subject, html, replyTo } = message;
  return {
    type: "message",
    timestamp: new Date(message.timestamp).toISOString(),
    data: {
      id: message.id,
      delivery_id: context.deliveryId,
      message: message.message,
      label: message.label,
      severity: message.severity,
      ...(source === undefined ? {} : { source }),
      ...(subject === undefined ? {} : { subject }),
      ...(html === undefined ? {} : { html }),
      ...(replyTo === undefined ? {} : { reply_to: replyTo }),
      ...(context.recipient === undefined ? {} : { recipient: context.recipient }),
      metadata: message.metadata,
      attachments: message.attachments.map(({ filename, contentType, bytes, url, providerId, caption }) => ({
        filename,
        content_type: contentType,
        ...(bytes === undefined ? {} : { base64: encodeBase64(bytes) }),
        ...(url === undefined ? {} : { url }),
        ...(providerId === undefined ? {} : { provider_id: providerId }),
        ...(caption === undefined ? {} : { caption }),
      })),
    },
  };
}
