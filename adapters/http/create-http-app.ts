/**
 * The application as a Hono app.
 *
 * @module
 */
import { Hono } from "hono";
import { assertName, ConfigError } from "../../core/mod.ts";
import { addEmulatorRoutes } from "./emulator-routes.ts";
import { type EmulatorSource, isEmulator } from "./emulator-source.ts";
import type { EventHubOptions } from "./event-hub.ts";
import { addHealthRoutes } from "./health-routes.ts";
import type { HttpApplication } from "./http-application.ts";
import { problem } from "./problem.ts";
import { answerTo } from "./router.ts";
import { addWebhookRoutes } from "./webhook-routes.ts";

/** What {@link createHttpApp} may be told. */
export interface HttpAppOptions {
  /**
   * Whether the emulator's page is served: `true` for the only emulator there is, or its name. It is for the person at
   * this machine; leave it off where strangers can reach the server. @default `false`
   */
  readonly emulator?: boolean | string;
  /** Limits of event streams. */
  readonly events?: Pick<EventHubOptions, "heartbeatMs" | "stallMs" | "maxBufferBytes" | "maxClients">;
}

/**
 * Serves an application: webhooks, health, and where asked for the emulator. The app's `fetch` is all a server needs.
 *
 * @param application The application.
 * @param options What is served beside webhooks and health.
 * @throws {ConfigError} If the emulator is asked for and there is none, or more than one.
 */
export function createHttpApp(application: HttpApplication, options: HttpAppOptions = {}): Hono {
  const { logger, clock } = application;
  const app = new Hono();
  app.notFound(() => problem("not-found"));
  app.onError((error, context) => answerTo(error, context.req.path, logger));
  addHealthRoutes(app, application);
  const emulator = findEmulator(application, options.emulator ?? false);
  if (emulator !== undefined) {
    addEmulatorRoutes(app, { emulator, clock, logger, events: options.events ?? {} });
  }
  addWebhookRoutes(app, application);
  return app;
}

function findEmulator(application: HttpApplication, wanted: boolean | string): EmulatorSource | undefined {
  if (wanted === false) return undefined;
  const emulators = [...application.communicators.values()].filter(isEmulator);
  if (typeof wanted === "string") {
    const found = emulators.find(({ name }) => name === assertName(wanted, "emulator"));
    if (found !== undefined) return found;
    throw new ConfigError([{ path: "emulator", message: `there is no emulator named "${wanted}"` }]);
  }
  const [only, ...others] = emulators;
  if (only !== undefined && others.length === 0) return only;
  const message = only === undefined
    ? "there is no backend of type emulator"
    : `there are ${emulators.length} emulators: name the one to show`;
  throw new ConfigError([{ path: "emulator", message }]);
}
