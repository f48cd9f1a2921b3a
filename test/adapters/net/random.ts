// Chance that can be had again: the same seed gives the same numbers on every runtime.

/** A source of chance. */
export interface Chance {
  /** From 0, and less than `limit`. */
  readonly below: (limit: number) => number;
  /** One of a list. */
  readonly pick: <Item>(items: readonly Item[]) => Item;
}

/** mulberry32. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  function below(limit: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 0x1_0000_0000 * limit);
  }
  function pick<Item>(items: readonly Item[]): Item {
    const item = items[below(items.length)];
    if (item === undefined) {
      throw new RangeError("Cannot pick from an empty list");
    }
    return item;
  }
  return { below, pick };
}

/** How often a mutation test tries: a million with `POSTHORN_LONG=1`, a tenth of it otherwise. */
export function mutations(): number {
  const host: unknown = Reflect.get(globalThis, "process");
  const env: unknown = typeof host === "object" && host !== null ? Reflect.get(host, "env") : undefined;
  const isLong = typeof env === "object" && env !== null &&
    Reflect.get(env, "POSTHORN_LONG") === "1";
  return isLong ? 1_000_000 : 100_000;
}
