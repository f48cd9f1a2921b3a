/**
 * WhatsApp by Meta's Cloud API.
 *
 * @module
 */
import {
  Communicator,
  type CommunicatorCapabilities,
  type Destination,
  type IncomingAttachment,
  type IncomingMessage,
  type JsonObject,
  type OpenAttachmentOptions,
  type OutgoingMessage,
  type PacingDefaults,
  PosthornError,
  type Receipt,
  type SendContext,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { messageIdOf, readRefusal } from "./graph-answer.ts";
import { GraphClient } from "./graph-client.ts";
import { openMedia } from "./media-download.ts";
import { MediaUploader } from "./media-upload.ts";
import { MAX_TEXT_LENGTH, planMessage, type PlannedPart } from "./message-plan.ts";
import { type ResolvedWhatsAppOptions, resolveWhatsAppOptions, type WhatsAppOptions } from "./options.ts";
import { PeopleBook } from "./people-book.ts";
import { identityOf } from "./inbound-identity.ts";
import { addressFields, canonicalAddress } from "./recipient.ts";
import { WhatsAppWebhookReceiver } from "./webhook-receiver.ts";

/** What one attempt has to remember for the next. */
interface Progress {
  /** The ids of the parts Meta took, in order. */
  readonly ids: readonly string[];
  /** How often the delivery was throttled. */
  readonly throttled: number;
}

/**
 * Sends and receives on WhatsApp, from one phone number.
 *
 * Messages go out as text (in parts of 4,096 characters), files, or what {@link whatsAppTemplate} and its siblings make.
 * Meta's answer says only that it took a message; what became of it comes by webhook, as a receipt.
 *
 * @example
 * ```ts
 * import { WhatsAppCommunicator } from "posthorn/whatsapp";
 *
 * const whatsApp = new WhatsAppCommunicator("support", {
 *   token: "a system user's token",
 *   phoneNumberId: "106540352242922",
 *   appSecret: "the app's secret",
 *   verifyToken: "any text you made up",
 * });
 * console.log(whatsApp.supportsReceiving); // true
 * ```
 */
export class WhatsAppCommunicator extends Communicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities;
  /** {@inheritDoc Communicator.webhook} */
  declare readonly webhook?: WebhookReceiver;
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "whatsapp";
  /**
   * 80 messages a second from a number; to one person one in six seconds, of which 45 may go at once after a pause
   * (Meta's "pair rate limit").
   */
  override readonly pacing: PacingDefaults = {
    backend: { count: 80, perMs: 1_000 },
    destination: { count: 1, perMs: 6_000, burst: 45 },
  };
  readonly #options: ResolvedWhatsAppOptions;
  readonly #client: GraphClient;
  readonly #uploader: MediaUploader;
  readonly #people: PeopleBook;

  /**
   * Makes the backend; nothing is asked of Meta before the first message.
   *
   * @param name The backend's name.
   * @param options Token, phone number id, secrets.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(name: string, options: WhatsAppOptions) {
    super(name);
    this.#options = resolveWhatsAppOptions(options);
    this.#client = new GraphClient(this.#options);
    const { appSecrets, verifyToken, clock, phoneNumberId, store } = this.#options;
    this.#uploader = new MediaUploader(this.#client, {
      prefix: `backend/${name}/media/${phoneNumberId}`,
      store,
      now: () => clock.now(),
    });
    this.#people = new PeopleBook({ prefix: `backend/${name}/people/`, store });
    const receives = appSecrets.length > 0;
    this.capabilities = {
      receives,
      maxTextLength: MAX_TEXT_LENGTH,
      html: false,
      attachments: true,
      edits: false,
      receipts: receives,
    };
    if (receives) {
      this.webhook = new WhatsAppWebhookReceiver({
        backendName: name,
        phoneNumberId,
        appSecrets,
        verifyToken,
        now: () => clock.now(),
        open: (mediaId, openOptions) => openMedia(mediaId, this.#client, this.#options, openOptions),
      });
    }
  }

  /**
   * One destination per person: two spellings of a number are one. Without recipients, the configured ones.
   *
   * @param message What to say.
   */
  override destinations(message: OutgoingMessage): readonly Destination[] {
    const recipients = message.recipients.length > 0 ? message.recipients : this.#options.defaultRecipients;
    const byLane = new Map(recipients.toReversed().map((recipient) => [canonicalAddress(recipient), recipient]));
    return [...byLane].toReversed().map(([lane, recipient]) => ({ recipient, lane }));
  }

  /** {@inheritDoc Communicator.conversationOf} */
  override conversationOf(recipient: string): string {
    return canonicalAddress(recipient);
  }

  /**
   * {@inheritDoc Communicator.receive}
   *
   * Whoever got another user id, or hides a number that was known, goes on in the conversation they began.
   */
  override async receive(messages: readonly IncomingMessage[]): Promise<void> {
    const known: IncomingMessage[] = [];
    for (const message of messages) known.push(await this.#inItsConversation(message));
    await super.receive(known);
  }

  async #inItsConversation(message: IncomingMessage): Promise<IncomingMessage> {
    const { userId, phone, renamed, isGroup } = identityOf(message);
    if (renamed !== undefined) {
      const conversation = await this.#people.rename(renamed.from, renamed.to, message.timestamp);
      return isGroup ? message : { ...message, conversation };
    }
    if (userId === undefined || isGroup) return message;
    return { ...message, conversation: await this.#people.conversationOf(userId, phone) };
  }

  /**
   * Makes one attempt: the parts that earlier attempts got through are not sent again.
   *
   * @param message What to say.
   * @param context To whom.
   */
  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    let address: JsonObject | undefined;
    try {
      const { recipient } = context;
      address = recipient === undefined ? undefined : addressFields(await this.#people.addressOf(recipient));
    } catch {
      return { outcome: "rejected", retryable: true, reason: "unavailable", detail: "the store cannot be read" };
    }
    if (address === undefined) {
      return {
        outcome: "rejected",
        retryable: false,
        reason: "invalid-recipient",
        detail: context.recipient === undefined
          ? "no recipient: name one, or set default_recipients"
          : "a recipient must be a phone number in international form, a business-scoped user id or group:<id>",
      };
    }
    let parts: readonly PlannedPart[];
    try {
      parts = planMessage(message, this.#options.previewUrl);
    } catch (error) {
      if (!(error instanceof PosthornError)) throw error;
      return { outcome: "rejected", retryable: false, reason: "invalid-message", detail: error.message };
    }
    const frame: JsonObject = {
      messaging_product: "whatsapp",
      ...address,
      ...(message.replyTo === undefined ? {} : { context: { message_id: message.replyTo } }),
    };
    return await this.#sendParts(parts, frame, context);
  }

  /**
   * Opens a file somebody sent. Meta keeps it seven days.
   *
   * @param attachment The attachment; its `providerId` is what counts.
   * @param options A signal, and the most bytes.
   * @throws {PosthornError} With code `media` if it cannot be had.
   * @throws {TooLargeError} If it is too large.
   */
  override openAttachment(
    attachment: Pick<IncomingAttachment, "providerId">,
    options?: OpenAttachmentOptions,
  ): Promise<ReadableStream<Uint8Array>> {
    return openMedia(attachment.providerId, this.#client, this.#options, options);
  }

  async #sendParts(parts: readonly PlannedPart[], frame: JsonObject, context: SendContext): Promise<Receipt> {
    const earlier = readProgress(context.progress);
    const ids = [...earlier.ids];
    for (const part of parts.slice(ids.length)) {
      // The last part alone names the delivery: a word on another one does not say that all of it was taken.
      const isLast = part === parts.at(-1);
      const named = isLast ? { ...frame, biz_opaque_callback_data: context.deliveryId.slice(0, 512) } : frame;
      const outcome = await this.#sendPart(part, named, context, earlier.throttled);
      if (typeof outcome !== "string") return this.#withProgress(outcome, ids, earlier.throttled);
      ids.push(outcome);
    }
    const last = ids.at(-1);
    return {
      outcome: "accepted",
      ...(last === undefined ? {} : { providerMessageId: last }),
      ...(ids.length > 1 ? { providerMessageIds: ids } : {}),
    };
  }

  /** The id Meta gave the part, or why there is none. */
  async #sendPart(
    part: PlannedPart,
    frame: JsonObject,
    { signal }: SendContext,
    throttled: number,
  ): Promise<string | Receipt> {
    let value = part.value;
    if ("upload" in part) {
      const id = await this.#uploader.idOf(part.upload, signal, throttled);
      if (typeof id !== "string") return id;
      value = { id, ...value };
    }
    const body = JSON.stringify({ ...frame, type: part.type, [part.type]: value });
    const result = await this.#client.post("messages", body, signal);
    switch (result.ended) {
      case "answer":
        return messageIdOf(result.answer) ?? readRefusal(result.answer, throttled);
      case "no-answer":
        return { outcome: "unknown", detail: describe(result) };
      case "not-sent":
        return {
          outcome: "rejected",
          retryable: true,
          reason: "network",
          ...(result.code === undefined ? {} : { code: result.code }),
          detail: result.detail,
        };
    }
  }

  #withProgress(receipt: Receipt, ids: readonly string[], throttled: number): Receipt {
    if (receipt.outcome !== "rejected" && receipt.outcome !== "unknown") return receipt;
    const progress: JsonObject = {
      ...(ids.length === 0 ? {} : { ids }),
      ...(throttled === 0 ? {} : { throttled }),
      ...receipt.progress,
    };
    const { detail = "" } = receipt;
    return {
      ...receipt,
      detail: this.#withoutSecrets(detail),
      ...(Object.keys(progress).length === 0 ? {} : { progress }),
    };
  }

  /** What Meta says may repeat what it was sent. */
  #withoutSecrets(text: string): string {
    const { token, appSecrets, verifyToken } = this.#options;
    const secrets = [token, ...appSecrets, ...(verifyToken === undefined ? [] : [verifyToken])];
    return secrets.reduce((clean, secret) => clean.replaceAll(secret, "[redacted]"), text);
  }
}

function describe({ code, detail }: { readonly code?: string; readonly detail: string }): string {
  return code === undefined ? detail : `${detail} (${code})`;
}

function readProgress(progress: JsonObject | undefined): Progress {
  const ids = progress?.["ids"];
  const throttled = progress?.["throttled"];
  return {
    ids: Array.isArray(ids) ? ids.filter((id): id is string => typeof id === "string") : [],
    throttled: typeof throttled === "number" ? throttled : 0,
  };
}
