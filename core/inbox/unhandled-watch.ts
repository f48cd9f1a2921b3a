/**
 * Messages that nobody handles.
 *
 * @module
 */
import type { WorkQueueChannel } from "../channels/work-queue-channel.ts";
import type { InboundEvent } from "../message/delivery-event.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { LatestMap } from "../support/latest-map.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { inboundEvent } from "./inbound-event.ts";
import { incomingFromJson } from "./stored-incoming.ts";

/** What is watched. */
interface Watched {
  readonly queue: WorkQueueChannel;
  readonly store: MessageStore;
  readonly keeps: boolean;
  forget(id: string): void;
  notify(event: InboundEvent): void;
}

/** What an {@link UnhandledWatch} is made from. */
export interface UnhandledWatchOptions {
  /** Where they wait. */
  readonly inbox: Watched;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what waits, and what was given up. */
  readonly logger: Logger;
  /** How many may wait. @default as many as there are */
  readonly maxUnhandled?: number;
}

/** So many more, and it is looked whether they are too many. */
const LOOK_EVERY = 200;
/** So many, and the log says that nobody handles them. */
const SAY_AT = 1_000;
const MAX_PAGE = 500;
/** How many ids of messages subscribers were told of are kept at least, for a handler that comes late; at most twice as many. */
const MIN_TOLD = 10_000;

/**
 * Keeps a program that only watches what comes in from filling its store without a word: it says that messages wait, and
 * beyond a limit gives up the oldest, which it says too. What a worker holds, here or elsewhere, stays.
 */
export class UnhandledWatch {
  readonly #options: UnhandledWatchOptions;
  readonly #told = new LatestMap<string, true>(MIN_TOLD);
  #count = 0;

  /**
   * Makes a watch.
   *
   * @param options Where they wait, and how many may.
   */
  constructor(options: UnhandledWatchOptions) {
    this.#options = options;
  }

  /** Notes that subscribers were told of a message when it came in, as nobody handled it then. */
  noteTold(id: string): void {
    this.#told.set(id, true);
  }

  /** Whether subscribers were told of a message. It is forgotten by that. */
  takeTold(id: string): boolean {
    return this.#told.delete(id);
  }

  /** Counts on. It does not reject. */
  async note(count: number): Promise<void> {
    const { inbox, logger, maxUnhandled } = this.#options;
    const before = this.#count;
    this.#count += count;
    if (inbox.keeps && before < SAY_AT && this.#count >= SAY_AT) {
      const text = "messages wait and nobody handles them: call messenger.route(), or set inbox.enabled to false";
      logger.warn(text, { count: this.#count });
    }
    if (Math.floor(before / LOOK_EVERY) === Math.floor(this.#count / LOOK_EVERY)) return;
    try {
      if (!inbox.keeps) await inbox.queue.evict();
      else if (maxUnhandled !== undefined) await this.#giveUp(maxUnhandled);
    } catch (error) {
      // The messages are committed: whoever handed them in has nothing to repeat.
      logger.error("cannot look after messages that nobody handles", errorFields(error));
    }
  }

  async #giveUp(maxUnhandled: number): Promise<void> {
    const { inbox, logger } = this.#options;
    const { ready, delayed } = await inbox.queue.stats();
    const excess = ready + delayed - maxUnhandled;
    let given = 0;
    while (given < excess) {
      const gone = await this.#removeOldest(Math.min(excess - given, MAX_PAGE));
      if (gone === 0) break;
      given += gone;
    }
    if (given > 0) logger.error("messages that nobody handled were given up", { count: given, maxUnhandled });
  }

  async #removeOldest(limit: number): Promise<number> {
    const { inbox, clock } = this.#options;
    const channel = inbox.queue.key;
    const { messages } = await inbox.store.query({ channel, limit });
    const { results } = await inbox.store.commit(
      messages.map(({ id }) => ({ type: "remove", channel, id, unlessClaimed: true })),
      { onConflict: "skip" },
    );
    const gone = messages.filter((_message, index) => results[index]?.status === "done");
    for (const { content } of gone) {
      const message = incomingFromJson(content);
      if (message === undefined) continue;
      inbox.forget(message.id);
      inbox.notify(inboundEvent(message, "dead", clock.now(), { detail: "nobody-handles" }));
    }
    return gone.length;
  }
}
