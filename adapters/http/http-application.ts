/**
 * What the HTTP layer needs of an application.
 *
 * @module
 */
import type { Application } from "../../core/mod.ts";

/** The part of an {@link Application} that is served. */
export type HttpApplication = Pick<
  Application,
  | "acknowledge"
  | "cancel"
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
  | "plans"
  | "resolve"
  | "store"
>;
