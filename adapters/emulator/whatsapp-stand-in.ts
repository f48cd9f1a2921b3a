/**
 * A server that stands in for the WhatsApp Cloud API.
 *
 * @module
 */
import { createHmacSha256, encodeHex, type JsonObject, type JsonValue } from "../../core/mod.ts";
import { HttpStandIn, type StandInAnswer, type StandInRequest } from "./http-stand-in.ts";

/** What {@link WhatsAppStandIn} can be told. */
export interface WhatsAppStandInOptions {
  /** The token it wants. @default `"stand-in-token"` */
  readonly token?: string;
  /** The number it has. @default `"100000000000001"` */
  readonly phoneNumberId?: string;
  /** What it signs webhooks with. @default `"stand-in-app-secret"` */
  readonly appSecret?: string;
}

/** A message it took. */
export interface TakenMessage {
  /** The id it gave. */
  readonly wamid: string;
  /** To whom. */
  readonly to: string;
  /** `"text"`, `"template"`, … */
  readonly type: string;
  /** The whole request. */
  readonly payload: JsonObject;
}

interface MediaFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

/** An error of the Graph API. */
export interface GraphErrorInit {
  /** The code. */
  readonly code: number;
  /** The HTTP status. @default `400` */
  readonly status?: number;
  /** The details. */
  readonly details?: string;
  /** Meta's own mark that it passes. */
  readonly isTransient?: boolean;
}

/**
 * Stands in for the WhatsApp Cloud API on this machine: takes messages and files as Meta does, refuses what Meta refuses
 * first (a wrong token, a text too long, no recipient, a closed window), keeps a log of what it took, and pushes signed
 * webhooks.
 */
export class WhatsAppStandIn extends HttpStandIn {
  /** The token it wants. */
  readonly token: string;
  /** The number it has. */
  readonly phoneNumberId: string;
  /** What it signs webhooks with. */
  readonly appSecret: string;
  readonly #taken: TakenMessage[] = [];
  readonly #media = new Map<string, MediaFile>();
  readonly #closedWindows = new Set<string>();
  #count = 0;

  /**
   * Makes a stand-in; `start()` opens it.
   *
   * @param options Token, number, secret.
   */
  constructor(options: WhatsAppStandInOptions = {}) {
    super();
    this.token = options.token ?? "stand-in-token";
    this.phoneNumberId = options.phoneNumberId ?? "100000000000001";
    this.appSecret = options.appSecret ?? "stand-in-app-secret";
  }

  /** Every message it took, in order; what it took before a cut is here too. */
  get taken(): readonly TakenMessage[] {
    return this.#taken;
  }

  /** The files it has, by id. */
  get media(): ReadonlyMap<string, { readonly bytes: Uint8Array; readonly contentType: string }> {
    return this.#media;
  }

  /** Puts a file where `GET /{id}` finds it, as if a person had sent it. @returns Its id. */
  addMedia(bytes: Uint8Array, contentType: string): string {
    const id = `media-${++this.#count}`;
    this.#media.set(id, { bytes: Uint8Array.from(bytes), contentType });
    return id;
  }

  /** Lets 24 hours of silence pass: this person can only be sent templates. */
  closeWindow(to: string): void {
    this.#closedWindows.add(to);
  }

  /** Refuses the next message with an error of the Graph API. */
  injectError(error: GraphErrorInit, times = 1): void {
    this.inject({ fault: "answer", answer: graphError(error) }, { times, path: "/messages" });
  }

