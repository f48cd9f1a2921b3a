/**
 * Ready-made listeners, under the names of the specification.
 *
 * @module
 */
import { NotRunningError, QueueFullError, ValidationError } from "../errors.ts";
import { assertInteger, assertText } from "../support/assert.ts";
import type { IncomingEvent, IncomingListener, IncomingPublisher } from "./incoming-publisher.ts";

/** What every subscriber has: extend it to write your own. */
export abstract class IncomingSubscriber {
  /** A name for people. */
  readonly name: string;
  readonly #ends = new Map<IncomingPublisher, () => void>();

  /**
   * Makes one that listens to nobody yet.
   *
   * @param options A name for people.
   */
  constructor(options: { readonly name: string }) {
    this.name = assertText(options.name, "name");
  }

  /** Whether it listens to anybody. */
  get isListening(): boolean {
    return this.#ends.size > 0;
  }

  /** Called with each message. */
  protected abstract handle(event: IncomingEvent): void | Promise<void>;

  /** Begins to listen. Twice to the same publisher is once. */
  subscribe(publisher: IncomingPublisher): void {
    if (!this.#ends.has(publisher)) this.#ends.set(publisher, publisher.subscribe((event) => this.handle(event)));
  }

  /** Ends listening, to one publisher or to all. */
  unsubscribe(publisher?: IncomingPublisher): void {
    for (const [known, end] of this.#ends) {
      if (publisher !== undefined && known !== publisher) continue;
      end();
      this.#ends.delete(known);
    }
  }
}

/**
 * Calls functions with each message.
 *
 * @example
 * ```ts
 * import { FunctionalEventSubscriber, IncomingPublisher } from "posthorn";
 *
 * const subscriber = new FunctionalEventSubscriber({ name: "my_handler" });
 * subscriber.onEvent((event) => console.log(`[${event.data.backendName}] ${event.data.text}`));
 * subscriber.subscribe(new IncomingPublisher());
 * ```
 */
export class FunctionalEventSubscriber extends IncomingSubscriber {
  readonly #functions: IncomingListener[] = [];

  /** Adds a function. @returns The function itself. */
  onEvent(listener: IncomingListener): IncomingListener {
    this.#functions.push(listener);
    return listener;
  }

  /** {@inheritDoc IncomingSubscriber.handle} */
  protected override async handle(event: IncomingEvent): Promise<void> {
    const ends = await Promise.allSettled(this.#functions.map(async (listener) => await listener(event)));
    const failed = ends.filter((end) => end.status === "rejected").map((end): unknown => end.reason);
    if (failed.length === 1) throw failed[0];
    if (failed.length > 1) throw new AggregateError(failed, `Cannot handle message: ${failed.length} functions threw`);
  }
}

/** Keeps the latest messages, for looking at them: `subscriber.events`. */
export class TrackingEventSubscriber extends IncomingSubscriber {
  readonly #maxEvents: number;
  #events: IncomingEvent[] = [];

  /**
   * Makes a tracking event subscriber.
   *
   * @param options A name for people, and how many are kept (1,000).
   */
  constructor(options: { readonly name: string; readonly maxEvents?: number }) {
    super(options);
    this.#maxEvents = assertInteger(options.maxEvents ?? 1_000, "maxEvents", 1, 1_000_000);
  }

  /** The latest messages, oldest first. */
  get events(): readonly IncomingEvent[] {
    return this.#events.slice(-this.#maxEvents);
  }

  /** Forgets them. */
  clear(): void {
    this.#events = [];
  }

