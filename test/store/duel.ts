/**
 * A store and the model side by side: every step is done by both, and they must agree.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ClaimedMessage, MessageEnvelope } from "../../core/message/channel-message.ts";
import type { CommitResult, MessageStore, StoreOperation } from "../../core/store/message-store.ts";
import { StoreModel } from "./model.ts";
import { StepClock } from "./step-clock.ts";
import type { AppendStep, DeliveryPart, Part, Step } from "./steps.ts";

export const CHANNELS = ["a", "b"] as const;

/** Opens what a store has written again, or an empty store. */
export type Reopen = (store: MessageStore, clock: StepClock) => Promise<MessageStore>;

/** See the module. */
export class Duel {
  readonly clock: StepClock = new StepClock();
  model: StoreModel = new StoreModel(this.clock.now());
  #store: MessageStore | undefined;
  readonly #reopen: Reopen | undefined;
  readonly #deliveries: { readonly channel: string; readonly message: ClaimedMessage }[] = [];
  /** Tokens, and the number of the delivery each stands for, from 1. */
  readonly #tokens = new Map<string, number>();
  readonly #ids: string[] = [];
  readonly #versions = new Map<string, number>();
  #count = 0;
  #steps = 0;

  constructor(reopen?: Reopen) {
    this.#reopen = reopen;
  }

