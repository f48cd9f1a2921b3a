/**
 * A server that stands in for whatever takes webhooks: a receiver of Standard Webhooks, Slack, Discord, ntfy.
 *
 * @module
 */
import { createHmacSha256, decodeBase64, encodeBase64, type JsonObject, type JsonValue } from "../../core/mod.ts";
import { HttpStandIn, type StandInAnswer, type StandInRequest } from "./http-stand-in.ts";

/** What {@link WebhookStandIn} can be told. */
export interface WebhookStandInOptions {
  /** How it answers. @default `"standard"` */
  readonly network?: "standard" | "slack" | "discord" | "ntfy";
  /** With one (`whsec_…`), requests that are not signed with it are refused. */
  readonly secret?: string;
}

/** A post it took. */
export interface TakenPost {
  /** The `webhook-id`, where there is one. */
  readonly id?: string;
  /** Path and query. */
  readonly path: string;
  /** The body as JSON; of a form, its `payload_json`. */
  readonly body: JsonObject;
  /** The names of the files of a form. */
  readonly files: readonly string[];
  /** Whether a post of this id had been taken before. */
  readonly duplicate: boolean;
}

/**
 * Stands in for a taker of webhooks on this machine: checks signatures, knows repeated ids, refuses what the network
 * would, keeps a log of what it took, and pushes signed webhooks.
 */
export class WebhookStandIn extends HttpStandIn {
  /** How it answers. */
  readonly network: "standard" | "slack" | "discord" | "ntfy";
  readonly #secret: string | undefined;
  readonly #taken: TakenPost[] = [];
  readonly #ids = new Set<string>();
  #count = 0;

  /**
   * Makes a stand-in; `start()` opens it.
   *
   * @param options How it answers, and what it wants signatures of.
   */
  constructor(options: WebhookStandInOptions = {}) {
    super();
    this.network = options.network ?? "standard";
    this.#secret = options.secret;
  }

  /** Every post it took, in order; what it took before a cut is here too. */
  get taken(): readonly TakenPost[] {
    return this.#taken;
  }

  /**
   * Posts a webhook, signed by Standard Webhooks.
   *
   * @param url Where it is taken.
   * @param payload What it says; a text goes as it is.
   * @param options The id, the secret, and the time in milliseconds since 1970.
   * @returns The status of the answer.
   */
  async push(
    url: string,
    payload: JsonValue,
    options: { readonly id?: string; readonly secret?: string; readonly at?: number } = {},
  ): Promise<number> {
    const body = new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
    const id = options.id ?? `push-${++this.#count}`;
    const timestamp = String(Math.floor((options.at ?? Date.now()) / 1_000));
    const signature = await signStandard(options.secret ?? this.#secret ?? "", id, timestamp, body);
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,${signature}`,
      },
      body,
    });
    await response.body?.cancel();
    return response.status;
  }

  /** {@inheritDoc HttpStandIn.answer} */
  protected override async answer(request: StandInRequest): Promise<StandInAnswer> {
    if (request.method !== "POST") return { status: 405 };
    if (this.#secret !== undefined && !await this.#isSigned(request, this.#secret)) return { status: 401 };
    const { payload, files } = await readBody(request);
    if (payload === undefined) return { status: 400, body: "invalid_payload" };
    const refusal = refusalOf(this.network, payload, files);
    if (refusal !== undefined) return refusal;
    const id = request.headers["webhook-id"];
    this.#taken.push({
      ...(id === undefined ? {} : { id }),
      path: request.path,
      body: payload,
      files,
      duplicate: id !== undefined && this.#ids.has(id),
    });
    if (id !== undefined) this.#ids.add(id);
    return this.#success();
  }

  #success(): StandInAnswer {
    const id = `${this.network}-${++this.#count}`;
    if (this.network === "slack") return { status: 200, body: "ok" };
    if (this.network === "standard") return { status: 204 };
    return { status: 200, body: { id } };
  }

  async #isSigned(request: StandInRequest, secret: string): Promise<boolean> {
    const { headers, body } = request;
    const wanted = await signStandard(secret, headers["webhook-id"] ?? "", headers["webhook-timestamp"] ?? "", body);
    return (headers["webhook-signature"] ?? "").split(" ").includes(`v1,${wanted}`);
  }
}

/** Written apart from the library's own signer, so that the two check each other. */
async function signStandard(secret: string, id: string, timestamp: string, body: Uint8Array): Promise<string> {
  const key = decodeBase64(secret.replace(/^whsec_/, "")) ?? new Uint8Array(0);
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  return encodeBase64(await createHmacSha256(key).sign(joined(head, body)));
}

async function readBody(
  request: StandInRequest,
): Promise<{ readonly payload: JsonObject | undefined; readonly files: readonly string[] }> {
  const contentType = request.headers["content-type"] ?? "";
  if (!contentType.startsWith("multipart/form-data")) {
    return { payload: parseObject(new TextDecoder().decode(request.body)), files: [] };
  }
  const form = await new Response(request.body, { headers: { "content-type": contentType } }).formData();
  const json = form.get("payload_json");
  const files = [...form.values()].filter((value): value is File => value instanceof File).map(({ name }) => name);
  return { payload: typeof json === "string" ? parseObject(json) : undefined, files };
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: JsonValue = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function refusalOf(
  network: WebhookStandIn["network"],
  payload: JsonObject,
  files: readonly string[],
): StandInAnswer | undefined {
  const { text, content, topic } = payload;
  if (network === "slack" && (typeof text !== "string" || text === "")) return { status: 400, body: "no_text" };
  if (network === "discord") {
    if (typeof content === "string" && content.length > 2_000) {
      return { status: 400, body: { code: 50035, message: "Invalid Form Body" } };
    }
    if ((content === undefined || content === "") && files.length === 0) {
      return { status: 400, body: { code: 50006, message: "Cannot send an empty message" } };
    }
  }
  if (network === "ntfy" && (typeof topic !== "string" || topic === "")) {
    return { status: 400, body: { code: 40009, http: 400, error: "invalid request: topic invalid" } };
  }
  return undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function joined(head: Uint8Array, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}
