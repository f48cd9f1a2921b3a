/**
 * Messages that came in, as events for anybody in the program.
 *
 * @module
 */
import type { IncomingMessage } from "../message/incoming-message.ts";
import { errorFields, type Logger, silentLogger } from "../support/logger.ts";

/** Hears of a message. What it throws or rejects with is logged and hurts nobody else. */
export type IncomingListener = (event: IncomingEvent) => void | Promise<void>;

/** The event a publisher dispatches: a `CustomEvent` of type `"message"`. */
export interface IncomingEvent {
  /** What was said. */
  readonly data: IncomingMessage;
}

/**
 * Publishes every message that came in, once it is committed, to whoever listens: `subscribe` is the direct path;
 * `addEventListener("message", …)` works too, with `once` and `signal`, because a publisher is an `EventTarget`.
 *
 * Listening is watching: messages are *handled* by a `Messenger` route. A throwing or slow listener affects nobody else.
 */
export class IncomingPublisher extends EventTarget {
  #listeners: readonly IncomingListener[] = [];
  readonly #logger: Logger;
  readonly #wrapped = new WeakMap<object, Map<string, EventListener>>();

  /**
   * Makes an incoming publisher.
   *
   * @param logger Where failing listeners are reported.
   */
  constructor(logger: Logger = silentLogger) {
    super();
    this.#logger = logger;
  }

  /** Adds a listener by the direct path. @returns Ends it. */
  subscribe(listener: IncomingListener): () => void {
    const own: IncomingListener = (event) => listener(event); // the same function twice is two subscriptions
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((known) => known !== own);
    };
  }

  /** Tells everybody of a message. @returns Whether anybody listens. */
  publish(message: IncomingMessage): boolean {
    if (this.#listeners.length === 0 && !this.#hasEventListeners) return false;
    const event: IncomingEvent = { data: message };
    const listeners = this.#listeners; // a listener may subscribe or end: that counts from the next message on
    for (const listener of listeners) this.#call(listener, event);
    if (this.#hasEventListeners) this.dispatchEvent(new IncomingMessageEvent(message));
    return true;
  }

  #hasEventListeners = false;

  /**
   * Adds an event listener. It is wrapped, because a listener that throws inside an `EventTarget` ends the process on some
   * runtimes and silences the listeners behind it on others.
   */
  override addEventListener(
    type: string,
    callback: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    if (callback === null) return;
    this.#hasEventListeners = true;
    super.addEventListener(type, this.#wrap(type, callback), options);
  }

  /** Removes an event listener. */
  override removeEventListener(
    type: string,
    callback: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void {
    if (callback === null) return;
    super.removeEventListener(type, this.#wrap(type, callback), options);
  }

  #wrap(type: string, callback: EventListenerOrEventListenerObject): EventListener {
    const byType = this.#wrapped.get(callback) ?? new Map<string, EventListener>();
    this.#wrapped.set(callback, byType);
    const known = byType.get(type);
    if (known !== undefined) return known;
    const wrapped: EventListener = (event) => {
      try {
        const result: unknown = typeof callback === "function" ? callback(event) : callback.handleEvent(event);
        if (result instanceof Promise) result.catch((error: unknown) => this.#report(error));
      } catch (error) {
        this.#report(error);
      }
    };
    byType.set(type, wrapped);
    return wrapped;
  }

  #call(listener: IncomingListener, event: IncomingEvent): void {
    try {
      const result = listener(event);
      if (result instanceof Promise) result.catch((error: unknown) => this.#report(error));
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#logger.error("listener of incoming messages threw", errorFields(error));
  }
}

/** What an event listener gets: the message is in `data`, and in `detail` as a `CustomEvent` has it. */
export class IncomingMessageEvent extends CustomEvent<IncomingMessage> implements IncomingEvent {
  /**
   * Makes an incoming message event.
   *
   * @param message What was said.
   */
  constructor(message: IncomingMessage) {
    super("message", { detail: message });
  }

  /** What was said. */
  get data(): IncomingMessage {
    return this.detail;
  }
}
