/**
 * What a store must do, as simply as it can be said: lists that are searched from end to end. Written from the contract,
 * not from any store; a store that differs from it is wrong, or this is.
 *
 * Ids of deliveries stand for tokens. Sequence numbers and versions are the store's to choose: they are told to the
 * model, which holds the store to letting them grow.
 *
 * @module
 */

export interface ModelFailure {
  readonly attempt: number;
  readonly at: number;
  readonly workerId: string;
  readonly reason: string;
}

export interface ModelMessage {
  readonly id: string;
  readonly channel: string;
  readonly mode: "log" | "queue" | "both";
  readonly seq: number;
  readonly senderId: string;
  readonly timestamp: number;
  readonly storedAt: number;
  readonly lane?: string;
  readonly recipientId?: string;
  readonly expiresAt: number;
  content: number;
  /** `done`: no worker has anything to do with it. */
  work: "queued" | "claimed" | "done";
  dueAt: number;
  leaseEnd: number;
  delivery: number;
  workerId: string;
  attempts: number;
  failures: ModelFailure[];
  /** While released and not yet due, its lane waits up to here. */
  holdUntil: number;
}

export interface ModelState {
  readonly value: number;
  readonly version: number;
  readonly expiresAt: number;
}

export class StoreModel {
  now: number;
  messages: ModelMessage[] = [];
  /** Ids, with the channel before them, and until when they are remembered. */
  memory: Record<string, number> = {};
  readers: Record<string, { cursor: number; toldTo: number }> = {};
  prunedTo: Record<string, number> = {};
  lastSeq: Record<string, number> = {};
  state: Record<string, ModelState> = {};

  constructor(now: number) {
    this.now = now;
  }

  copy(): StoreModel {
    return Object.assign(new StoreModel(this.now), structuredClone({ ...this }));
  }

  pass(ms: number): void {
    this.now += ms;
    for (const message of this.messages) {
      if (message.work !== "claimed" || message.leaseEnd > this.now) continue;
      this.#fail(message, message.leaseEnd, "lease-expired");
      Object.assign(message, { work: "queued", dueAt: message.leaseEnd, holdUntil: 0 });
    }
    for (const [key, { expiresAt }] of Object.entries(this.state)) if (expiresAt <= this.now) delete this.state[key];
  }

  append(message: Pick<ModelMessage, "id" | "channel" | "mode"> & Partial<ModelMessage>, dedupeForMs: number): string {
    const { id, channel, mode, seq = 0, expiresAt = Infinity, dueAt = this.now } = message;
    const place = `${channel}/${id}`;
    if (this.find(channel, id) !== undefined) return "duplicate";
    if (dedupeForMs > 0 && (this.memory[place] ?? 0) > this.now) return "duplicate";
    if (!(seq > (this.lastSeq[channel] ?? 0))) return `seq ${seq} does not grow`;
    this.lastSeq[channel] = seq;
    this.memory[place] = Math.max(this.memory[place] ?? 0, this.now + dedupeForMs);
    const work = mode === "log" ? "done" : "queued";
    const fresh = { senderId: "", timestamp: 0, content: 0, leaseEnd: 0, delivery: 0, workerId: "", attempts: 0 };
    this.messages.push({
      ...fresh,
      ...message,
      ...{ seq, expiresAt, dueAt, work, failures: [], holdUntil: 0, storedAt: this.now },
    });
    return "done";
  }

