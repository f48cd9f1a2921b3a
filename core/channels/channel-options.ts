/**
 * What every channel is made from, and what its methods take and give.
 *
 * @module
 */
import type { ClaimedMessage, StoredMessage } from "../message/channel-message.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { Gap, MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import type { StandardSchemaV1 } from "../support/standard-schema.ts";

/** Who may find a channel in a registry. */
export type Visibility = "public" | "private";

/** How long messages are kept. Work that is not acknowledged is always kept. */
export interface Retention {
  /** How old a message may get, in milliseconds. */
  readonly maxAgeMs?: number;
  /** How many of the latest messages are kept. */
  readonly maxCount?: number;
}

/** What every channel is made from. */
export interface ChannelOptions<T = JsonValue> {
  /** 1 to 128 letters, digits, dots, underscores or hyphens. The same id on the same store is the same channel. */
  readonly id: string;
  /** A name for people. @default the id */
  readonly name?: string;
  /** What it is for. @default `""` */
  readonly description?: string;
  /** Keeps tenants apart on one store. @default `"default"` */
  readonly namespace?: string;
  /** Where messages are kept. @default a memory store of the channel's own, gone with the process */
  readonly store?: MessageStore;
  /**
   * What content must look like: anything that implements Standard Schema (valibot, zod, arktype). What does not fit is
   * refused at `write`.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /** How long messages are kept. @default the latest 10,000; see the channel types that differ */
  readonly retention?: Retention;
  /** How often retention and other upkeep runs. @default `60_000` */
  readonly maintenanceIntervalMs?: number;
  /** Who may find it. @default `"public"` */
  readonly visibility?: Visibility;
  /** What it can do, for {@link DiscoveryChannel}. @default `[]` */
  readonly capabilities?: readonly string[];
  /** Time. @default the system's */
  readonly clock?: Clock;
  /** Where it says what goes wrong. @default nowhere */
  readonly logger?: Logger;
  /** Gives ids to messages. @default monotonic UUIDv7 */
  readonly newId?: () => string;
}

/** How a message is written. */
export interface WriteOptions {
  /** The data is a whole message ({@link ChannelMessage}): it is stored as it is, without conversion. @default `false` */
  readonly direct?: boolean;
  /** The message's id. While it is stored, a second message with it is the same message and is not stored again. @default a UUIDv7 */
  readonly id?: string;
  /** Whom it is for; absent means everybody. */
  readonly recipientId?: string;
  /** Ties messages of one exchange together. */
  readonly correlationId?: string;
  /** The id of the message this one answers. */
  readonly replyTo?: string;
  /** Not handed to a worker before this time, in milliseconds since 1970, or a `Date`. */
  readonly notBefore?: number | Date;
  /** Of no use after this time, in milliseconds since 1970, or a `Date`. */
  readonly expiresAt?: number | Date;
  /** The lane: messages that share it are handled one at a time, first in first out. */
  readonly orderingKey?: string;
  /** Free additions, at most 64 KiB. */
  readonly metadata?: JsonObject;
  /** The id another system gave it. */
  readonly externalId?: string;
  /** W3C Trace Context. */
  readonly traceparent?: string;
  /**
   * How long from now the id is remembered though the message be gone, so that a late repeat is still seen as one. Only
   * writes that give it look at what is remembered: a repeat has to give it too. @default `0`
   */
  readonly dedupeForMs?: number;
}

/** How messages are read. */
export interface ReadOptions {
  /** How many at most, 1 to 10,000. @default `10` */
  readonly limit?: number;
  /**
   * `false`: everybody reads everything, each reader from its own place. `true`: claim messages; see
   * {@link WorkQueueChannel}. @default `false`
   */
  readonly exclusive?: boolean;
  /** Shared reads: read behind this sequence number, or the message with this id, and leave the reader's place alone. */
  readonly after?: number | string;
}

/** How messages are claimed. */
export interface ClaimOptions {
  /** How many at most, 1 to 10,000. @default `10` */
  readonly limit?: number;
  /** Always `true`. */
  readonly exclusive: true;
  /** How long each claim lasts. @default the channel's `claimTimeoutMs` */
  readonly claimTimeoutMs?: number;
}

/** A page of a shared read. */
export interface ReadPage<T> {
  /** The messages, oldest first. */
  readonly messages: readonly StoredMessage<T>[];
  /** The reader's place: the sequence number to read on behind. */
  readonly cursor: number;
  /** What was removed before this reader could read it. */
  readonly gap?: Gap;
}

/** What acknowledge, nack and extend take: the messages as claimed, or bare ids. */
export type ClaimReference<T> = ClaimedMessage<T> | string;

/** How claims are given back. */
export interface NackOptions {
  /** How long the messages stay invisible. @default `0` */
  readonly delayMs?: number;
  /** Why, for the attempt history: no secrets, and the first 1,000 characters are kept. */
  readonly detail?: string;
}

/** What became of one of them. */
export interface ClaimResult {
  /** The message. */
  readonly id: string;
  /**
   * `done`; `lease-lost`: the claim had ended, and nothing changed; `not-found`: no claim of this reader is known, and
   * nothing changed; `dead`: nacked for the last time and now among the dead letters.
   */
  readonly status: "done" | "lease-lost" | "not-found" | "dead";
  /** After extend: when the claim ends now, in milliseconds since 1970. */
  readonly until?: number;
}

/** What a channel says of itself. */
export interface ChannelInfo {
  /** Its id. */
  readonly id: string;
  /** Its name for people. */
  readonly name: string;
  /** What it is for. */
  readonly description: string;
  /** `"passthrough"`, `"broadcast"`, `"work-queue"`, `"mailbox"`, `"periodic"`, `"discovery"`, … */
  readonly kind: string;
  /** Its namespace. */
  readonly namespace: string;
  /** Who may find it. */
  readonly visibility: Visibility;
  /** What it can do. */
  readonly capabilities: readonly string[];
  /** Whether it is running. */
  readonly running: boolean;
}

/** Called with each message. A rejection is reported to the channel's `onError` and hurts nobody else. */
export type MessageHandler<T> = (message: StoredMessage<T>) => void | Promise<void>;

/** How {@link ChannelCore.stream} reads. */
export interface StreamOptions {
  /** Ends the stream. */
  readonly signal?: AbortSignal;
  /** Start behind this sequence number in the place of the reader's own. */
  readonly after?: number;
  /** Called when messages were removed before this reader could read them. */
  readonly onGap?: (gap: Gap) => void;
  /** How many messages are read ahead of the consumer at most. @default `100` */
  readonly highWaterMark?: number;
}

/** Where in the log to read: behind the reader's own place, which then moves unless told not to, or behind another. */
export interface LogPlace {
  /** Behind this place in the place of the reader's own. */
  readonly after?: number;
  /** Whether the reader's place moves. @default `true` without `after` */
  readonly advance?: boolean;
}
