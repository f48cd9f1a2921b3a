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

/** Why a message is given up. */
export interface BurialInfo {
  /** Why, as a stable word. */
  readonly reason: string;
  /** What a person should know, at most 1,000 characters of it. */
  readonly detail?: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /**
   * How the present delivery ended, as a stable word for the history; `null` when there was none to speak of: the message
   * was given up before anybody worked on it. @default `reason`
   */
  readonly failure?: string | null;
}

/**
 * The key of the channel that keeps the dead letters of another. No channel id has a slash, so it is nobody else's.
 *
 * @param key The key of the queue.
 */
export function deadLetterKey(key: string): string {
  return `${key}/dead`;
}

/** The envelope of a message without what the store added. */
export function envelopeOf(message: StoredMessage | ClaimedMessage): MessageEnvelope {
  const { seq: _seq, attempts: _attempts, ...rest } = message;
  if (!("lease" in rest)) return rest;
  const { lease: _lease, failures: _failures, ...envelope } = rest;
  return envelope;
}

/**
 * The append that keeps a claimed message among the dead letters. Commit it together with the acknowledgement. Where
 * the same id may be there from an earlier life, use {@link burialOperations}.
 *
 * @param channel The key of the queue it comes from.
 * @param message The message.
 * @param info Why; the failure of the present delivery is added to the history.
 */
export function deadLetterOperation(channel: string, message: ClaimedMessage, info: BurialInfo): StoreOperation {
  const { reason, at, failure = reason } = info;
  const said = info.detail === undefined ? {} : { detail: info.detail.slice(0, 1_000) };
  const { attempt, workerId } = message.lease;
  const last: readonly AttemptFailure[] = failure === null ? [] : [{ attempt, at, workerId, reason: failure, ...said }];
  const { notBefore: _notBefore, expiresAt, ...kept } = envelopeOf(message);
  const dead = {
    reason,
    ...said,
    at,
    failures: [...message.failures, ...last].map((each): JsonObject => ({ ...each })),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  return {
    type: "append",
    channel: deadLetterKey(channel),
    message: { ...kept, metadata: { ...kept.metadata, [DEAD]: dead } },
    mode: "log",
  };
}

/**
 * What keeps a claimed message among the dead letters, in the place of a dead letter of the same id from an earlier
 * life: that one would make the append a duplicate, and the message would be gone. Commit it together with the
 * acknowledgement.
 *
 * @param channel The key of the queue it comes from.
 * @param message The message.
 * @param info Why.
 */
export function burialOperations(
  channel: string,
  message: ClaimedMessage,
  info: BurialInfo,
): readonly StoreOperation[] {
  return [
    { type: "remove", channel: deadLetterKey(channel), id: message.id },
    deadLetterOperation(channel, message, info),
  ];
}

/** Reads a stored dead letter. The store counts nothing where letters are kept: how often it was given out is in its history. */
export function readDeadLetter(message: StoredMessage): DeadLetter {
  const dead = message.metadata[DEAD];
  if (!isDeadLetterInfo(dead)) {
    return { ...message, dead: { reason: "unknown", at: message.timestamp, failures: [] } };
  }
  const attempts = dead.failures.at(-1)?.attempt ?? 0;
  return { ...message, attempts, metadata: withoutDead(message.metadata), dead };
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
  return typeof value === "object" && value !== null && "reason" in value && "at" in value && "failures" in value &&
    Array.isArray(value.failures);
}
