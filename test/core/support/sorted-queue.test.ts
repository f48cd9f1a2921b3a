import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { SortedQueue } from "../../../core/support/sorted-queue.ts";

interface Item {
  readonly seq: number;
  ticket: number;
  key: number;
}

/** A queue beside a plain list that is sorted whenever it is asked. */
class Pair {
  readonly queue: SortedQueue<Item> = new SortedQueue();
  readonly items: Item[] = [];
  #tickets = 0;
  #seq = 0;

  push(key: number, seq: number = ++this.#seq): void {
    const item: Item = { seq, ticket: ++this.#tickets, key };
    this.items.push(item);
    this.queue.push(item, key);
  }

  /** Gives an item another place. */
  move(pick: number, key: number): void {
    const item = this.items[pick % this.items.length];
    if (item === undefined) return;
    item.ticket = ++this.#tickets;
    item.key = key;
    this.queue.forget();
    this.queue.push(item, key);
  }

  remove(pick: number): void {
    const [item] = this.items.splice(pick % Math.max(1, this.items.length), 1);
    if (item === undefined) return;
    item.ticket = 0;
    this.queue.forget();
  }

  shift(): void {
    const item = this.queue.shift();
    const first = this.items.toSorted(compare)[0];
    assert.equal(item, first);
    if (first === undefined) return;
    this.items.splice(this.items.indexOf(first), 1);
    first.ticket = 0;
  }

  check(): void {
    const first = this.items.toSorted(compare)[0];
    assert.equal(this.queue.size, this.items.length);
    assert.equal(this.queue.peek(), first);
    assert.equal(this.queue.firstKey, first?.key ?? Infinity);
  }
}

function compare(left: Item, right: Item): number {
  return left.key - right.key || left.seq - right.seq;
}

describe("SortedQueue", () => {
  it("SortedQueue gives items by key and seq, whatever was moved and removed", () => {
    const key = fc.integer({ min: 0, max: 30 });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ type: fc.constant("push"), key, pick: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant("later"), key, pick: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant("move"), key, pick: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constant("remove"), key, pick: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ type: fc.constant("shift"), key, pick: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
        const pair = new Pair();
        for (const [index, { type, key, pick }] of steps.entries()) {
          if (type === "push") pair.push(key);
          else if (type === "later") pair.push(index);
          else if (type === "move") pair.move(pick, key);
          else if (type === "remove") pair.remove(pick);
          else pair.shift();
          pair.check();
        }
        while (pair.items.length > 0) pair.shift();
        pair.check();
      }),
      { numRuns: 200 },
    );
  });

  it("SortedQueue forEach() visits every valid item once", () => {
    const pair = new Pair();
    for (let index = 0; index < 100; index++) pair.push(index % 7);
    for (let index = 0; index < 40; index++) pair.move(index * 3, index);
    for (let index = 0; index < 30; index++) pair.remove(index);
    const visited: Item[] = [];
    pair.queue.forEach((item) => void visited.push(item));
    assert.deepEqual(visited.toSorted(compare), pair.items.toSorted(compare));
  });

  it("SortedQueue keeps no more void places than valid ones, give or take a few, whatever comes and goes", () => {
    let reads = 0;
    class CountingItem {
      readonly seq: number;
      place = 1;
      constructor(seq: number) {
        this.seq = seq;
      }
      get ticket(): number {
        reads++;
        return this.place;
      }
    }
    const queue = new SortedQueue<CountingItem>();
    const staying = Array.from({ length: 50 }, (_, seq) => new CountingItem(seq));
    for (const item of staying) queue.push(item, 0);
    for (let seq = 50; seq < 20_000; seq++) {
      const item = new CountingItem(seq);
      // Every other one out of order, so that the heap has its share.
      queue.push(item, seq % 2 === 0 ? seq : 1);
      item.place = 0;
      queue.forget();
      if (seq % 100 !== 0) continue;
      // Every place is looked at once.
      reads = 0;
      let visited = 0;
      queue.forEach(() => void visited++);
      assert.equal(visited, staying.length);
      assert.ok(reads <= 2 * staying.length + 40, `${reads} places for ${staying.length} items`);
    }
  });
});
