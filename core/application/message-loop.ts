/**
 * A loop of one's own over the messages that come in.
 *
 * @module
 */
import { NotRunningError, PosthornError } from "../errors.ts";
import type { MessageContext } from "../inbox/message-context.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import { type Deferred, deferred, raceAbort } from "../support/abort.ts";
import type { Clock } from "../support/clock.ts";

/** How {@link Messenger.recvMsg} waits. */
export interface ReceiveOptions {
  /** Whether to wait for a message; `false`: only for what is there, until the store has said so. @default `true` */
  readonly block?: boolean;
  /** How long to wait, in milliseconds, where it does. @default for ever */
  readonly timeoutMs?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** A message a loop received. */
export interface ReceivedMessage extends IncomingMessage {
  /** Says that it is done. The next {@link Messenger.recvMsg} says it too. */
  ack(): Promise<void>;
  /** Gives it back for another try. */
  nack(error?: unknown): Promise<void>;
}

interface Handed {
  readonly context: MessageContext;
  readonly end: Deferred<void>;
  readonly settled: Promise<void>;
  /** How many answers the loop gave to it. */
  answers: number;
}

/** Somebody who waits for a message. */
interface Taker {
  readonly give: (handed: Handed | undefined) => void;
  readonly refuse: (reason: unknown) => void;
}

/** What a {@link MessageLoop} is made from. */
export interface MessageLoopOptions {
  /** Time. */
  readonly clock: Clock;
  /** Looks for messages at once; resolves when there was none to be had. */
  readonly look: () => Promise<void>;
}

/**
 * Where a router and a loop meet: the router hands a message over and waits until the loop is done with it, and the loop
 * takes what is handed over, one message at a time.
 */
export class MessageLoop {
  readonly #options: MessageLoopOptions;
  readonly #ready: Handed[] = [];
  readonly #takers: Taker[] = [];
  #current: Handed | undefined;

  /** @param options Time, and how to look for messages. */
  constructor(options: MessageLoopOptions) {
    this.#options = options;
  }

  /** The handler of a loop: hands the message over and waits until the loop is done with it. */
  async hand(context: MessageContext): Promise<void> {
    const end = deferred<void>();
    const handed: Handed = { context, end, settled: end.promise.catch(() => {}), answers: 0 };
    const taker = this.#takers.shift();
    if (taker === undefined) this.#ready.push(handed);
    else taker.give(handed);
    try {
      await raceAbort(end.promise, context.signal);
    } finally {
      const index = this.#ready.indexOf(handed); // nobody took it, and it is somebody else's now
      if (index >= 0) this.#ready.splice(index, 1);
    }
  }

  /** Says of the message in hand that it is done. */
  async finish(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    current?.end.resolve();
    await current?.settled;
  }

  /** The next message. @returns `undefined` where there is none, or none in time. */
  async take({ block = true, timeoutMs, signal }: ReceiveOptions): Promise<ReceivedMessage | undefined> {
    signal?.throwIfAborted();
    const handed = this.#ready.shift() ?? await this.#wait(block, timeoutMs, signal);
    if (handed === undefined) return undefined;
    this.#current = handed;
    return this.#received(handed);
  }

  #wait(block: boolean, timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<Handed | undefined> {
    return new Promise((resolve, reject) => {
      // The place in the line is given up in the same turn as the wait ends: else a message could be handed to nobody.
      const leave = (): void => {
        timer?.cancel();
        signal?.removeEventListener("abort", onAbort);
        const index = this.#takers.indexOf(taker);
        if (index >= 0) this.#takers.splice(index, 1);
      };
      const taker: Taker = {
        give: (handed) => {
          leave();
          resolve(handed);
        },
        refuse: (reason) => {
          leave();
          reject(reason);
        },
      };
      const onAbort = (): void => taker.refuse(signal?.reason);
      const timer = !block || timeoutMs === undefined
        ? undefined
        : this.#options.clock.setTimer(timeoutMs, () => taker.give(undefined));
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#takers.push(taker);
      if (!block) this.#options.look().then(() => taker.give(undefined), taker.refuse);
    });
  }

  #received(handed: Handed): ReceivedMessage {
    const finish = (end: () => void): Promise<void> => {
      if (this.#current === handed) this.#current = undefined;
      end();
      return handed.settled;
    };
    return {
      ...handed.context.message,
      ack: () => finish(() => handed.end.resolve()),
      nack: (error = new PosthornError("nacked", "Cannot handle message: the loop gave it back")) =>
        finish(() => handed.end.reject(error)),
    };
  }

  /**
   * Counts an answer to the message in hand.
   *
   * @returns Which answer it is, from 1; `undefined` when the message is not the one in hand.
   */
  countAnswer(messageId: string): number | undefined {
    const current = this.#current;
    return current?.context.message.id === messageId ? ++current.answers : undefined;
  }

  /** Gives back what it holds, and lets go whoever waits. */
  stop(): void {
    for (const { refuse } of this.#takers.splice(0)) {
      refuse(new NotRunningError("Cannot receive: the messenger stops"));
    }
    const held = [...this.#ready.splice(0), ...(this.#current === undefined ? [] : [this.#current])];
    for (const { end } of held) end.reject(new NotRunningError("Cannot go on: the messenger stops"));
    this.#current = undefined;
  }
}
