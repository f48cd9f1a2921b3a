/**
 * A priority queue for what mostly arrives in order: leases of one length, messages as they are written.
 *
 * @module
 */

/** What can stand in a {@link SortedQueue}. */
export interface Ticketed {
  /** Breaks ties between equal keys. */
  readonly seq: number;
  /**
   * Names the one place the item has now; 0 when it has none. A queue notes it at push, and a note that differs from it
   * later is void.
   */
  readonly ticket: number;
}

/** So few void places are never worth tidying up. */
const SLACK = 32;

/** Smaller rings are kept: making them anew costs more than they hold. */
const SMALLEST_SHRUNK = 1_024;

/**
 * Items by key, then by `seq`. What arrives in order goes to a ring and costs a few nanoseconds; only what does not goes
 * to a heap. An item leaves from the middle by getting another ticket (and one call of {@link SortedQueue.forget}): its
 * place becomes void and is passed over later. Void places never outnumber the valid ones by more than a constant.
 */
export class SortedQueue<Item extends Ticketed> {
  readonly #ring = new Ring<Item>();
  readonly #heap = new Heap<Item>();
  #size = 0;

  /** How many valid items there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item under its present ticket. */
  push(item: Item, key: number): void {
    const ring = this.#ring;
    if (ring.length === 0 || isOrdered(ring.lastKey, ring.lastSeq, key, item.seq)) ring.push(item, key);
    else this.#heap.push(item, key);
    this.#size++;
    if (ring.length + this.#heap.length > 2 * this.#size + SLACK) this.#tidy();
  }

  /** The first item, which stays. */
  peek(): Item | undefined {
    return this.#isHeapFirst() ? this.#heap.first : this.#ring.first;
  }

  /** The key of the first item; `Infinity` when there is none. */
  get firstKey(): number {
    if (this.#size === 0) return Infinity;
    return this.#isHeapFirst() ? this.#heap.firstKey : this.#ring.length === 0 ? Infinity : this.#ring.firstKey;
  }

  /** Takes the first item out. */
  shift(): Item | undefined {
    const source = this.#isHeapFirst() ? this.#heap : this.#ring;
    const item = source.first;
    if (item === undefined) return undefined;
    source.shift();
    this.#size--;
    return item;
  }

  /** Says that one of the items got another ticket. */
  forget(): void {
    this.#size--;
    if (this.#ring.length + this.#heap.length > 2 * this.#size + SLACK) this.#tidy();
  }

  /** Calls back with every valid item, in no order. */
  forEach(visit: (item: Item) => void): void {
    this.#ring.forEach(visit);
    this.#heap.forEach(visit);
  }

  /** Passes over void places at both heads, then tells where the first item is. */
  #isHeapFirst(): boolean {
    const ring = this.#ring;
    const heap = this.#heap;
    ring.skipVoid();
    if (heap.length === 0) return false;
    heap.skipVoid();
    if (heap.length === 0) return false;
    return ring.length === 0 || isOrdered(heap.firstKey, heap.firstSeq, ring.firstKey, ring.firstSeq);
  }

  #tidy(): void {
    this.#ring.tidy();
    this.#heap.tidy();
  }
}

function isOrdered(leftKey: number, leftSeq: number, rightKey: number, rightSeq: number): boolean {
  return leftKey < rightKey || (leftKey === rightKey && leftSeq <= rightSeq);
}

/** A circular buffer in three columns; its capacity is a power of two. */
class Ring<Item extends Ticketed> {
  #items: (Item | undefined)[] = [];
  #keys: number[] = [];
  #tickets: number[] = [];
  #head = 0;
  length = 0;

  get first(): Item | undefined {
    return this.length === 0 ? undefined : this.#items[this.#head];
  }

  get firstKey(): number {
    return this.#keys[this.#head] ?? Infinity;
  }

  get firstSeq(): number {
    return this.#items[this.#head]?.seq ?? Infinity;
  }

  get lastKey(): number {
    return this.#keys[(this.#head + this.length - 1) & (this.#items.length - 1)] ?? -Infinity;
  }

  get lastSeq(): number {
    return this.#items[(this.#head + this.length - 1) & (this.#items.length - 1)]?.seq ?? -Infinity;
  }

