/**
 * What becomes of work that is given up.
 *
 * @module
 */
import type { AttemptFailure, ClaimedMessage, MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { StoreOperation } from "../store/message-store.ts";

/** The key of the metadata a dead letter carries. */
const DEAD = "posthorn.dead";

/** Why a message was given up, and everything that was tried. */
export interface DeadLetterInfo {
  /** Why, as a stable word: `max-deliveries`, `expired`, `rejected`, … */
  readonly reason: string;
  /** What a person should know. */
  readonly detail?: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** The end of every delivery, oldest first. */
  readonly failures: readonly AttemptFailure[];
}

/** A message that was given up. */
export interface DeadLetter<T = JsonValue> extends StoredMessage<T> {
  /** Why, and what was tried. */
  readonly dead: DeadLetterInfo;
}

/** The key of the channel that keeps the dead letters of another. */
export function deadLetterKey(key: string): string {
  return `${key}.dead`;
}

/** The envelope of a message without what the store added. */
export function envelopeOf(message: StoredMessage | ClaimedMessage): MessageEnvelope {
  const { seq: _seq, attempts: _attempts, ...rest } = message;
  if (!("lease" in rest)) return rest;
  const { lease: _lease, failures: _failures, ...envelope } = rest;
  return envelope;
}

/**
 * The append that keeps a claimed message among the dead letters. Commit it together with the acknowledgement.
 *
 * @param channel The key of the queue it comes from.
 * @param message The message.
 * @param info Why; the failure of the present delivery is added to the history.
 */
export function deadLetterOperation(
  channel: string,
  message: ClaimedMessage,
  info: Omit<DeadLetterInfo, "failures"> & { readonly workerId?: string },
): StoreOperation {
  const { reason, detail, at } = info;
  const last: AttemptFailure = {
    attempt: message.lease.attempt,
    at,
    workerId: message.lease.workerId,
    reason,
    ...(detail === undefined ? {} : { detail: detail.slice(0, 1_000) }),
  };
  const envelope = envelopeOf(message);
  const { notBefore: _notBefore, expiresAt, ...kept } = envelope;
  const dead = {
    reason,
    ...(detail === undefined ? {} : { detail: detail.slice(0, 1_000) }),
    at,
    failures: [...message.failures, last].map((failure): JsonObject => ({ ...failure })),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  return {
    type: "append",
    channel: deadLetterKey(channel),
    message: { ...kept, metadata: { ...kept.metadata, [DEAD]: dead } },
    mode: "log",
  };
}

/** Reads a stored dead letter. */
export function readDeadLetter(message: StoredMessage): DeadLetter {
  const dead = message.metadata[DEAD];
  if (!isDeadLetterInfo(dead)) {
    return { ...message, dead: { reason: "unknown", at: message.timestamp, failures: [] } };
  }
  return { ...message, metadata: withoutDead(message.metadata), dead };
}

/** The operations that put a dead letter back into its queue, with no delivery counted yet. */
export function redriveOperations(channel: string, letter: DeadLetter): readonly StoreOperation[] {
  const { dead: _dead, ...message } = letter;
  return [
    { type: "remove", channel: deadLetterKey(channel), id: letter.id },
    { type: "append", channel, message: envelopeOf(message), mode: "queue" },
  ];
}

function withoutDead(metadata: JsonObject): JsonObject {
  const { [DEAD]: _dead, ...rest } = metadata;
  return rest;
}

function isDeadLetterInfo(value: unknown): value is DeadLetterInfo {
  return typeof value === "object" && value !== null && "reason" in value && "failures" in value && "at" in value;
}
