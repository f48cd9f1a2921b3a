/**
 * The contract of a backend: an adapter to one network.
 *
 * @module
 */
import { PosthornError } from "../errors.ts";
import type { IncomingAttachment, OpenAttachmentOptions } from "../message/attachment.ts";
import type { DeliveryEvent, InboundEvent } from "../message/delivery-event.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { JsonObject } from "../message/json.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { ProviderReceipt, Receipt } from "../message/receipt.ts";
import { assertName } from "../support/assert.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

/** What a network can carry. */
export interface CommunicatorCapabilities {
  /** Whether messages come in by it. */
  readonly receives: boolean;
  /** How long one part may be, in UTF-16 units. Absent: no limit worth knowing. */
  readonly maxTextLength?: number;
  /** Whether it shows HTML. */
  readonly html: boolean;
  /** Whether it carries files. */
  readonly attachments: boolean;
  /** Whether a sent message can be changed. */
  readonly edits: boolean;
  /** Whether it says later that a message was delivered or read. @default `false` */
  readonly receipts?: boolean;
  /**
   * Where the network's message ids are unique: in the whole `backend`, or, as on Telegram, in one `conversation` only. A
   * reply that names a message is looked up accordingly. @default `"backend"`
   */
  readonly messageIds?: "backend" | "conversation";
}

/** A message as it shall be from now on. */
export interface EditedMessage {
  /** Whom it was sent to: the `recipient` of its delivery. */
  readonly recipient?: string;
  /** The `providerMessageId` it got. */
  readonly messageId: string;
  /** The new text. */
  readonly message: string;
  /** The same as HTML. */
  readonly html?: string;
  /** The network's own additions, as of a message sent. What is not in it goes: buttons, for one. */
  readonly metadata?: JsonObject;
}

/** What {@link Communicator.send} is told beside the message. */
export interface SendContext {
  /**
   * Identifies this delivery on every attempt and for ever: derived from message, backend and recipient. Use it as the
   * network's idempotency key where there is one.
   */
  readonly deliveryId: string;
  /** The one address to send to. Absent: the backend's configured default for the message's label. */
  readonly recipient?: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Fires when the attempt should end: a deadline, or the worker stops. */
  readonly signal: AbortSignal;
  /** What an earlier attempt reported as done (`receipt.progress`). */
  readonly progress?: JsonObject;
  /** The attempt before may have been taken: mark the message where the network can. */
  readonly possibleDuplicate?: boolean;
}

/** Takes a batch in; resolves after all of it is committed. */
export type IncomingHandler = (messages: readonly IncomingMessage[]) => Promise<void>;

/** Takes a provider's later word on sent messages; resolves after it is committed. */
export type ReceiptHandler = (backendName: string, receipts: readonly ProviderReceipt[]) => Promise<void>;

/** One destination of a message on a backend. */
export interface Destination {
  /** The address on the network; `undefined` when the backend has just one, of its own. */
  readonly recipient?: string;
  /** What the lane and the pacing bucket are named after; by default the recipient. */
  readonly lane?: string;
}

/** How a network wants to be paced: token buckets. The network's own answer (429) is still the authority. */
export interface PacingDefaults {
  /** All messages of the backend. */
  readonly backend?: PacingRule;
  /** Messages to one destination; a function chooses by recipient (a group is paced otherwise than a person). */
  readonly destination?: PacingRule | ((recipient: string | undefined) => PacingRule | undefined);
}

/** A token bucket: `count` tokens per `perMs`, of which `burst` may be saved up. */
export interface PacingRule {
  /** How many per {@link PacingRule.perMs}. */
  readonly count: number;
  /** The span in milliseconds. */
  readonly perMs: number;
  /** How many may go at once after a pause. @default `count` */
  readonly burst?: number;
}

/** How a network's messages are retried. */
export interface RetryPolicy {
  /** How many attempts in all, at least 1. */
  readonly maxAttempts: number;
  /** The delay before the second attempt; it doubles, with full jitter. */
  readonly baseDelayMs: number;
  /** The longest delay. */
  readonly maxDelayMs: number;
  /** Fixed delays before attempts 2, 3, … in the place of the exponential ones; the last repeats. */
  readonly scheduleMs?: readonly number[];
}

/**
 * An adapter to one network: extend it to write your own backend.
 *
 * A backend makes one attempt per {@link Communicator.send} and says what came of it; retrying, ordering, pacing and
 * dead letters are the library's. What it receives goes to {@link Communicator.receive}.
 *
 * @example
 * ```ts
 * import { Communicator, type OutgoingMessage, type Receipt, type SendContext } from "posthorn";
 *
 * class ConsoleCommunicator extends Communicator {
 *   override send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
 *     console.log(`${context.deliveryId}: ${message.message}`);
 *     return Promise.resolve({ outcome: "accepted" });
 *   }
 * }
 * const backend = new ConsoleCommunicator("console");
 * await backend.start();
 * ```
 */
