/**
 * A network that signs its webhooks, as real ones do: HMAC-SHA256 of the raw body, in hexadecimal.
 *
 * @module
 */
import {
  Communicator,
  type CommunicatorCapabilities,
  createHmacSha256,
  decodeHex,
  encodeHex,
  type IncomingMessage,
  type JsonValue,
  type ProviderReceipt,
  type Receipt,
  type WebhookBatch,
  type WebhookReceiver,
} from "../../../core/mod.ts";
import type { WebhookRequest } from "./webhook-fuzzer.ts";

/** The header with the signature. */
export const SIGNATURE = "x-wire-signature";

/** What the network may say in one webhook. */
export type WireItem =
  | { readonly id: string; readonly from: string; readonly text: string }
  | { readonly sent: string }
  | JsonValue;

/** The network's side of a backend. */
export class SignedNetwork extends Communicator {
  override readonly capabilities: CommunicatorCapabilities = {
    receives: true,
    html: false,
    attachments: false,
    edits: false,
  };
  override readonly webhook: WebhookReceiver;

  constructor(
    name: string,
    secret: string,
    options: { readonly maxBodyBytes?: number; readonly proves?: boolean } = {},
  ) {
    super(name);
    const hmac = createHmacSha256(secret);
    this.webhook = {
      maxBodyBytes: options.maxBodyBytes ?? 65_536,
      verify: async (headers, body) => {
        const given = decodeHex(headers.get(SIGNATURE) ?? "");
        return given !== undefined && await hmac.verify(body, given);
      },
      parse: (body) => this.#parse(body),
      ...(options.proves === true
        ? { handshake: (url: URL) => new Response(url.searchParams.get("challenge"), { status: 200 }) }
        : {}),
    };
  }

  override send(): Promise<Receipt> {
    return Promise.resolve({ outcome: "accepted" });
  }

  #parse(body: Uint8Array): WebhookBatch {
    const messages: IncomingMessage[] = [];
    const receipts: ProviderReceipt[] = [];
    const quarantined: JsonValue[] = [];
    const items: readonly unknown[] = JSON.parse(new TextDecoder().decode(body));
    for (const item of items) {
      if (typeof item === "object" && item !== null && "id" in item && "from" in item && "text" in item) {
        messages.push(this.#message(String(item.id), String(item.from), String(item.text)));
      } else if (typeof item === "object" && item !== null && "sent" in item) {
        receipts.push({ providerMessageId: String(item.sent), status: "delivered", timestamp: 1 });
      } else {
        quarantined.push(JSON.parse(JSON.stringify(item)));
      }
    }
    return { messages, receipts, quarantined };
  }

  #message(id: string, conversation: string, text: string): IncomingMessage {
    return {
      id: `${this.name}:${id}`,
      kind: "text",
      text,
      chatLabel: "default",
      backendName: this.name,
      timestamp: 1,
      conversation,
      attachments: [],
      metadata: {},
    };
  }
}

/** A request as the network sends it. */
export async function signedRequest(
  name: string,
  secret: string,
  items: readonly WireItem[] | string,
): Promise<WebhookRequest> {
  const body = new TextEncoder().encode(typeof items === "string" ? items : JSON.stringify(items));
  const signature = encodeHex(await createHmacSha256(secret).sign(body));
  return { path: `/webhooks/${name}`, headers: [["content-type", "application/json"], [SIGNATURE, signature]], body };
}
