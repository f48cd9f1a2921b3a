/**
 * What the channel suites share: a store on a clock that stands still, and patience that no clock measures.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Logger, ManualClock, type MessageStore, silentLogger, type StoreOperation } from "../../../core/mod.ts";
import { nextTurn } from "../../../core/support/clock.ts";

/** Opens an empty store. */
export type OpenStore = (clock: ManualClock) => MessageStore;

/** One test's store, clock and log. */
export interface Bench {
  readonly clock: ManualClock;
  readonly store: MessageStore;
  /** What every channel is made from, besides its id. */
  readonly base: { readonly clock: ManualClock; readonly store: MessageStore; readonly logger: Logger };
  /** What was logged as an error. */
  readonly errors: string[];
  /** What was logged as a warning. */
  readonly warnings: string[];
}

/** Runs a test with a store of its own, and closes that. */
export function withBench(open: OpenStore, body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return async () => {
    const clock = new ManualClock();
    const store = open(clock);
    const errors: string[] = [];
    const warnings: string[] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (text) => void warnings.push(text),
      error: (text, fields) => void errors.push(`${text}: ${fields?.["message"] ?? ""}`),
    };
    try {
      await body({ clock, store, base: { clock, store, logger }, errors, warnings });
    } finally {
      await store.close();
    }
  };
}

/** Waits, turn by turn of the platform's loop, until something is so. Time on the manual clock stands still. */
export async function eventually(isSo: () => boolean | Promise<boolean>, what = "it"): Promise<void> {
  for (let turn = 0; turn < 5_000; turn++) {
    if (await isSo()) return;
    await nextTurn();
  }
  assert.fail(`${what} did not come about`);
}

/** Moves the clock in steps until something is so. */
export async function advanceUntil(clock: ManualClock, stepMs: number, isSo: () => boolean): Promise<void> {
  for (let step = 0; step < 2_000 && !isSo(); step++) {
    await clock.advance(stepMs);
    for (let turn = 0; turn < 3; turn++) await nextTurn();
  }
  assert.ok(isSo(), "time passed, and it did not come about");
}

/** Lets everything settle that time has no hand in. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await nextTurn();
}

/** The ids, or contents, of messages. */
export function contents<T>(messages: readonly { readonly content: T }[]): readonly T[] {
  return messages.map((message) => message.content);
}

/** A store that can be told to fail, around one that works. */
export class FaultyStore implements MessageStore {
  readonly capabilities: MessageStore["capabilities"];
  readonly #inner: MessageStore;
  /** Asked before each call: what it gives is what the call rejects with. */
  fault: (method: string, operations?: readonly StoreOperation[]) => Error | undefined = () => undefined;

  constructor(inner: MessageStore, capabilities: Partial<MessageStore["capabilities"]> = {}) {
    this.#inner = inner;
    this.capabilities = { ...inner.capabilities, ...capabilities };
  }

  async #try<R>(method: string, call: () => Promise<R>, operations?: readonly StoreOperation[]): Promise<R> {
    const error = this.fault(method, operations);
    if (error !== undefined) throw error;
    return await call();
  }

  append(...args: Parameters<MessageStore["append"]>): ReturnType<MessageStore["append"]> {
    return this.#try("append", () => this.#inner.append(...args));
  }
  commit(...args: Parameters<MessageStore["commit"]>): ReturnType<MessageStore["commit"]> {
    return this.#try("commit", () => this.#inner.commit(...args), args[0]);
  }
  claim(...args: Parameters<MessageStore["claim"]>): ReturnType<MessageStore["claim"]> {
    return this.#try("claim", () => this.#inner.claim(...args));
  }
  readShared(...args: Parameters<MessageStore["readShared"]>): ReturnType<MessageStore["readShared"]> {
    return this.#try("readShared", () => this.#inner.readShared(...args));
  }
  get(...args: Parameters<MessageStore["get"]>): ReturnType<MessageStore["get"]> {
    return this.#try("get", () => this.#inner.get(...args));
  }
  query(...args: Parameters<MessageStore["query"]>): ReturnType<MessageStore["query"]> {
    return this.#try("query", () => this.#inner.query(...args));
  }
  prune(...args: Parameters<MessageStore["prune"]>): ReturnType<MessageStore["prune"]> {
    return this.#try("prune", () => this.#inner.prune(...args));
  }
  clear(...args: Parameters<MessageStore["clear"]>): ReturnType<MessageStore["clear"]> {
    return this.#try("clear", () => this.#inner.clear(...args));
  }
  stats(...args: Parameters<MessageStore["stats"]>): ReturnType<MessageStore["stats"]> {
    return this.#try("stats", () => this.#inner.stats(...args));
  }
  nextDueAt(...args: Parameters<MessageStore["nextDueAt"]>): ReturnType<MessageStore["nextDueAt"]> {
    return this.#try("nextDueAt", () => this.#inner.nextDueAt(...args));
  }
  watch(...args: Parameters<MessageStore["watch"]>): ReturnType<MessageStore["watch"]> {
    return this.#inner.watch(...args);
  }
  getState(...args: Parameters<MessageStore["getState"]>): ReturnType<MessageStore["getState"]> {
    return this.#try("getState", () => this.#inner.getState(...args));
  }
  listState(...args: Parameters<MessageStore["listState"]>): ReturnType<MessageStore["listState"]> {
    return this.#try("listState", () => this.#inner.listState(...args));
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.#inner.close();
  }
}
