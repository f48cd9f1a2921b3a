/**
 * A rest for channels that keep failing: a circuit breaker.
 *
 * @module
 */
import type { Receipt, RejectionReason } from "../message/receipt.ts";

/** When a channel rests. */
export interface RestingOptions {
  /** How many failures in a row send it to rest; 0: none does. @default `5` */
  readonly afterFailures?: number;
  /** How long it rests; then one delivery tries it. @default `60_000` */
  readonly forMs?: number;
}

/** How a channel stands. JSON. */
export interface RestingState {
  /** Failures in a row. */
  readonly failures: number;
  /** Until when nobody else tries it, in milliseconds since 1970; absent when it does not rest. */
  readonly restsUntil?: number;
  /** Its rest is over and one delivery tries it: the others wait for what comes of that, at most until `restsUntil`. */
  readonly isTrial?: boolean;
}

/** What happens to a channel. */
export type RestingEvent =
  | {
    /** Somebody would like to try it. */
    readonly type: "asked";
    /** When, in milliseconds since 1970. */
    readonly at: number;
  }
  | {
    /** It did what it should. */
    readonly type: "succeeded";
  }
  | {
    /** It failed. */
    readonly type: "failed";
    /** When, in milliseconds since 1970. */
    readonly at: number;
  };

/** A state, and whether who asked may try. */
export interface RestingStep {
  /** How the channel stands now. */
  readonly state: RestingState;
  /** Whether it may be tried. */
  readonly mayTry: boolean;
}

const DEFAULT_FAILURES = 5;
const DEFAULT_REST_MS = 60_000;
const AWAKE: RestingState = { failures: 0 };

/**
 * The next state of a channel: a pure function, so that several processes can share the state by compare-and-set. After so
 * many failures in a row it rests. The first to ask after a rest is its trial; the others are told to wait for what comes
 * of it. A success clears the count, a failed trial begins the next rest.
 *
 * @param state How it stands.
 * @param event What happens.
 * @param options When and how long it rests.
 * @returns The same state where nothing changes.
 *
 * @example
 * ```ts
 * import { advanceResting } from "posthorn";
 *
 * const options = { afterFailures: 1, forMs: 1_000 };
 * const { state } = advanceResting({ failures: 0 }, { type: "failed", at: 0 }, options);
 * console.log(advanceResting(state, { type: "asked", at: 999 }, options).mayTry); // false
 * console.log(advanceResting(state, { type: "asked", at: 1_000 }, options).mayTry); // true
 * ```
 */
export function advanceResting(state: RestingState, event: RestingEvent, options: RestingOptions = {}): RestingStep {
  const { afterFailures = DEFAULT_FAILURES, forMs = DEFAULT_REST_MS } = options;
  const { failures, restsUntil, isTrial } = state;
  switch (event.type) {
    case "asked":
      if (restsUntil === undefined || afterFailures === 0) return { state, mayTry: true };
      if (restsUntil > event.at) return { state, mayTry: false };
      return { state: { failures, restsUntil: event.at + forMs, isTrial: true }, mayTry: true };
    case "succeeded":
      return { state: failures === 0 && restsUntil === undefined ? state : AWAKE, mayTry: true };
    case "failed": {
      const next = failures + 1;
      if (afterFailures === 0 || next < afterFailures) return { state: { failures: next }, mayTry: true };
      // Who had no other channel tries it in its rest too: that makes the rest no longer.
      const isResting = restsUntil !== undefined && restsUntil > event.at && isTrial !== true;
      return { state: { failures: next, restsUntil: isResting ? restsUntil : event.at + forMs }, mayTry: false };
    }
  }
}

/**
 * What a receipt says of the channel. What is wrong with one message or one recipient is no failure of it, and neither is
 * its wish for a slower pace.
 *
 * @param receipt What came of an attempt.
 * @param at When, in milliseconds since 1970.
 * @returns `undefined`: nothing. Nothing was tried, or nobody can say what came of it: what may have arrived again and
 * again sends no channel to rest.
 */
export function restingEventOf(receipt: Receipt, at: number): RestingEvent | undefined {
  if (receipt.outcome === "skipped" || receipt.outcome === "unknown") return undefined;
  const isFault = receipt.outcome === "rejected" && !PERSONAL.has(receipt.reason);
  return isFault ? { type: "failed", at } : { type: "succeeded" };
}

const PERSONAL: ReadonlySet<RejectionReason> = new Set([
  "invalid-recipient",
  "recipient-unreachable",
  "opted-out",
  "window-closed",
  "invalid-message",
  "unsupported",
  "rate-limited",
]);

/** Why a channel was left out, in words: `resting until 2026-11-21T15:37:40.000Z`. */
export function restingWords({ failures, restsUntil = 0 }: RestingState): string {
  return `resting until ${new Date(restsUntil).toISOString()} after ${failures} failures in a row`;
}

/** The states of the channels of one process. */
export class RestingChannels {
  readonly #options: RestingOptions;
  readonly #states = new Map<string, RestingState>();

  /** @param options When and how long. */
  constructor(options: RestingOptions = {}) {
    this.#options = options;
  }

  /** Whether a channel may be tried. */
  mayTry(name: string, at: number): boolean {
    return this.#advance(name, { type: "asked", at });
  }

  /** How a channel stands. */
  stateOf(name: string): RestingState {
    return this.#states.get(name) ?? AWAKE;
  }

  /** Counts what came of a try. */
  record(name: string, receipt: Receipt, at: number): void {
    const event = restingEventOf(receipt, at);
    if (event !== undefined) this.#advance(name, event);
  }

  #advance(name: string, event: RestingEvent): boolean {
    const { state, mayTry } = advanceResting(this.stateOf(name), event, this.#options);
    if (state.failures === 0) this.#states.delete(name);
    else this.#states.set(name, state);
    return mayTry;
  }
}
