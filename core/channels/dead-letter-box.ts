/**
 * Looking through what was given up.
 *
 * @module
 */
import { ConflictError } from "../errors.ts";
import type { MessageStore } from "../store/message-store.ts";
import { assertId, assertInteger } from "../support/assert.ts";
import { assertOptions, checkLimit } from "./channel-input.ts";
import { type DeadLetter, deadLetterKey, readDeadLetter, redriveOperations } from "./dead-letter.ts";

/** A page of dead letters. */
export interface DeadLetterPage {
  /** How many at most, 1 to 10,000. @default `100` */
  readonly limit?: number;
  /** Behind this sequence number: that of the last dead letter of the page before. */
  readonly after?: number;
}

/** The dead letters of one queue: list them, put them back, or throw them away. */
export class DeadLetterBox {
  readonly #store: MessageStore;
  readonly #key: string;

  /**
   * Makes a dead letter box.
   *
   * @param store Where the queue is.
   * @param key The key of the queue.
   */
  constructor(store: MessageStore, key: string) {
    this.#store = store;
    this.#key = key;
  }

  /** The dead letters, oldest first. */
  async list(page: DeadLetterPage = {}): Promise<readonly DeadLetter[]> {
    assertOptions(page, "page");
    const { messages } = await this.#store.query({
      channel: deadLetterKey(this.#key),
      limit: checkLimit(page.limit, 100),
      ...(page.after === undefined ? {} : { after: assertInteger(page.after, "after", 0) }),
    });
    return messages.map(readDeadLetter);
  }

  /** One dead letter. */
  async get(id: string): Promise<DeadLetter | undefined> {
    const message = await this.#store.get(deadLetterKey(this.#key), assertId(id, "id"));
    return message === undefined ? undefined : readDeadLetter(message);
  }

  /**
   * Puts a dead letter back into the queue under its id, as if it had never been delivered.
   *
   * @param id The message.
   * @returns Whether it was among the dead letters.
   * @throws {ConflictError} If the queue has a message with this id: it was written again. The dead letter stays.
   */
  async redrive(id: string): Promise<boolean> {
    const letter = await this.get(id);
    if (letter === undefined) return false;
    if (await this.#store.get(this.#key, id) !== undefined) {
      throw new ConflictError(`Cannot redrive message "${id}": the queue has a message with this id`);
    }
    const { results } = await this.#store.commit(redriveOperations(this.#key, letter));
    return results[0]?.status === "done";
  }

  /** Removes a dead letter for good. @returns Whether it was there. */
  async discard(id: string): Promise<boolean> {
    const channel = deadLetterKey(this.#key);
    const { results } = await this.#store.commit([{ type: "remove", channel, id: assertId(id, "id") }]);
    return results[0]?.status === "done";
  }
}
