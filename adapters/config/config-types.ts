/**
 * A configuration as it is after loading: plain, in snake_case, durations in seconds.
 *
 * @module
 */
import type { ApplicationConfig } from "../../core/mod.ts";

/** Where everything is kept. */
export interface StoreConfig {
  /** `memory` ends with the process; `sqlite` is a file; `durable-object` is Cloudflare's; `nats` is a server. */
  readonly type: "memory" | "sqlite" | "durable-object" | "nats";
  /** SQLite: the file. */
  readonly path?: string;
  /** SQLite: `full` survives a power cut, `normal` only a crash of the process. */
  readonly synchronous?: "full" | "normal";
  /** SQLite: how long to wait for another process's write, in seconds. */
  readonly busy_timeout?: number;
  /** NATS: the servers. */
  readonly servers?: readonly string[];
  /** The largest message in bytes. */
  readonly max_message_bytes?: number;
}

/** The HTTP server. */
export interface ServerConfig {
  /** The address to listen on. @default `"127.0.0.1"` */
  readonly host?: string;
  /** The port. @default `8787` */
  readonly port?: number;
  /** What callers of the API must show. */
  readonly token?: string;
  /** Where the world reaches it: for webhooks. */
  readonly public_url?: string;
  /** Whether the emulator's page is served. @default `false` */
  readonly emulator?: boolean;
}

/** A whole configuration: what the application reads, and where it is kept and served. */
export interface PosthornConfig extends ApplicationConfig {
  /** Where everything is kept. @default `{ type: "memory" }` */
  readonly store?: StoreConfig;
  /** The HTTP server. */
  readonly server?: ServerConfig;
}
