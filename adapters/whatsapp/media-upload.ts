/**
 * Files on their way to WhatsApp: uploaded once, remembered by their content.
 *
 * @module
 */
import { type Attachment, encodeHex, type RejectedReceipt } from "../../core/mod.ts";
import { readRefusal, textOf } from "./graph-answer.ts";
import type { GraphClient } from "./graph-client.ts";
import type { WhatsAppStore } from "./options.ts";

/** Meta keeps an upload 30 days; a day less, so that none expires between lookup and use. */
const KEPT_FOR_MS = 29 * 24 * 3_600_000;
const KEPT_IN_MEMORY = 1_000;

/** Where ids are remembered, and for whom. */
export interface MediaUploaderOptions {
  /** Names the place in the store: `"backend/<name>/media/<phone number id>"`. */
  readonly prefix: string;
  /** The store; without one they are remembered in memory. */
  readonly store: WhatsAppStore | undefined;
  /** Gives the time. */
  readonly now: () => number;
}

/** Uploads files, and remembers what has been uploaded. */
export class MediaUploader {
  readonly #client: GraphClient;
  readonly #options: MediaUploaderOptions;
  readonly #memory = new Map<string, { readonly id: string; readonly until: number }>();

  /**
   * Makes an uploader.
   *
   * @param client Makes the requests.
   * @param options Where ids are remembered.
   */
  constructor(client: GraphClient, options: MediaUploaderOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * Gives the id of a file, uploading it if need be. Nothing reaches a person by that, so an upload whose end is not
   * known may simply be done again.
   *
   * @param attachment A file with bytes.
   * @param signal Ends it early.
   * @param throttled How often the delivery was throttled before.
   */
  async idOf(attachment: Attachment, signal: AbortSignal, throttled: number): Promise<string | RejectedReceipt> {
    const bytes = Uint8Array.from(attachment.bytes ?? []);
    const digest = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    const key = `${this.#options.prefix}/${digest}/${attachment.contentType}`;
    const known = await this.#recall(key);
    if (known !== undefined) return known;
    const form = new FormData();
    form.set("messaging_product", "whatsapp");
    form.set("type", attachment.contentType);
    form.set("file", new Blob([bytes], { type: attachment.contentType }), attachment.filename);
    const result = await this.#client.postForm("media", form, signal);
    if (result.ended !== "answer") {
      return {
        outcome: "rejected",
        retryable: true,
        reason: "network",
        ...(result.code === undefined ? {} : { code: result.code }),
        detail: `upload: ${result.detail}`,
      };
    }
    const { answer } = result;
    const id = answer.status >= 200 && answer.status <= 299 ? textOf(answer.body, "id") : undefined;
    if (id !== undefined) {
      await this.#remember(key, id);
      return id;
    }
    const refusal = readRefusal(answer, throttled);
    if (refusal.outcome === "rejected") return { ...refusal, detail: `upload: ${refusal.detail ?? ""}` };
    return { outcome: "rejected", retryable: true, reason: "unavailable", detail: `upload: ${refusal.detail}` };
  }

  async #recall(key: string): Promise<string | undefined> {
    const { store, now } = this.#options;
    if (store !== undefined) {
      const value = (await store.getState(key))?.value;
      return typeof value === "string" ? value : undefined;
    }
    const entry = this.#memory.get(key);
    return entry !== undefined && entry.until > now() ? entry.id : undefined;
  }

  async #remember(key: string, id: string): Promise<void> {
    const { store, now } = this.#options;
    if (store !== undefined) {
      await store.commit([{ type: "set-state", key, value: id, ttlMs: KEPT_FOR_MS }]);
      return;
    }
    this.#memory.delete(key);
    this.#memory.set(key, { id, until: now() + KEPT_FOR_MS });
    for (const oldest of this.#memory.keys()) {
      if (this.#memory.size <= KEPT_IN_MEMORY) break;
      this.#memory.delete(oldest);
    }
  }
}
