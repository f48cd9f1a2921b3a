/**
 * The work queue of one channel of {@link MemoryStore}: who may have which message, and when.
 *
 * Every message has one place at a time, named by its ticket: among those that can be claimed, behind others of its
 * lane, among those that wait for their time, or among the leases. What happens with time (a delay or a lease ends)
 * is done by {@link MemoryQueue.advance}, before anything else looks.
 *
 * @module
 */
import type { AttemptFailure, ClaimedMessage } from "../message/channel-message.ts";
import { SortedQueue } from "../support/sorted-queue.ts";
import { LiveMap } from "../support/live-map.ts";
import type { MemoryEntry } from "./memory-entry.ts";
import { HeldEntries } from "./memory-held.ts";
import { Lane } from "./memory-lane.ts";
import type { Moment } from "./memory-moment.ts";
import type { ExtendOperation, ReleaseOperation } from "./message-store.ts";

/** What a claim asks for, checked. */
export interface QueueClaim {
  readonly workerId: string;
  readonly limit: number;
  readonly leaseMs: number;
  readonly recipientId?: string;
}

/** See the module. */
export class MemoryQueue {
  /** Can be claimed now: due messages without a lane, and one of every free lane. */
  readonly #ready = new SortedQueue<MemoryEntry>();
  /** The same by recipient, `""` for nobody in particular. Made by the first claim that asks for a recipient. */
  #readyFor: LiveMap<string, SortedQueue<MemoryEntry>> | undefined;
  readonly #delayed = new SortedQueue<MemoryEntry>();
  readonly #leases = new SortedQueue<MemoryEntry>();
  readonly #claimed = new HeldEntries();
  readonly #lanes = new LiveMap<string, Lane<MemoryEntry>>();
  /** Lanes that others may pass before the message they are held for is due. */
  readonly #heldLanes = new SortedQueue<Lane<MemoryEntry>>();
  readonly #nextToken: () => string;
  #tickets = 0;
  #size = 0;

  /** @param nextToken Gives a token that was never given before. */
  constructor(nextToken: () => string) {
    this.#nextToken = nextToken;
  }

  /** How many messages wait for a worker or are with one. */
  get size(): number {
    return this.#size;
  }

  /** How many wait for their time. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** How many workers hold. */
  get claimed(): number {
    return this.#leases.size;
  }

  /** Takes in a message that is due at `entry.dueAt`. */
  add(entry: MemoryEntry, now: number): void {
    this.#size++;
    const key = entry.envelope.orderingKey;
    if (key !== undefined) {
      let lane = this.#lanes.get(key);
      if (lane === undefined) this.#lanes.set(key, lane = new Lane(key));
      lane.size++;
      entry.lane = lane;
    }
    this.#enqueue(entry, now);
  }