  /** {@inheritDoc IncomingSubscriber.handle} */
  protected override handle(event: IncomingEvent): void {
    this.#events.push(event);
    if (this.#events.length >= this.#maxEvents * 2) this.#events = this.#events.slice(-this.#maxEvents);
  }
}

/** What a full queue does with one more: refuse it (the publisher's logger hears of it), or make room. */
export type OverflowPolicy = "error" | "drop-oldest" | "drop-newest";

/** What a {@link QueueEventSubscriber} is made from. */
export interface QueueEventSubscriberOptions {
  /** A name for people. */
  readonly name: string;
  /** How many wait at most. @default `1_000` */
  readonly maxSize?: number;
  /** What a full queue does with one more. @default `"error"` */
  readonly overflow?: OverflowPolicy;
}

/**
 * Bridges events to a loop: `get()` waits for the next, and `for await` goes over them. Bounded: what does not fit is
 * dropped as {@link OverflowPolicy} says, and counted in `dropped`. The messages themselves are safe in the inbox; what
 * overflows here is this listener's copy.
 */
export class QueueEventSubscriber extends IncomingSubscriber implements AsyncIterable<IncomingEvent> {
  readonly #maxSize: number;
  readonly #overflow: OverflowPolicy;
  readonly #queue: IncomingEvent[] = [];
  readonly #waiting: { readonly take: (event: IncomingEvent) => void; readonly end: (error: Error) => void }[] = [];
  #hasEnded = false;
  #dropped = 0;

  /**
   * Makes a queue event subscriber.
   *
   * @param options Name, size, and what a full queue does.
   */
  constructor(options: QueueEventSubscriberOptions) {
    super(options);
    this.#maxSize = assertInteger(options.maxSize ?? 1_000, "maxSize", 1, 1_000_000);
    this.#overflow = options.overflow ?? "error";
    if (!["error", "drop-oldest", "drop-newest"].includes(this.#overflow)) {
      throw new ValidationError(
        "overflow",
        "Cannot create queue as 'overflow' must be error, drop-oldest or drop-newest",
      );
    }
  }

  /** How many wait. */
  get size(): number {
    return this.#queue.length;
  }

  /** How many did not fit. */
  get dropped(): number {
    return this.#dropped;
  }

  /** {@inheritDoc IncomingSubscriber.subscribe} */
  override subscribe(publisher: IncomingPublisher): void {
    super.subscribe(publisher);
    this.#hasEnded = false;
  }

  /** Ends listening, to one publisher or to all. After the last, what waits here can still be taken, and nobody waits for more. */
  override unsubscribe(publisher?: IncomingPublisher): void {
    super.unsubscribe(publisher);
    if (this.isListening) return;
    this.#hasEnded = true;
    for (const { end } of this.#waiting.splice(0)) end(endedError(this.name));
  }

  /**
   * The next event, waiting for it if there is none.
   *
   * @param options A signal that ends the wait with its reason.
   * @throws {NotRunningError} When it has been unsubscribed and nothing is left.
   */
  get(options: { readonly signal?: AbortSignal } = {}): Promise<IncomingEvent> {
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const next = this.#queue.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#hasEnded) return Promise.reject(endedError(this.name));
    return new Promise((resolve, reject) => {
      const waiter = {
        take: (event: IncomingEvent): void => {
          signal?.removeEventListener("abort", onAbort);
          resolve(event);
        },
        end: (error: Error): void => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      this.#waiting.push(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Goes over the events, until it is unsubscribed and nothing is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<IncomingEvent, void, undefined> {
    for (;;) {
      const next = await this.get().catch((error: unknown) => {
        if (this.#hasEnded && error instanceof NotRunningError) return undefined;
        throw error;
      });
      if (next === undefined) return;
      yield next;
    }
  }

  /** {@inheritDoc IncomingSubscriber.handle} */
  protected override handle(event: IncomingEvent): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) return waiter.take(event);
    if (this.#queue.length < this.#maxSize) return void this.#queue.push(event);
    this.#dropped++;
    if (this.#overflow === "error") {
      throw new QueueFullError(
        `Cannot queue message for "${this.name}": ${this.#maxSize} wait; ${this.#dropped} dropped so far`,
      );
    }
    if (this.#overflow === "drop-oldest") {
      this.#queue.shift();
      this.#queue.push(event);
    }
  }
}

function endedError(name: string): NotRunningError {
  return new NotRunningError(`Cannot wait for a message for "${name}": it has been unsubscribed`);
}
