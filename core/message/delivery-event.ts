/**
 * What the ledger records: one entry per step of a delivery.
 *
 * @module
 */

/**
 * A step in the life of a delivery.
 *
 * `queued` (committed to the outbox), `attempting` (a worker holds it and is about to send), `accepted` (the network took
 * it), `rejected` (the network refused; `retryAt` says whether it is tried again), `unknown` (it left, no answer came),
 * `delivered` and `read` (the provider says so), `failed` (the provider says, after accepting, that it did not arrive),
 * `held` (an `unknown` that waits for a person), `dead` (given up; it is among the dead letters), `cancelled` (called off
 * before it was sent), `skipped` (nothing was tried, on purpose), `redriven` (taken out of the dead letters).
 */
export type DeliveryStatus =
  | "queued"
  | "attempting"
  | "accepted"
  | "rejected"
  | "unknown"
  | "delivered"
  | "read"
  | "failed"
  | "held"
  | "dead"
  | "cancelled"
  | "skipped"
  | "redriven";

/** One entry of the ledger. JSON, without message texts. */
export interface DeliveryEvent {
  /** The delivery. */
  readonly deliveryId: string;
  /** The message it delivers. */
  readonly messageId: string;
  /** By which backend. */
  readonly backendName: string;
  /** To whom; absent for the backend's own destination. */
  readonly recipient?: string;
  /** What happened. */
  readonly status: DeliveryStatus;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** Which attempt, from 1. */
  readonly attempt?: number;
  /** Why, as a stable word. */
  readonly reason?: string;
  /** The network's own code. */
  readonly code?: string;
  /** What a person should know. */
  readonly detail?: string;
  /** The id the provider gave it. */
  readonly providerMessageId?: string;
  /** All ids, when it went in several parts; the first 100 of them. */
  readonly providerMessageIds?: readonly string[];
  /** When it is tried again, in milliseconds since 1970. */
  readonly retryAt?: number;
  /** It may reach the recipient twice. */
  readonly possibleDuplicate?: boolean;
}

/** A step in the handling of a message that came in. */
export interface InboundEvent {
  /** The message. */
  readonly messageId: string;
  /** Who received it. */
  readonly backendName: string;
  /** The conversation it belongs to. */
  readonly conversation: string;
  /** `received` (committed), `handling`, `handled`, `retrying`, `dead` (given up; among the dead letters). */
  readonly status: "received" | "handling" | "handled" | "retrying" | "dead";
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** Which try, from 1. */
  readonly attempt?: number;
  /** What a person should know. */
  readonly detail?: string;
}
