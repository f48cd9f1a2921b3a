/**
 * Updates by webhook.
 *
 * @module
 */
import {
  type IncomingMessage,
  type JsonValue,
  secureEqual,
  type WebhookBatch,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { storable } from "./json.ts";
import type { MappedUpdate } from "./updates.ts";

/** The header Telegram sends the secret in. */
export const SECRET_HEADER = "x-telegram-bot-api-secret-token";

/** An update is a few kilobytes; a long message with many entities and what it answers, some dozens. */
const MAX_BODY_BYTES = 1_048_576;
const MAX_QUARANTINED_BYTES = 65_536;

/** Takes updates by webhook. Each request is one update. */
export class TelegramWebhook implements WebhookReceiver {
  /** {@inheritDoc WebhookReceiver.maxBodyBytes} */
  readonly maxBodyBytes: number = MAX_BODY_BYTES;
  /** {@inheritDoc WebhookReceiver.provesByHeaders} */
  readonly provesByHeaders: boolean = true;
  readonly #secret: string;
  readonly #map: (update: unknown) => MappedUpdate;

  /**
   * @param secret The secret Telegram was given with the address. It must not be empty.
   * @param map Reads an update.
   */
  constructor(secret: string, map: (update: unknown) => MappedUpdate) {
    this.#secret = secret;
    this.#map = map;
  }

  /** {@inheritDoc WebhookReceiver.verify} */
  verify(headers: Headers, _body?: Uint8Array): Promise<boolean> {
    // Without the header the comparison is made all the same: the time it takes tells nothing.
    return secureEqual(headers.get(SECRET_HEADER) ?? "", this.#secret);
  }

  /** {@inheritDoc WebhookReceiver.parse} */
  parse(body: Uint8Array): WebhookBatch {
    const messages: IncomingMessage[] = [];
    const quarantined: JsonValue[] = [];
    const text = new TextDecoder().decode(body);
    let update: unknown;
    try {
      update = JSON.parse(text);
    } catch {
      return { messages, receipts: [], quarantined: [{ not_json: text.slice(0, MAX_QUARANTINED_BYTES) }] };
    }
    const mapped = this.#map(update);
    if (mapped.kind === "message") messages.push(mapped.message);
    if (mapped.kind === "malformed") {
      quarantined.push(storable(update, MAX_QUARANTINED_BYTES) ?? { not_kept: text.slice(0, MAX_QUARANTINED_BYTES) });
    }
    return { messages, receipts: [], quarantined };
  }
}