  /**
   * Posts a signed webhook.
   *
   * @param url Where it is taken.
   * @param payload What it says; a text goes as it is.
   * @param secret What it is signed with. @default the stand-in's
   * @returns The status of the answer.
   */
  async push(url: string, payload: JsonValue, secret: string = this.appSecret): Promise<number> {
    const text = typeof payload === "string" ? payload : metaJson(payload);
    const body = new TextEncoder().encode(text);
    const signature = encodeHex(await createHmacSha256(secret).sign(body));
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "x-hub-signature-256": `sha256=${signature}` },
      body,
    });
    await response.body?.cancel();
    return response.status;
  }

  /**
   * A webhook payload with messages.
   *
   * @param messages As Meta has them, with `from`, `id`, `timestamp`, `type`.
   * @param contacts The people.
   */
  messagesPayload(messages: readonly JsonObject[], contacts: readonly JsonObject[] = []): JsonObject {
    return this.#payload({ contacts, messages });
  }

  /** A webhook payload with statuses. */
  statusesPayload(statuses: readonly JsonObject[]): JsonObject {
    return this.#payload({ statuses });
  }

  /** The status of a message it took, as Meta reports it. */
  statusOf(wamid: string, status: string, extras: JsonObject = {}): JsonObject {
    const message = this.#taken.find((each) => each.wamid === wamid);
    const data = message?.payload["biz_opaque_callback_data"];
    return {
      id: wamid,
      status,
      timestamp: "1763724000",
      recipient_id: message?.to ?? "0",
      ...(data === undefined ? {} : { biz_opaque_callback_data: data }),
      ...extras,
    };
  }

  /** {@inheritDoc HttpStandIn.answer} */
  protected override async answer(request: StandInRequest): Promise<StandInAnswer> {
    if (request.headers["authorization"] !== `Bearer ${this.token}`) {
      return graphError({ code: 190, status: 401, details: "Invalid OAuth access token" });
    }
    const [, version = "", node = "", edge = ""] = request.path.split("/");
    if (version === "files") return this.#file(node);
    if (!/^v\d+\.\d+$/.test(version)) return graphError({ code: 100, details: "Unknown path" });
    if (request.method === "GET") return await this.#lookUp(node);
    if (node !== this.phoneNumberId) return graphError({ code: 33, details: "No such phone number" });
    if (edge === "media") return await this.#upload(request);
    if (edge === "messages") return this.#take(request);
    return graphError({ code: 100, details: "Unknown path" });
  }

  #take(request: StandInRequest): StandInAnswer {
    const payload = readJson(request.body);
    if (payload === undefined) return graphError({ code: 100, details: "The body is no JSON object" });
    const { type, text } = payload;
    const to = payload["to"] ?? payload["recipient"];
    if (payload["messaging_product"] !== "whatsapp") return graphError({ code: 100, details: "messaging_product" });
    if (typeof to !== "string" || to === "") return graphError({ code: 131008, details: "to is missing" });
    if (typeof type !== "string" || !isObject(payload[type])) {
      return graphError({ code: 131008, details: "type or its object is missing" });
    }
    const body = isObject(text) ? text["body"] : undefined;
    if (type === "text" && (typeof body !== "string" || body === "" || body.length > 4_096)) {
      return graphError({ code: 100, details: "Param text['body'] must be at most 4096 characters long." });
    }
    if (type !== "template" && this.#closedWindows.has(to)) {
      return graphError({ code: 131047, details: "More than 24 hours have passed since the customer last replied" });
    }
    const wamid = `wamid.stand-in-${++this.#count}`;
    this.#taken.push({ wamid, to, type, payload });
    return {
      status: 200,
      body: {
        messaging_product: "whatsapp",
        contacts: [{ input: to, wa_id: to }],
        messages: [{ id: wamid }],
      },
    };
  }

  async #upload(request: StandInRequest): Promise<StandInAnswer> {
    const form = await new Response(request.body, {
      headers: { "content-type": request.headers["content-type"] ?? "" },
    }).formData();
    const file = form.get("file");
    const type = form.get("type");
    if (form.get("messaging_product") !== "whatsapp" || typeof type !== "string" || !(file instanceof Blob)) {
      return graphError({ code: 100, details: "file, type or messaging_product is missing" });
    }
    return { status: 200, body: { id: this.addMedia(new Uint8Array(await file.arrayBuffer()), type) } };
  }

  async #lookUp(id: string): Promise<StandInAnswer> {
    const file = this.#media.get(id);
    if (file === undefined) return graphError({ code: 100, details: "No such media", status: 404 });
    return {
      status: 200,
      body: {
        messaging_product: "whatsapp",
        id,
        url: `${this.origin}/files/${id}`,
        mime_type: file.contentType,
        sha256: encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", file.bytes))),
        file_size: file.bytes.length,
      },
    };
  }

  #file(id: string): StandInAnswer {
    const file = this.#media.get(id);
    if (file === undefined) return { status: 404 };
    return { status: 200, headers: { "content-type": file.contentType }, body: file.bytes };
  }

  #payload(value: JsonObject): JsonObject {
    return {
      object: "whatsapp_business_account",
      entry: [{
        id: "200000000000002",
        changes: [{
          field: "messages",
          value: {
            messaging_product: "whatsapp",
            metadata: { display_phone_number: "15550000001", phone_number_id: this.phoneNumberId },
            ...value,
          },
        }],
      }],
    };
  }
}

/** JSON as Meta writes it: beyond ASCII, and `/`, escaped. The signature is over this very text. */
function metaJson(value: JsonValue): string {
  return JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  ).replaceAll("/", "\\/");
}

function graphError({ code, status = 400, details = "", isTransient }: GraphErrorInit): StandInAnswer {
  return {
    status,
    body: {
      error: {
        message: `(#${code}) stand-in`,
        type: "OAuthException",
        code,
        error_data: { messaging_product: "whatsapp", details },
        ...(isTransient === undefined ? {} : { is_transient: isTransient }),
        fbtrace_id: "stand-in",
      },
    },
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readJson(body: Uint8Array): JsonObject | undefined {
  try {
    const value: JsonValue = JSON.parse(new TextDecoder().decode(body));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
