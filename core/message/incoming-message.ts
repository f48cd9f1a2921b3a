/**
 * What a person said, whatever network it came by.
 *
 * @module
 */
import type { IncomingAttachment } from "./attachment.ts";
import type { JsonObject } from "./json.ts";

/** What kind of thing was said. `unsupported` keeps what the library has no word for, in `metadata`. */
export type IncomingKind =
  | "text"
  | "audio"
  | "image"
  | "video"
  | "document"
  | "contact"
  | "location"
  | "interactive"
  | "reaction"
  | "unsupported";

/** What a person said, normalised. */
export interface IncomingMessage {
  /**
   * Unique for ever within its backend and the same each time the provider repeats it, so that a repeat is seen as one:
   * `"<backend name>:<provider's id>"`.
   */
  readonly id: string;
  /** What kind of thing was said. */
  readonly kind: IncomingKind;
  /** The text, or the caption, or the label of the button pressed; `""` when there is none. */
  readonly text: string;
  /** The sender's name for people, where the network says it. */
  readonly sender?: string;
  /** The sender's id on the network. */
  readonly senderId?: string;
  /** The label of the configured chat it came from. `"default"` where the backend has no chats. */
  readonly chatLabel: string;
  /** The name of the backend that received it. */
  readonly backendName: string;
  /** When it was said, in milliseconds since 1970. */
  readonly timestamp: number;
  /**
   * Where an answer goes: the address `sendMsg` and `reply` use on the same backend. Messages of one conversation are
   * handled one at a time, in order.
   */
  readonly conversation: string;
  /** The message this one answers, as the network names it. */
  readonly replyTo?: string;
  /** Files that came with it. */
  readonly attachments: readonly IncomingAttachment[];
  /** What else the network said. */
  readonly metadata: JsonObject;
  /** The network's own event, in the process that received it only: it is never stored or sent on. */
  readonly rawEvent?: unknown;
}
