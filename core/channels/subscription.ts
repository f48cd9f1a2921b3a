/**
 * Push: a subscriber follows the log of a channel.
 *
 * @module
 */
import type { StoredMessage } from "../message/channel-message.ts";
import type { Gap } from "../store/message-store.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import { type Clock, nextTurn } from "../support/clock.ts";
import { WakeGate } from "../support/wake-gate.ts";
import type { MessageHandler } from "./channel-options.ts";
import { GapMemory } from "./gap-memory.ts";

/** What a subscription needs of its channel. */
export interface SubscriptionSource<T> {
  /** Time. */
  readonly clock: Clock;
  /** Reads the log behind a place. */
  readonly readAfter: (after: number) => Promise<SubscriptionPage<T>>;
  /** Reports what went wrong. It must not throw. */
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

/** So many pages in a row, and the platform gets its turn: a handler that writes to its own channel never comes to an end. */
const PAGES_A_TURN = 10;

/**
 * A subscriber of a channel. It has its own place in the log: a slow handler delays nobody, a throwing one hurts nobody,
 * and what is written meanwhile waits in the store, not in memory. When the store fails, it tries again until it is
 * unsubscribed.
 */
export class Subscription<T> {
  /** The id given to `subscribe`. */
  readonly id: string;
  readonly #handler: MessageHandler<T>;
  readonly #source: SubscriptionSource<T>;
  readonly #waiters: { readonly seq: number; readonly resolve: () => void }[] = [];
  readonly #gaps = new GapMemory();
  readonly #retry = new WakeGate();
  readonly #rest = new WakeGate();
  #position: number;
  #following = false;
  #behind = false;
  /** Whether the handler is at work, or the store fails: then nobody waits for it. */
  #busy = false;
  #stuck = false;
  #ended = false;

  /**
   * Makes a subscription.
   *
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
    this.#retry.wake();
    this.#source.onEnd();
  }

  /** Resolves when the handler has seen everything written so far, or the store does not let it. */
  async idle(): Promise<void> {
    while (this.#following && !this.#stuck) await this.#rest.wait(this.#source.clock);
  }

  /** Resolves when the handler has been called with what stands at a place, or is busy with something older. */
  reached(seq: number): Promise<void> {
    if (this.#ended || this.#busy || this.#stuck || this.#position >= seq || !this.#following) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ seq, resolve }));
  }

  /** Says that there may be something new. */
  wake(): void {
    if (this.#ended) return;
    this.#behind = true;
    if (this.#following) return;
    this.#following = true;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    for (let failures = 0; this.#behind && !this.#ended;) {
      this.#behind = false;
      try {
        for (let page = 1; await this.#readOn(); page++) {
          if (page % PAGES_A_TURN === 0) await nextTurn();
        }
        failures = 0;
      } catch (error) {
        this.#source.onError(error);
        await this.#pause(++failures);
      }
    }
    this.#following = false;
    this.#letWaitersGo(true);
    this.#rest.wake();
  }

  /** Waits before the store is asked again. */
  async #pause(failures: number): Promise<void> {
    this.#behind = true;
    this.#stuck = true;
    this.#letWaitersGo(true);
    this.#rest.wake();
    if (!this.#ended) {
      await this.#retry.wait(this.#source.clock, 20 + backoffDelayMs(failures, { maxDelayMs: 30_000 }));
    }
    this.#stuck = false;
  }

  /** Reads a page and hands it over. @returns Whether there may be more. */
  async #readOn(): Promise<boolean> {
    if (this.#ended) return false;
    const page = await this.#source.readAfter(this.#position);
    const gap = this.#gaps.news(page.gap);
    if (gap !== undefined) this.#source.onGap(gap);
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
    this.#position = Math.max(this.#position, page.cursor);
    this.#letWaitersGo(false);
    return page.messages.length > 0;
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
      const result: unknown = this.#handler(message);
      if (!isThenable(result)) return undefined;
      return Promise.resolve(result).then(() => {}, (error: unknown) => this.#source.onError(error, message));
    } catch (error) {
      this.#source.onError(error, message);
      return undefined;
    }
  }
}

/** Promises of other makers too: their rejections must not go astray. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
