/**
 * The live form of messages that came in: what the store cannot keep of them.
 *
 * @module
 */
import type { IncomingMessage } from "../message/incoming-message.ts";
import { LatestMap } from "../support/latest-map.ts";

/** How many of the latest at least; at most twice as many. */
const MIN_LIVE = 5_000;

/**
 * The messages whose live form has more than the stored one: the provider's event, and attachments that open without
 * asking the backend.
 */
export class LiveMessages extends LatestMap<string, IncomingMessage> {
  /** Makes one without messages. */
  constructor() {
    super(MIN_LIVE);
  }

  /** Adds a message, if its live form has more. */
  add(message: IncomingMessage): void {
    if (message.rawEvent === undefined && message.attachments.every(({ open }) => open === undefined)) return;
    this.set(message.id, message);
  }
}
