/**
 * What an application is made from beside its configuration.
 *
 * @module
 */
import type { BackendType } from "../communicators/backend-registry.ts";
import type { Communicator } from "../communicators/communicator.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";

/** What an application is made from beside its configuration. */
export interface ApplicationOptions {
  /** The kinds of backend the configuration may name. Those of `registerBackend` are known too. */
  readonly backends?: readonly BackendType[];
  /** Ready-made backends, with their labels, beside the configured ones. */
  readonly communicators?: readonly { readonly communicator: Communicator; readonly labels?: readonly string[] }[];
  /** Where everything is kept. @default a memory store: what is not sent when the process ends is gone; `stop` drains */
  readonly store?: MessageStore;
  /** Whether `stop` closes the store. @default `true` for the store the application made itself */
  readonly closeStore?: boolean;
  /** Time. @default the system's */
  readonly clock?: Clock;
  /** Where it says what it does. @default nowhere */
  readonly logger?: Logger;
  /** Gives ids. @default monotonic UUIDv7 */
  readonly newId?: () => string;
  /** Gives a number from 0 to 1, for jitter. @default the platform's cryptographic chance */
  readonly random?: () => number;
  /** Names this process in leases. @default a fresh id */
  readonly workerId?: string;
  /**
   * How long a claim on a message lasts without a heart-beat: how soon work is taken up again whose process died.
   * @default `60_000`
   */
  readonly leaseMs?: number;
  /** `pump`: no workers run by themselves; call `Application.pump`. @default `workers` */
  readonly mode?: "workers" | "pump";
}
