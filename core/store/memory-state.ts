/**
 * The state values of {@link MemoryStore}.
 *
 * @module
 */
import type { JsonValue } from "../message/json.ts";
import { LiveMap } from "../support/live-map.ts";
import { SortedQueue } from "../support/sorted-queue.ts";

/** One value. */
export interface MemoryValue {
  /** Its key. */
  readonly key: string;
  /** The value. */
  readonly value: JsonValue;
  /** Greater than that of any value the store had before. */
  readonly version: number;
  /** When it ends, on the store's clock; `Infinity` for never. */
  readonly expiresAt: number;
}

/** A value with its place among those that end. */
interface Slot extends MemoryValue {
  readonly seq: number;
  ticket: number;
}

/** Values by key, with an end each. */
export class MemoryState {
  readonly #slots = new LiveMap<string, Slot>();
  readonly #ending = new SortedQueue<Slot>();
  /** All keys, and some that are gone; in order up to where `#isSorted` says. */
  #keys: string[] = [];
  #isSorted = true;
  #versions = 0;

  /** The version the latest write got. */
  get latestVersion(): number {
    return this.#versions;
  }

  /** Forgets the values that have ended. */
  advance(now: number): void {
    while (this.#ending.firstKey <= now) {
      const slot = this.#ending.shift();
      if (slot === undefined) return;
      slot.ticket = 0;
      this.#slots.delete(slot.key);
    }
  }

  /** The version of a key; 0 when nothing is there. */
  versionOf(key: string): number {
    return this.#slots.get(key)?.version ?? 0;
  }

  /** A value. */
  get(key: string): MemoryValue | undefined {
    return this.#slots.get(key);
  }

  /** Writes a value. @returns Its version. */
  set(key: string, value: JsonValue, expiresAt: number): number {
    const version = ++this.#versions;
    const old = this.#slots.get(key);
    if (old === undefined) {
      this.#keys.push(key);
      this.#isSorted = false;
    } else {
      this.#forget(old);
    }
    const slot: Slot = { key, value, version, expiresAt, seq: version, ticket: 0 };
    this.#slots.set(key, slot);
    if (expiresAt !== Infinity) {
      slot.ticket = version;
      this.#ending.push(slot, expiresAt);
    }
    if (this.#keys.length > 2 * this.#slots.size + 32) this.#tidy();
    return version;
  }

  /** Deletes a value. @returns Whether it was there. */
  delete(key: string): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#forget(slot);
    return this.#slots.delete(key);
  }

  /** The values whose keys start with a prefix and are greater than `after`, by key. */
  list(prefix: string, after: string | undefined, limit: number = Infinity): MemoryValue[] {
    if (!this.#isSorted) this.#tidy();
    const keys = this.#keys;
    const found: MemoryValue[] = [];
    for (let index = this.#position(prefix, after); index < keys.length && found.length < limit; index++) {
      const key = keys[index];
      if (key === undefined || !key.startsWith(prefix)) break;
      const slot = this.#slots.get(key);
      if (slot !== undefined) found.push(slot);
    }
    return found;
  }

  #forget(slot: Slot): void {
    if (slot.ticket === 0) return;
    slot.ticket = 0;
    this.#ending.forget();
  }

  /** The first place of a key that is not before the prefix, and after `after`. */
  #position(prefix: string, after: string | undefined): number {
    const keys = this.#keys;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const key = keys[middle] ?? "";
      if (key < prefix || (after !== undefined && key <= after)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Sorts keys, and drops those that are gone or twice there. Sorting what is nearly sorted takes one pass. */
  #tidy(): void {
    const sorted = this.#keys.filter((key) => this.#slots.has(key)).sort();
    this.#keys = sorted.filter((key, index) => index === 0 || key !== sorted[index - 1]);
    this.#isSorted = true;
  }
}
