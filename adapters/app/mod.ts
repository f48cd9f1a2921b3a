/**
 * An application from a configuration, in one call.
 *
 * @module
 */
export { createApplication, type CreateApplicationOptions } from "./create-application.ts";
export { httpOptionsFrom } from "./http-options.ts";
export { openStore } from "./open-store.ts";
export { prepareApplication, type PreparedApplication, type PrepareOptions } from "./prepare-application.ts";
export { type ApplicationPreview, previewApplication } from "./preview-application.ts";