  /** Does what the time has brought since it was last called. */
  advance(moment: Moment): void {
    const { now } = moment;
    while (this.#leases.firstKey <= now) this.#expireFirst(now, moment.wall);
    while (this.#delayed.firstKey <= now) {
      const entry = this.#delayed.shift();
      if (entry !== undefined) this.#makeReady(entry, now);
    }
    while (this.#heldLanes.firstKey <= now) {
      const lane = this.#heldLanes.shift();
      if (lane === undefined) break;
      lane.ticket = 0;
      this.#refresh(lane, now);
    }
  }

  /** Gives messages to a worker. */
  claim(request: QueueClaim, { now, wall }: Moment): ClaimedMessage[] {
    const { workerId, limit, leaseMs, recipientId } = request;
    const messages: ClaimedMessage[] = [];
    const leaseEnd = now + leaseMs;
    const until = wall + leaseMs;
    while (messages.length < limit) {
      const entry = recipientId === undefined ? this.#ready.shift() : this.#shiftFor(recipientId);
      if (entry === undefined) break;
      entry.state = "claimed";
      entry.ticket = ++this.#tickets;
      if (recipientId === undefined) this.#forgetView(entry);
      else this.#ready.forget();
      entry.token = this.#nextToken();
      entry.workerId = workerId;
      entry.countAttempt(1);
      this.#claimed.add(entry);
      this.#leases.push(entry, leaseEnd);
      const lane = entry.lane;
      if (lane !== undefined) {
        this.#unhold(lane);
        lane.candidate = undefined;
        lane.holder = entry;
        lane.holdUntil = Infinity;
      }
      messages.push(entry.claimed({ token: entry.token, workerId, attempt: entry.attempts, until }));
    }
    return messages;
  }

  /** The message of a present delivery. */
  held(seq: number, token: string): MemoryEntry | undefined {
    const entry = this.#claimed.get(seq);
    return entry !== undefined && entry.token === token ? entry : undefined;
  }

  /** Moves the end of a lease. */
  extend(entry: MemoryEntry, { leaseMs }: Pick<ExtendOperation, "leaseMs">, now: number): void {
    entry.ticket = ++this.#tickets;
    this.#leases.forget();
    this.#leases.push(entry, now + leaseMs);
  }

  /** Puts a held message back. */
  release(entry: MemoryEntry, operation: ReleaseOperation, moment: Moment): void {
    const { now } = moment;
    const { delayMs = 0, holdLaneMs = Infinity, countAttempt = true, failure, content } = operation;
    if (countAttempt || failure !== undefined) {
      const { reason = "nacked", detail } = failure ?? {};
      entry.addFailure(failureOf(entry, moment.wall, reason, detail));
    }
    if (!countAttempt) entry.countAttempt(-1);
    if (content !== undefined) entry.replaceContent(content);
    entry.ticket = 0;
    this.#leases.forget();
    entry.dueAt = now + delayMs;
    const lane = this.#endDelivery(entry);
    if (lane !== undefined && delayMs > 0 && holdLaneMs > 0) {
      lane.holder = entry;
      lane.holdUntil = Math.min(entry.dueAt, now + holdLaneMs);
      if (lane.holdUntil < entry.dueAt) {
        lane.seq = entry.seq;
        lane.ticket = ++this.#tickets;
        this.#heldLanes.push(lane, lane.holdUntil);
      }
    }
    this.#enqueue(entry, now);
    if (lane !== undefined) this.#refresh(lane, now);
  }

  /** Takes a message out for good, wherever it is. */
  take(entry: MemoryEntry, now: number): void {
    const { state, lane } = entry;
    entry.state = "done";
    entry.ticket = 0;
    this.#size--;
    if (state === "claimed") {
      this.#leases.forget();
      this.#endDelivery(entry);
    } else if (state === "delayed") {
      this.#delayed.forget();
      if (lane?.holder === entry) this.#unhold(lane);
    } else if (lane === undefined || lane.candidate === entry) {
      this.#ready.forget();
      this.#forgetView(entry);
      if (lane !== undefined) lane.candidate = undefined;
    } else {
      lane.forget();
    }
    if (lane === undefined) return;
    entry.lane = undefined;
    if (--lane.size === 0) this.#lanes.delete(lane.key);
    else this.#refresh(lane, now);
  }

  /** When the next message can be claimed, on the store's clock; `Infinity` when none waits. */
  nextDueAt(): number {
    const ready = this.#ready.firstKey;
    if (ready !== Infinity) return ready;
    return Math.min(this.#delayed.firstKey, this.#leases.firstKey, this.#heldLanes.firstKey);
  }

  #enqueue(entry: MemoryEntry, now: number): void {
    if (entry.dueAt <= now) {
      this.#makeReady(entry, now);
    } else {
      entry.state = "delayed";
      entry.ticket = ++this.#tickets;
      this.#delayed.push(entry, entry.dueAt);
    }
  }

  #makeReady(entry: MemoryEntry, now: number): void {
    entry.state = "ready";
    const lane = entry.lane;
    if (lane === undefined) {
      this.#offer(entry);
      return;
    }
    entry.ticket = ++this.#tickets;
    lane.enqueue(entry);
    this.#refresh(lane, now);
  }