export abstract class Communicator {
  /** The backend's name in the configuration; unique in a dispatcher. */
  readonly name: string;
  /** What the network can carry. */
  readonly capabilities: CommunicatorCapabilities = { receives: false, html: false, attachments: false, edits: false };
  /** How messages come in by HTTP, where they do. */
  readonly webhook?: WebhookReceiver;
  /** How the network wants to be paced, unless configured otherwise. */
  readonly pacing?: PacingDefaults;
  /** How its messages are retried, unless configured otherwise. */
  readonly retryPolicy?: RetryPolicy;
  /** How long one attempt may take, in milliseconds. @default `60_000` */
  readonly sendTimeoutMs?: number;
  /** The address kind it takes in a recipient of the delivery orchestrator: `"email"`, `"telegram"`. @default the name */
  readonly addressKind?: string;
  #started = false;
  #incoming: IncomingHandler | undefined;
  #receipts: ReceiptHandler | undefined;

  /**
   * Makes a communicator.
   *
   * @param name The backend's name.
   * @throws {ValidationError} If the name is not one.
   */
  constructor(name: string) {
    this.name = assertName(name, "name");
  }

  /**
   * Opens what sending needs. Override it and call `super.start()` last. Called twice is harmless. An application waits for
   * it 10 seconds, then goes on without the backend until it has started; one that throws is called again later.
   */
  start(): Promise<void> {
    this.#started = true;
    return Promise.resolve();
  }

  /**
   * Closes everything, waiting for what is under way. Override it and call `super.stop()` first. It may be called though
   * `start` has failed or has not ended. An application has ten seconds to stop in all: give what it waits for a deadline.
   */
  stop(): Promise<void> {
    this.#started = false;
    return Promise.resolve();
  }

  /**
   * Hears every step of its own deliveries and of the messages it received, after the step is committed: for backends
   * that show it (the emulator) or act on it. It must not throw.
   *
   * @param event What happened.
   * @param message The message, at `queued` and `attempting` of a delivery.
   */
  observe?(event: DeliveryEvent | InboundEvent, message?: OutgoingMessage): void;

  /**
   * Makes one attempt. What the network refuses is a receipt; an exception is taken as `unknown`, because nobody can say
   * how far the message came.
   *
   * @param message What to say.
   * @param context To whom, which attempt, until when.
   */
  abstract send(message: OutgoingMessage, context: SendContext): Promise<Receipt>;

  /**
   * Where a message goes on this backend: one delivery each. By default its recipients, or one destination of the
   * backend's own. Empty: nobody is configured for it, and the report says so.
   *
   * @param message What to say.
   */
  destinations(message: OutgoingMessage): readonly Destination[] {
    return message.recipients.length === 0 ? [{}] : message.recipients.map((recipient) => ({ recipient }));
  }

  /**
   * The conversation in which answers to a recipient come in: {@link IncomingMessage.conversation}. Override it where a
   * recipient can be written in several ways. @default the recipient
   *
   * @param recipient An address, as a delivery has it.
   */
  conversationOf(recipient: string): string {
    return recipient;
  }

  /**
   * Changes a message that was sent, where the network can (`capabilities.edits`): an answered question. Making the same
   * change twice is one change.
   *
   * @param edited Which message, and what it says now.
   * @param options Ends it early.
   * @returns What came of it, as of a message sent.
   */
  editMessage?(edited: EditedMessage, options?: { readonly signal?: AbortSignal }): Promise<Receipt>;

  /**
   * Streams an attachment of a message it received, where the message came back from the store and the attachment has no
   * means of its own.
   */
  openAttachment?(attachment: IncomingAttachment, options: OpenAttachmentOptions): Promise<ReadableStream<Uint8Array>>;

  /** Whether it was started and not stopped. */
  get isStarted(): boolean {
    return this.#started;
  }

  /** Whether messages come in by it. */
  get supportsReceiving(): boolean {
    return this.capabilities.receives;
  }

  /** Says who takes in what is received. The application does this before it starts the backend. */
  setIncomingHandler(handler: IncomingHandler): void {
    this.#incoming = handler;
  }

  /** Says who takes in what a provider says later of sent messages. */
  setReceiptHandler(handler: ReceiptHandler): void {
    this.#receipts = handler;
  }

  /**
   * Hands on what came in. Resolves after all of it is committed: only then tell the network that you have it. Public
   * so that the HTTP layer can hand on what a {@link WebhookReceiver} parsed.
   *
   * @param messages What came in, all of it.
   * @throws {PosthornError} With code `not-running` if nobody listens, or what the store says. Nothing is kept then.
   */
  receive(messages: readonly IncomingMessage[]): Promise<void> {
    if (this.#incoming !== undefined) return this.#incoming(messages);
    return Promise.reject(
      new PosthornError("not-running", `Cannot receive on backend "${this.name}": nobody listens`, {
        retryable: true,
      }),
    );
  }

  /**
   * Hands on what the provider says of sent messages. Resolves after it is committed.
   *
   * @param receipts What it says.
   */
  async receiveReceipts(receipts: readonly ProviderReceipt[]): Promise<void> {
    if (this.#receipts === undefined) {
      throw new PosthornError("not-running", `Cannot take receipts on backend "${this.name}": nobody listens`, {
        retryable: true,
      });
    }
    await this.#receipts(this.name, receipts);
  }
}
