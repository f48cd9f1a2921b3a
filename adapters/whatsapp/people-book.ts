/**
 * People whose ids change: which conversation an id belongs to, and where it is reached now.
 *
 * Meta names everybody by a business-scoped user id, and leaves the phone number out for people who hide it. When
 * somebody changes their number, that id changes too, and a webhook says so. A conversation keeps the name it began with.
 *
 * @module
 */
import { ConflictError, type JsonObject, type JsonValue, type StoreOperation } from "../../core/mod.ts";
import type { WhatsAppStore } from "./options.ts";
import { isUserId } from "./recipient.ts";

/** Where a book is kept. */
export interface PeopleBookOptions {
  /** Names the place in the store: `"backend/<name>/people/"`. */
  readonly prefix: string;
  /** The store; without one it is kept in memory, and only the latest. */
  readonly store: WhatsAppStore | undefined;
}

/** What is known of an id. */
interface Entry {
  /** The conversation of whoever has it. */
  readonly conversation?: string;
  /** The id that took its place: what is said to it goes there. */
  readonly next?: string;
  /** Of a phone number that names a conversation: whose conversation it is. */
  readonly owner?: string;
  /** When the latest news of it was told: older news is no news. */
  readonly at?: number;
}

interface Found {
  readonly entry: Entry;
  /** 0: there is none yet. */
  readonly version: number;
}

const MAX_HOPS = 16;
const MAX_CONFLICTS = 20;
const KEPT_IN_MEMORY = 10_000;
const NUMBER = /^\d{6,15}$/;

/** Keeps what is known of people's ids. */
export class PeopleBook {
  readonly #options: PeopleBookOptions;
  readonly #memory = new Map<string, JsonValue>();

  /**
   * Opens a book.
   *
   * @param options Where it is kept.
   */
  constructor(options: PeopleBookOptions) {
    this.#options = options;
  }

  /**
   * The conversation of whoever says something: the one their user id is known in, or else their number's, or one of
   * their own. A number that another person wrote from stays that person's: numbers are given to others.
   *
   * @param userId Their user id, where Meta gave one.
   * @param phone Their number, where it is not hidden.
   */
  async conversationOf(userId: string | undefined, phone: string | undefined): Promise<string> {
    if (userId === undefined || !isUserId(userId)) return phone ?? userId ?? "";
    return await this.#settle(async () => {
      const known = await this.#find(userId);
      if (known.entry.conversation !== undefined) return { answer: known.entry.conversation, writes: [] };
      const number = phone === undefined ? undefined : await this.#find(phone);
      const isFree = number !== undefined && (number.entry.owner ?? userId) === userId;
      if (phone === undefined || number === undefined || !isFree) {
        return { answer: userId, writes: [this.#write(userId, known, { conversation: userId })] };
      }
      return {
        answer: phone,
        writes: [
          this.#write(userId, known, { conversation: phone }),
          this.#write(phone, number, { ...number.entry, owner: userId }),
        ],
      };
    });
  }

  /**
   * Notes that somebody has another id from now on. Told twice, also late, is told once.
   *
   * @param from The id they had.
   * @param to The id they have.
   * @param at When, in milliseconds since 1970.
   * @returns Their conversation: the same as before.
   */
  async rename(from: string, to: string, at: number): Promise<string> {
    if (from === to || !isUserId(to) || !(isUserId(from) || NUMBER.test(from))) return to;
    return await this.#settle(async () => {
      const before = await this.#find(from);
      const { conversation = from } = before.entry;
      if (before.entry.next === to || (before.entry.at ?? 0) > at) return { answer: conversation, writes: [] };
      const after = await this.#find(to);
      const moved: Entry = { ...before.entry, conversation, next: to, at };
      const writes = [this.#write(from, before, from === conversation ? { ...moved, owner: to } : moved)];
      // The id they have now leads nowhere else, even if they had it once before.
      writes.push(this.#write(to, after, { conversation, at }));
      if (conversation !== from && NUMBER.test(conversation)) {
        const first = await this.#find(conversation);
        writes.push(this.#write(conversation, first, { ...first.entry, next: to, owner: to }));
      }
      return { answer: conversation, writes };
    });
  }

  /**
   * Where an address is reached now.
   *
   * @param address A number or a user id; anything else is what it is.
   */
  async addressOf(address: string): Promise<string> {
    let current = address;
    for (let hops = 0; hops < MAX_HOPS && (isUserId(current) || NUMBER.test(current)); hops++) {
      const { next } = (await this.#find(current)).entry;
      if (next === undefined) break;
      current = next;
    }
    return current;
  }

  /** Looks, and writes what follows from it; again, if somebody else wrote meanwhile. */
  async #settle(
    look: () => Promise<{ readonly answer: string; readonly writes: readonly StoreOperation[] }>,
  ): Promise<string> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const { answer, writes } = await look();
      if (writes.length === 0 || await this.#commit(writes)) return answer;
    }
    throw new ConflictError("Cannot note a person's id: others note the same again and again");
  }

  async #find(id: string): Promise<Found> {
    const key = this.#options.prefix + id;
    const { store } = this.#options;
    if (store === undefined) return { entry: entryFrom(this.#memory.get(key)), version: 0 };
    const state = await store.getState(key);
    return { entry: entryFrom(state?.value), version: state?.version ?? 0 };
  }

  #write(id: string, found: Found, entry: Entry): StoreOperation {
    const value: JsonObject = { ...entry };
    return { type: "set-state", key: this.#options.prefix + id, value, expectedVersion: found.version };
  }

  async #commit(writes: readonly StoreOperation[]): Promise<boolean> {
    const { store } = this.#options;
    if (store !== undefined) return (await store.commit(writes)).committed;
    for (const write of writes) {
      if (write.type !== "set-state") continue;
      this.#memory.delete(write.key);
      this.#memory.set(write.key, write.value);
    }
    for (const oldest of this.#memory.keys()) {
      if (this.#memory.size <= KEPT_IN_MEMORY) break;
      this.#memory.delete(oldest);
    }
    return true;
  }
}

function entryFrom(value: JsonValue | undefined): Entry {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const { conversation, next, owner, at } = value as JsonObject;
  return {
    ...(typeof conversation === "string" ? { conversation } : {}),
    ...(typeof next === "string" ? { next } : {}),
    ...(typeof owner === "string" ? { owner } : {}),
    ...(typeof at === "number" ? { at } : {}),
  };
}
