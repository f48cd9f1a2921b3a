/**
 * The application as a Hono app.
 *
 * @module
 */
import { Hono } from "hono";
import { assertInteger, assertName, ConfigError } from "../../core/mod.ts";
import { Api } from "./api/api.ts";
import { addChannelRoutes } from "./api/channel-routes.ts";
import { addDeadLetterRoutes } from "./api/dead-letter-routes.ts";
import { addDeliveryRoutes } from "./api/delivery-routes.ts";
import { addMessageRoutes } from "./api/message-routes.ts";
import { addMetricsRoute } from "./api/metrics-route.ts";
import type { AllowedRecipients } from "./api/recipient-policy.ts";
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
  /**
   * What callers of the API must show as a bearer token, at least 16 characters. Without one the API is off, and only
   * webhooks, health and the emulator are served.
   */
  readonly token?: string | undefined;
  /**
   * For each backend by name, whom callers of the API may name as recipients: addresses, `*@domain`, or `*` for
   * everybody. Configured recipients are always reached. @default nobody
   */
  readonly allowRecipients?: AllowedRecipients;
  /** The largest body of a request to the API. @default `2_097_152` */
  readonly maxBodyBytes?: number;
  /** Limits of event streams. */
  readonly events?: Pick<EventHubOptions, "heartbeatMs" | "stallMs" | "maxBufferBytes" | "maxClients">;
}

/**
 * Serves an application: webhooks, health, the API and, where asked for, the emulator. The app's `fetch` is all that a
 * server needs.
 *
 * @param application The application.
 * @param options What is served beside webhooks and health.
 * @throws {ConfigError} If the token is too short, or the emulator is asked for and there is none, or more than one.
 *
 * @example
 * ```ts
 * import { Application } from "posthorn";
 * import { createHttpApp } from "posthorn/http";
 *
 * const application = await Application.create({});
 * const app = createHttpApp(application);
 * console.log((await app.request("/healthz")).status); // 200
 * await application.stop();
 * ```
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
  const api = new Api(app, application, {
    token: checkToken(options.token),
    maxBodyBytes: assertInteger(options.maxBodyBytes ?? 2_097_152, "maxBodyBytes", 1),
    events: options.events ?? {},
    allowRecipients: options.allowRecipients,
  });
  addMessageRoutes(api);
  addChannelRoutes(api);
  addDeadLetterRoutes(api);
  addDeliveryRoutes(api);
  addMetricsRoute(api);
  return app;
}

const TOKEN = /^[\x21-\x7e]{16,1000}$/;

function checkToken(token: string | undefined): string | undefined {
  if (token === undefined || TOKEN.test(token)) return token;
  throw new ConfigError([{ path: "token", message: "must be at least 16 visible ASCII characters" }]);
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
