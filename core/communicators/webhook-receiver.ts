/**
 * How messages come in by HTTP: what a backend gives so that "verify, commit, answer" is written once, in the HTTP
 * layer.
 *
 * @module
 */
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { ProviderReceipt } from "../message/receipt.ts";

/** What a verified request said. */
export interface WebhookBatch {
  /** What people said. */
  readonly messages: readonly IncomingMessage[];
  /** What the provider says of messages sent earlier. */
  readonly receipts: readonly ProviderReceipt[];
  /** Authentic, but not understood: kept in a quarantine channel for a person to look at. */
  readonly quarantined: readonly JsonValue[];
}

/** Reads the webhook requests of one provider. */
export interface WebhookReceiver {
  /** The largest body that is read; beyond it the answer is 413. */
  readonly maxBodyBytes: number;
  /**
   * Whether the headers alone prove a request: then a stranger's body is not even read, and {@link WebhookReceiver.verify}
   * is given an empty one. @default `false`
   */
  readonly provesByHeaders?: boolean;
  /**
   * Whether the request is authentic: in constant time, from the raw bytes, before anything is parsed. It never throws
   * for what a stranger can send.
   *
   * @param headers The request's headers.
   * @param body The raw body.
   */
  verify(headers: Headers, body: Uint8Array): Promise<boolean>;
  /**
   * Reads a verified body. It never throws for what can be in it: what it does not understand is quarantined.
   *
   * @param body The raw body.
   * @param headers The request's headers, for providers that name the request there (`webhook-id`).
   */
  parse(body: Uint8Array, headers?: Headers): WebhookBatch;
  /**
   * Answers the provider's GET that proves the address is ours.
   *
   * @param url The request's URL.
   */
  handshake?(url: URL): Response | Promise<Response>;
}
