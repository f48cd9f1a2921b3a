/**
 * The subscribers of one channel object.
 *
 * @module
 */
import type { MessageStore } from "../store/message-store.ts";
import type { Clock, TimerHandle } from "../support/clock.ts";
import { pollIntervalOf } from "./polling.ts";
import type { Subscription } from "./subscription.ts";

/** The subscribers of one channel object, woken by one watch on the store, which ends with the last of them. */
export class Subscriptions<T> {
  readonly #store: MessageStore;
  readonly #key: string;
  readonly #clock: Clock;
  readonly #members = new Set<Subscription<T>>();
  #unwatch: (() => void) | undefined;
  #poll: TimerHandle | undefined;

  /**
   * @param store Where the channel is.
   * @param key Its key there.
   * @param clock Time.
   */
  constructor(store: MessageStore, key: string, clock: Clock) {
    this.#store = store;
    this.#key = key;
    this.#clock = clock;
  }

  /** How many there are. */
  get size(): number {
    return this.#members.size;
  }

  /** Adds one, and lets it look. */
  add(subscription: Subscription<T>): void {
    this.#unwatch ??= this.#store.watch(this.#key, () => this.#wakeAll());
    this.#members.add(subscription);
    this.#schedulePoll();
    subscription.wake();
  }

  /** Forgets one. */
  forget(subscription: Subscription<T>): void {
    this.#members.delete(subscription);
    if (this.#members.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#poll?.cancel();
    this.#poll = undefined;
  }

  /** Ends one, or every one of that name. @returns Whether there was one. */
  end(subscription: Subscription<T> | string): boolean {
    let found = false;
    for (const known of this.#members) {
      if (known !== subscription && known.id !== subscription) continue;
      known.unsubscribe();
      found = true;
    }
    return found;
  }

  /** Ends all. */
  endAll(): void {
    for (const member of this.#members) member.unsubscribe();
  }

  /** Resolves when all who are free have been called with what stands at a place. */
  async reached(seq: number): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.reached(seq)));
  }

  /** Resolves when all have seen what was written. */
  async idle(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.idle()));
  }

  #wakeAll(): void {
    for (const member of this.#members) member.wake();
  }

  #schedulePoll(): void {
    const intervalMs = pollIntervalOf(this.#store);
    if (intervalMs === undefined || this.#poll !== undefined) return;
    this.#poll = this.#clock.setTimer(intervalMs, () => {
      this.#poll = undefined;
      this.#wakeAll();
      if (this.#members.size > 0) this.#schedulePoll();
    });
  }
}
