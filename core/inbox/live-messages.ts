/**
 * The live form of messages that came in: what the store cannot keep of them.
 *
 * @module
 */
import type { IncomingMessage } from "../message/incoming-message.ts";

/** How many at most; at least half as many of the latest. */
const MAX_LIVE = 10_000;

/**
 * The messages whose live form has more than the stored one: the provider's event, and attachments that open without
 * asking the backend. Of too many, the older half goes at once: going one by one would cost more than adding.
 */
export class LiveMessages {
  #young = new Map<string, IncomingMessage>();
  #old = new Map<string, IncomingMessage>();

  /** Adds a message, if its live form has more. */
  add(message: IncomingMessage): void {
    if (message.rawEvent === undefined && message.attachments.every(({ open }) => open === undefined)) return;
    if (this.#young.size >= MAX_LIVE / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(message.id, message);
  }

  /** The live form of a message. */
  get(id: string): IncomingMessage | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }

  /** Forgets one. */
  delete(id: string): void {
    this.#young.delete(id);
    this.#old.delete(id);
  }

  /** Forgets all. */
  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
