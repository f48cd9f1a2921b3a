/**
 * An application on HTTP: webhooks, health, event streams and the emulator's page, as a Hono app.
 *
 * @module
 */
export type { AllowedRecipients } from "./api/recipient-policy.ts";
export { createHttpApp, type HttpAppOptions } from "./create-http-app.ts";
export type { EventHubOptions } from "./event-hub.ts";
export type { HttpApplication } from "./http-application.ts";
