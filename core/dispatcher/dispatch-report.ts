/**
 * What `emit` says of what it did.
 *
 * @module
 */
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { Receipt } from "../message/receipt.ts";

/** What became of one delivery, as far as `emit` knows. */
export interface DispatchEntry {
  /** The delivery. */
  readonly deliveryId: string;
  /** By which backend. */
  readonly backendName: string;
  /** To whom; absent for the backend's own destination. */
  readonly recipient?: string;
  /**
   * `queued`: committed to the outbox. `duplicate`: the same delivery was queued before. Without an outbox, the outcome of
   * the attempt.
   */
  readonly status: "queued" | "duplicate" | Receipt["outcome"];
  /** The outcome of the attempt, without an outbox. */
  readonly receipt?: Receipt;
}

/** A backend that should have got the message and has nobody to give it to, or a label nobody takes. */
export interface Undelivered {
  /**
   * `unknown-label`: no backend takes the label. `severity`: those that do, take only worse. `no-recipient`: a backend has
   * no address for it. `queue-full`: as many deliveries wait for the backend as may; emit the message again later, under
   * its id, and only that backend is tried.
   */
  readonly reason: "unknown-label" | "severity" | "no-recipient" | "queue-full";
  /** The backend, where it is one. */
  readonly backendName?: string;
  /** The same in words, with what to do. */
  readonly detail: string;
}

/** How a delivery ended. */
export interface SettledDelivery {
  /** The delivery. */
  readonly deliveryId: string;
  /** By which backend. */
  readonly backendName: string;
  /** To whom. */
  readonly recipient?: string;
  /** How it ended. */
  readonly status: DeliveryEvent["status"];
  /** Why, as a stable word, when it did not go well. */
  readonly reason?: string;
  /** The network's own code. */
  readonly code?: string;
  /** What a person should know. */
  readonly detail?: string;
}

/** What `emit` did. */
export interface DispatchReport {
  /** The message. */
  readonly messageId: string;
  /** One entry per delivery. */
  readonly deliveries: readonly DispatchEntry[];
  /** What reached nobody, and why. Nothing is dropped in silence. */
  readonly undelivered: readonly Undelivered[];
  /**
   * Waits for the end of every delivery: accepted by the network, or given up. One of which the ledger has removed every
   * entry, and nobody else knows, is `unknown` with the reason `no-record`.
   *
   * @param options A signal that ends the wait.
   */
  settled(options?: { readonly signal?: AbortSignal }): Promise<readonly SettledDelivery[]>;
}

/** What is known of the end of a delivery: an entry of the ledger has all of it. */
type Ended =
  & { readonly [Fact in keyof SettledDelivery]: SettledDelivery[Fact] | undefined }
  & Pick<
    SettledDelivery,
    "deliveryId" | "backendName" | "status"
  >;

/** How a delivery ended, by its last entry in the ledger. */
export function settledFrom(
  { deliveryId, backendName, recipient, status, reason, code, detail }: Ended,
): SettledDelivery {
  return {
    deliveryId,
    backendName,
    status,
    ...(recipient === undefined ? {} : { recipient }),
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
  };
}

/** How a delivery ended that was sent at once. */
export function settledEntry({ deliveryId, backendName, recipient, receipt }: DispatchEntry): SettledDelivery {
  const { reason, code } = receipt?.outcome === "rejected" ? receipt : {};
  return settledFrom({
    deliveryId,
    backendName,
    status: receipt?.outcome ?? "unknown",
    recipient,
    reason,
    code,
    detail: receipt?.detail,
  });
}
