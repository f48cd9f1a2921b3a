/**
 * A network of one machine: what a person types on the emulator's page comes in, and what the program says appears
 * there.
 *
 * @module
 */
import {
  assertText,
  BroadcastChannel,
  Communicator,
  type CommunicatorCapabilities,
  type DeliveryEvent,
  type Destination,
  type EditedMessage,
  encodeHex,
  errorFields,
  type InboundEvent,
  type IncomingMessage,
  kindOf,
  NotRunningError,
  type OutgoingMessage,
  PosthornError,
  type Receipt,
  type SendContext,
  ValidationError,
} from "../../core/mod.ts";
import { assertConversation, ConversationBook } from "./conversation-book.ts";
import { type EmulatorOptions, type ResolvedEmulatorOptions, resolveEmulatorOptions } from "./emulator-options.ts";
import {
  type EmulatorState,
  stateOfDelivery,
  stateOfInbound,
  type TranscriptEntry,
  type TranscriptMessage,
} from "./transcript-entry.ts";

/** What a person types. */
export interface TypedInput {
  /** Where: a conversation that was opened. */
  readonly conversation: string;
  /** What. */
  readonly text: string;
  /** Names it, so that sending it again after a lost answer is no second message. @default one is made */
  readonly id?: string;
}

const REF = /^[A-Za-z0-9_-]{1,50}$/;
const KNOWN_FIELDS: ReadonlySet<string> = new Set(["conversation", "text", "id"]);

/**
 * The emulator: a backend without a network. Bots are tried in a browser before there is an account anywhere.
 *
 * What is said in either direction, and how far each message is, stands in {@link EmulatorCommunicator.transcript};
 * `createHttpApp(application, { emulator: true })` shows it as a page.
 *
 * @example
 * ```ts
 * import { EmulatorCommunicator } from "posthorn/emulator";
 * import { MemoryStore } from "posthorn";
 *
 * const emulator = new EmulatorCommunicator("emulator", { store: new MemoryStore() });
 * emulator.setIncomingHandler(async (messages) => console.log(messages[0]?.text)); // Hello
 * await emulator.start();
 * await emulator.openConversation("anna");
 * await emulator.type({ conversation: "anna", text: "Hello" });
 * await emulator.stop();
 * ```
 */
