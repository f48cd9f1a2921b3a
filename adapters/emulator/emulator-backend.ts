/**
 * The emulator as a kind of backend.
 *
 * @module
 */
import {
  BACKEND_COMMON_KEYS,
  type BackendConfig,
  type BackendContext,
  type BackendType,
  type Communicator,
  ConfigError,
  type ConfigIssue,
  kindOf,
  nearest,
  ValidationError,
} from "../../core/mod.ts";
import { EmulatorCommunicator } from "./emulator-communicator.ts";

/** What a configuration may say of an emulator. */
const KEYS: readonly string[] = ["token", "conversation", "keep_entries", "max_conversations", "max_text_length"];

/**
 * The kind `emulator`: `token`, `conversation`, `keep_entries`, `max_conversations`, `max_text_length`, all optional.
 *
 * @example
 * ```ts
 * import { Application } from "posthorn";
 * import { emulator } from "posthorn/emulator";
 *
 * const app = await Application.create(
 *   { communications: { enabled: true, backends: { emulator: { type: "emulator" } } } },
 *   { backends: [emulator] },
 * );
 * await app.stop();
 * ```
 */
export const emulator: BackendType = {
  type: "emulator",
  create(name: string, config: BackendConfig, { store, clock, logger }: BackendContext): Communicator {
    const issues: ConfigIssue[] = Object.keys(config)
      .filter((key) => !BACKEND_COMMON_KEYS.includes(key) && !KEYS.includes(key))
      .map((key) => ({ path: key, message: unknownKey(key) }));
    const text = (key: string): string | undefined => {
      const value = config[key];
      if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
      issues.push({ path: key, message: `must be a text, not ${kindOf(value)}` });
      return undefined;
    };
    const number = (key: string): number | undefined => {
      const value = config[key];
      if (value === undefined || value === null || typeof value === "number") return value ?? undefined;
      issues.push({ path: key, message: `must be a number, not ${kindOf(value)}` });
      return undefined;
    };
    const options = {
      token: text("token"),
      conversation: text("conversation"),
      keepEntries: number("keep_entries"),
      maxConversations: number("max_conversations"),
      maxTextLength: number("max_text_length"),
    };
    if (issues.length > 0) throw new ConfigError(issues);
    try {
      return new EmulatorCommunicator(name, { ...options, store, clock, logger });
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      const path = error.argument.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      throw new ConfigError([{ path, message: error.message }], { cause: error });
    }
  },
};

function unknownKey(key: string): string {
  const guess = nearest(key, KEYS);
  return guess === undefined ? "is not known" : `is not known; did you mean "${guess}"?`;
}
