/**
 * A map that keeps the latest.
 *
 * @module
 */

/**
 * A `Map` of what was put in last: at least so many, and at most twice as many. Of too many, the older half goes at once:
 * taking the oldest out one by one goes, each time, through the places of all that were ever taken out.
 */
export class LatestMap<Key, Value> {
  readonly #least: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /** @param least How many of the latest are kept at least. */
  constructor(least: number) {
    this.#least = least;
  }

  /** Puts a value in. */
  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#least) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /** A value. */
  get(key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** Takes a value out. @returns Whether it was there. */
  delete(key: Key): boolean {
    const wasYoung = this.#young.delete(key);
    return this.#old.delete(key) || wasYoung;
  }

  /** Takes all values out. */
  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
