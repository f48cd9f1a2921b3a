/**
 * Runs every step at once: in a Durable Object nobody else writes, and what one turn writes goes to the disk together
 * anyway.
 *
 * @module
 */
import { StoreError } from "../../core/mod.ts";
import type { Listeners } from "../sql/listeners.ts";
import type { SqlEngine } from "../sql/sql-engine.ts";
import type { SqlScheduler } from "../sql/sql-message-store.ts";
import { asStoreFailure } from "../sql/store-failure.ts";

/** See the module. */
export class ImmediateScheduler implements SqlScheduler {
  readonly #engine: SqlEngine;
  readonly #listeners: Listeners;
  #isClosed = false;

  /** @param engine What runs transactions. @param listeners Whom to call when a channel changed. */
  constructor(engine: SqlEngine, listeners: Listeners) {
    this.#engine = engine;
    this.#listeners = listeners;
  }

  /** {@inheritDoc SqlScheduler.write} */
  write<Result>(action: string, step: () => Result, idle?: () => Result | undefined): Promise<Result> {
    try {
      this.#assertOpen(action);
      const given = idle?.();
      if (given !== undefined) return Promise.resolve(given);
      const { result, touched } = this.#engine.transaction(step);
      this.#listeners.notify(touched);
      return Promise.resolve(result);
    } catch (error) {
      return Promise.reject(asStoreFailure(action, error));
    }
  }

  /** {@inheritDoc SqlScheduler.read} */
  read<Result>(action: string, step: () => Result): Promise<Result> {
    try {
      this.#assertOpen(action);
      return Promise.resolve(step());
    } catch (error) {
      return Promise.reject(asStoreFailure(action, error));
    }
  }

  /** {@inheritDoc SqlScheduler.watch} */
  watch(channel: string, listener: () => void): () => void {
    this.#assertOpen("watch");
    return this.#listeners.add(channel, listener);
  }

  /** {@inheritDoc SqlScheduler.close} */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    return Promise.resolve();
  }

  #assertOpen(action: string): void {
    if (this.#isClosed) throw new StoreError(`Cannot ${action}: store is closed`);
  }
}
