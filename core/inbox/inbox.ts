/**
 * Messages on their way in.
 *
 * @module
 */
import { BroadcastChannel } from "../channels/broadcast-channel.ts";
import type { DeadLetter } from "../channels/dead-letter.ts";
import { WorkQueueChannel } from "../channels/work-queue-channel.ts";
import { ValidationError } from "../errors.ts";
import type { InboundEvent } from "../message/delivery-event.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { MessageStore, StoreOperation } from "../store/message-store.ts";
import { assertText } from "../support/assert.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { inboundEvent } from "./inbound-event.ts";
import { LiveMessages } from "./live-messages.ts";
import { incomingToJson } from "./stored-incoming.ts";
import { UnhandledWatch } from "./unhandled-watch.ts";

/** Hears of every step of a message that came in, after its commit. */
export type InboundObserver = (event: InboundEvent) => void;

/** What an inbox is made from. */
export interface InboxOptions {
  /** Where it is kept. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Gives ids. */
  readonly newId: () => string;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
  /**
   * How long a message's id is remembered, so that a provider's repeat is seen as one. Longer than any provider repeats:
   * Telegram 24 hours, Meta 7 days. @default 8 days
   */
  readonly dedupeForMs?: number;
  /** How long a claim lasts unless its heart-beat extends it. @default `60_000` */
  readonly leaseMs?: number;
  /** How often a message is given to the handler before it becomes a dead letter. @default `8` */
  readonly maxDeliveries?: number;
  /**
   * Whether messages wait for a handler. `false`: they are only watched; what came in is remembered by its id and not
   * kept. @default `true`
   */
  readonly keeps?: boolean;
  /**
   * How many messages may wait while nobody handles any in this process; beyond it the oldest are given up, and the log
   * says so. @default as many as there are
   */
  readonly maxUnhandled?: number;
}

