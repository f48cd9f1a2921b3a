/**
 * What a queue consumer is made from, and how a piece of work ends.
 *
 * @module
 */
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { MessageStore, OperationResult, ReleaseOperation, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";

/**
 * What is committed together with the end of a piece of work. A function is asked again when state it had read changed
 * before the commit (a compare-and-set failed).
 */
export type SettlementOperations = readonly StoreOperation[] | (() => Promise<readonly StoreOperation[]>);

/** How a piece of work ends: with its acknowledgement or its release, and what is committed together with that. */
export type Settlement =
  | {
    /** The work is done. */
    readonly kind: "ack";
    /** What is committed with it. */
    readonly operations?: SettlementOperations;
  }
  | {
    /** The work goes back to the queue. */
    readonly kind: "release";
    /** For how long, and what the history says. */
    readonly release: Omit<ReleaseOperation, "type" | "channel" | "seq" | "token">;
    /** What is committed with it. */
    readonly operations?: SettlementOperations;
  };

/** What a piece of work may use. */
export interface WorkContext {
  /** Fires when the lease is lost, or the worker has to stop now. Its reason says which. */
  readonly signal: AbortSignal;
  /** Which delivery of the message this is, from 1. */
  readonly attempt: number;
}

/** What a consumer is made from. */
export interface QueueConsumerOptions {
  /** Where the work is. */
  readonly store: MessageStore;
  /** The channel's key. */
  readonly channel: string;
  /** Who works. */
  readonly workerId: string;
  /** How many pieces at once. */
  readonly concurrency: number;
  /** How long a lease lasts; it is extended at a third of it while the work runs. */
  readonly leaseMs: number;
  /** Time. */
  readonly clock: Clock;
  /** Does the work and says how it ends. It should not throw; if it does, the lease is left to end by itself. */
  readonly work: (message: ClaimedMessage, context: WorkContext) => Promise<Settlement>;
  /**
   * Called after a settlement is committed, or was refused because the lease was lost. The results are those of the
   * end of the work and of the operations with it. The place of the work stays taken until it is done.
   */
  readonly settled?: (
    message: ClaimedMessage,
    settlement: Settlement,
    committed: boolean,
    results: readonly OperationResult[],
  ) => void | Promise<void>;
  /** Hears what goes wrong outside the work. */
  readonly onError: (error: unknown) => void;
  /** How often a store that does not tell of other processes' writes is looked at. @default `1_000` */
  readonly pollIntervalMs?: number;
}

/** The operation that ends a delivery as a settlement says. */
export function endOf(
  settlement: Settlement,
  held: { readonly channel: string; readonly seq: number; readonly token: string },
): StoreOperation {
  return settlement.kind === "ack" ? { type: "ack", ...held } : { type: "release", ...held, ...settlement.release };
}

/** A piece of work that runs. */
export interface Running {
  /** What is worked on. */
  readonly message: ClaimedMessage;
  /** Tells it to end. */
  readonly controller: AbortController;
  /** Resolves when it has ended and that is committed. */
  done: Promise<void>;
  /** When the lease ends as far as is known, by the clock that does not jump. */
  leaseEndsAt: number;
  /** Whether the work is over and its end is being committed. */
  isSettling: boolean;
}