  push(item: Item, key: number): void {
    if (this.length === this.#items.length) this.#resize(Math.max(4, this.length * 2));
    const index = (this.#head + this.length) & (this.#items.length - 1);
    this.#items[index] = item;
    this.#keys[index] = key;
    this.#tickets[index] = item.ticket;
    this.length++;
  }

  shift(): void {
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.length--;
    const capacity = this.#items.length;
    if (capacity > SMALLEST_SHRUNK && this.length < capacity >> 3) this.#resize(capacity >> 1);
  }

  skipVoid(): void {
    while (this.length > 0 && this.#items[this.#head]?.ticket !== this.#tickets[this.#head]) this.shift();
  }

  tidy(): void {
    const mask = this.#items.length - 1;
    let kept = 0;
    for (let offset = 0; offset < this.length; offset++) {
      const from = (this.#head + offset) & mask;
      const item = this.#items[from];
      const ticket = this.#tickets[from];
      if (item === undefined || ticket === undefined || item.ticket !== ticket) continue;
      const to = (this.#head + kept++) & mask;
      this.#items[to] = item;
      this.#keys[to] = this.#keys[from] ?? 0;
      this.#tickets[to] = ticket;
    }
    for (let offset = kept; offset < this.length; offset++) this.#items[(this.#head + offset) & mask] = undefined;
    this.length = kept;
    let capacity = this.#items.length;
    while (capacity > SMALLEST_SHRUNK && kept < capacity >> 3) capacity >>= 1;
    if (capacity !== this.#items.length) this.#resize(capacity);
  }

  forEach(visit: (item: Item) => void): void {
    for (let offset = 0; offset < this.length; offset++) {
      const index = (this.#head + offset) & (this.#items.length - 1);
      const item = this.#items[index];
      if (item !== undefined && item.ticket === this.#tickets[index]) visit(item);
    }
  }

  #resize(capacity: number): void {
    const mask = this.#items.length - 1;
    const items: (Item | undefined)[] = [];
    const keys: number[] = [];
    const tickets: number[] = [];
    for (let offset = 0; offset < this.length; offset++) {
      const index = (this.#head + offset) & mask;
      items.push(this.#items[index]);
      keys.push(this.#keys[index] ?? 0);
      tickets.push(this.#tickets[index] ?? 0);
    }
    // Filled to the brim, because arrays with holes are slower for good.
    for (let index = this.length; index < capacity; index++) {
      items.push(undefined);
      keys.push(0);
      tickets.push(0);
    }
    this.#items = items;
    this.#keys = keys;
    this.#tickets = tickets;
    this.#head = 0;
  }
}

interface Place<Item> {
  readonly item: Item;
  readonly key: number;
  readonly ticket: number;
}

/** A binary heap. */
class Heap<Item extends Ticketed> {
  #places: Place<Item>[] = [];

  get length(): number {
    return this.#places.length;
  }

  get first(): Item | undefined {
    return this.#places[0]?.item;
  }

  get firstKey(): number {
    return this.#places[0]?.key ?? Infinity;
  }

  get firstSeq(): number {
    return this.#places[0]?.item.seq ?? Infinity;
  }

  push(item: Item, key: number): void {
    const place: Place<Item> = { item, key, ticket: item.ticket };
    this.#places.push(place);
    this.#rise(place, this.#places.length - 1);
  }

  shift(): void {
    const last = this.#places.pop();
    if (last !== undefined && this.#places.length > 0) this.#sink(last, 0);
  }

  skipVoid(): void {
    for (let first = this.#places[0]; first !== undefined && isVoid(first); first = this.#places[0]) this.shift();
  }

  tidy(): void {
    const places = this.#places.filter((place) => !isVoid(place));
    this.#places = places;
    for (let index = (places.length >> 1) - 1; index >= 0; index--) {
      const place = places[index];
      if (place !== undefined) this.#sink(place, index);
    }
  }

  forEach(visit: (item: Item) => void): void {
    for (const place of this.#places) {
      if (!isVoid(place)) visit(place.item);
    }
  }

  #rise(place: Place<Item>, from: number): void {
    const places = this.#places;
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = places[above];
      if (parent === undefined || isOrdered(parent.key, parent.item.seq, place.key, place.item.seq)) break;
      places[index] = parent;
      index = above;
    }
    places[index] = place;
  }

  #sink(place: Place<Item>, from: number): void {
    const places = this.#places;
    let index = from;
    for (let below = 2 * index + 1; below < places.length; below = 2 * index + 1) {
      let child = places[below];
      const right = places[below + 1];
      if (
        child !== undefined && right !== undefined && isOrdered(right.key, right.item.seq, child.key, child.item.seq)
      ) {
        child = right;
        below++;
      }
      if (child === undefined || isOrdered(place.key, place.item.seq, child.key, child.item.seq)) break;
      places[index] = child;
      index = below;
    }
    places[index] = place;
  }
}

function isVoid(place: Place<Ticketed>): boolean {
  return place.item.ticket !== place.ticket;
}
