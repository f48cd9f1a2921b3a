/**
 * The outcome of one attempt to send: what a network may do with a message, as values.
 *
 * @module
 */
import type { JsonObject } from "./json.ts";

/**
 * The network took the message. It may still fail to arrive: a provider's later word comes as a `ProviderReceipt`.
 */
export interface AcceptedReceipt {
  /** Tells it from the other outcomes. */
  readonly outcome: "accepted";
  /** The id the provider gave it: what later receipts and replies refer to. */
  readonly providerMessageId?: string;
  /** All ids, when the message went in several parts. */
  readonly providerMessageIds?: readonly string[];
  /** What else the network said, for the ledger. */
  readonly detail?: string;
}

/** Why a network refused, as a stable word that programs can compare. */
export type RejectionReason =
  | "rate-limited"
  | "unavailable"
  | "network"
  | "auth"
  | "invalid-recipient"
  | "recipient-unreachable"
  | "opted-out"
  | "window-closed"
  | "invalid-message"
  | "unsupported"
  | "not-configured"
  | "policy"
  | "other";

/** The network did not take the message, and we know it. */
export interface RejectedReceipt {
  /** Tells it from the other outcomes. */
  readonly outcome: "rejected";
  /** Whether the same message to the same recipient may be taken later. */
  readonly retryable: boolean;
  /** Why, as a stable word. */
  readonly reason: RejectionReason;
  /** The network's own code: `"429"`, `"5.1.1"`, `"131047"`. */
  readonly code?: string;
  /** How long the network asks to wait. Waiting it out costs no attempt. */
  readonly retryAfterMs?: number;
  /** What a person should know. No secrets. */
  readonly detail?: string;
  /**
   * What has been done already and must not be done again, kept by the sender worker and handed to the next attempt as
   * `context.progress`: for a message in parts, how many were accepted.
   */
  readonly progress?: JsonObject;
  /** Everything of this backend would meet the same refusal (bad credentials): a person must act. */
  readonly backendDown?: boolean;
}

/** The message left and no answer came: it may have been taken. */
export interface UnknownReceipt {
  /** Tells it from the other outcomes. */
  readonly outcome: "unknown";
  /** What a person should know: `"connection closed after the message was sent"`. */
  readonly detail: string;
  /** As in {@link RejectedReceipt.progress}. */
  readonly progress?: JsonObject;
}

/** Nothing was tried, on purpose. */
export interface SkippedReceipt {
  /** Tells it from the other outcomes. */
  readonly outcome: "skipped";
  /** Why: `"no address of this kind"`. */
  readonly detail: string;
}

/** The outcome of one attempt to send. */
export type Receipt = AcceptedReceipt | RejectedReceipt | UnknownReceipt | SkippedReceipt;

/** What a provider says later of a message it had accepted. */
export interface ProviderReceipt {
  /** The id it gave when it accepted the message. */
  readonly providerMessageId: string;
  /** How far the message came. A later word never takes back a further one: sent < delivered < read; failed is final. */
  readonly status: "sent" | "delivered" | "read" | "failed";
  /** When, in milliseconds since 1970. */
  readonly timestamp: number;
  /**
   * The delivery, where the provider gives back what it was told when the message was sent: settles a delivery whose
   * outcome was `unknown`, and which has no {@link ProviderReceipt.providerMessageId} yet. Of a message sent in parts only
   * the last may name it: it says that all of it was taken.
   */
  readonly deliveryId?: string;
  /** Whom it had been sent to, where the provider says it. */
  readonly recipient?: string;
  /** The network's own code, when it failed. */
  readonly code?: string;
  /** What a person should know. */
  readonly detail?: string;
}
