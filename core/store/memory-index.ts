/**
 * Lists of the messages of one channel of {@link MemoryStore}, by sequence number.
 *
 * @module
 */
import { LiveMap } from "../support/live-map.ts";
import type { MemoryEntry } from "./memory-entry.ts";

/** So few places of messages that are gone are never worth tidying up. */
const SLACK = 32;

/**
 * Messages by sequence number: appended at the end, found by binary search, walked both ways. A message that is gone
 * leaves its place behind; such places never outnumber the others by more than a constant.
 */
export class MemoryIndex {
  readonly #isListed: (entry: MemoryEntry) => boolean;
  #entries: MemoryEntry[] = [];
  /** Places before this one are all of messages that are gone. */
  #head = 0;
  #gone = 0;

  /** @param isListed Whether a message belongs here still. Once it does not, it never does again. */
  constructor(isListed: (entry: MemoryEntry) => boolean) {
    this.#isListed = isListed;
  }

  /** How many messages it lists. */
  get size(): number {
    return this.#entries.length - this.#gone;
  }

  /** How many places there are, of messages that are gone too: the end of positions. */
  get end(): number {
    return this.#entries.length;
  }

  /** The first message. */
  get first(): MemoryEntry | undefined {
    const entries = this.#entries;
    for (let entry = entries[this.#head]; entry !== undefined; entry = entries[++this.#head]) {
      if (this.#isListed(entry)) return entry;
    }
    return undefined;
  }

  /** Adds a message: its sequence number must be the highest. */
  push(entry: MemoryEntry): void {
    this.#entries.push(entry);
  }

  /** Says that one of the messages is gone. */
  forget(): void {
    this.#gone++;
    if (this.#gone <= SLACK || this.#gone * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.filter(this.#isListed);
    this.#gone = 0;
    this.#head = 0;
  }

  /** The message at a position; `undefined` where one is gone, and beyond the end. */
  at(position: number): MemoryEntry | undefined {
    const entry = this.#entries[position];
    return entry !== undefined && this.#isListed(entry) ? entry : undefined;
  }

  /** The first position with a sequence number greater than this. */
  positionAfter(seq: number): number {
    return this.#search(seq, (entry) => entry.seq);
  }

  /** The first position from which on a timestamp may be this or later. */
  positionFrom(time: number): number {
    // Timestamps are their writers' and need not grow; the highest so far does.
    return this.#search(time, (entry) => entry.peak, true);
  }

  /** All messages, oldest first. */
  *[Symbol.iterator](): Iterator<MemoryEntry> {
    for (let position = this.#head; position < this.end; position++) {
      const entry = this.at(position);
      if (entry !== undefined) yield entry;
    }
  }

  #search(value: number, of: (entry: MemoryEntry) => number, orEqual = false): number {
    const entries = this.#entries;
    let low = this.#head;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = entries[middle];
      if (entry === undefined) break;
      const found = of(entry);
      if (found > value || (orEqual && found === value)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The fields of an envelope that can be asked for by value. */
export type IndexedField = "correlationId" | "externalId" | "senderId" | "recipientId";

/**
 * The indexes of a channel over a field. Each is made when it is first used, from what is there, and kept from then on:
 * a work queue nobody searches pays for none.
 */
export class FieldIndexes {
  readonly #isListed: (entry: MemoryEntry) => boolean;
  readonly #fields = new Map<IndexedField, LiveMap<string, MemoryIndex>>();

  /** @param isListed As for {@link MemoryIndex}. */
  constructor(isListed: (entry: MemoryEntry) => boolean) {
    this.#isListed = isListed;
  }

  /**
   * The messages with a value.
   *
   * @param field The field.
   * @param value The value; `""` finds those without one.
   * @param all All messages by sequence number, should the index have to be made.
   */
  get(field: IndexedField, value: string, all: Iterable<MemoryEntry>): MemoryIndex | undefined {
    let values = this.#fields.get(field);
    if (values === undefined) {
      this.#fields.set(field, values = new LiveMap());
      for (const entry of all) this.#push(values, field, entry);
    }
    return values.get(value);
  }

  /** Adds a message to the indexes there are. */
  push(entry: MemoryEntry): void {
    if (this.#fields.size === 0) return;
    for (const [field, values] of this.#fields) this.#push(values, field, entry);
  }

  /** Takes a message out of the indexes there are, after it was marked as gone. */
  forget(entry: MemoryEntry): void {
    if (this.#fields.size === 0) return;
    for (const [field, values] of this.#fields) {
      const value = entry.envelope[field] ?? "";
      const index = values.get(value);
      index?.forget();
      if (index?.size === 0) values.delete(value);
    }
  }

  #push(values: LiveMap<string, MemoryIndex>, field: IndexedField, entry: MemoryEntry): void {
    const value = entry.envelope[field] ?? "";
    let index = values.get(value);
    if (index === undefined) values.set(value, index = new MemoryIndex(this.#isListed));
    index.push(entry);
  }
}
