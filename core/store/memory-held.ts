/**
 * The messages of {@link MemoryStore} that are with workers.
 *
 * @module
 */
import type { MemoryEntry } from "./memory-entry.ts";

/** How many places there are at least: a power of two, as all sizes are. */
const SMALLEST = 64;

/**
 * Messages by sequence number: a table in which the end of the number is a message's place, and a map for those whose
 * place is taken. What workers hold is mostly of one stretch, so hardly any are in the map, which costs several times as
 * much.
 */
export class HeldEntries {
  #places: (MemoryEntry | undefined)[] = new Array<MemoryEntry | undefined>(SMALLEST).fill(undefined);
  readonly #others = new Map<number, MemoryEntry>();
  #size = 0;

  /** A message. */
  get(seq: number): MemoryEntry | undefined {
    const entry = this.#places[seq & (this.#places.length - 1)];
    if (entry !== undefined && entry.seq === seq) return entry;
    return this.#others.size === 0 ? undefined : this.#others.get(seq);
  }

  /** Puts a message in that is not there. */
  add(entry: MemoryEntry): void {
    if (++this.#size > this.#places.length) this.#resize(2 * this.#places.length);
    this.#put(entry);
  }

  /** Takes a message out. */
  delete(entry: MemoryEntry): void {
    const place = entry.seq & (this.#places.length - 1);
    if (this.#places[place] === entry) this.#places[place] = undefined;
    else if (!this.#others.delete(entry.seq)) return;
    const { length } = this.#places;
    if (--this.#size < length >> 3 && length > SMALLEST) this.#resize(length >> 1);
  }

  #put(entry: MemoryEntry): void {
    const place = entry.seq & (this.#places.length - 1);
    if (this.#places[place] === undefined) this.#places[place] = entry;
    else this.#others.set(entry.seq, entry);
  }

  #resize(length: number): void {
    const entries = [...this.#places, ...this.#others.values()];
    this.#places = new Array<MemoryEntry | undefined>(length).fill(undefined);
    this.#others.clear();
    for (const entry of entries) if (entry !== undefined) this.#put(entry);
  }
}
