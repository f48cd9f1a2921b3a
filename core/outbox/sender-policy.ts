/**
 * How the deliveries of one backend are handled.
 *
 * @module
 */
import type { PacingDefaults, RetryPolicy } from "../communicators/communicator.ts";
import type { RestingOptions } from "../delivery/resting.ts";

/** What happens after an `unknown`: the message left and no answer came. */
export type UnknownPolicy = "retry" | "hold" | "fallback";

/** How one backend's deliveries are handled. */
export interface SenderPolicy {
  /** How they are retried, where it differs from the backend's own. @default 3 attempts, from 1 s to 60 s */
  readonly retry?: Partial<RetryPolicy>;
  /** How they are paced. @default the backend's own, or not at all */
  readonly pacing?: PacingDefaults;
  /** What happens after an `unknown`. @default `"retry"` */
  readonly onUnknown?: UnknownPolicy;
  /** How long a message that waits for its retry holds up the others of its lane at most. @default `30_000` */
  readonly laneHoldMs?: number;
  /** How many are sent at once. @default `16` */
  readonly concurrency?: number;
  /** How long one attempt may take. @default `60_000`, or what the backend says */
  readonly sendTimeoutMs?: number;
  /**
   * How long after it was due a delivery is given up however few attempts it had, because the network only ever said
   * "later". @default 5 days
   */
  readonly maxAgeMs?: number;
  /** When it rests after failing again and again: a plan then goes on to the next channel. @default 5 failures, 60 s */
  readonly resting?: RestingOptions;
  /** How long an `unknown` that is held waits for a person. @default 24 hours */
  readonly holdMs?: number;
}