  get store(): MessageStore {
    assert.ok(this.#store !== undefined, "store");
    return this.#store;
  }

  async open(open: (clock: StepClock) => Promise<MessageStore>): Promise<void> {
    this.#store = await open(this.clock);
  }

  /** Does a step on both sides. */
  async take(step: Step): Promise<void> {
    switch (step.type) {
      case "append":
        await this.#append(step);
        break;
      case "claim":
        await this.#claim(step.channel, step.limit, step.leaseMs, step.recipientId);
        break;
      case "commit":
        await this.#commit(step.parts.map((part) => this.#operation(part)), step.onConflict);
        break;
      case "redrive":
        await this.#commit(this.#redriveOperations(step.pick, step.channel), "abort");
        break;
      case "read": {
        const { channel, readerId, limit, recipientId, advance } = step;
        const after = step.after === undefined ? undefined : this.#someSeq(channel, step.after);
        const page = await this.store.readShared({
          channel,
          readerId,
          limit,
          ...(recipientId === undefined ? {} : { recipientId }),
          ...(after === undefined ? {} : { after }),
          ...(advance === undefined ? {} : { advance }),
        });
        const expected = this.model.read(channel, readerId, limit, after, recipientId, advance);
        const gap = page.gap === undefined ? {} : { gap: [page.gap.fromSeq, page.gap.toSeq] };
        assert.deepEqual({ ids: page.messages.map(({ id }) => id), cursor: page.cursor, ...gap }, expected);
        break;
      }
      case "prune": {
        const { channel, olderThanMs, keepLatest } = step;
        const request = {
          ...(olderThanMs === undefined ? {} : { olderThanMs }),
          ...(keepLatest === undefined ? {} : { keepLatest }),
        };
        assert.equal(
          await this.store.prune({ channel, ...request }),
          this.model.prune(channel, olderThanMs, keepLatest),
        );
        break;
      }
      case "clear":
        assert.equal(await this.store.clear(step.channel), this.model.clear(step.channel));
        break;
      case "query":
        await this.#query(step);
        break;
      case "pass":
        this.clock.pass(step.ms);
        this.model.pass(step.ms);
        break;
      case "reopen":
        if (this.#reopen !== undefined) this.#store = await this.#reopen(this.store, this.clock);
        break;
    }
    for (const channel of CHANNELS) assert.deepEqual(await this.store.stats(channel), this.model.stats(channel));
    if (++this.#steps % 20 === 0) await this.#audit();
  }

  /** Hands out and acknowledges everything: nothing may be lost, and nothing be left over. */
  async finish(): Promise<void> {
    await this.#audit();
    this.clock.pass(1_000);
    this.model.pass(1_000);
    for (const channel of CHANNELS) {
      for (let first = await this.#claim(channel, 1_000, 10); first < this.#deliveries.length;) {
        const given = this.#deliveries.slice(first);
        const acks = given.map(({ message: { seq, lease: { token } } }) =>
          ({ type: "ack", channel, seq, token }) as const
        );
        await this.#commit(acks, "abort");
        first = await this.#claim(channel, 1_000, 10);
      }
      assert.equal(this.model.stats(channel)["ready"], 0, "all was claimed");
    }
    await this.#audit();
    await this.store.close();
  }

  async #append({ channel, mode, dedupeForMs, messages }: AppendStep): Promise<void> {
    const envelopes = messages.map((part) => this.#envelope(part));
    const results = await this.store.append(channel, envelopes, { mode, dedupeForMs });
    assert.equal(results.length, messages.length);
    for (const [index, envelope] of envelopes.entries()) {
      const { status, seq } = results[index] ?? { status: "none" };
      const present = this.model.find(channel, envelope.id);
      assert.equal(status, this.#modelAppend(this.model, channel, mode, envelope, dedupeForMs, seq));
      if (status === "duplicate") assert.equal(seq, present?.seq, "place of the duplicate");
    }
  }

  #envelope(
    { isOld, pick, lane, recipientId, delayMs, expiresInMs, timeSkew }: AppendStep["messages"][number],
  ): MessageEnvelope {
    const id = (isOld ? this.#ids.at(-1 - pick % 12) : undefined) ?? `m${++this.#count}`;
    this.#ids.push(id);
    const now = this.clock.now();
    return {
      v: 1,
      id,
      namespace: "",
      timestamp: now - timeSkew,
      senderId: `s${pick % 3}`,
      content: pick,
      metadata: {},
      ...(lane === undefined ? {} : { orderingKey: lane }),
      ...(recipientId === undefined ? {} : { recipientId }),
      ...(delayMs === undefined ? {} : { notBefore: now + delayMs }),
      ...(expiresInMs === undefined ? {} : { expiresAt: now + expiresInMs }),
    };
  }

  #modelAppend(
    model: StoreModel,
    channel: string,
    mode: AppendStep["mode"],
    envelope: MessageEnvelope,
    dedupeForMs: number,
    seq: number = (model.lastSeq[channel] ?? 0) + 1,
  ): string {
    const { id, orderingKey, recipientId, notBefore, expiresAt, senderId, timestamp, content } = envelope;
    return model.append({
      id,
      channel,
      mode,
      seq,
      senderId,
      timestamp,
      content: Number(content),
      ...(orderingKey === undefined ? {} : { lane: orderingKey }),
      ...(recipientId === undefined ? {} : { recipientId }),
      ...(notBefore === undefined ? {} : { dueAt: notBefore }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }, dedupeForMs);
  }

  /** @returns How many deliveries there were before. */
  async #claim(channel: string, limit: number, leaseMs: number, recipientId?: string): Promise<number> {
    const workerId = `w${this.#count % 4}`;
    const request = { channel, workerId, limit, leaseMs, ...(recipientId === undefined ? {} : { recipientId }) };
    const claimed = await this.store.claim(request);
    const expected = this.model.claim(channel, workerId, limit, leaseMs, recipientId);
    const before = this.#deliveries.length;
    assert.deepEqual(
      claimed.map((
        { id, seq, attempts, content, failures, lease },
      ) => [id, seq, attempts, content, failures, lease.attempt, lease.until]),
      expected.map((
        { id, seq, attempts, content, failures, leaseEnd },
      ) => [id, seq, attempts, content, failures, attempts, leaseEnd]),
    );
    for (const [index, message] of claimed.entries()) {
      assert.ok(!this.#tokens.has(message.lease.token), "token is new");
      this.#tokens.set(message.lease.token, this.#deliveries.push({ channel, message }));
      Object.assign(expected[index] ?? {}, { delivery: this.#deliveries.length });
    }
    return before;
  }

  async #commit(operations: readonly StoreOperation[], onConflict: "abort" | "skip"): Promise<void> {
    const result = await this.store.commit(operations, { onConflict });
    const tried = this.model.copy();
    const statuses = operations.map((operation, index) => this.#modelDo(tried, operation, result, index));
    const isUndone = onConflict === "abort" &&
      statuses.some((status) => ["lease-lost", "conflict", "claimed", "missing"].includes(status));
    const expected = isUndone ? statuses.map((status) => status === "done" ? "undone" : status) : statuses;
    assert.deepEqual([result.committed, result.results.map(({ status }) => status)], [!isUndone, expected]);
    if (!isUndone) this.model = tried;
  }

  #operation(part: Part): StoreOperation {
    switch (part.type) {
      case "ack":
      case "release":
      case "extend":
        return this.#deliveryOperation(part);
      case "append": {
        const { channel, mode, dedupeForMs, message } = part;
        return { type: "append", channel, mode, dedupeForMs, message: this.#envelope(message) };
      }
      case "remove": {
        const { channel, pick, unlessClaimed, mustExist } = part;
        return { type: "remove", channel, id: this.#someId(channel, pick), unlessClaimed, mustExist };
      }
      case "set-cursor":
        return { ...part, seq: this.#someSeq(part.channel, part.seq) };
      case "set-state":
      case "delete-state": {
        const { expected, ...rest } = part;
        const version = this.#versions.get(part.key) ?? 0;
        if (expected === undefined) return rest;
        return {
          ...rest,
          expectedVersion: expected === "present" ? version : expected === "none" ? 0 : version + 500_000_000,
        };
      }
    }
  }

  #deliveryOperation(part: DeliveryPart): StoreOperation {
    const { channel, message } = this.#someDelivery(part.pick) ?? { channel: "a" };
    const place = { channel, seq: message?.seq ?? 1, token: message?.lease.token ?? "none" };
    if (part.type === "ack") return { type: "ack", ...place };
    if (part.type === "extend") return { type: "extend", leaseMs: part.leaseMs, ...place };
    const { delayMs, holdLaneMs, countAttempt, reason, content } = part;
    return {
      type: "release",
      ...place,
      delayMs,
      countAttempt,
      ...(holdLaneMs === undefined ? {} : { holdLaneMs }),
      ...(reason === undefined ? {} : { failure: { reason } }),
      ...(content === undefined ? {} : { content }),
    };
  }

  #modelDo(model: StoreModel, operation: StoreOperation, { results }: CommitResult, index: number): string {
    const result = results[index];
    switch (operation.type) {
      case "ack":
        return model.ack(this.#deliveryOf(operation.token));
      case "extend": {
        const status = model.extend(this.#deliveryOf(operation.token), operation.leaseMs);
        if (result?.status === "done") assert.equal(result.until, this.clock.now() + operation.leaseMs);
        return status;
      }
      case "release": {
        const { token, delayMs = 0, holdLaneMs = Infinity, countAttempt = true, failure, content } = operation;
        const other = content === undefined ? undefined : Number(content);
        return model.release(this.#deliveryOf(token), delayMs, holdLaneMs, countAttempt, failure?.reason, other);
      }
      case "append": {
        const { channel, mode, message, dedupeForMs = 0 } = operation;
        const seq = result?.status === "done" ? result.seq : undefined;
        return this.#modelAppend(model, channel, mode, message, dedupeForMs, seq);
      }
      case "remove": {
        const { channel, id, unlessClaimed = false, mustExist = false } = operation;
        return model.remove(channel, id, unlessClaimed, mustExist);
      }
      case "set-cursor":
        return model.setCursor(operation.channel, operation.readerId, operation.seq);
      case "set-state": {
        const { key, value, expectedVersion, ttlMs } = operation;
        const last = this.#versions.get(key) ?? 0;
        const version = result?.version ?? last + 1_000_000 + index;
        const status = model.setState(key, Number(value), version, expectedVersion, ttlMs);
        if (result?.status === "done") {
          assert.ok(version > last, `version ${version} after ${last}`);
          this.#versions.set(key, version);
        }
        return status;
      }
      case "delete-state":
        return model.deleteState(operation.key, operation.expectedVersion);
    }
  }

  /** Moves a message to the other channel under its id, as a dead letter is driven again. */
  #redriveOperations(pick: number, channel: "a" | "b"): StoreOperation[] {
    const id = this.#someId(channel, pick);
    const sender = { v: 1, namespace: "", timestamp: this.clock.now(), senderId: "s0" } as const;
    const message = { ...sender, id, content: 0, metadata: {} };
    return [
      { type: "append", channel: channel === "a" ? "b" : "a", mode: "queue", message },
      { type: "remove", channel, id, unlessClaimed: true, mustExist: true },
    ];
  }

  async #query(step: Step & { type: "query" }): Promise<void> {
    const { channel, senderId, recipientId, order, limit } = step;
    const after = step.after === undefined ? undefined : this.#someSeq(channel, step.after);
    const fromTime = step.fromAgo === undefined ? undefined : this.clock.now() - step.fromAgo;
    const toTime = step.toAgo === undefined ? undefined : this.clock.now() - step.toAgo;
    const page = await this.store.query({
      channel,
      order,
      limit,
      ...(senderId === undefined ? {} : { senderId }),
      ...(recipientId === undefined ? {} : { recipientId }),
      ...(after === undefined ? {} : { after }),
      ...(fromTime === undefined ? {} : { fromTime }),
      ...(toTime === undefined ? {} : { toTime }),
    });
    const found = this.model.messages.filter((m) =>
      m.channel === channel && (senderId === undefined || m.senderId === senderId) &&
      (recipientId === undefined || m.recipientId === recipientId) &&
      m.timestamp >= (fromTime ?? 0) && m.timestamp < (toTime ?? Infinity) &&
      (after === undefined || (order === "asc" ? m.seq > after : m.seq < after))
    );
    if (order === "desc") found.reverse();
    assert.deepEqual(page.messages.map(({ seq }) => seq), found.slice(0, limit).map(({ seq }) => seq));
    assert.equal(page.next, found.length > limit ? found[limit - 1]?.seq : undefined);
  }

  /** Looks at everything. */
  async #audit(): Promise<void> {
    const now = this.clock.now();
    for (const channel of CHANNELS) {
      const { messages } = await this.store.query({ channel, limit: 10_000 });
      const own = this.model.messages.filter((m) => m.channel === channel);
      assert.deepEqual(
        messages.map(({ id, seq, attempts, content }) => [id, seq, attempts, content]),
        own.map(({ id, seq, attempts, content }) => [id, seq, attempts, content]),
      );
      const exact = this.model.nextDueAt(channel);
      const next = await this.store.nextDueAt([channel]);
      const isRight = exact === undefined || next === undefined
        ? next === exact
        : exact <= now
        ? next <= now
        : next > now && next <= exact;
      assert.ok(isRight, `nextDueAt of ${channel}: ${next} where ${exact} is right, at ${now}`);
      const some = own[this.#steps % Math.max(1, own.length)];
      if (some !== undefined) assert.equal((await this.store.get(channel, some.id))?.seq, some.seq);
    }
    const entries = await this.store.listState("");
    assert.deepEqual(
      entries.map(({ key, value, version, expiresAt = Infinity }) => [key, value, version, expiresAt]),
      Object.entries(this.model.state).map(([key, { value, version, expiresAt }]) => [key, value, version, expiresAt])
        .sort(([left], [right]) => String(left) < String(right) ? -1 : 1),
    );
  }

  /** Mostly one that is held; else one of the latest, which may have ended. */
  #someDelivery(pick: number): { readonly channel: string; readonly message: ClaimedMessage } | undefined {
    const held = this.model.messages.filter(({ work }) => work === "claimed");
    const one = pick % 4 === 0 ? undefined : held[pick % held.length];
    return this.#deliveries.at(one === undefined ? -1 - pick % 8 : one.delivery - 1);
  }

  /** Mostly one that is stored, rather an early one; else one of the latest, which may be gone. */
  #someId(channel: string, pick: number): string {
    const stored = this.model.messages.filter((message) => message.channel === channel);
    const one = pick % 4 === 0 ? undefined : stored[pick % Math.min(stored.length, 10)];
    return one?.id ?? this.#ids.at(-1 - pick % 20) ?? "m0";
  }

  #someSeq(channel: string, pick: number): number {
    const last = this.model.lastSeq[channel] ?? 0;
    return last === 0 ? 0 : Math.max(0, last - pick % 20);
  }

  #deliveryOf(token: string): number {
    return this.#tokens.get(token) ?? 0;
  }
}
