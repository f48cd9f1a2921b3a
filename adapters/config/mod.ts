/**
 * Configuration from YAML: parsed within limits, variables filled in, checked at once and in full.
 *
 * @module
 */
export { checkConfig, type CheckConfigOptions, type LoadedConfig } from "./check-config.ts";
export * from "./config-types.ts";
export { configJsonSchema } from "./json-schema.ts";
export { parseSeconds } from "./duration.ts";
export { loadConfig, type LoadConfigOptions } from "./load-config.ts";
export { DEFAULT_MAX_CONFIG_BYTES } from "./source-limits.ts";
export type { ConfigEnvironment } from "./substitute-env.ts";
export type { RateRule, RateSettings, RetrySettings } from "./schema/backend-common.ts";
