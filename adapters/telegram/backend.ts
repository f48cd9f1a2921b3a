/**
 * Telegram as a kind of backend.
 *
 * @module
 */
import type { BackendType } from "../../core/mod.ts";
import { TelegramCommunicator } from "./communicator.ts";
import { readTelegramConfig } from "./config.ts";

/**
 * Telegram as a kind of backend: `type: telegram` in a configuration.
 *
 * @example
 * ```ts
 * import { BackendRegistry } from "posthorn";
 * import { telegram } from "posthorn/telegram";
 *
 * const registry = new BackendRegistry([telegram]);
 * console.log(registry.types); // ["telegram"]
 * ```
 */
export const telegram: BackendType = {
  type: "telegram",
  create(name, config, { clock, logger, store }): TelegramCommunicator {
    const { options, warnings } = readTelegramConfig(config);
    for (const warning of warnings) logger.warn(warning, { backend: name });
    return new TelegramCommunicator(name, options, { clock, logger, store });
  },
};
