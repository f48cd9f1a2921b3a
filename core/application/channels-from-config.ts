/**
 * Channels, as a configuration has them.
 *
 * @module
 */
import { BroadcastChannel } from "../channels/broadcast-channel.ts";
import type { ChannelCore } from "../channels/channel-core.ts";
import type { ChannelOptions, Visibility } from "../channels/channel-options.ts";
import { DiscoveryChannel } from "../channels/discovery-channel.ts";
import { MailboxChannel } from "../channels/mailbox-channel.ts";
import { PassthroughChannel } from "../channels/passthrough-channel.ts";
import { WorkQueueChannel } from "../channels/work-queue-channel.ts";
import { ConfigError, type ConfigIssue, PosthornError } from "../errors.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import { nearest } from "../support/nearest.ts";

/** One channel. Durations in seconds. */
export interface ChannelConfig {
  /** `passthrough`, `broadcast`, `work_queue`, `mailbox` or `discovery`. Periodic channels need code. */
  readonly type: string;
  /** A name for people. */
  readonly name?: string;
  /** What it is for. */
  readonly description?: string;
  /** Keeps tenants apart on one store. */
  readonly namespace?: string;
  /** How long messages are kept. */
  readonly retention?: {
    /** How old a message may get. */
    readonly max_age?: number;
    /** How many of the latest are kept. */
    readonly max_count?: number;
  };
  /** How often upkeep runs. */
  readonly maintenance_interval?: number;
  /** Who may find it. */
  readonly visibility?: Visibility;
  /** What it can do, for discovery. */
  readonly capabilities?: readonly string[];
  /** Passthrough and mailbox: whether messages can also be claimed. */
  readonly claims?: boolean;
  /** How long a claim lasts. */
  readonly claim_timeout?: number;
  /** Work queues: how often a message is given out before it is a dead letter. */
  readonly max_deliveries?: number;
  /** Work queues: how long a message that failed waits. */
  readonly backoff?: {
    /** The ceiling of the first delay. */
    readonly base_delay?: number;
    /** The ceiling of every delay. */
    readonly max_delay?: number;
  };
  /** Discovery: how long a registration lasts. */
  readonly registration_ttl?: number;
}

/** What every channel of an application shares. */
export interface ChannelSurroundings {
  /** Where messages are kept. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Gives ids. */
  readonly newId: () => string;
}

const TYPES = ["passthrough", "broadcast", "work_queue", "mailbox", "discovery"];
/** Ids the application uses itself. */
const RESERVED = /^(inbox|ledger|quarantine|plans|outbox\..*)$/;

/**
 * Makes the channels of a configuration.
 *
 * @param configs The channels by id.
 * @param shared What they share.
 * @throws {ConfigError} If some cannot be made, with everything that is wrong.
 */
export function createChannels(
  configs: Readonly<Record<string, ChannelConfig>>,
  shared: ChannelSurroundings,
): ReadonlyMap<string, ChannelCore> {
  const channels = new Map<string, ChannelCore>();
  const issues: ConfigIssue[] = [];
  for (const [id, config] of Object.entries(configs)) {
    try {
      channels.set(id, createChannel(id, config, shared));
    } catch (error) {
      if (error instanceof ConfigError) issues.push(...error.issues);
      else if (error instanceof PosthornError) issues.push({ path: `channels.${id}`, message: error.message });
      else throw error;
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return channels;
}

function createChannel(id: string, config: ChannelConfig, shared: ChannelSurroundings): ChannelCore {
  if (RESERVED.test(id)) {
    throw new ConfigError([{ path: `channels.${id}`, message: "the application uses this id itself; choose another" }]);
  }
  const options = baseOptions(id, config, shared);
  const claims = config.claims === undefined ? {} : { claims: config.claims };
  const claimTimeout = config.claim_timeout === undefined ? {} : { claimTimeoutMs: config.claim_timeout * 1_000 };
  switch (config.type) {
    case "passthrough":
      return new PassthroughChannel({ ...options, ...claims, ...claimTimeout });
    case "broadcast":
      return new BroadcastChannel(options);
    case "mailbox":
      return new MailboxChannel({ ...options, ...claims, ...claimTimeout });
    case "work_queue":
      return new WorkQueueChannel({
        ...options,
        ...claimTimeout,
        ...(config.max_deliveries === undefined ? {} : { maxDeliveries: config.max_deliveries }),
        ...(config.backoff === undefined ? {} : { backoff: backoffOf(config.backoff) }),
      });
    case "discovery": {
      const ttl = config.registration_ttl;
      const channel = new DiscoveryChannel({
        ...shared,
        ...namesOf(id, config),
        ...(ttl === undefined ? {} : { registrationTtlMs: ttl * 1_000 }),
      });
      return channel as unknown as ChannelCore;
    }
    default: {
      const guess = nearest(String(config.type), TYPES);
      const hint = guess === undefined ? `known types are ${TYPES.join(", ")}` : `did you mean "${guess}"?`;
      throw new ConfigError([{
        path: `channels.${id}.type`,
        message: `unknown channel type "${config.type}"; ${hint}`,
      }]);
    }
  }
}

function baseOptions(id: string, config: ChannelConfig, shared: ChannelSurroundings): ChannelOptions {
  const { retention, maintenance_interval } = config;
  return {
    ...shared,
    ...namesOf(id, config),
    ...(maintenance_interval === undefined ? {} : { maintenanceIntervalMs: maintenance_interval * 1_000 }),
    ...(retention === undefined ? {} : {
      retention: {
        ...(retention.max_age === undefined ? {} : { maxAgeMs: retention.max_age * 1_000 }),
        ...(retention.max_count === undefined ? {} : { maxCount: retention.max_count }),
      },
    }),
  };
}

function namesOf(
  id: string,
  config: ChannelConfig,
): Pick<ChannelOptions, "id" | "name" | "description" | "namespace" | "visibility" | "capabilities"> {
  const { name, description, namespace, visibility, capabilities } = config;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(capabilities === undefined ? {} : { capabilities }),
  };
}

function backoffOf(
  backoff: NonNullable<ChannelConfig["backoff"]>,
): { readonly baseDelayMs?: number; readonly maxDelayMs?: number } {
  return {
    ...(backoff.base_delay === undefined ? {} : { baseDelayMs: backoff.base_delay * 1_000 }),
    ...(backoff.max_delay === undefined ? {} : { maxDelayMs: backoff.max_delay * 1_000 }),
  };
}
