/**
 * The Telegram backend.
 *
 * @module
 */
import {
  type Clock,
  Communicator,
  type CommunicatorCapabilities,
  type Destination,
  errorFields,
  type IncomingAttachment,
  type IncomingMessage,
  type Logger,
  type MessageStore,
  type OpenAttachmentOptions,
  type OutgoingMessage,
  type PacingDefaults,
  type PacingRule,
  PosthornError,
  type Receipt,
  type RetryPolicy,
  type SendContext,
  silentLogger,
  systemClock,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { formatAddress, isGroup, parseAddress } from "./address.ts";
import { ChatDirectory } from "./chats.ts";
import { TelegramClient } from "./client.ts";
import { type EditedMessage, editMessage } from "./edit.ts";
import { asObject, textAt } from "./json.ts";
import { openFile } from "./media.ts";
import { type ResolvedTelegramOptions, resolveTelegramOptions, type TelegramOptions } from "./options.ts";
import { classifyFailure } from "./outcome.ts";
import { MAX_TEXT_LENGTH } from "./plan.ts";
import { type PollerState, TelegramPoller } from "./poller.ts";
import { TelegramSender } from "./sender.ts";
import { type MappedUpdate, mapUpdate } from "./updates.ts";
import { TelegramWebhook } from "./webhook.ts";

/** What a {@link TelegramCommunicator} may use of its surroundings. */
export interface TelegramSurroundings {
  /** Time. @default the platform's */
  readonly clock?: Clock;
  /** Where it says what it does. @default nowhere */
  readonly logger?: Logger;
  /** Where it keeps its place in the updates and the new ids of upgraded groups. Absent: in memory only. */
  readonly store?: MessageStore;
}

/** What a {@link TelegramCommunicator} has seen. */
export interface TelegramStats {
  /** Updates that became messages. */
  readonly received: number;
  /** Updates from where nobody may be heard. */
  readonly unauthorised: number;
  /** Updates that were none. */
  readonly malformed: number;
  /** How polling goes. */
  readonly polling: PollerState;
}

/**
 * Telegram's limits as token buckets: 30 messages a second in all, 1 a second to a person, 20 a minute to a group. The
 * rate and the burst of each add up to the limit, so that no window of that length sees more.
 * Source: core.telegram.org/bots/faq#broadcasting-to-users.
 */
const ALL_MESSAGES: PacingRule = { count: 25, perMs: 1_000, burst: 5 };
const TO_A_PERSON: PacingRule = { count: 1, perMs: 1_000, burst: 3 };
const TO_A_GROUP: PacingRule = { count: 17, perMs: 60_000, burst: 3 };

/** How many chats that may not be heard are named in the log, each once. */
const MAX_NAMED_CHATS = 100;

/**
 * Telegram: sends to the chats of its labels, and takes in what is said in those that are authorised.
 *
 * Use it through the configuration (`type: telegram`), or make one yourself to use it without.
 *
 * @example
 * ```ts
 * import { createOutgoingMessage } from "posthorn";
 * import { TelegramCommunicator } from "posthorn/telegram";
 *
 * const backend = new TelegramCommunicator("ops", {
 *   token: "123456:replace-me",
 *   chats: { default: { chatId: "-1001234567890" } },
 * });
 * await backend.start();
 * const message = createOutgoingMessage({ message: "Disk usage at 95%" }, {
 *   newId: () => crypto.randomUUID(),
 *   now: () => Date.now(),
 * });
 * const receipt = await backend.send(message, {
 *   deliveryId: message.id,
 *   attempt: 1,
 *   signal: AbortSignal.timeout(10_000),
 * });
 * console.log(receipt.outcome);
 * await backend.stop();
 * ```
 */
export class TelegramCommunicator extends Communicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities;
  /** {@inheritDoc Communicator.webhook} */
  declare readonly webhook?: WebhookReceiver;
  /** {@inheritDoc Communicator.pacing} */
  override readonly pacing: PacingDefaults = { backend: ALL_MESSAGES, destination: pacingOf };
  /** {@inheritDoc Communicator.retryPolicy} */
  override readonly retryPolicy: RetryPolicy = { maxAttempts: 3, baseDelayMs: 1_000, maxDelayMs: 60_000 };
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "telegram";

  readonly #options: ResolvedTelegramOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #store: MessageStore | undefined;
  readonly #chats: ChatDirectory;
  readonly #client: TelegramClient;
  readonly #sender: TelegramSender;
  readonly #poller: TelegramPoller | undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #namedChats = new Set<string>();
  #received = 0;
  #unauthorised = 0;
  #malformed = 0;

  /**
   * Checks the options. Nothing is sent or asked before {@link TelegramCommunicator.start}.
   *
   * @param name The backend's name.
   * @param options The token or a bot, the chats, and how messages come in.
   * @param surroundings Clock, logger and store.
   * @throws {ConfigError} If an option is not what it must be, with all of them.
   */
  constructor(name: string, options: TelegramOptions, surroundings: TelegramSurroundings = {}) {
    super(name);
    const { clock = systemClock, logger = silentLogger, store } = surroundings;
    const resolved = resolveTelegramOptions(options);
    const { listenToCommands, webhookSecret, parseMode, timeoutMs } = resolved;
    this.#options = resolved;
    this.#clock = clock;
    this.#logger = logger;
    this.#store = store;
    this.#chats = new ChatDirectory(resolved.chats);
    this.#client = new TelegramClient(resolved);
    this.#sender = new TelegramSender({
      client: this.#client,
      chats: this.#chats,
      clock,
      parseMode,
      timeoutMs,
      partIntervalMs: resolved.partIntervalMs,
      rememberMigration: (from, to) => this.#rememberMigration(from, to),
    });
    this.capabilities = {
      receives: listenToCommands,
      maxTextLength: MAX_TEXT_LENGTH,
      html: parseMode === "html",
      attachments: true,
      edits: true,
    };
    const map = (update: unknown): MappedUpdate => this.#map(update);
    if (listenToCommands && webhookSecret !== undefined) this.webhook = new TelegramWebhook(webhookSecret, map);
    if (listenToCommands && webhookSecret === undefined) {
      this.#poller = new TelegramPoller({
        ...resolved,
        name,
        client: this.#client,
        clock,
        logger,
        store,
        map,
        receive: (messages) => this.receive(messages),
      });
    }
  }

  /** What it has seen since it was made. */
  get stats(): TelegramStats {
    return {
      received: this.#received,
      unauthorised: this.#unauthorised,
      malformed: this.#malformed,
      polling: this.#poller?.state ?? "stopped",
    };
  }

  /**
   * Reads what it kept, registers the webhook where `webhookUrl` says so, and begins to poll where there is no webhook.
   *
   * @throws {PosthornError} With code `backend` if Telegram did not take the webhook.
   */
  override async start(): Promise<void> {
    if (this.isStarted) return;
    const { listenToCommands, webhookSecret, webhookUrl } = this.#options;
    if (!listenToCommands && webhookSecret !== undefined) {
      this.#logger.warn("webhook_secret has no effect: listen_to_commands is not true", { backend: this.name });
    }
    await this.#readMigrations();
    if (webhookUrl !== undefined && this.webhook !== undefined) await this.setWebhook(webhookUrl);
    this.#poller?.start();
    await super.start();
  }

  /** Stops polling at once and waits for sends that are under way. */
  override async stop(): Promise<void> {
    await super.stop();
    await this.#poller?.stop();
    await Promise.allSettled(this.#underWay);
  }

  /** {@inheritDoc Communicator.destinations} */
  override destinations(message: OutgoingMessage): readonly Destination[] {
    if (message.recipients.length > 0) {
      return message.recipients.map((recipient) => ({ recipient, lane: laneOf(recipient) }));
    }
    const address = this.#chats.addressOf(message.label);
    return address === undefined ? [] : [{ recipient: formatAddress(address), lane: address.chatId }];
  }

  /**
   * {@inheritDoc Communicator.send}
   *
   * A long message goes in parts; what failed goes on from the part it stopped at (`receipt.progress`).
   */
  override send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    if (!this.isStarted) {
      return Promise.resolve({
        outcome: "rejected",
        reason: "unavailable",
        retryable: true,
        detail: `backend "${this.name}" is not started`,
      });
    }
    return this.#track(this.#sender.send(message, context));
  }

  /**
   * Changes the text of a message that was sent: an answered question, a finished job.
   *
   * @param edited Which message, and what it says now. Its text must fit one message.
   * @param options Ends it early.
   * @returns What came of it, as of a message sent.
   */
  editMessage(edited: EditedMessage, options: { readonly signal?: AbortSignal } = {}): Promise<Receipt> {
    const { parseMode, timeoutMs } = this.#options;
    return this.#track(editMessage(edited, {
      client: this.#client,
      chats: this.#chats,
      parseMode,
      timeoutMs,
      signal: options.signal,
    }));
  }

  /**
   * Streams a file somebody sent: what `attachment.open()` does, for a message that came back from the store.
   *
   * @param attachment The attachment; its `providerId` is what counts.
   * @param options A signal, and the most that is read.
   * @throws {TooLargeError} If it is larger than that.
   * @throws {PosthornError} With code `media` if it cannot be had.
   */
  override openAttachment(
    attachment: Pick<IncomingAttachment, "providerId">,
    options: OpenAttachmentOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const { timeoutMs, maxMediaBytes } = this.#options;
    return openFile(attachment.providerId, { client: this.#client, timeoutMs, maxBytes: maxMediaBytes }, options);
  }

  /**
   * {@inheritDoc Communicator.receive}
   *
   * Presses of buttons are acknowledged to Telegram after they are committed, so that the button stops spinning.
   */
  override async receive(messages: readonly IncomingMessage[]): Promise<void> {
    await super.receive(messages);
    for (const { metadata } of messages) {
      const id = metadata["callback_query_id"];
      if (typeof id === "string") void this.#track(this.#answerCallback(id));
    }
  }

  /**
   * Tells Telegram where the webhook is, with the secret and the kinds of update to send. What waits is kept.
   *
   * @param url The public https address that leads to this backend's webhook route.
   * @throws {PosthornError} With code `backend` if Telegram did not take it, or `not-running` if there is no secret.
   */
  async setWebhook(url: string): Promise<void> {
    const { webhookSecret, allowedUpdates } = this.#options;
    if (webhookSecret === undefined) {
      throw new PosthornError("not-running", `Cannot set webhook of backend "${this.name}": it has no secret`);
    }
    await this.#command("setWebhook", { url, secret_token: webhookSecret, allowed_updates: allowedUpdates });
  }

  /**
   * Ends the webhook, so that polling can begin. What waits is kept.
   *
   * @throws {PosthornError} With code `backend` if Telegram did not do it.
   */
  async deleteWebhook(): Promise<void> {
    await this.#command("deleteWebhook", { drop_pending_updates: false });
  }

  /**
   * Asks Telegram who the bot is: whether the token is right.
   *
   * @returns The bot's user name.
   * @throws {PosthornError} With code `backend` if it is not, or Telegram cannot be reached.
   */
  async checkToken(): Promise<string> {
    return textAt(asObject(await this.#command("getMe", {})), "username") ?? "";
  }

  async #command(method: string, payload: object): Promise<unknown> {
    const answer = await this.#client.call(method, payload, { timeoutMs: this.#options.timeoutMs });
    if (answer.ok) return answer.result;
    const verdict = classifyFailure(answer.failure);
    throw new PosthornError("backend", `Cannot call ${method} for backend "${this.name}": ${verdict.detail ?? ""}`, {
      retryable: verdict.outcome === "unknown" || verdict.retryable,
    });
  }

  #map(update: unknown): MappedUpdate {
    const mapped = mapUpdate(update, {
      backendName: this.name,
      chats: this.#chats,
      now: () => this.#clock.now(),
      open: (fileId, options) => this.openAttachment({ providerId: fileId }, options),
      onMigration: (from, to) => this.#noteMigration(from, to),
    });
    if (mapped.kind === "message") {
      this.#received += 1;
    } else if (mapped.kind === "malformed") {
      this.#malformed += 1;
      this.#logger.warn("an update is not understood", { backend: this.name });
    } else {
      this.#unauthorised += 1;
      this.#reportUnauthorised(mapped.updateKind, mapped.reason, mapped.chatId);
    }
    return mapped;
  }

  /** The first of each chat aloud: most often it is a chat somebody forgot to configure. */
  #reportUnauthorised(updateKind: string, reason: string, chatId: string | undefined): void {
    const fields = { backend: this.name, kind: updateKind, reason };
    this.#logger.debug("an update was not taken in: not authorised", { ...fields, chat: chatId });
    const key = `${chatId}/${reason}`;
    if (this.#namedChats.has(key) || this.#namedChats.size >= MAX_NAMED_CHATS) return;
    this.#namedChats.add(key);
    this.#logger.info("updates of a chat are not taken in: not authorised", fields);
  }

  /** Only of chats we know: others' groups are none of our business. */
  #noteMigration(from: string, to: string): void {
    if (!this.#chats.chatIds.has(from) || this.#chats.currentId(from) === to) return;
    void this.#track(this.#rememberMigration(from, to));
  }

  async #rememberMigration(from: string, to: string): Promise<void> {
    this.#chats.migrate(from, to);
    this.#logger.warn("a group got a new id: put it into the configuration", { backend: this.name });
    try {
      await this.#store?.commit([{ type: "set-state", key: `${this.#migratedPrefix}${from}`, value: to }]);
    } catch (error) {
      // This process knows it; another learns it from Telegram as this one did.
      this.#logger.warn("could not keep the new id of a group", { backend: this.name, ...errorFields(error) });
    }
  }

  async #readMigrations(): Promise<void> {
    const entries = await this.#store?.listState(this.#migratedPrefix, { limit: 1_000 }) ?? [];
    for (const { key, value } of entries) {
      if (typeof value === "string") this.#chats.migrate(key.slice(this.#migratedPrefix.length), value);
    }
  }

  get #migratedPrefix(): string {
    return `backend/${this.name}/migrated/`;
  }

  async #answerCallback(id: string): Promise<void> {
    const { timeoutMs } = this.#options;
    const answer = await this.#client.call("answerCallbackQuery", { callback_query_id: id }, { timeoutMs });
    // A query that is too old is refused; the button has stopped spinning by itself.
    if (!answer.ok) this.#logger.debug("a button press was not acknowledged", { backend: this.name });
  }

  async #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }
}

function laneOf(recipient: string): string {
  return parseAddress(recipient)?.chatId ?? recipient;
}

function pacingOf(recipient: string | undefined): PacingRule {
  return recipient !== undefined && isGroup(recipient) ? TO_A_GROUP : TO_A_PERSON;
}
