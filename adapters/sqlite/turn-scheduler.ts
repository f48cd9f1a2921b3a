/**
 * Puts all that is asked for in one turn of the event loop into one transaction, so that many writers share the one
 * wait for the disk that a commit costs.
 *
 * @module
 */
import { type Clock, StoreError } from "../../core/mod.ts";
import type { Listeners } from "../sql/listeners.ts";
import type { SqlEngine } from "../sql/sql-engine.ts";
import type { SqlScheduler } from "../sql/sql-message-store.ts";
import { asStoreFailure } from "../sql/store-failure.ts";
import { isBusy } from "./sqlite-database.ts";

/** So many steps share a transaction at most: others want to write too. */
const STEPS_AT_ONCE = 2_000;

const LONGEST_WAIT_MS = 50;

/** What a {@link TurnScheduler} works with. */
export interface TurnSchedulerOptions {
  /** What runs transactions. */
  readonly engine: SqlEngine;
  /** Whom to call when a channel changed. */
  readonly listeners: Listeners;
  /** Timers for waiting until another process has written. */
  readonly timers: Clock;
  /** How long to wait for that. */
  readonly busyTimeoutMs: number;
  /** How often to look for what other processes have written, while somebody watches. */
  readonly pollIntervalMs: number;
  /** A number that changes when another process has written. */
  readonly dataVersion: () => number;
  /** Closes the database. */
  readonly onClosed: () => void;
}

/** A step that waits for its transaction. */
interface Job {
  readonly action: string;
  /** Runs the step and keeps what it gives. */
  readonly run: () => void;
  /** Where the step needs no transaction: keeps what it gives and returns true. */
  readonly runIdle: () => boolean;
  /** Hands over what was kept. */
  readonly settle: () => void;
  readonly reject: (error: unknown) => void;
}

/** See the module. */
export class TurnScheduler implements SqlScheduler {
  readonly #options: TurnSchedulerOptions;
  #jobs: Job[] = [];
  #isScheduled = false;
  #closing: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;
  #polling: { cancel(): void } | undefined;
  #seenVersion = 0;

  /** @param options What it works with. */
  constructor(options: TurnSchedulerOptions) {
    this.#options = options;
  }

  /** {@inheritDoc SqlScheduler.write} */
  write<Result>(action: string, step: () => Result, idle?: () => Result | undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#assertOpen(action);
      let result: Result;
      this.#enqueue({
        action,
        run: () => void (result = step()),
        runIdle: () => {
          const given = idle?.();
          if (given === undefined) return false;
          result = given;
          return true;
        },
        settle: () => resolve(result),
        reject,
      });
    });
  }

  /** {@inheritDoc SqlScheduler.read} */
  read<Result>(action: string, step: () => Result): Promise<Result> {
    try {
      this.#assertOpen(action);
      if (!this.#isScheduled) return Promise.resolve(step());
    } catch (error) {
      // Busy: another process recovers the log, or closes the database as its last user. Then wait as a writer does.
      if (!isBusy(error)) return Promise.reject(asStoreFailure(action, error));
    }
    return new Promise((resolve, reject) => {
      let result: Result;
      const run = (): true => {
        result = step();
        return true;
      };
      this.#enqueue({ action, run, runIdle: run, settle: () => resolve(result), reject });
    });
  }

  /** {@inheritDoc SqlScheduler.watch} */
  watch(channel: string, listener: () => void): () => void {
    this.#assertOpen("watch");
    const end = this.#options.listeners.add(channel, listener);
    if (this.#polling === undefined && this.#options.pollIntervalMs !== Infinity) {
      this.#seenVersion = this.#options.dataVersion();
      this.#poll();
    }
    return () => {
      end();
      if (this.#options.listeners.isEmpty) this.#stopPolling();
    };
  }

  /** {@inheritDoc SqlScheduler.close} */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopPolling();
    if (this.#isScheduled) await new Promise<void>((resolve) => this.#onDrained = resolve);
    this.#options.listeners.clear();
    this.#options.onClosed();
  }

  #assertOpen(action: string): void {
    if (this.#closing !== undefined) throw new StoreError(`Cannot ${action}: store is closed`);
  }

  #enqueue(job: Job): void {
    this.#jobs.push(job);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => void this.#drain());
  }

  /** Runs what waits, and what comes while another process makes it wait. Every failure is that of a job. */
  async #drain(): Promise<void> {
    while (this.#jobs.length > 0) await this.#runGroup(this.#jobs.splice(0, STEPS_AT_ONCE));
    this.#isScheduled = false;
    this.#onDrained?.();
  }

  async #runGroup(group: readonly Job[]): Promise<void> {
    const { timers, busyTimeoutMs } = this.#options;
    const deadline = timers.monotonic() + busyTimeoutMs;
    for (let waitMs = 1;; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      const error = this.#attempt(group);
      if (error === undefined) return;
      if (!isBusy(error) && group.length > 1) break;
      if (!isBusy(error) || timers.monotonic() >= deadline) {
        for (const job of group) job.reject(asStoreFailure(job.action, error, isBusy(error)));
        return;
      }
      // Of a random length, or processes that wait alike would meet again.
      await timers.sleep(waitMs * (0.5 + Math.random()));
    }
    // One of them cannot be done, and undid the others: each gets a transaction and an error of its own.
    for (const job of group) await this.#runGroup([job]);
  }

  /** Runs a group together. @returns What was thrown; then nothing was written. */
  #attempt(group: readonly Job[]): unknown {
    let changed: Iterable<string> = [];
    try {
      if (!group.every(({ runIdle }) => runIdle())) {
        const { touched } = this.#options.engine.transaction(() => {
          for (const { run } of group) run();
        });
        changed = touched;
      }
    } catch (error) {
      return error ?? new StoreError("Cannot run transaction: something threw nothing");
    }
    this.#options.listeners.notify(changed);
    for (const { settle } of group) settle();
    return undefined;
  }

  #poll(): void {
    const { timers, pollIntervalMs, listeners } = this.#options;
    this.#polling = timers.setTimer(pollIntervalMs, () => {
      if (this.#hasForeignWrites()) listeners.notifyAll();
      if (this.#polling !== undefined) this.#poll();
    });
  }

  #stopPolling(): void {
    this.#polling?.cancel();
    this.#polling = undefined;
  }

  #hasForeignWrites(): boolean {
    try {
      const version = this.#options.dataVersion();
      const isOther = version !== this.#seenVersion;
      this.#seenVersion = version;
      return isOther;
    } catch {
      // Whoever is called looks for himself and gets the error, if it is still there.
      return true;
    }
  }
}
