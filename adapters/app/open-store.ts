/**
 * Opens the store that a configuration names.
 *
 * @module
 */
import { type Clock, ConfigError, MemoryStore, type MessageStore, StoreError } from "../../core/mod.ts";
import type { StoreConfig } from "../config/config-types.ts";

/**
 * Opens a store.
 *
 * @param config Which one.
 * @param options Time.
 * @returns The store. Who opens it closes it.
 * @throws {ConfigError} If it cannot be opened here, with the reason.
 */
export async function openStore(
  config: StoreConfig = { type: "memory" },
  options: { readonly clock?: Clock } = {},
): Promise<MessageStore> {
  const { type, max_message_bytes: maxMessageBytes } = config;
  const common = { ...options, ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }) };
  switch (type) {
    case "memory":
      return new MemoryStore(common);
    case "sqlite":
      return await openSqlite(config, common);
    case "durable-object":
      throw refuse(
        "a durable object is opened by Cloudflare, not by a path: use createWorker, or pass a store of your own",
      );
    case "nats":
      throw refuse("NATS is not in this version; use sqlite, or pass a store of your own");
    default:
      throw refuse(`unknown store type; known types are memory and sqlite`);
  }
}

async function openSqlite(
  config: StoreConfig,
  common: { readonly clock?: Clock; readonly maxMessageBytes?: number },
): Promise<MessageStore> {
  const { path, synchronous, busy_timeout: busyTimeout } = config;
  if (path === undefined) throw new ConfigError([{ path: "store.path", message: "is missing" }]);
  const { SqliteStore } = await import("../sqlite/mod.ts");
  try {
    return new SqliteStore({
      ...common,
      path,
      ...(synchronous === undefined ? {} : { synchronous: synchronous === "full" ? "FULL" : "NORMAL" }),
      ...(busyTimeout === undefined ? {} : { busyTimeoutMs: busyTimeout * 1_000 }),
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new ConfigError([{ path: "store.path", message: error.message }], { cause: error });
  }
}

function refuse(message: string): ConfigError {
  return new ConfigError([{ path: "store.type", message }]);
}
