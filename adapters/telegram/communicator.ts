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
  type EditedMessage,
  type IncomingAttachment,
  type IncomingMessage,
  type Logger,
  type MessageStore,
  type OpenAttachmentOptions,
  type OutgoingMessage,
  type PacingDefaults,
  PosthornError,
  type Receipt,
  type RetryPolicy,
  type SendContext,
  silentLogger,
  systemClock,
  type WebhookReceiver,
} from "../../core/mod.ts";
import { formatAddress, GENERAL_TOPIC_ID, parseAddress } from "./address.ts";
import { ChatDirectory } from "./chats.ts";
import { TelegramClient } from "./client.ts";
import { editMessage } from "./edit.ts";
import { asObject, textAt } from "./json.ts";
import { type UpdateCounts, UpdateIntake } from "./intake.ts";
import { openFile } from "./media.ts";
import { MigrationBook } from "./migrations.ts";
import { type ResolvedTelegramOptions, resolveTelegramOptions, type TelegramOptions } from "./options.ts";
import { classifyFailure } from "./outcome.ts";
import { TELEGRAM_PACING } from "./pacing.ts";
import { MAX_TEXT_LENGTH } from "./plan.ts";
import { type PollerState, TelegramPoller } from "./poller.ts";
import { TelegramSender } from "./sender.ts";
import type { MappedUpdate } from "./updates.ts";
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
export interface TelegramStats extends UpdateCounts {
  /** How polling goes. */
  readonly polling: PollerState;
}

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
  override readonly pacing: PacingDefaults = TELEGRAM_PACING;
  /** {@inheritDoc Communicator.retryPolicy} */
  override readonly retryPolicy: RetryPolicy = { maxAttempts: 3, baseDelayMs: 1_000, maxDelayMs: 60_000 };
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "telegram";

  readonly #options: ResolvedTelegramOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #chats: ChatDirectory;
  readonly #migrations: MigrationBook;
  readonly #intake: UpdateIntake;
  readonly #client: TelegramClient;
  readonly #sender: TelegramSender;
  readonly #poller: TelegramPoller | undefined;
  readonly #underWay = new Set<Promise<unknown>>();

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
    this.#chats = new ChatDirectory(resolved.chats);
    this.#migrations = new MigrationBook({ name, chats: this.#chats, logger, store });
    this.#intake = new UpdateIntake({
      name,
      chats: this.#chats,
      clock,
      logger,
      open: (fileId, opening) => this.openAttachment({ providerId: fileId }, opening),
      onMigration: (from, to) => void this.#track(this.#migrations.learn(from, to)),
    });
    this.#client = new TelegramClient({ ...resolved, now: () => clock.now() });
    this.#sender = new TelegramSender({
      client: this.#client,
      chats: this.#chats,
      clock,
      parseMode,
      timeoutMs,
      partIntervalMs: resolved.partIntervalMs,
      rememberMigration: (from, to) => this.#migrations.remember(from, to),
    });
    this.capabilities = {
      receives: listenToCommands,
      maxTextLength: MAX_TEXT_LENGTH,
      html: parseMode === "html",
      attachments: true,
      edits: true,
      messageIds: "conversation",
    };
    const map = (update: unknown): MappedUpdate => this.#intake.map(update);
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
    return { ...this.#intake.counts, polling: this.#poller?.state ?? "stopped" };
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
    await this.#migrations.read();
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

  /** {@inheritDoc Communicator.conversationOf} */
  override conversationOf(recipient: string): string {
    const address = parseAddress(recipient);
    if (address === undefined) return recipient;
    const { chatId, topicId } = address;
    const id = this.#chats.currentId(chatId); // a group that became a supergroup has another id
    return formatAddress(
      topicId === undefined || topicId === GENERAL_TOPIC_ID ? { chatId: id } : { chatId: id, topicId },
    );
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
   * @param edited Which message, and what it says now. Its text must fit one message. `telegram.reply_markup` in its
   * metadata replaces its buttons; without it they go.
   * @param options Ends it early.
   * @returns What came of it, as of a message sent.
   */
  override editMessage(edited: EditedMessage, options: { readonly signal?: AbortSignal } = {}): Promise<Receipt> {
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
    return openFile(attachment.providerId, {
      client: this.#client,
      clock: this.#clock,
      timeoutMs,
      maxBytes: maxMediaBytes,
    }, options);
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
