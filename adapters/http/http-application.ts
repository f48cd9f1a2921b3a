/**
 * What the HTTP layer needs of an application.
 *
 * @module
 */
import type { ChannelCore, Clock, Communicator, Logger, MessageStore } from "../../core/mod.ts";

/** The part of an application that is served. `Application` fits. */
export interface HttpApplication {
  /** Where everything is kept. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what it does. */
  readonly logger: Logger;
  /** The backends by name. */
  readonly communicators: ReadonlyMap<string, Communicator>;
  /** The channels by id. */
  readonly channels: ReadonlyMap<string, ChannelCore>;
}
