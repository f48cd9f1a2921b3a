/**
 * One channel of {@link MemoryStore}: its messages, by id and by whatever else they are asked for.
 *
 * @module
 */
import type { MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import { SortedQueue, type Ticketed } from "../support/sorted-queue.ts";
import { LiveMap } from "../support/live-map.ts";
import { MemoryEntry } from "./memory-entry.ts";
import { FieldIndexes, type IndexedField, MemoryIndex } from "./memory-index.ts";
import { MemoryLog } from "./memory-log.ts";
import type { Moment } from "./memory-moment.ts";
import { MemoryQueue } from "./memory-queue.ts";
import type { AppendMode, ChannelStats, PruneRequest, QueryPage, QueryRequest } from "./message-store.ts";

const FIELDS: readonly IndexedField[] = ["correlationId", "externalId", "senderId", "recipientId"];

/** An id that is remembered after its message is gone. */
interface Memory extends Ticketed {
  readonly id: string;
}

function isStored(entry: MemoryEntry): boolean {
  return entry.isStored;
}

function isUnacknowledged(entry: MemoryEntry): boolean {
  return entry.isUnacknowledged;
}

/** See the module. */
export class MemoryChannel {
  /** The work queue. */
  readonly queue: MemoryQueue;
  /** The log. */
  readonly log: MemoryLog = new MemoryLog();
  readonly #entries = new LiveMap<string, MemoryEntry>();
  readonly #memories = new LiveMap<string, Memory>();
  #memoryEnds = new SortedQueue<Memory>();
  readonly #maxRememberedIds: number;
  readonly #fields = new FieldIndexes(isStored);
  /** Made when first asked for, as are those of the fields: a work queue nobody searches pays for none. */
  #all: MemoryIndex | undefined;
  #unacknowledged: MemoryIndex | undefined;
  #listeners: readonly (() => void)[] = [];
  #lastSeq = 0;
  /** The latest timestamp so far, and how far behind the latest one a timestamp ever was. */
  #peak = -Infinity;
  #lateness = 0;

  /**
   * @param nextToken As for {@link MemoryQueue}.
   * @param maxRememberedIds How many ids are remembered of messages that are gone.
   */
  constructor(nextToken: () => string, maxRememberedIds: number) {
    this.queue = new MemoryQueue(nextToken);
    this.#maxRememberedIds = maxRememberedIds;
  }

  /** Whom to call after a change. */
  get listeners(): readonly (() => void)[] {
    return this.#listeners;
  }

  /** Adds a listener. @returns Takes it away. */
  watch(listener: () => void): () => void {
    // A function of its own: the same one may watch twice, and each ends by itself.
    const call = (): void => listener();
    this.#listeners = [...this.#listeners, call];
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== call);
    };
  }

  /** Does what the time has brought. */
  advance(moment: Moment): void {
    this.queue.advance(moment);
    while (this.#memoryEnds.firstKey <= moment.now) this.#forgetFirstId();
  }

  #forgetFirstId(): void {
    const memory = this.#memoryEnds.shift();
    if (memory !== undefined) this.#memories.delete(memory.id);
  }

  /** A message by id. */
  find(id: string): MemoryEntry | undefined {
    return this.#entries.get(id);
  }

  /** Whether an id is remembered although its message is gone. */
  remembers(id: string): boolean {
    return this.#memories.has(id);
  }

  /** Adds a message whose id is neither there nor remembered. @returns Its place. */
  append(envelope: MessageEnvelope, mode: AppendMode, dedupeForMs: number, moment: Moment): number {
    const { notBefore, expiresAt, timestamp } = envelope;
    const { now } = moment;
    const entry = new MemoryEntry(++this.#lastSeq, mode, envelope);
    if (timestamp >= this.#peak) {
      this.#peak = timestamp;
    } else {
      entry.follow(this.#peak);
      this.#lateness = Math.max(this.#lateness, this.#peak - timestamp);
    }
    if (dedupeForMs > 0) entry.rememberUntil = now + dedupeForMs;
    this.#entries.set(envelope.id, entry);
    if (mode !== "queue") {
      entry.makeReadable(now, expiresAt === undefined ? Infinity : now + (expiresAt - moment.wall));
      this.log.add(entry);
    }
    if (mode !== "log") {
      entry.dueAt = notBefore === undefined ? now : now + (notBefore - moment.wall);
      this.queue.add(entry, now);
      this.#unacknowledged?.push(entry);
    }
    this.#all?.push(entry);
    this.#fields.push(entry);
    return entry.seq;
  }

  /** Ends a delivery well. */
  acknowledge(entry: MemoryEntry, now: number): void {
    if (entry.mode === "queue") {
      this.remove(entry, now);
    } else {
      this.queue.take(entry, now);
      this.#unacknowledged?.forget();
    }
  }

  /** Removes a message. */
  remove(entry: MemoryEntry, now: number, isPruned = false): void {
    this.#entries.delete(entry.envelope.id);
    const isUnacknowledged = entry.isUnacknowledged;
    if (isUnacknowledged) this.queue.take(entry, now);
    entry.state = "gone";
    if (isUnacknowledged) this.#unacknowledged?.forget();
    if (entry.mode !== "queue") this.log.take(entry, isPruned);
    this.#all?.forget();
    this.#fields.forget(entry);
    if (entry.rememberUntil > now) {
      const memory: Memory = { id: entry.envelope.id, seq: entry.seq, ticket: entry.seq };
      this.#memories.set(memory.id, memory);
      this.#memoryEnds.push(memory, entry.rememberUntil);
      if (this.#memories.size > this.#maxRememberedIds) this.#forgetFirstId();
    }
  }

  /** Applies retention. @returns How many messages it removed. */
  prune({ olderThanMs = Infinity, keepLatest = Infinity }: PruneRequest, now: number): number {
    const found = this.log.prunable(now - olderThanMs, keepLatest);
    for (const entry of found) this.remove(entry, now, true);
    return found.length;
  }

  /** Removes everything: messages, readers, remembered ids. @returns How many messages. */
  clear(now: number): number {
    const count = this.#entries.size;
    for (const entry of [...this.#entries.values()]) this.remove(entry, now, true);
    this.log.forgetReaders();
    this.#memories.clear();
    this.#memoryEnds = new SortedQueue();
    return count;
  }

  /** Finds messages. */
  query(request: QueryRequest): QueryPage {
    const { order = "asc", after, limit = 100, fromTime = -Infinity, toTime = Infinity } = request;
    const index = this.#indexFor(request);
    const messages: StoredMessage[] = [];
    if (index === undefined) return { messages };
    const isAscending = order === "asc";
    // Timestamps are their writers' and may go back, but never further than they ever did.
    let low = index.positionFrom(fromTime);
    let high = toTime === Infinity ? index.end : index.positionFrom(toTime + this.#lateness);
    if (after !== undefined && isAscending) low = Math.max(low, index.positionAfter(after));
    if (after !== undefined && !isAscending) high = Math.min(high, index.positionAfter(after - 1));
    for (let step = 0; step < high - low; step++) {
      const position = isAscending ? low + step : high - 1 - step;
      const entry = index.at(position);
      if (entry === undefined || !isMatch(entry.envelope, request, fromTime, toTime)) continue;
      if (messages.length === limit) return { messages, next: messages[limit - 1]?.seq ?? 0 };
      messages.push(entry.snapshot());
    }
    return { messages };
  }

  /** Counts. */
  stats(): ChannelStats {
    const { size, delayed, claimed } = this.queue;
    if (this.#unacknowledged === undefined) {
      this.#unacknowledged = new MemoryIndex(isUnacknowledged);
      for (const entry of this.#entries.values()) if (entry.isUnacknowledged) this.#unacknowledged.push(entry);
    }
    const oldest = this.#unacknowledged.first;
    const counts = {
      stored: this.#entries.size,
      ready: size - delayed - claimed,
      delayed,
      claimed,
      lastSeq: this.#lastSeq,
    };
    return oldest === undefined ? counts : { ...counts, oldestUnacknowledgedAt: oldest.envelope.timestamp };
  }

  /** The shortest list that has all that is looked for. */
  #indexFor(request: QueryRequest): MemoryIndex | undefined {
    let shortest: MemoryIndex | undefined;
    for (const field of FIELDS) {
      const value = request[field];
      if (value === undefined) continue;
      const index = this.#fields.get(field, value, this.#entries.values());
      if (index === undefined) return undefined;
      if (shortest === undefined || index.size < shortest.size) shortest = index;
    }
    return shortest ?? this.#index();
  }

  #index(): MemoryIndex {
    if (this.#all === undefined) {
      this.#all = new MemoryIndex(isStored);
      // A Map keeps the order of insertion, and ids are inserted with growing sequence numbers.
      for (const entry of this.#entries.values()) this.#all.push(entry);
    }
    return this.#all;
  }
}

function isMatch(envelope: MessageEnvelope, request: QueryRequest, fromTime: number, toTime: number): boolean {
  if (envelope.timestamp < fromTime || envelope.timestamp >= toTime) return false;
  for (const field of FIELDS) {
    const value = request[field];
    if (value !== undefined && envelope[field] !== value) return false;
  }
  return true;
}
