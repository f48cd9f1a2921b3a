/**
 * A configuration, as a program writes it or `posthorn/config` reads it: plain, in snake_case, durations in seconds.
 *
 * @module
 */
import type { BackendConfig } from "../communicators/backend-registry.ts";
import type { ChannelConfig } from "./channels-from-config.ts";

/** Backends and labels. */
export interface CommunicationsConfig {
  /** Whether anything of it is started. @default `false` */
  readonly enabled?: boolean;
  /** The backends by name. */
  readonly backends?: Readonly<Record<string, BackendConfig>>;
  /** Where `sendMsg` goes when its address names no backend. @default the only backend, where there is one */
  readonly default_backend?: string;
}

/** The outbox: what is sent, and how. A backend's own settings win. */
export interface OutboxConfig {
  /** Whether `emit` queues. Without it, `emit` sends at once and keeps nothing. @default `true` */
  readonly enabled?: boolean;
  /**
   * How many deliveries may wait for each backend; a message that comes to more is refused with `queue-full`.
   * @default 1,000,000; with a store in memory 10,000
   */
  readonly max_queued?: number;
  /** How many sends at once on each backend. @default `16` */
  readonly concurrency?: number;
  /** How long a lane waits for its head's retry at most, in seconds. @default `30` */
  readonly lane_hold?: number;
  /** How long one attempt may take, in seconds. @default `60` */
  readonly send_timeout?: number;
  /** How long stopping the application takes at most, in seconds. @default `10` */
  readonly drain_timeout?: number;
}

/** The inbox: what came in, and how it is handled. */
export interface InboxConfig {
  /**
   * Whether messages wait for a handler. `false` for a program that only watches what comes in: messages go to
   * subscribers, their ids are remembered, and nothing is kept. @default `true`
   */
  readonly enabled?: boolean;
  /**
   * How many messages may wait in a process that handles none; beyond it the oldest are given up, and the log says so.
   * @default as many as there are; with a store in memory 10,000
   */
  readonly max_unhandled?: number;
  /** How many conversations are handled at once. @default `100` */
  readonly concurrency?: number;
  /** How often a message is tried before it is a dead letter. @default `8` */
  readonly max_deliveries?: number;
  /** How long a claim lasts without a heart-beat, in seconds. @default `60` */
  readonly claim_timeout?: number;
  /** How long ids are remembered, in seconds. @default 8 days */
  readonly dedupe?: number;
}

/** The record of every delivery. */
export interface LedgerConfig {
  /** How long entries are kept, in seconds. @default 30 days */
  readonly max_age?: number;
  /** How many entries are kept. @default as many as there are; in a memory store 100,000 */
  readonly max_count?: number;
}

/** A whole configuration. Sections that are not named here are for others to read (`store`, `server`). */
export interface ApplicationConfig {
  /** Backends and labels. */
  readonly communications?: CommunicationsConfig;
  /** Channels of your own, by id. */
  readonly channels?: Readonly<Record<string, ChannelConfig>>;
  /** What is sent, and how. */
  readonly outbox?: OutboxConfig;
  /** What came in, and how it is handled. */
  readonly inbox?: InboxConfig;
  /** The record of every delivery. */
  readonly ledger?: LedgerConfig;
}
