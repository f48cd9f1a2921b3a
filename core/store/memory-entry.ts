/**
 * What {@link MemoryStore} keeps of one message.
 *
 * @module
 */
import type {
  AttemptFailure,
  ClaimedMessage,
  Lease,
  MessageEnvelope,
  StoredMessage,
} from "../message/channel-message.ts";
import type { Lane } from "./memory-lane.ts";
import type { AppendMode } from "./message-store.ts";

/** No failures yet: one list for all messages, as most never fail. */
const NO_FAILURES: readonly AttemptFailure[] = Object.freeze([]);

/** How many ends of deliveries a message remembers. */
const MAX_FAILURES = 50;

/** Where a message is in the work queue; `done` when no worker has anything to do with it, `gone` when it is removed. */
export type WorkState = "ready" | "delayed" | "claimed" | "done" | "gone";

/** What most messages of a work queue never need. Times are on the store's clock. */
interface Extras {
  /** When it was appended. */
  storedAt: number;
  /** When readers of the log do not get it any more. */
  expiresAt: number;
  /** The latest timestamp of the messages before it in its channel, where that is later than its own. */
  peakBefore: number;
  /** Whether readers of the log still get it. */
  isReadable: boolean;
  failures: readonly AttemptFailure[];
  snapshot: StoredMessage | undefined;
}

/** One message, in the log, in the work queue, or both. A backlog is millions of these, so it is small. */
export class MemoryEntry {
  /** Its place in its channel. */
  readonly seq: number;
  /** How it takes part. */
  readonly mode: AppendMode;
  /** The envelope as written, or with the content of the latest release. */
  envelope: MessageEnvelope;
  /** How often a worker has been given it. */
  attempts = 0;
  /** Where it is in the work queue. */
  state: WorkState = "done";
  /** See `Ticketed`: the one place of the work queue it stands in now. */
  ticket = 0;
  /** When it can be claimed, on the store's clock. */
  dueAt = 0;
  /** Its lane, while it is in the work queue. */
  lane: Lane<MemoryEntry> | undefined = undefined;
  /** Of the present delivery; `""` when there is none. */
  token = "";
  /** Who has it; `""` when nobody. */
  workerId = "";
  /** Until when its id is remembered, on the store's clock. */
  rememberUntil: number = -Infinity;
  /** The trial of a commit that ends its delivery, or negative, that takes it away. */
  #trial = 0;
  #extras: Extras | undefined = undefined;

  /**
   * @param seq Its place in its channel.
   * @param mode How it takes part.
   * @param envelope The message, which is the store's own copy.
   */
  constructor(seq: number, mode: AppendMode, envelope: MessageEnvelope) {
    this.seq = seq;
    this.mode = mode;
    this.envelope = envelope;
  }

  /** Whether its channel still has it. */
  get isStored(): boolean {
    return this.state !== "gone";
  }

  /** Whether a worker has still to acknowledge it. */
  get isUnacknowledged(): boolean {
    return this.state !== "done" && this.state !== "gone";
  }

  /** Whether readers of the log still get it. */
  get isReadable(): boolean {
    return this.#extras?.isReadable ?? false;
  }

  /** When it was appended, on the store's clock. Of messages of the log. */
  get storedAt(): number {
    return this.#extras?.storedAt ?? 0;
  }

  /** When readers do not get it any more, on the store's clock. */
  get expiresAt(): number {
    return this.#extras?.expiresAt ?? Infinity;
  }

  /** The latest timestamp of this message and all before it in its channel: never falls, so it can be searched. */
  get peak(): number {
    const { timestamp } = this.envelope;
    return this.#extras === undefined ? timestamp : Math.max(timestamp, this.#extras.peakBefore);
  }

  /** The ends of earlier deliveries. */
  get failures(): readonly AttemptFailure[] {
    return this.#extras?.failures ?? NO_FAILURES;
  }

  /** Puts it into the log. */
  makeReadable(storedAt: number, expiresAt: number): void {
    Object.assign(this.#needExtras(), { storedAt, expiresAt, isReadable: true });
  }

  /** Takes it from the readers of the log. */
  hide(): void {
    this.#needExtras().isReadable = false;
  }

  /** Says that a message before it has a later timestamp. */
  follow(peakBefore: number): void {
    this.#needExtras().peakBefore = peakBefore;
  }

  /** Whether the trial has ended its delivery. */
  isReleasedIn(trial: number): boolean {
    return this.#trial === trial || this.#trial === -trial;
  }

  /** Whether the trial has taken it away. */
  isGoneIn(trial: number): boolean {
    return this.#trial === -trial;
  }

  /** Marks it as one whose delivery the trial ends, or which it takes away. */
  mark(trial: number, isGone: boolean): void {
    this.#trial = isGone ? -trial : trial;
  }

  /** The message as readers get it: one frozen object for all of them. */
  snapshot(): StoredMessage {
    const extras = this.#needExtras();
    return extras.snapshot ??= Object.freeze(withOptional(basicsOf(this), this.envelope));
  }

  /** The message as a worker gets it. */
  claimed(lease: Lease): ClaimedMessage {
    const { seq, attempts, failures, envelope } = this;
    const { id, timestamp, senderId, content, metadata, namespace } = envelope;
    return withOptional(
      { id, timestamp, senderId, content, metadata, v: 1, namespace, seq, attempts, lease, failures },
      envelope,
    );
  }

  /** Counts a delivery, or gives its number back. */
  countAttempt(by: 1 | -1): void {
    this.attempts += by;
    if (this.#extras !== undefined) this.#extras.snapshot = undefined;
  }

  /** Puts other content in place. */
  replaceContent(content: MessageEnvelope["content"]): void {
    this.envelope = { ...this.envelope, content };
    if (this.#extras !== undefined) this.#extras.snapshot = undefined;
  }

  /** Remembers the end of a delivery. */
  addFailure(failure: AttemptFailure): void {
    const { failures } = this;
    const kept = failures.length < MAX_FAILURES ? failures : failures.slice(1 - MAX_FAILURES);
    this.#needExtras().failures = Object.freeze([...kept, Object.freeze(failure)]);
  }

  #needExtras(): Extras {
    return this.#extras ??= {
      storedAt: 0,
      expiresAt: Infinity,
      peakBefore: -Infinity,
      isReadable: false,
      failures: NO_FAILURES,
      snapshot: undefined,
    };
  }
}

/** What every message has. Spelled out: spreading envelopes of many shapes is slow. */
function basicsOf({ envelope, seq, attempts }: MemoryEntry): StoredMessage {
  const { id, timestamp, senderId, content, metadata, namespace } = envelope;
  return { id, timestamp, senderId, content, metadata, v: 1, namespace, seq, attempts };
}

/** Adds what some have. */
function withOptional<Message extends StoredMessage>(message: Message, envelope: MessageEnvelope): Message {
  const copy: Writable<StoredMessage> = message;
  if (envelope.correlationId !== undefined) copy.correlationId = envelope.correlationId;
  if (envelope.replyTo !== undefined) copy.replyTo = envelope.replyTo;
  if (envelope.recipientId !== undefined) copy.recipientId = envelope.recipientId;
  if (envelope.orderingKey !== undefined) copy.orderingKey = envelope.orderingKey;
  if (envelope.notBefore !== undefined) copy.notBefore = envelope.notBefore;
  if (envelope.expiresAt !== undefined) copy.expiresAt = envelope.expiresAt;
  if (envelope.externalId !== undefined) copy.externalId = envelope.externalId;
  if (envelope.traceparent !== undefined) copy.traceparent = envelope.traceparent;
  return message;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
