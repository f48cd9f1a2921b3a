/**
 * What a person said, whatever network it came by.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import { assertText } from "../support/assert.ts";
import type { IncomingAttachment } from "./attachment.ts";
import { cloneJson, type JsonObject } from "./json.ts";

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
  /**
   * The id of the question, notification or message this one has answered ({@link Application.ask}, `confirm: reply`).
   * Absent: it answers none.
   */
  readonly answers?: string;
  /** Files that came with it. */
  readonly attachments: readonly IncomingAttachment[];
  /** What else the network said. */
  readonly metadata: JsonObject;
  /** The network's own event, in the process that received it only: it is never stored or sent on. */
  readonly rawEvent?: unknown;
}

/** What {@link Message.fromPayload} reads: the form of the messaging core's specification. */
export interface MessagePayload {
  /** Who said it. */
  readonly sender: string;
  /** What kind of thing: `"text"`, `"audio"`, …; an unknown word is kept as `unsupported`. @default `"text"` */
  readonly msg_type?: string;
  /** What was said. */
  readonly raw_msg?: string;
  /** By which backend. @default `""` */
  readonly client_type?: string;
  /** What else is known. */
  readonly metadata?: JsonObject;
  /** Files that came with it. */
  readonly attachments?: readonly IncomingAttachment[];
  /** The message's own id. @default a random one */
  readonly id?: string;
}

/** The kinds of message there are. */
export const INCOMING_KINDS: readonly IncomingKind[] = [
  "text",
  "audio",
  "image",
  "video",
  "document",
  "contact",
  "location",
  "interactive",
  "reaction",
  "unsupported",
];

/** Whether a word is a kind of message. */
export function isIncomingKind(word: string): word is IncomingKind {
  return (INCOMING_KINDS as readonly string[]).includes(word);
}

/** Builds messages of the specification's form. A word in it is never a command to the program: it is data. */
export const Message: {
  /**
   * Builds a message from a transport's payload.
   *
   * @param payload Who said what, by which backend.
   * @param now The time, in milliseconds since 1970.
   * @throws {ValidationError} If the payload is not one.
   */
  fromPayload(payload: MessagePayload, now: number): IncomingMessage;
} = {
  fromPayload(payload: MessagePayload, now: number): IncomingMessage {
    if (typeof payload !== "object" || payload === null) {
      throw new ValidationError(
        "payload",
        `Cannot read message as the payload must be an object, not ${kindOf(payload)}`,
      );
    }
    const { msg_type = "text", attachments = [] } = payload;
    const sender = assertText(payload.sender, "sender", { maxLength: 200 });
    const backendName = assertText(payload.client_type ?? "", "client_type", { maxLength: 128, allowEmpty: true });
    const kind = isIncomingKind(assertText(msg_type, "msg_type")) ? msg_type as IncomingKind : "unsupported";
    const metadata = cloneJson(payload.metadata ?? {}, "metadata") as JsonObject;
    return {
      id: payload.id ?? `${backendName}:${crypto.randomUUID()}`,
      kind,
      text: assertText(payload.raw_msg ?? "", "raw_msg", { maxLength: 1_000_000, allowEmpty: true, multiline: true }),
      sender,
      senderId: sender,
      chatLabel: "default",
      backendName,
      timestamp: now,
      conversation: sender,
      attachments,
      metadata: kind === msg_type ? metadata : { ...metadata, msg_type },
    };
  },
};
