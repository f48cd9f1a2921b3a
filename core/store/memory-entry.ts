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

/** Where a message is in the work queue. */
export type WorkState = "none" | "ready" | "delayed" | "claimed";

/** One message, in the log, in the work queue, or both. */
export class MemoryEntry {
  readonly seq: number;
  readonly mode: AppendMode;
  /** When it was appended, on the store's clock. */
  readonly storedAt: number;
  /** The latest timestamp of this message and all before it in its channel: never falls, so it can be searched. */
  readonly peak: number;
  /** The envelope as written, or with the content of the latest release. */
  envelope: MessageEnvelope;
  attempts = 0;
  failures: readonly AttemptFailure[] = NO_FAILURES;
  state: WorkState = "none";
  /** See `Ticketed`: the one place of the work queue it stands in now. */
  ticket = 0;
  /** When it can be claimed, on the store's clock. */
  dueAt = 0;
  lane: Lane | undefined = undefined;
  /** Of the present delivery; `""` when there is none. */
  token = "";
  workerId = "";
  /** Whether its channel still has it. */
  isStored = true;
  /** Whether readers of the log still get it. */
  isReadable: boolean;
  /** When readers do not get it any more, on the store's clock. */
  readonly expiresAt: number;
  /** Until when its id is remembered, on the store's clock. */
  readonly rememberUntil: number;
  /** The commit that is being tried and ends this message's delivery. */
  releasedIn = 0;
  #snapshot: StoredMessage | undefined = undefined;

  constructor(
    seq: number,
    mode: AppendMode,
    envelope: MessageEnvelope,
    times: {
      readonly storedAt: number;
      readonly peak: number;
      readonly expiresAt: number;
      readonly rememberUntil: number;
    },
  ) {
    this.seq = seq;
    this.mode = mode;
    this.envelope = envelope;
    this.storedAt = times.storedAt;
    this.peak = times.peak;
    this.expiresAt = times.expiresAt;
    this.rememberUntil = times.rememberUntil;
    this.isReadable = mode !== "queue";
  }

  /** The message as readers get it: one frozen object for all of them. */
  snapshot(): StoredMessage {
    this.#snapshot ??= Object.freeze({ ...this.envelope, seq: this.seq, attempts: this.attempts });
    return this.#snapshot;
  }

  /** The message as a worker gets it. */
  claimed(lease: Lease): ClaimedMessage {
    return { ...this.envelope, seq: this.seq, attempts: this.attempts, lease, failures: this.failures };
  }

  /** Counts a delivery, or gives its number back. */
  countAttempt(by: 1 | -1): void {
    this.attempts += by;
    this.#snapshot = undefined;
  }

  /** Puts other content in place. */
  replaceContent(content: MessageEnvelope["content"]): void {
    this.envelope = { ...this.envelope, content };
    this.#snapshot = undefined;
  }

  /** Remembers the end of a delivery. */
  addFailure(failure: AttemptFailure): void {
    const kept = this.failures.length < MAX_FAILURES ? this.failures : this.failures.slice(1 - MAX_FAILURES);
    this.failures = Object.freeze([...kept, Object.freeze(failure)]);
  }
}
