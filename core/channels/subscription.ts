/**
 * Push: a subscriber follows the log of a channel.
 *
 * @module
 */
import type { StoredMessage } from "../message/channel-message.ts";
import type { Gap } from "../store/message-store.ts";
import type { MessageHandler } from "./channel-options.ts";

/** What a subscription needs of its channel. */
export interface SubscriptionSource<T> {
  /** Reads the log behind a place. */
  readonly readAfter: (after: number) => Promise<SubscriptionPage<T>>;
  /** Reports what went wrong. */
  readonly onError: (error: unknown, message?: StoredMessage<T>) => void;
  /** Reports what was evicted before this subscriber saw it. */
  readonly onGap: (gap: Gap) => void;
  /** Forgets the subscription. */
  readonly onEnd: () => void;
}

/** What a subscription reads at once. */
export interface SubscriptionPage<T> {
  /** The messages, oldest first. */
  readonly messages: readonly StoredMessage<T>[];
  /** Where to read on. */
  readonly cursor: number;
  /** What is missing before them. */
  readonly gap?: Gap;
}

/**
 * A subscriber of a channel. It has its own place in the log: a slow handler delays nobody, a throwing one hurts nobody,
 * and what is written meanwhile waits in the store, not in memory.
 */
export class Subscription<T> {
  /** The id given to `subscribe`. */
  readonly id: string;
  readonly #handler: MessageHandler<T>;
  readonly #source: SubscriptionSource<T>;
  readonly #waiters: { readonly seq: number; readonly resolve: () => void }[] = [];
  #position: number;
  #following: Promise<void> | undefined;
  #behind = false;
  /** Whether the handler is at work: then nobody waits for it. */
  #busy = false;
  #ended = false;

  /**
   * @param id A name for people.
   * @param handler What to call.
   * @param position The place in the log to start behind.
   * @param source The channel.
   */
  constructor(id: string, handler: MessageHandler<T>, position: number, source: SubscriptionSource<T>) {
    this.id = id;
    this.#handler = handler;
    this.#position = position;
    this.#source = source;
  }

  /** Ends it. The handler is not called again; one that runs goes on. */
  unsubscribe(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#letWaitersGo(true);
    this.#source.onEnd();
  }

  /** Resolves when the handler has seen everything written so far. */
  async idle(): Promise<void> {
    while (this.#following !== undefined) await this.#following;
  }

  /** Resolves when the handler has been called with what stands at a place, or is busy with something older. */
  reached(seq: number): Promise<void> {
    if (this.#ended || this.#busy || this.#position >= seq || this.#following === undefined) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ seq, resolve }));
  }

  /** Says that there may be something new. */
  wake(): void {
    if (this.#ended) return;
    this.#behind = true;
    this.#following ??= this.#follow();
  }

  async #follow(): Promise<void> {
    while (this.#behind && !this.#ended) {
      this.#behind = false;
      try {
        for (let more = true; more && !this.#ended;) more = await this.#readOn();
      } catch (error) {
        this.#source.onError(error);
      }
    }
    this.#following = undefined;
    this.#letWaitersGo(true);
  }

  async #readOn(): Promise<boolean> {
    const page = await this.#source.readAfter(this.#position);
    if (page.gap !== undefined) this.#source.onGap(page.gap);
    for (const message of page.messages) {
      if (this.#ended) return false;
      this.#position = message.seq;
      const pending = this.#call(message);
      if (pending !== undefined) {
        this.#busy = true;
        this.#letWaitersGo(true);
        await pending;
        this.#busy = false;
      }
    }
    const moved = page.cursor > this.#position || page.messages.length > 0;
    this.#position = Math.max(this.#position, page.cursor);
    this.#letWaitersGo(false);
    return moved;
  }

  #letWaitersGo(all: boolean): void {
    if (this.#waiters.length === 0) return;
    for (const waiter of this.#waiters.splice(0)) {
      if (all || waiter.seq <= this.#position) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }

  #call(message: StoredMessage<T>): Promise<void> | undefined {
    try {
      const result = this.#handler(message);
      return result instanceof Promise
        ? result.catch((error: unknown) => this.#source.onError(error, message))
        : undefined;
    } catch (error) {
      this.#source.onError(error, message);
      return undefined;
    }
  }
}
