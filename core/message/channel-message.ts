/**
 * The unit every channel carries, and what a store adds to it.
 *
 * @module
 */
import type { JsonObject, JsonValue } from "./json.ts";

/**
 * The immutable unit in a channel: who said what, when, to whom, in answer to what.
 *
 * @typeParam T The content: any JSON value.
 */
export interface ChannelMessage<T = JsonValue> {
  /** Unique within its channel. A monotonic UUIDv7 unless the writer named one. */
  readonly id: string;
  /** When it was written, in milliseconds since 1970. */
  readonly timestamp: number;
  /** Who wrote it. */
  readonly senderId: string;
  /** What was written. */
  readonly content: T;
  /** Free additions. Nothing in the library routes by it. */
  readonly metadata: JsonObject;
  /** Ties messages of one exchange together. */
  readonly correlationId?: string;
  /** The id of the message this one answers. */
  readonly replyTo?: string;
  /** Whom it is for; absent means everybody. */
  readonly recipientId?: string;
}

/** A message on its way into a store: what the writer decided, and nothing the store decides. */
export interface MessageEnvelope<T = JsonValue> extends ChannelMessage<T> {
  /** The version of this envelope. */
  readonly v: 1;
  /** Keeps tenants apart. */
  readonly namespace: string;
  /** The lane: messages that share it are handled one at a time, first in first out. */
  readonly orderingKey?: string;
  /** Not handed to a worker before this time, in milliseconds since 1970. */
  readonly notBefore?: number;
  /** Of no use after this time, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** The id another system gave it, for example a provider's message id. Indexed. */
  readonly externalId?: string;
  /** W3C Trace Context of the writer. */
  readonly traceparent?: string;
}

/** A message as a store keeps it. */
export interface StoredMessage<T = JsonValue> extends MessageEnvelope<T> {
  /** Its place in its channel: grows with every message, is never used again. */
  readonly seq: number;
  /** How often a worker has been given it. */
  readonly attempts: number;
}

/** The right to work on a message for a while. Acknowledge, nack and extend ask for its token. */
export interface Lease {
  /** Names this very delivery. A token of an earlier delivery changes nothing. */
  readonly token: string;
  /** Who holds it. */
  readonly workerId: string;
  /** 1 for the first delivery of the message, 2 for the second, … */
  readonly attempt: number;
  /** When it ends unless it is extended, in milliseconds since 1970. */
  readonly until: number;
}

/** Why a delivery to a worker did not end in an acknowledgement. */
export interface AttemptFailure {
  /** Which delivery, counted from 1. */
  readonly attempt: number;
  /** When it ended, in milliseconds since 1970. */
  readonly at: number;
  /** Who had it. */
  readonly workerId: string;
  /** A stable word: `lease-expired`, `nacked`, `handler-error`, … */
  readonly reason: string;
  /** What was said of it. No secrets, at most 1,000 characters. */
  readonly detail?: string;
}

/** A message a worker holds: the message, the lease, and what went wrong before. */
export interface ClaimedMessage<T = JsonValue> extends StoredMessage<T> {
  /** The right to work on it. */
  readonly lease: Lease;
  /** The ends of earlier deliveries, oldest first, the latest 50 of them. */
  readonly failures: readonly AttemptFailure[];
}
