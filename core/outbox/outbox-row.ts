/**
 * What the outbox keeps of a delivery.
 *
 * @module
 */
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { StoredOutgoingMessage } from "../message/outgoing-message.ts";

/** What a delivery changes, or tells of. JSON. */
export interface Amendment {
  /** The delivery it is about. */
  readonly deliveryId: string;
  /** What that one shall say from now on, where the network can change it. */
  readonly message: string;
  /** The same as HTML. */
  readonly html?: string;
  /** `change`: it is changed or left. `tell`: where it cannot be changed, the row's own message is sent. */
  readonly how: "change" | "tell";
  /** That one has left: known from its plan, though the ledger may have forgotten it. */
  readonly isSent?: boolean;
  /** The network refused to change it. */
  readonly isRefused?: boolean;
}

/** One delivery in the outbox: one message, one backend, one recipient. JSON. */
export interface OutboxRow {
  /** The version of this form. */
  readonly v: 1;
  /** The delivery. */
  readonly deliveryId: string;
  /** By which backend. */
  readonly backendName: string;
  /** To whom; absent for the backend's own destination. */
  readonly recipient?: string;
  /** What shares the destination's pace, where that is not the recipient. */
  readonly bucket?: string;
  /** What is said. */
  readonly message: StoredOutgoingMessage;
  /** When it was queued, in milliseconds since 1970. */
  readonly queuedAt: number;
  /** What an earlier attempt did already. */
  readonly progress?: JsonObject;
  /** An earlier attempt may have been taken. */
  readonly possibleDuplicate?: boolean;
  /** It waits for a person's word after an `unknown`. */
  readonly held?: boolean;
  /** The delivery it is about: sent only if that one may have arrived, as a change of it where the network can. */
  readonly amends?: Amendment;
  /** The plan it is a step of: kept for whoever follows the plan. */
  readonly plan?: JsonObject;
}

/** A row as the JSON a store takes. */
export function rowToJson(row: OutboxRow): JsonValue {
  return row as OutboxRow & JsonObject; // made of JSON values only; the store checks it again
}

/** Reads a row back. @returns `undefined` when it is not one. */
export function rowFromJson(content: JsonValue): OutboxRow | undefined {
  if (typeof content !== "object" || content === null || Array.isArray(content)) return undefined;
  const known = "v" in content && content.v === 1 && "deliveryId" in content && "message" in content;
  return known ? content as OutboxRow & JsonObject : undefined;
}

/** An entry of the ledger about a row. */
export function eventOf(
  row: OutboxRow,
  status: DeliveryStatus,
  at: number,
  more: Partial<DeliveryEvent> = {},
): DeliveryEvent {
  return {
    deliveryId: row.deliveryId,
    messageId: row.message.id,
    backendName: row.backendName,
    status,
    at,
    ...(row.recipient === undefined ? {} : { recipient: row.recipient }),
    ...(row.possibleDuplicate === true ? { possibleDuplicate: true } : {}),
    ...more,
  };
}
