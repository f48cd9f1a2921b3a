/**
 * What the HTTP layer needs of an application.
 *
 * @module
 */
import type { Application } from "../../core/mod.ts";

/** The part of an {@link Application} that is served. */
export type HttpApplication = Pick<
  Application,
  | "channels"
  | "clock"
  | "communicators"
  | "emit"
  | "explain"
  | "health"
  | "inbox"
  | "isRunning"
  | "ledger"
  | "logger"
  | "outbox"
  | "store"
>;