export class EmulatorCommunicator extends Communicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities = {
    receives: true,
    html: true,
    attachments: true,
    edits: true,
  };
  /** Everything that was said, and every change of state, in order. */
  readonly transcript: BroadcastChannel<TranscriptEntry>;
  /** Where messages without a recipient go. */
  readonly defaultConversation: string;
  /** The longest text a person may type, in UTF-16 units. */
  readonly maxTextLength: number;
  readonly #options: ResolvedEmulatorOptions;
  readonly #book: ConversationBook;
  #token: string | undefined;
  /** Steps of messages that are being taken in and are not in the transcript yet. */
  readonly #arriving = new Map<string, InboundEvent[]>();
  /** The transcript is written in order: each entry after the one before. */
  #written: Promise<void> = Promise.resolve();
  #faults: Receipt[] = [];
  #sendDelayMs = 0;

  /**
   * Makes one; `start()` opens it.
   *
   * @param name The backend's name.
   * @param options Store, time, limits.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(name: string, options: EmulatorOptions) {
    super(name);
    const resolved = resolveEmulatorOptions(options);
    const { store, clock, logger } = resolved;
    this.#options = resolved;
    this.#token = resolved.token;
    this.defaultConversation = resolved.conversation;
    this.maxTextLength = resolved.maxTextLength;
    this.#book = new ConversationBook({
      store,
      clock,
      prefix: `backend/${name}/conversation/`,
      max: resolved.maxConversations,
    });
    this.transcript = new BroadcastChannel<TranscriptEntry>({
      id: `${name}.transcript`,
      description: `What was said in the emulator "${name}"`,
      visibility: "private",
      store,
      clock,
      logger,
      retention: { maxCount: resolved.keepEntries },
    });
  }

  /** What the page must show to be let in. Made by chance when it is first asked for, unless one was given. */
  get token(): string {
    this.#token ??= randomToken();
    return this.#token;
  }

  /** The conversations that were opened. */
  get conversations(): readonly string[] {
    return this.#book.names;
  }

  /** Opens it. */
  override async start(): Promise<void> {
    if (this.isStarted) return;
    await this.transcript.start();
    await this.#book.load();
    await super.start();
  }

  /** Closes it, after everything seen is in the transcript. */
  override async stop(): Promise<void> {
    await super.stop();
    await this.#written;
    await this.transcript.stop();
  }

  /**
   * Opens a conversation: from then on a person may type in it.
   *
   * @param name Its name. Absent: one is found.
   * @returns The name.
   * @throws {ValidationError} If it is no name.
   * @throws {PosthornError} With code `too-many-conversations` if there are too many.
   */
  openConversation(name?: string): Promise<string> {
    return this.#book.open(name);
  }

  /**
   * Types a message, as a person would on the page. Resolves after it is committed to the inbox and to the transcript.
   *
   * @param input Where and what. It is checked: it may come from anybody.
   * @returns The message's id.
   * @throws {ValidationError} If a field is of the wrong kind. Nothing is kept then.
   * @throws {PosthornError} With code `unknown-conversation` if it was not opened, `not-running` if nobody listens.
   */
  async type(input: TypedInput): Promise<string> {
    const { conversation, text, ref } = this.#checkInput(input);
    if (!this.isStarted) throw new NotRunningError(`Cannot type on backend "${this.name}": it is not started`);
    const id = `${this.name}:${await scopeOf(conversation)}/${ref}`;
    const at = this.#options.clock.now();
    const message: IncomingMessage = {
      id,
      kind: "text",
      text,
      sender: conversation,
      senderId: conversation,
      chatLabel: "default",
      backendName: this.name,
      timestamp: at,
      conversation,
      attachments: [],
      metadata: {},
    };
    // The inbox first: the page never shows what was not taken in. Steps that come meanwhile wait for their message.
    const isRepeat = this.#arriving.has(id);
    if (!isRepeat) this.#arriving.set(id, []);
    try {
      await this.receive([message]);
    } catch (error) {
      if (!isRepeat) this.#arriving.delete(id);
      throw error;
    }
    this.#write({ type: "message", from: "person", id, conversation, text, at, state: "queued", ref });
    const steps = this.#arriving.get(id) ?? [];
    this.#arriving.delete(id);
    for (const step of steps) this.#writeInbound(step);
    await this.#written;
    return id;
  }

  /** {@inheritDoc Communicator.destinations} */
  override destinations(message: OutgoingMessage): readonly Destination[] {
    if (message.recipients.length === 0) return [{ recipient: this.defaultConversation }];
    return message.recipients.map((recipient) => ({ recipient }));
  }

  /** Shows a message on the page. */
  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    const { deliveryId, recipient = this.defaultConversation, signal } = context;
    if (this.#sendDelayMs > 0) await this.#options.clock.sleep(this.#sendDelayMs, { signal });
    const fault = this.#faults.shift();
    if (fault !== undefined) return fault;
    try {
      if (!this.#book.has(recipient)) await this.#book.open(recipient);
    } catch (error) {
      return refusalOf(error);
    }
    return await this.#shown(this.#programMessage(deliveryId, recipient, message)) ??
      { outcome: "accepted", providerMessageId: deliveryId };
  }

  /** Changes what a message on the page says. */
  override async editMessage(edited: EditedMessage): Promise<Receipt> {
    const { recipient: conversation = this.defaultConversation, messageId: id, message: text, html } = edited;
    const fault = this.#faults.shift();
    if (fault !== undefined) return fault;
    const source = html === undefined ? {} : { html };
    return await this.#shown({ type: "edit", id, conversation, text, at: this.#options.clock.now(), ...source }) ??
      { outcome: "accepted", providerMessageId: id };
  }

  /** Writes what the program says. @returns A refusal when it cannot be written. */
  async #shown(entry: TranscriptEntry): Promise<Receipt | undefined> {
    try {
      await this.#writeNow(entry);
      return undefined;
    } catch (error) {
      this.#options.logger.error("the emulator cannot write its transcript", errorFields(error));
      return {
        outcome: "rejected",
        retryable: true,
        reason: "unavailable",
        detail: "the transcript cannot be written",
      };
    }
  }

  /** {@inheritDoc Communicator.observe} */
  override observe(event: DeliveryEvent | InboundEvent, message?: OutgoingMessage): void {
    if (!this.isStarted && !this.transcript.isRunning) return;
    if ("deliveryId" in event) {
      this.#observeDelivery(event, message);
      return;
    }
    const arriving = this.#arriving.get(event.messageId);
    if (arriving === undefined) this.#writeInbound(event);
    else arriving.push(event);
  }

  /**
   * Makes the next sends end otherwise, to see what a program does about it.
   *
   * @param count How many.
   * @param receipt How they end. @default rejected, retryable
   */
  failNextSends(
    count: number,
    receipt: Receipt = { outcome: "rejected", retryable: true, reason: "unavailable", detail: "made to fail" },
  ): void {
    this.#faults = [...this.#faults, ...Array.from({ length: count }, () => receipt)];
  }

  /**
   * Makes every send take this long.
   *
   * @param delayMs How long; 0 for no time.
   */
  delaySends(delayMs: number): void {
    this.#sendDelayMs = delayMs;
  }

  #checkInput(input: TypedInput): { readonly conversation: string; readonly text: string; readonly ref: string } {
    for (const field of Object.keys(input)) {
      if (!KNOWN_FIELDS.has(field)) {
        throw new ValidationError("body", `Cannot accept the message: it has a field that is not known here`);
      }
    }
    const conversation = assertConversation(input.conversation);
    const text = assertText(input.text, "text", { maxLength: this.maxTextLength, multiline: true });
    const ref: unknown = input.id ?? crypto.randomUUID();
    if (typeof ref !== "string" || !REF.test(ref)) {
      throw new ValidationError(
        "id",
        `Cannot accept 'id': it must be 1 to 50 letters, digits, underscores or hyphens, not ${kindOf(ref)}`,
      );
    }
    if (!this.#book.has(conversation)) {
      throw new PosthornError(
        "unknown-conversation",
        `Cannot type in conversation "${conversation}": it was not opened`,
      );
    }
    return { conversation, text, ref };
  }

  #observeDelivery(event: DeliveryEvent, message: OutgoingMessage | undefined): void {
    const conversation = event.recipient ?? this.defaultConversation;
    if (event.status === "queued" && message !== undefined) {
      this.#write(this.#programMessage(event.deliveryId, conversation, message));
      return;
    }
    const state = stateOfDelivery(event.status, event.retryAt !== undefined);
    if (state !== undefined) this.#writeState({ ...event, id: event.deliveryId, conversation }, state);
  }

  #writeInbound(event: InboundEvent): void {
    const state = stateOfInbound(event.status);
    if (state !== undefined) this.#writeState({ ...event, id: event.messageId }, state);
  }

  #writeState(
    step: {
      readonly id: string;
      readonly conversation: string;
      readonly at: number;
      readonly attempt?: number;
      readonly detail?: string;
      readonly retryAt?: number;
    },
    state: EmulatorState,
  ): void {
    const { id, conversation, at, attempt, detail, retryAt } = step;
    this.#write({
      type: "state",
      id,
      conversation,
      state,
      at,
      ...(attempt === undefined ? {} : { attempt }),
      ...(detail === undefined ? {} : { detail }),
      ...(retryAt === undefined ? {} : { retryAt }),
    });
  }

  #programMessage(id: string, conversation: string, message: OutgoingMessage): TranscriptMessage {
    return {
      type: "message",
      from: "program",
      id,
      conversation,
      text: message.message,
      at: message.timestamp,
      state: "queued",
      ...(message.subject === undefined ? {} : { subject: message.subject }),
      ...(message.html === undefined ? {} : { html: message.html }),
      ...(message.attachments.length === 0 ? {} : { attachments: message.attachments.map(({ filename }) => filename) }),
    };
  }

  /** Writes in its turn; a fault is logged, as there is nobody to tell. */
  #write(entry: TranscriptEntry): void {
    this.#writeNow(entry).catch((error: unknown) =>
      this.#options.logger.error("the emulator cannot write its transcript", errorFields(error))
    );
  }

  #writeNow(entry: TranscriptEntry): Promise<void> {
    const written = this.#written.then(async () => {
      // A message is written once, whether the outbox told of it first or the sender brought it.
      const options = entry.type === "message" ? { id: `message/${entry.id}` } : {};
      await this.transcript.write(entry.type === "message" ? entry.from : "emulator", entry, options);
    });
    this.#written = written.catch(() => {});
    return written;
  }
}

/** Keeps the ids that pages choose apart by conversation, in a form that every store takes. */
async function scopeOf(conversation: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(conversation));
  return encodeHex(new Uint8Array(digest, 0, 8));
}

function refusalOf(error: unknown): Receipt {
  if (error instanceof ValidationError) {
    return {
      outcome: "rejected",
      retryable: false,
      reason: "invalid-recipient",
      detail: "the recipient is no name of a conversation",
    };
  }
  return {
    outcome: "rejected",
    retryable: true,
    reason: "unavailable",
    detail: error instanceof PosthornError ? error.code : "the conversation cannot be opened",
  };
}

function randomToken(): string {
  return encodeHex(crypto.getRandomValues(new Uint8Array(32)));
}