  claim(channel: string, workerId: string, limit: number, leaseMs: number, recipientId?: string): ModelMessage[] {
    const due = this.messages.filter((m) => m.channel === channel && m.work === "queued" && m.dueAt <= this.now);
    const claimable = due.filter((m) =>
      m.lane === undefined ||
      (!this.#isBlocked(m) && due.every((other) => other.lane !== m.lane || other.seq >= m.seq))
    );
    return claimable
      .filter((m) => recipientId === undefined || m.recipientId === undefined || m.recipientId === recipientId)
      .sort((a, b) => a.dueAt - b.dueAt || a.seq - b.seq)
      .slice(0, limit)
      .map((m) =>
        Object.assign(m, { work: "claimed", workerId, leaseEnd: this.now + leaseMs, attempts: m.attempts + 1 })
      );
  }

  ack(delivery: number): string {
    const message = this.#held(delivery);
    if (message === undefined) return "lease-lost";
    message.work = "done";
    if (message.mode === "queue") this.#drop(message);
    return "done";
  }

  release(
    delivery: number,
    delayMs: number,
    holdLaneMs: number,
    countAttempt: boolean,
    reason?: string,
    content?: number,
  ): string {
    const message = this.#held(delivery);
    if (message === undefined) return "lease-lost";
    if (countAttempt || reason !== undefined) this.#fail(message, this.now, reason ?? "nacked");
    if (!countAttempt) message.attempts--;
    if (content !== undefined) message.content = content;
    Object.assign(message, { work: "queued", dueAt: this.now + delayMs, holdUntil: this.now + holdLaneMs });
    return "done";
  }

  extend(delivery: number, leaseMs: number): string {
    const message = this.#held(delivery);
    if (message === undefined) return "lease-lost";
    message.leaseEnd = this.now + leaseMs;
    return "done";
  }

  remove(channel: string, id: string, unlessClaimed: boolean, mustExist: boolean): string {
    const message = this.find(channel, id);
    if (message === undefined) return mustExist ? "missing" : "not-found";
    if (unlessClaimed && message.work === "claimed") return "claimed";
    this.#drop(message);
    return "done";
  }

  setState(key: string, value: number, version: number, expectedVersion?: number, ttlMs: number = Infinity): string {
    if (expectedVersion !== undefined && expectedVersion !== (this.state[key]?.version ?? 0)) return "conflict";
    this.state[key] = { value, version, expiresAt: this.now + ttlMs };
    return "done";
  }

  deleteState(key: string, expectedVersion?: number): string {
    const found = this.state[key];
    if (found === undefined) return "not-found";
    if (expectedVersion !== undefined && expectedVersion !== found.version) return "conflict";
    delete this.state[key];
    return "done";
  }

  setCursor(channel: string, readerId: string, seq: number): string {
    this.readers[`${channel}/${readerId}`] = { cursor: seq, toldTo: 0 };
    return "done";
  }

  read(
    channel: string,
    readerId: string,
    limit: number,
    after?: number,
    recipientId?: string,
    advance: boolean = after === undefined,
  ): {
    ids: string[];
    cursor: number;
    gap?: readonly [number, number];
  } {
    const place = `${channel}/${readerId}`;
    const reader = this.readers[place];
    const pruned = this.prunedTo[channel] ?? 0;
    const from = after ?? reader?.cursor ?? 0;
    const told = after ?? (reader === undefined ? pruned : Math.max(reader.cursor, reader.toldTo));
    const found = this.messages.filter((m) =>
      m.channel === channel && m.mode !== "queue" && m.seq > from && m.expiresAt > this.now &&
      (recipientId === undefined || m.recipientId === undefined || m.recipientId === recipientId)
    ).slice(0, limit);
    const cursor = found.at(-1)?.seq ?? from;
    if (advance) this.readers[place] = { cursor: found.length > 0 ? cursor : reader?.cursor ?? 0, toldTo: pruned };
    return { ids: found.map(({ id }) => id), cursor, ...(pruned > told ? { gap: [told + 1, pruned] } : {}) };
  }

  prune(channel: string, olderThanMs: number = Infinity, keepLatest: number = Infinity): number {
    const log = this.messages.filter((m) => m.channel === channel && m.mode !== "queue");
    const gone = log.filter((m, index) =>
      m.work === "done" && (m.storedAt < this.now - olderThanMs || index < log.length - keepLatest)
    );
    for (const message of gone) this.#dropByRetention(message);
    return gone.length;
  }

  clear(channel: string): number {
    const gone = this.messages.filter((m) => m.channel === channel);
    for (const message of gone) this.#dropByRetention(message);
    for (const key of Object.keys(this.readers)) if (key.startsWith(`${channel}/`)) delete this.readers[key];
    for (const key of Object.keys(this.memory)) if (key.startsWith(`${channel}/`)) delete this.memory[key];
    return gone.length;
  }

  /** When something can be claimed, if nothing but time happens: the least time at which a claim gives something. */
  nextDueAt(channel: string): number | undefined {
    const times = this.messages.filter((m) => m.channel === channel && m.work !== "done")
      .flatMap((m) => m.work === "claimed" ? [m.leaseEnd] : [m.dueAt, m.holdUntil]);
    for (const time of [this.now, ...times.filter((time) => time > this.now).sort((a, b) => a - b)]) {
      const later = this.copy();
      later.pass(time - this.now);
      if (later.claim(channel, "w", 1, 1).length > 0) return time;
    }
    return undefined;
  }

  stats(channel: string): Record<string, number> {
    const own = this.messages.filter((m) => m.channel === channel);
    const queued = own.filter((m) => m.work === "queued");
    const oldest = own.find((m) => m.work !== "done");
    return {
      stored: own.length,
      ready: queued.filter((m) => m.dueAt <= this.now).length,
      delayed: queued.filter((m) => m.dueAt > this.now).length,
      claimed: own.filter((m) => m.work === "claimed").length,
      lastSeq: this.lastSeq[channel] ?? 0,
      ...(oldest === undefined ? {} : { oldestUnacknowledgedAt: oldest.timestamp }),
    };
  }

  find(channel: string, id: string): ModelMessage | undefined {
    return this.messages.find((m) => m.channel === channel && m.id === id);
  }

  #held(delivery: number): ModelMessage | undefined {
    return this.messages.find((m) => m.work === "claimed" && m.delivery === delivery);
  }

  #isBlocked({ channel, lane }: ModelMessage): boolean {
    return this.messages.some((m) =>
      m.channel === channel && m.lane === lane &&
      (m.work === "claimed" || (m.work === "queued" && m.dueAt > this.now && m.holdUntil > this.now))
    );
  }

  #fail(message: ModelMessage, at: number, reason: string): void {
    const { attempts: attempt, workerId } = message;
    message.failures = [...message.failures, { attempt, at, workerId, reason }].slice(-50);
  }

  #drop(message: ModelMessage): void {
    this.messages = this.messages.filter((m) => m !== message);
  }

  #dropByRetention(message: ModelMessage): void {
    this.#drop(message);
    const { channel, mode, seq } = message;
    if (mode !== "queue") this.prunedTo[channel] = Math.max(this.prunedTo[channel] ?? 0, seq);
  }
}
