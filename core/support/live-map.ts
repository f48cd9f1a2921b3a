/**
 * A map for what comes and goes.
 *
 * @module
 */

/** So few departures are never worth a new map. */
const SLACK = 256;

/**
 * As much of a `Map` as a queue needs. Now and then, when much has come and gone, it takes a new `Map` in place of the
 * old one, and keeps the order.
 *
 * The engines make a `Map` that grows or is tidied up out of tables, each of which points to the next. Once one of them
 * is old to the garbage collector, all that was ever in a later one is kept and copied until the next full collection:
 * that was half the time of a queue of ten messages (V8, November 2026).
 */
export class LiveMap<Key, Value> {
  #map = new Map<Key, Value>();
  #departures = 0;

  /** How many values there are. */
  get size(): number {
    return this.#map.size;
  }

  /** A value. */
  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  /** Whether there is a value. */
  has(key: Key): boolean {
    return this.#map.has(key);
  }

  /** Puts a value in. */
  set(key: Key, value: Value): void {
    this.#map.set(key, value);
  }

  /** Takes a value out. @returns Whether it was there. */
  delete(key: Key): boolean {
    if (!this.#map.delete(key)) return false;
    const departures = ++this.#departures;
    if (departures > SLACK && departures > 4 * this.#map.size) {
      this.#map = new Map(this.#map);
      this.#departures = 0;
    }
    return true;
  }

  /** Takes all values out. */
  clear(): void {
    this.#map = new Map();
    this.#departures = 0;
  }

  /** The values, in the order they came. Do not take any out while you go through them. */
  values(): IterableIterator<Value> {
    return this.#map.values();
  }
}
