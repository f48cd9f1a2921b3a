/**
 * Updates on their way in: read, counted, and reported where they are not taken.
 *
 * @module
 */
import type { Clock, Logger } from "../../core/mod.ts";
import type { ChatDirectory } from "./chats.ts";
import type { FileOpener } from "./content.ts";
import { type MappedUpdate, mapUpdate } from "./updates.ts";

/** What became of updates so far. */
export interface UpdateCounts {
  /** Updates that became messages. */
  readonly received: number;
  /** Updates from where nobody may be heard. */
  readonly unauthorised: number;
  /** Updates that were none. */
  readonly malformed: number;
}

/** What {@link UpdateIntake} works with. */
export interface UpdateIntakeOptions {
  /** The backend's name. */
  readonly name: string;
  /** Knows who may be heard. */
  readonly chats: ChatDirectory;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what it does. */
  readonly logger: Logger;
  /** Streams files. */
  readonly open: FileOpener;
  /** Told when an update says that a group got a new id. */
  readonly onMigration: (from: string, to: string) => void;
}

/** How many chats that may not be heard are reported aloud, each once. */
const MAX_REPORTED_CHATS = 100;

/** Reads updates, for the webhook and for polling alike. */
export class UpdateIntake {
  readonly #options: UpdateIntakeOptions;
  readonly #reported = new Set<string>();
  #received = 0;
  #unauthorised = 0;
  #malformed = 0;

  /** @param options What it works with. */
  constructor(options: UpdateIntakeOptions) {
    this.#options = options;
  }

  /** What became of updates so far. */
  get counts(): UpdateCounts {
    return { received: this.#received, unauthorised: this.#unauthorised, malformed: this.#malformed };
  }

  /**
   * Reads an update. It never throws.
   *
   * @param update The update, unchecked.
   */
  map(update: unknown): MappedUpdate {
    const { name, chats, clock, logger, open, onMigration } = this.#options;
    const mapped = mapUpdate(update, { backendName: name, chats, now: () => clock.now(), open, onMigration });
    if (mapped.kind === "message") {
      this.#received += 1;
    } else if (mapped.kind === "malformed") {
      this.#malformed += 1;
      logger.warn("an update is not understood", { backend: name });
    } else {
      this.#unauthorised += 1;
      this.#report(mapped.updateKind, mapped.reason, mapped.chatId);
    }
    return mapped;
  }

  /** The first of each chat aloud: most often it is a chat somebody forgot to configure. */
  #report(updateKind: string, reason: string, chatId: string | undefined): void {
    const { name, logger } = this.#options;
    const fields = { backend: name, kind: updateKind, reason };
    logger.debug("an update was not taken in: not authorised", { ...fields, chat: chatId });
    const key = `${chatId}/${reason}`;
    if (this.#reported.has(key) || this.#reported.size >= MAX_REPORTED_CHATS) return;
    this.#reported.add(key);
    logger.info("updates of a chat are not taken in: not authorised", fields);
  }
}
