// Webhook bodies as Meta sends them, and what signs them.
import { WhatsAppWebhookReceiver } from "../../../adapters/whatsapp/webhook-receiver.ts";
import { createHmacSha256, encodeHex, type JsonObject } from "../../../core/mod.ts";

export const SECRET = "6f1ed002ab5595859014ebf0951522d9";
export const NUMBER = "106540352242922";
export const NOW = 1_763_724_000_000;
export const WHEN = "1763720000";

/** A receiver; `opened` gets the ids of files that are opened. */
export function createReceiver(
  options: {
    readonly secrets?: readonly string[];
    readonly verifyToken?: string;
    readonly opened?: string[];
  } = {},
): WhatsAppWebhookReceiver {
  const { secrets = [SECRET], verifyToken, opened = [] } = options;
  return new WhatsAppWebhookReceiver({
    backendName: "wa",
    phoneNumberId: NUMBER,
    appSecrets: secrets,
    verifyToken,
    now: () => NOW,
    open(mediaId) {
      opened.push(mediaId);
      return Promise.resolve(new ReadableStream<Uint8Array>());
    },
  });
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export async function sign(
  body: Uint8Array,
  secret: string = SECRET,
): Promise<string> {
  return `sha256=${encodeHex(await createHmacSha256(secret).sign(body))}`;
}

/** Meta's own way to write JSON. */
export function metaJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    )
    .replaceAll("/", "\\/").replaceAll("<", "\\u003C").replaceAll(
      "%",
      "\\u0025",
    ).replaceAll("@", "\\u0040");
}

export function payloadOf(value: object, field = "messages"): JsonObject {
  return JSON.parse(JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{
      id: "102290129340398",
      changes: [{
        field,
        value: {
          messaging_product: "whatsapp",
          metadata: {
            display_phone_number: "15550783881",
            phone_number_id: NUMBER,
          },
          ...value,
        },
      }],
    }],
  }));
}

export function messageOf(number: number, extras: object): object {
  return {
    from: "16505551234",
    id: `wamid.${number}`,
    timestamp: WHEN,
    ...extras,
  };
}

export const CONTACTS: readonly object[] = [{
  profile: { name: "Sheena Nelson" },
  wa_id: "16505551234",
}];

/** One message of every inbound type Meta documents, and one it does not. */
export const EVERY_TYPE: readonly object[] = [
  { type: "text", text: { body: "Grüße / <b>100% @home</b> مرحبا 👩‍👩‍👧‍👦" } },
  {
    type: "image",
    image: {
      id: "i1",
      mime_type: "image/jpeg",
      sha256: "x",
      caption: "Sunset",
    },
  },
  {
    type: "audio",
    audio: { id: "a1", mime_type: "audio/ogg; codecs=opus", voice: true },
  },
  { type: "voice", voice: { id: "a2", mime_type: "audio/ogg" } },
  { type: "video", video: { id: "v1", mime_type: "video/mp4" } },
  {
    type: "document",
    document: {
      id: "d1",
      mime_type: "application/pdf",
      filename: "Plan.pdf",
      caption: "Draft",
    },
  },
  {
    type: "sticker",
    sticker: { id: "s1", mime_type: "image/webp", animated: false },
  },
  {
    type: "location",
    location: {
      latitude: 37.4,
      longitude: -122.1,
      name: "Palo Alto",
      address: "101 Forest Ave",
    },
  },
  {
    type: "contacts",
    contacts: [{
      name: { formatted_name: "Barbara Johnson" },
      phones: [{ phone: "+1650" }],
    }],
  },
  {
    type: "interactive",
    interactive: {
      type: "button_reply",
      button_reply: { id: "yes", title: "Yes" },
    },
  },
  {
    type: "interactive",
    interactive: {
      type: "list_reply",
      list_reply: { id: "row-2", title: "Priority", description: "Next day" },
    },
  },
  {
    type: "interactive",
    interactive: {
      type: "nfm_reply",
      nfm_reply: { body: "Sent", response_json: '{"a":1}' },
    },
  },
  {
    type: "button",
    button: { payload: "STOP", text: "Unsubscribe" },
    context: { from: "1", id: "wamid.out" },
  },
  { type: "reaction", reaction: { message_id: "wamid.out", emoji: "👍" } },
  {
    type: "order",
    order: { catalog_id: "7", text: "With ice", product_items: [] },
  },
  {
    type: "system",
    system: {
      body: "User changed number",
      wa_id: "16505550000",
      type: "user_changed_number",
    },
  },
  {
    type: "unsupported",
    errors: [{ code: 131051, title: "Message type unknown" }],
  },
  { type: "hologram", hologram: { id: "h1" } },
];
