/**
 * A configuration as it is after loading: plain, in snake_case, durations in seconds.
 *
 * @module
 */
import type { BackendConfig } from "../../core/mod.ts";

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

/** Backends and labels. */
export interface CommunicationsConfig {
  /** Whether anything of it starts. @default `false` */
  readonly enabled?: boolean;
  /** The backends by name. */
  readonly backends?: Readonly<Record<string, BackendConfig>>;
}

/** One channel. */
export interface ChannelConfig {
  /** `passthrough`, `broadcast`, `work_queue`, `mailbox` or `discovery`. */
  readonly type: string;
  /** A name for people. */
  readonly name?: string;
  /** What it is for. */
  readonly description?: string;
  /** Keeps tenants apart on one store. */
  readonly namespace?: string;
  /** How long messages are kept. */
  readonly retention?: { readonly max_age?: number; readonly max_count?: number };
  /** How often upkeep runs, in seconds. */
  readonly maintenance_interval?: number;
  /** Who may find it. */
  readonly visibility?: "public" | "private";
  /** What it can do, for discovery. */
  readonly capabilities?: readonly string[];
  /** Passthrough and mailbox: whether messages can also be claimed. */
  readonly claims?: boolean;
  /** How long a claim lasts, in seconds. */
  readonly claim_timeout?: number;
  /** Work queues: how often a message is given out before it is a dead letter. */
  readonly max_deliveries?: number;
  /** Work queues: how long a message that failed waits, in seconds. */
  readonly backoff?: { readonly base_delay?: number; readonly max_delay?: number };
  /** Discovery: how long a registration lasts, in seconds. */
  readonly registration_ttl?: number;
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

/** The outbox: what is sent, and how. */
export interface OutboxConfig {
  /** Whether there is one. Without it, `emit` sends at once and keeps nothing. @default `true` */
  readonly enabled?: boolean;
  /** How many sends at once. */
  readonly concurrency?: number;
  /** How long a lane waits for its head's retry at most, in seconds. @default `30` */
  readonly lane_hold?: number;
  /** How long one attempt may take, in seconds. */
  readonly send_timeout?: number;
  /** How long stopping may wait for sends that are under way, in seconds. */
  readonly drain_timeout?: number;
}

/** The inbox: what came in, and who handles it. */
export interface InboxConfig {
  /** How many conversations at once. */
  readonly concurrency?: number;
  /** How often a message is tried before it is a dead letter. */
  readonly max_deliveries?: number;
  /** How long a handler may hold a message before it is given out again, in seconds. */
  readonly claim_timeout?: number;
  /** How long an id is remembered, in seconds. */
  readonly dedupe?: number;
}

/** The record of every attempt. */
export interface LedgerConfig {
  /** How long it is kept, in seconds. @default 30 days */
  readonly max_age?: number;
  /** How many events are kept. */
  readonly max_count?: number;
}

/** A whole configuration. */
export interface PosthornConfig {
  /** Where everything is kept. @default `{ type: "memory" }` */
  readonly store?: StoreConfig;
  /** Backends and labels. */
  readonly communications?: CommunicationsConfig;
  /** Channels by id. */
  readonly channels?: Readonly<Record<string, ChannelConfig>>;
  /** The HTTP server. */
  readonly server?: ServerConfig;
  /** What is sent, and how. */
  readonly outbox?: OutboxConfig;
  /** What came in, and who handles it. */
  readonly inbox?: InboxConfig;
  /** The record of every attempt. */
  readonly ledger?: LedgerConfig;
}
