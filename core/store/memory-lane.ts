/**
 * The lanes of {@link MemoryStore}: messages that share an `orderingKey`, of which one is out at a time.
 *
 * @module
 */
import { SortedQueue, type Ticketed } from "../support/sorted-queue.ts";

/** One lane, for as long as it has messages. */
export class Lane<Message extends Ticketed> {
  readonly key: string;
  /** Breaks ties among lanes whose hold ends together: the message it is held for. */
  seq = 0;
  /** See `Ticketed`: the place among the lanes that are held. */
  ticket = 0;
  /** How many messages it has, in whatever state. */
  size = 0;
  /** The due message that stands for the lane among those that can be claimed. */
  candidate: Message | undefined = undefined;
  /** The message that is out, or was released and waits out its delay. */
  holder: Message | undefined = undefined;
  /** How long the holder keeps the others waiting: forever while it is out. */
  holdUntil = 0;
  /** The other messages that are due, by sequence number. Made when first needed: most lanes are short. */
  #behind: SortedQueue<Message> | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** The due message with the lowest sequence number, apart from the candidate. */
  get next(): Message | undefined {
    return this.#behind?.peek();
  }

  /** Queues a due message. It must have a new ticket. */
  enqueue(entry: Message): void {
    this.#behind ??= new SortedQueue();
    this.#behind.push(entry, entry.seq);
  }

  /** Takes the message of {@link Lane.next}. */
  dequeue(): Message | undefined {
    return this.#behind?.shift();
  }

  /** Says that a queued message got another ticket. */
  forget(): void {
    this.#behind?.forget();
  }
}
