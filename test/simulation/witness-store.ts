import assert from "node:assert/strict";
import type {
  ClaimedMessage,
  Clock,
  CommitOptions,
  CommitResult,
  MessageStore,
  StoreOperation,
} from "../../core/mod.ts";

/** What is known of one message. */
interface Fate {
  readonly lane: string | undefined;
  readonly seq: number;
  /** How often it was given out, without what was given back uncounted. */
  deliveries: number;
  /** The present delivery. */
  lease: { readonly token: string; readonly workerId: string; endsAt: number } | undefined;
  /** How it ended. */
  end: "acknowledged" | "dead" | undefined;
}

/**
 * Stands before the store and sees every claim and every commit that happened, whoever made them and whether or not they
 * lived to hear of it. It checks what must hold in any order of events: one live lease a message, first in first out in a
 * lane, no more deliveries than allowed, and no life after the end.
 */
export class WitnessStore {
  /** The store, watched. */
  readonly view: MessageStore;
  /** How many messages ended, by how. */
  readonly ends: { acknowledged: number; dead: number } = { acknowledged: 0, dead: 0 };
  /** How many commits came too late for their lease. */
  leasesLost = 0;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #mostClaims: number;
  readonly #fates = new Map<string, Fate>();
  readonly #tokens = new Map<string, string>();
  /** The messages of each lane that have not ended, in their order. */
  readonly #lanes = new Map<string, string[]>();
  /** What broke first. */
  failure: unknown;

  /**
   * @param store The store.
   * @param clock Its clock.
   * @param key The queue's key.
   * @param mostClaims How often one message may be claimed.
   */
  constructor(store: MessageStore, clock: Clock, key: string, mostClaims: number) {
    this.#clock = clock;
    this.#key = key;
    this.#mostClaims = mostClaims;
    this.view = Object.assign(Object.create(store) as MessageStore, {
      capabilities: store.capabilities,
      append: async (...args: Parameters<MessageStore["append"]>) => {
        const results = await store.append(...args);
        const [channel, messages] = args;
        this.#look(() => {
          for (const [index, message] of messages.entries()) {
            if (channel === this.#key) this.#born(message.id, results[index]?.seq ?? 0, message.orderingKey);
          }
        });
        return results;
      },
      claim: async (...args: Parameters<MessageStore["claim"]>) => {
        const claimed = await store.claim(...args);
        this.#look(() => claimed.forEach((message) => this.#claimed(message, args[0].leaseMs)));
        return claimed;
      },
      commit: async (operations: readonly StoreOperation[], options?: CommitOptions) => {
        const result = await store.commit(operations, options);
        this.#look(() => this.#committed(operations, result));
        return result;
      },
      get: store.get.bind(store),
      query: store.query.bind(store),
      stats: store.stats.bind(store),
      prune: store.prune.bind(store),
      nextDueAt: store.nextDueAt.bind(store),
      readShared: store.readShared.bind(store),
      clear: store.clear.bind(store),
      watch: store.watch.bind(store),
      getState: store.getState.bind(store),
      listState: store.listState.bind(store),
      close: store.close.bind(store),
    });
  }

  /** The messages that have not ended. */
  get unfinished(): readonly string[] {
    return [...this.#fates].filter(([, { end }]) => end === undefined).map(([id]) => id);
  }

  /** How many messages there ever were. */
  get written(): number {
    return this.#fates.size;
  }

  /** How a message ended. */
  endOf(id: string): Fate["end"] {
    return this.#fates.get(id)?.end;
  }

  /** Remembers what broke: an assertion here must not look like a failing store to the consumers. */
  #look(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.failure ??= error;
    }
  }

  #born(id: string, seq: number, lane: string | undefined): void {
    assert.notEqual(this.#fates.get(id)?.end ?? "nothing", undefined, `${id} is born twice`);
    this.#fates.set(id, { lane, seq, deliveries: 0, lease: undefined, end: undefined });
    if (lane !== undefined) this.#lanes.set(lane, [...this.#lanes.get(lane) ?? [], id]);
  }

  #claimed({ id, lease, seq }: ClaimedMessage, leaseMs: number): void {
    const now = this.#clock.monotonic();
    const fate = this.#fates.get(id) ?? assert.fail(`${id} was never written`);
    assert.equal(fate.end, undefined, `${id} is ${fate.end}, and given out again`);
    assert.equal(seq, fate.seq);
    assert.equal(lease.attempt, ++fate.deliveries, `${id} does not know how often it was given out`);
    assert.ok(fate.deliveries <= this.#mostClaims, `${id} is given out for the ${fate.deliveries}th time`);
    const held = fate.lease;
    if (held !== undefined) {
      assert.ok(held.endsAt <= now, `${id} is held by ${held.workerId} and given to ${lease.workerId}`);
    }
    if (fate.lane !== undefined) {
      assert.equal(this.#lanes.get(fate.lane)?.[0], id, `${id} is not the first of ${fate.lane}`);
    }
    this.#tokens.set(lease.token, id);
    fate.lease = { token: lease.token, workerId: lease.workerId, endsAt: now + leaseMs };
  }

  #committed(operations: readonly StoreOperation[], { committed, results }: CommitResult): void {
    const now = this.#clock.monotonic();
    const isBurial = committed && operations.some(({ type }, index) => type === "append" && index > 0);
    for (const [index, operation] of operations.entries()) {
      const status = results[index]?.status;
      if (!("token" in operation)) {
        if (operation.type === "append" && operation.channel === this.#key && committed && status === "done") {
          this.#born(operation.message.id, results[index]?.seq ?? 0, operation.message.orderingKey);
        }
        continue;
      }
      if (status === "lease-lost") this.leasesLost++;
      if (!committed || status !== "done") continue;
      const [id, fate] = this.#holder(operation.token);
      assert.ok(
        fate.lease !== undefined && fate.lease.endsAt > now,
        `${operation.type} of ${id} on a lease that ended`,
      );
      if (operation.type === "extend") fate.lease.endsAt = now + operation.leaseMs;
      else fate.lease = undefined;
      if (operation.type === "release" && operation.countAttempt === false) fate.deliveries--;
      if (operation.type === "ack") this.#ended(id, fate, isBurial ? "dead" : "acknowledged");
    }
  }

  #holder(token: string): readonly [id: string, fate: Fate] {
    const id = this.#tokens.get(token) ?? assert.fail("a token nobody was given was taken");
    const fate = this.#fates.get(id) ?? assert.fail(`${id} was never written`);
    assert.equal(fate.lease?.token, token, `a stale token of ${id} was taken`);
    return [id, fate];
  }

  #ended(id: string, fate: Fate, end: "acknowledged" | "dead"): void {
    fate.end = end;
    this.ends[end]++;
    if (fate.lane === undefined) return;
    this.#lanes.set(fate.lane, (this.#lanes.get(fate.lane) ?? []).filter((each) => each !== id));
  }
}
