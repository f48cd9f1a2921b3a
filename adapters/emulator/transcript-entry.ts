/**
 * What the emulator's transcript is made of.
 *
 * @module
 */
import type { DeliveryStatus, InboundEvent } from "../../core/mod.ts";

/**
 * How far a message is. What a person typed: `queued`, `handling`, `handled`, `retrying`, `failed`. What the program
 * said: `queued`, `sent`, `retrying`, `failed`, `held`, `cancelled`, `unknown`.
 */
export type EmulatorState =
  | "queued"
  | "handling"
  | "handled"
  | "sent"
  | "retrying"
  | "failed"
  | "held"
  | "cancelled"
  | "unknown";

/** A message of a conversation. Every text in it is text: nothing is ever shown as markup. */
export interface TranscriptMessage {
  /** It is a message. */
  readonly type: "message";
  /** Who said it. */
  readonly from: "person" | "program";
  /** Typed: the id of the incoming message. The program's: the id of the delivery. */
  readonly id: string;
  /** The conversation. */
  readonly conversation: string;
  /** What was said. */
  readonly text: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** How far it is. */
  readonly state: EmulatorState;
  /** Typed: the id the page gave it. */
  readonly ref?: string;
  /** The program's: its subject. */
  readonly subject?: string;
  /** The program's: the source of its HTML. */
  readonly html?: string;
  /** The program's: the names of its files. */
  readonly attachments?: readonly string[];
}

/** A message of a conversation is further than it was. */
export interface TranscriptState {
  /** It is a change of state. */
  readonly type: "state";
  /** The id of the message. */
  readonly id: string;
  /** The conversation. */
  readonly conversation: string;
  /** How far it is now. */
  readonly state: EmulatorState;
  /** Since when, in milliseconds since 1970. */
  readonly at: number;
  /** Which try, from 1. */
  readonly attempt?: number;
  /** What a person should know. */
  readonly detail?: string;
  /** When it is tried again, in milliseconds since 1970. */
  readonly retryAt?: number;
}

/** A message of the program says something else from now on. */
export interface TranscriptEdit {
  /** It is a change of what was said. */
  readonly type: "edit";
  /** The id of the message. */
  readonly id: string;
  /** The conversation. */
  readonly conversation: string;
  /** What it says now. */
  readonly text: string;
  /** The source of its HTML now. */
  readonly html?: string;
  /** Since when, in milliseconds since 1970. */
  readonly at: number;
}

/** An entry of the transcript. */
export type TranscriptEntry = TranscriptMessage | TranscriptState | TranscriptEdit;

const INBOUND: Readonly<Record<InboundEvent["status"], EmulatorState | undefined>> = {
  received: undefined,
  handling: "handling",
  handled: "handled",
  retrying: "retrying",
  dead: "failed",
};

/** The state a step of an incoming message leads to; `undefined` when nothing is to be shown. */
export function stateOfInbound(status: InboundEvent["status"]): EmulatorState | undefined {
  return INBOUND[status];
}

/**
 * The state a step of a delivery leads to; `undefined` when nothing is to be shown.
 *
 * @param status The step.
 * @param isRetried Whether it is tried again.
 */
export function stateOfDelivery(status: DeliveryStatus, isRetried: boolean): EmulatorState | undefined {
  switch (status) {
    case "queued":
    case "attempting":
      return undefined;
    case "accepted":
    case "delivered":
    case "read":
      return "sent";
    case "rejected":
      return isRetried ? "retrying" : "failed";
    case "unknown":
      return isRetried ? "retrying" : "unknown";
    case "failed":
    case "dead":
      return "failed";
    case "redriven":
      return "queued";
    case "held":
    case "cancelled":
      return status;
    case "skipped":
      return "cancelled";
  }
}
