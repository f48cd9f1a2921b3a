/**
 * What the suite hands to a test runner, and what it asks of a store to be tested.
 *
 * @module
 */
import type { Clock, MessageStore, StoreCapabilities } from "../../core/mod.ts";

/** One case of the suite: hand it to any test runner. */
export interface ContractCase {
  /** What must hold, beginning with the method it is about. */
  readonly name: string;
  /** Runs it on a store of its own. Rejects when it does not hold. */
  readonly run: () => Promise<void>;
  /** Why it does not apply to this store. A runner should show it. */
  readonly skip?: string;
}

/** How a store is to be opened for a case. */
export interface OpenStoreOptions {
  /** The clock the store must go by: a test moves it. */
  readonly clock: Clock;
  /** The limit the store must enforce. */
  readonly maxMessageBytes: number;
  /** Whom the store must tell of listeners that throw, if it tells anybody. */
  readonly onListenerError: (error: unknown) => void;
}

/** What the suite has to know of a store. */
export interface MessageStoreContractOptions {
  /** What the store must say of itself. Cases it cannot pass by design are skipped with the reason. */
  readonly capabilities: StoreCapabilities;
  /**
   * Opens again what a store has written, as after a crash: without closing it first where that can be done. Absent: the
   * cases about what outlives the process are skipped.
   */
  readonly reopen?: (store: MessageStore, options: OpenStoreOptions) => Promise<MessageStore>;
}

/** Opens an empty store. */
export type OpenStore = (options: OpenStoreOptions) => Promise<MessageStore>;
