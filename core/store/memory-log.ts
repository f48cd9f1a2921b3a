/**
 * The log of one channel of {@link MemoryStore}: everybody reads all of it, each from a place of their own.
 *
 * @module
 */
import type { StoredMessage } from "../message/channel-message.ts";
import type { MemoryEntry } from "./memory-entry.ts";
import { FieldIndexes, MemoryIndex } from "./memory-index.ts";
import type { Gap, SharedPage } from "./message-store.ts";

/** What a read asks for, checked. */
export interface LogRead {
  readonly readerId: string;
  readonly limit: number;
  readonly after?: number;
  readonly recipientId?: string;
  readonly advance?: boolean;
}

interface Reader {
  readonly cursor: number;
  /** What retention removed up to here was told, or was gone when the reader came. */
  readonly toldTo: number;
}

function isReadable(entry: MemoryEntry): boolean {
  return entry.isReadable;
}

function isStored(entry: MemoryEntry): boolean {
  return entry.isStored;
}

/** See the module. */
export class MemoryLog {
  readonly #readable = new MemoryIndex(isReadable);
  /** With the expired ones, which nobody reads and retention has still to remove. */
  readonly #stored = new MemoryIndex(isStored);
  readonly #byRecipient = new FieldIndexes(isReadable);
  readonly #readers = new Map<string, Reader>();
  /** The highest sequence number of the log that retention removed. */
  #prunedTo = 0;

  /** Takes in a message. */
  add(entry: MemoryEntry): void {
    this.#readable.push(entry);
    this.#stored.push(entry);
    this.#byRecipient.push(entry);
  }

  /** Takes out a message that is marked as gone. Where `isPruned`, by retention, readers get a gap. */
  take(entry: MemoryEntry, isPruned: boolean): void {
    if (isPruned && entry.seq > this.#prunedTo) this.#prunedTo = entry.seq;
    this.#stored.forget();
    this.#hide(entry);
  }

  /** Reads. */
  read(request: LogRead, now: number): SharedPage {
    const { readerId, limit, after, recipientId } = request;
    const { advance = after === undefined } = request;
    const reader = this.#readers.get(readerId);
    const from = after ?? reader?.cursor ?? 0;
    const toldTo = after ?? Math.max(from, reader === undefined ? this.#prunedTo : reader.toldTo);
    const messages = recipientId === undefined
      ? this.#collect(this.#readable, from, limit, now)
      : this.#collectFor(recipientId, from, limit, now);
    const cursor = messages.at(-1)?.seq ?? from;
    if (advance) {
      const place = messages.length > 0 ? cursor : reader?.cursor ?? 0;
      if (place !== reader?.cursor || reader.toldTo !== this.#prunedTo) {
        this.#readers.set(readerId, { cursor: place, toldTo: this.#prunedTo });
      }
    }
    const gap: Gap | undefined = this.#prunedTo > toldTo ? { fromSeq: toldTo + 1, toSeq: this.#prunedTo } : undefined;
    return gap === undefined ? { messages, cursor } : { messages, cursor, gap };
  }

  /** Moves a reader. What was removed behind the new place is told to it, even again. */
  setCursor(readerId: string, seq: number): void {
    this.#readers.set(readerId, { cursor: seq, toldTo: 0 });
  }

  /**
   * What retention removes: all that was stored before a time, and all but the latest few.
   *
   * @param before On the store's clock.
   * @param keepLatest How many it keeps of all there are.
   */
  prunable(before: number, keepLatest: number): MemoryEntry[] {
    const found: MemoryEntry[] = [];
    let surplus = this.#stored.size - keepLatest;
    for (let position = this.#stored.positionAfter(0); position < this.#stored.end; position++) {
      const entry = this.#stored.at(position);
      if (entry === undefined) continue;
      if (surplus-- <= 0 && entry.storedAt >= before) break;
      if (entry.state === "done") found.push(entry);
    }
    return found;
  }

  /** Forgets all readers. */
  forgetReaders(): void {
    this.#readers.clear();
  }

  #collect(index: MemoryIndex, after: number, limit: number, now: number): StoredMessage[] {
    const messages: StoredMessage[] = [];
    const expired: MemoryEntry[] = [];
    for (let position = index.positionAfter(after); position < index.end && messages.length < limit; position++) {
      const entry = index.at(position);
      if (entry === undefined) continue;
      if (entry.expiresAt > now) messages.push(entry.snapshot());
      else expired.push(entry);
    }
    for (const entry of expired) this.#hide(entry);
    return messages;
  }

  /** Two lists side by side: what is for one, and what is for nobody in particular. */
  #collectFor(recipientId: string, after: number, limit: number, now: number): StoredMessage[] {
    const all = this.#readable;
    const own = this.#byRecipient.get("recipientId", recipientId, all);
    const common = this.#byRecipient.get("recipientId", "", all);
    const left = own === undefined ? [] : this.#collect(own, after, limit, now);
    const right = common === undefined ? [] : this.#collect(common, after, limit, now);
    if (right.length === 0) return left;
    if (left.length === 0) return right;
    return [...left, ...right].sort((one, other) => one.seq - other.seq).slice(0, limit);
  }

  /** Nobody reads a message that is gone or has expired, so it need not be passed over every time. */
  #hide(entry: MemoryEntry): void {
    if (!entry.isReadable) return;
    entry.hide();
    this.#readable.forget();
    this.#byRecipient.forget(entry);
  }
}
