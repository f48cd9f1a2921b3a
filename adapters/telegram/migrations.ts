/**
 * Groups that got a new id when Telegram upgraded them.
 *
 * @module
 */
import { errorFields, type Logger, type MessageStore } from "../../core/mod.ts";
import type { ChatDirectory } from "./chats.ts";

/** What {@link MigrationBook} works with. */
export interface MigrationBookOptions {
  /** The backend's name. */
  readonly name: string;
  /** Knows the chats. */
  readonly chats: ChatDirectory;
  /** Where it says what it does. */
  readonly logger: Logger;
  /** Where it keeps the new ids. Absent: in memory only. */
  readonly store: MessageStore | undefined;
}

const MAX_MIGRATIONS = 1_000;

/** Keeps new ids of groups under `backend/<name>/migrated/<old id>`. */
export class MigrationBook {
  readonly #options: MigrationBookOptions;
  readonly #prefix: string;

  /** @param options What it works with. */
  constructor(options: MigrationBookOptions) {
    this.#options = options;
    this.#prefix = `backend/${options.name}/migrated/`;
  }

  /** Reads what was kept. */
  async read(): Promise<void> {
    const { chats, store } = this.#options;
    const entries = await store?.listState(this.#prefix, { limit: MAX_MIGRATIONS }) ?? [];
    for (const { key, value } of entries) {
      if (typeof value === "string") chats.migrate(key.slice(this.#prefix.length), value);
    }
  }

  /** Keeps a new id that an update told of, if the group is one of ours: others' are none of our business. */
  async learn(from: string, to: string): Promise<void> {
    const { chats } = this.#options;
    if (chats.chatIds.has(from) && chats.currentId(from) !== to) await this.remember(from, to);
  }

  /** Keeps a new id. It counts at once, and it does not throw when the store cannot keep it. */
  async remember(from: string, to: string): Promise<void> {
    const { name, chats, logger, store } = this.#options;
    chats.migrate(from, to);
    logger.warn("a group got a new id: put it into the configuration", { backend: name });
    try {
      await store?.commit([{ type: "set-state", key: `${this.#prefix}${from}`, value: to }]);
    } catch (error) {
      // This process knows it; another learns it from Telegram as this one did.
      logger.warn("could not keep the new id of a group", { backend: name, ...errorFields(error) });
    }
  }
}
