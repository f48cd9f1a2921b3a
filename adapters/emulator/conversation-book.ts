/**
 * The conversations of an emulator: who may be talked to.
 *
 * @module
 */
import { type Clock, kindOf, type MessageStore, PosthornError, ValidationError } from "../../core/mod.ts";

const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{0,63}$/u;
const KEEP_MS = 30 * 24 * 60 * 60_000;
const PAGE = 500;

const FIRST = [
  "amber",
  "brisk",
  "calm",
  "clear",
  "dusky",
  "early",
  "fair",
  "gentle",
  "hazel",
  "ivory",
  "jolly",
  "keen",
];
const SECOND = [
  "alder",
  "badger",
  "cedar",
  "dove",
  "ember",
  "finch",
  "grove",
  "heron",
  "iris",
  "juniper",
  "kite",
  "lark",
];

/**
 * The name of a conversation: a letter or digit of any script, then up to 63 letters, digits, dots, underscores and
 * hyphens.
 *
 * @param value The value.
 * @throws {ValidationError} If it is something else.
 */
export function assertConversation(value: unknown): string {
  if (typeof value === "string" && NAME.test(value)) return value;
  throw new ValidationError(
    "conversation",
    "Cannot accept 'conversation': it must be 1 to 64 letters, digits, dots, underscores or hyphens, and begin with a " +
      `letter or digit, not ${kindOf(value)}`,
  );
}

/** What {@link ConversationBook} is made of. */
export interface ConversationBookOptions {
  /** Where names are kept. */
  readonly store: MessageStore;
  /** What their keys begin with. */
  readonly prefix: string;
  /** Time. */
  readonly clock: Clock;
  /** How many there may be. */
  readonly max: number;
}

/** The names of the conversations that were opened, kept in the store for 30 days from the last time. */
export class ConversationBook {
  readonly #store: MessageStore;
  readonly #prefix: string;
  readonly #clock: Clock;
  readonly #max: number;
  /** Names, and until when they are kept. */
  readonly #names = new Map<string, number>();

  /** @param options Where names are kept, and how many. */
  constructor(options: ConversationBookOptions) {
    this.#store = options.store;
    this.#prefix = options.prefix;
    this.#clock = options.clock;
    this.#max = options.max;
  }

  /** The names, in the order they were opened. */
  get names(): readonly string[] {
    this.#forgetOld();
    return [...this.#names.keys()];
  }

  /** Whether a conversation was opened. */
  has(name: string): boolean {
    return (this.#names.get(name) ?? 0) > this.#clock.now();
  }

  /** Reads the names that an earlier run left. */
  async load(): Promise<void> {
    let after: string | undefined;
    for (;;) {
      const page = await this.#store.listState(this.#prefix, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      for (const entry of page) {
        after = entry.key;
        this.#names.set(entry.key.slice(this.#prefix.length), entry.expiresAt ?? this.#clock.now() + KEEP_MS);
      }
      if (page.length < PAGE || this.#names.size >= this.#max) return;
    }
  }

  /**
   * Opens a conversation. One that is open stays so.
   *
   * @param name Its name. Absent: one is found.
   * @returns The name.
   * @throws {ValidationError} If it is no name.
   * @throws {PosthornError} With code `too-many-conversations` if there are too many.
   */
  async open(name?: string): Promise<string> {
    const chosen = name === undefined ? this.#newName() : assertConversation(name);
    const isNew = !this.has(chosen);
    if (isNew) {
      this.#forgetOld();
      if (this.#names.size >= this.#max) {
        throw new PosthornError(
          "too-many-conversations",
          `Cannot open another conversation: there are ${this.#max} already`,
        );
      }
    }
    // Taken before the store answers, so that many at once keep to the limit too.
    const before = this.#names.get(chosen);
    this.#names.set(chosen, this.#clock.now() + KEEP_MS);
    try {
      await this.#store.commit([
        { type: "set-state", key: this.#prefix + chosen, value: { openedAt: this.#clock.now() }, ttlMs: KEEP_MS },
      ]);
    } catch (error) {
      if (before === undefined) this.#names.delete(chosen);
      throw error;
    }
    return chosen;
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [name, until] of this.#names) if (until <= now) this.#names.delete(name);
  }

  #newName(): string {
    for (;;) {
      const [first = 0, second = 0, number = 0] = crypto.getRandomValues(new Uint16Array(3));
      const name = `${FIRST[first % FIRST.length]}-${SECOND[second % SECOND.length]}-${number % 1_000}`;
      if (!this.has(name)) return name;
      if (this.#names.size >= this.#max) return name;
    }
  }
}