  /** Lets the right message stand for the lane, or none while it is held. */
  #refresh(lane: Lane<MemoryEntry>, now: number): void {
    if (lane.holder !== undefined && lane.holdUntil <= now) this.#unhold(lane);
    const { candidate, next } = lane;
    const isHeld = lane.holder !== undefined;
    if (candidate !== undefined && (isHeld || (next !== undefined && next.seq < candidate.seq))) {
      lane.candidate = undefined;
      candidate.ticket = ++this.#tickets;
      this.#ready.forget();
      this.#forgetView(candidate);
      lane.enqueue(candidate);
    }
    if (isHeld || lane.candidate !== undefined) return;
    lane.candidate = lane.dequeue();
    if (lane.candidate !== undefined) this.#offer(lane.candidate);
  }

  #unhold(lane: Lane<MemoryEntry>): void {
    lane.holder = undefined;
    if (lane.ticket === 0) return;
    lane.ticket = 0;
    this.#heldLanes.forget();
  }

  #offer(entry: MemoryEntry): void {
    entry.ticket = ++this.#tickets;
    this.#ready.push(entry, entry.dueAt);
    if (this.#readyFor !== undefined) this.#addToView(this.#readyFor, entry);
  }

  #expireFirst(now: number, wall: number): void {
    const endedAt = this.#leases.firstKey;
    const entry = this.#leases.shift();
    if (entry === undefined) return;
    entry.addFailure(failureOf(entry, Math.round(wall - (now - endedAt)), "lease-expired", undefined));
    entry.dueAt = endedAt;
    this.#endDelivery(entry);
    this.#makeReady(entry, now);
  }

  /** Makes the token worthless and the lane free. */
  #endDelivery(entry: MemoryEntry): Lane<MemoryEntry> | undefined {
    this.#claimed.delete(entry);
    entry.token = "";
    entry.workerId = "";
    if (entry.lane !== undefined) entry.lane.holder = undefined;
    return entry.lane;
  }

  #addToView(views: LiveMap<string, SortedQueue<MemoryEntry>>, entry: MemoryEntry): void {
    const key = entry.envelope.recipientId ?? "";
    let view = views.get(key);
    if (view === undefined) views.set(key, view = new SortedQueue());
    view.push(entry, entry.dueAt);
  }

  #forgetView(entry: MemoryEntry): void {
    if (this.#readyFor === undefined) return;
    const key = entry.envelope.recipientId ?? "";
    const view = this.#readyFor.get(key);
    view?.forget();
    if (view?.size === 0) this.#readyFor.delete(key);
  }

  #shiftFor(recipientId: string): MemoryEntry | undefined {
    let views = this.#readyFor;
    if (views === undefined) {
      const made = new LiveMap<string, SortedQueue<MemoryEntry>>();
      this.#ready.forEach((entry) => this.#addToView(made, entry));
      this.#readyFor = views = made;
    }
    const own = views.get(recipientId);
    const common = views.get("");
    const first = own?.peek();
    const other = common?.peek();
    const isOwn = first !== undefined &&
      (other === undefined || first.dueAt < other.dueAt || (first.dueAt === other.dueAt && first.seq < other.seq));
    const view = isOwn ? own : common;
    const entry = view?.shift();
    if (view?.size === 0) views.delete(isOwn ? recipientId : "");
    return entry;
  }
}

function failureOf(entry: MemoryEntry, at: number, reason: string, detail: string | undefined): AttemptFailure {
  const { attempts, workerId } = entry;
  return detail === undefined
    ? { attempt: attempts, at, workerId, reason }
    : { attempt: attempts, at, workerId, reason, detail };
}