const DEFAULT_DEDUPE_MS = 8 * 86_400_000;
/** Ids that are the same when they are escaped: nearly all, and those are kept as one text with the message's own. */
const PLAIN_ID = /^[\w!#$&'()*+,\-./:;=?@~]{1,200}$/;

/**
 * Messages on their way in: a work queue with one lane per conversation. {@link Inbox.accept} takes a batch in one commit,
 * together with the ids that make a provider's repeat of it harmless; only then is the provider told.
 */
export class Inbox {
  /** The queue the messages are in. */
  readonly queue: WorkQueueChannel;
  /** What was authentic but not understood. Look at it, and tell us. */
  readonly quarantine: BroadcastChannel;
  /** Where it is kept. */
  readonly store: MessageStore;
  readonly #options: InboxOptions;
  readonly #observers = new Set<InboundObserver>();
  readonly #live = new LiveMessages();
  readonly #unhandled: UnhandledWatch;

  /**
   * Makes an inbox.
   *
   * @param options Where it is kept.
   */
  constructor(options: InboxOptions) {
    this.#options = options;
    this.store = options.store;
    const { store, clock, logger, newId, namespace } = options;
    const shared = { store, clock, logger, newId, ...(namespace === undefined ? {} : { namespace }) };
    this.queue = new WorkQueueChannel({
      ...shared,
      id: "inbox",
      name: "Inbox",
      description: "Messages on their way in",
      claimTimeoutMs: options.leaseMs ?? 60_000,
      maxDeliveries: options.maxDeliveries ?? 8,
      retention: options.keeps === false ? { maxCount: 0 } : {},
    });
    this.#unhandled = new UnhandledWatch({
      inbox: this,
      clock,
      logger,
      ...(options.maxUnhandled === undefined ? {} : { maxUnhandled: options.maxUnhandled }),
    });
    this.quarantine = new BroadcastChannel({
      ...shared,
      id: "quarantine",
      name: "Quarantine",
      description: "What was authentic but not understood",
      retention: { maxAgeMs: 30 * 86_400_000 },
    });
  }

  /** Whether messages wait for a handler. */
  get keeps(): boolean {
    return this.#options.keeps !== false;
  }

  /** Opens it. */
  async start(): Promise<void> {
    await this.queue.start();
    await this.quarantine.start();
  }

  /** Closes it. What is in it stays in the store. */
  async stop(): Promise<void> {
    await this.queue.stop();
    await this.quarantine.stop();
    this.#live.clear();
  }

  /** Adds somebody who hears of every step after its commit. @returns Ends it. */
  observe(observer: InboundObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Tells the observers of a step that was committed. One that throws hurts nobody: what it hears of has happened. */
  notify(event: InboundEvent): void {
    for (const observer of this.#observers) {
      try {
        observer(event);
      } catch (error) {
        this.#options.logger.error("observer of the inbox threw", errorFields(error));
      }
    }
  }

  /**
   * Takes messages in: all of them in one commit, or none. One that was taken before, though it be handled since, is left
   * out.
   *
   * @param messages What came in.
   * @param more What else to commit with them.
   * @returns For each message, whether it is new. `undefined`: `more` was refused, and nothing was kept.
   * @throws {ValidationError} If one is not a message; none is kept then.
   * @throws {StoreError} If the store cannot do it; none is kept then.
   */
  async accept(
    messages: readonly IncomingMessage[],
    more: readonly StoreOperation[] = [],
  ): Promise<readonly boolean[] | undefined> {
    if (messages.length === 0 && more.length === 0) return [];
    const appends = messages.map((message) => this.#append(message));
    const { committed, results } = await this.store.commit(more.length === 0 ? appends : [...appends, ...more]);
    if (!committed) return undefined;
    const at = this.#options.clock.now();
    return messages.map((message, index) => {
      const isNew = results[index]?.status === "done";
      if (isNew) {
        if (this.keeps) this.#live.add(message);
        this.notify(inboundEvent(message, "received", at));
      }
      return isNew;
    });
  }

  /** Notes that subscribers were told of a message when it came in, as nobody handled it then. */
  noteTold(id: string): void {
    if (this.keeps) this.#unhandled.noteTold(id);
  }

  /** Whether subscribers were told of a message when it came in: a handler that comes late does not tell them again. */
  takeTold(id: string): boolean {
    return this.#unhandled.takeTold(id);
  }

  /**
   * To be told of messages that came in while nobody in this process handles any, so that they do not pile up unseen.
   * It does not reject.
   *
   * @param count How many came in.
   */
  noteUnhandled(count: number): Promise<void> {
    return this.#unhandled.note(count);
  }

  #append(message: IncomingMessage): StoreOperation {
    const { clock, dedupeForMs = DEFAULT_DEDUPE_MS } = this.#options;
    return {
      type: "append",
      channel: this.queue.key,
      mode: this.keeps ? "queue" : "log",
      dedupeForMs,
      message: {
        v: 1,
        id: inboxId(message),
        timestamp: clock.now(),
        senderId: assertText(message.backendName, "backendName", { maxLength: 128 }),
        content: incomingToJson(message),
        metadata: {},
        namespace: this.queue.namespace,
        orderingKey: laneOf(message),
        correlationId: assertText(message.id, "id", { maxLength: 500 }),
      },
    };
  }

  /** Keeps what was authentic but not understood. */
  quarantineOperations(backendName: string, items: readonly JsonValue[]): readonly StoreOperation[] {
    const { clock, newId } = this.#options;
    return items.map((content) => ({
      type: "append",
      channel: this.quarantine.key,
      mode: "log",
      message: {
        v: 1,
        id: newId(),
        timestamp: clock.now(),
        senderId: backendName,
        content,
        metadata: {},
        namespace: this.quarantine.namespace,
      },
    }));
  }

  /** The live form of a message this process received: with the provider's event, and attachments that open. */
  live(id: string): IncomingMessage | undefined {
    return this.#live.get(id);
  }

  /** Forgets the live form. */
  forget(id: string): void {
    this.#live.delete(id);
  }

  /** The messages that were given up. */
  deadLetters(options: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    return this.queue.deadLetters(options);
  }

  /** Hands a dead message to the handler again. @returns Whether it was among the dead letters. */
  redrive(id: string): Promise<boolean> {
    return this.queue.redrive(id);
  }
}

/** The lane of a conversation. */
export function laneOf(message: Pick<IncomingMessage, "backendName" | "conversation">): string {
  return assertText(`${message.backendName}:${message.conversation}`, "conversation", { maxLength: 900 });
}

/** A store takes ids without spaces of up to 200 characters; providers' ids are such, and what is not is escaped. */
function inboxId(message: IncomingMessage): string {
  if (PLAIN_ID.test(message.id)) return message.id;
  if (!message.id.isWellFormed()) {
    throw new ValidationError("id", "Cannot accept message as its 'id' has half a character");
  }
  const id = encodeURI(message.id);
  if (id.length <= 200) return id;
  throw new ValidationError("id", `Cannot accept message as its 'id' of ${id.length} characters is over 200`);
}
