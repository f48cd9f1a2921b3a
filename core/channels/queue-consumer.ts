/**
 * The engine that takes work off a queue: claims, heart-beats, settles.
 *
 * @module
 */
import { ConflictError, LeaseLostError, PosthornError } from "../errors.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { CommitResult, MessageStore, ReleaseOperation, StoreOperation } from "../store/message-store.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import type { Clock, TimerHandle } from "../support/clock.ts";
import { WakeGate } from "../support/wake-gate.ts";

/**
 * What is committed together with the end of a piece of work. A function is asked again when state it had read changed
 * before the commit (a compare-and-set failed).
 */
export type SettlementOperations = readonly StoreOperation[] | (() => Promise<readonly StoreOperation[]>);

/** How a piece of work ends: with its acknowledgement or its release, and what is committed together with that. */
export type Settlement =
  | {
    /** The work is done. */
    readonly kind: "ack";
    /** What is committed with it. */
    readonly operations?: SettlementOperations;
  }
  | {
    /** The work goes back to the queue. */
    readonly kind: "release";
    /** For how long, and what the history says. */
    readonly release: Omit<ReleaseOperation, "type" | "channel" | "seq" | "token">;
    /** What is committed with it. */
    readonly operations?: SettlementOperations;
  };

/** How often operations are computed again after a conflict before the work is left to its lease. */
const MAX_CONFLICTS = 20;

/** What a piece of work may use. */
export interface WorkContext {
  /** Fires when the lease is lost, or the worker has to stop now. Its reason says which. */
  readonly signal: AbortSignal;
  /** Which delivery of the message this is, from 1. */
  readonly attempt: number;
}

/** What a consumer is made from. */
export interface QueueConsumerOptions {
  /** Where the work is. */
  readonly store: MessageStore;
  /** The channel's key. */
  readonly channel: string;
  /** Who works. */
  readonly workerId: string;
  /** How many pieces at once. */
  readonly concurrency: number;
  /** How long a lease lasts; it is extended at a third of it while the work runs. */
  readonly leaseMs: number;
  /** Time. */
  readonly clock: Clock;
  /** Does the work and says how it ends. It should not throw; if it does, the lease is left to end by itself. */
  readonly work: (message: ClaimedMessage, context: WorkContext) => Promise<Settlement>;
  /** Called after a settlement is committed, or was refused because the lease was lost. */
  readonly settled?: (message: ClaimedMessage, settlement: Settlement, committed: boolean) => void;
  /** Hears what goes wrong outside the work. */
  readonly onError: (error: unknown) => void;
  /** How often a store that does not tell of other processes' writes is looked at. @default `1_000` */
  readonly pollIntervalMs?: number;
}

interface Running {
  readonly message: ClaimedMessage;
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

/**
 * Takes work off a queue with bounded concurrency. It claims only what it starts at once, keeps leases alive while the
 * work runs, commits each settlement with what belongs to it, and sleeps until the store says that something is due.
 */
export class QueueConsumer {
  readonly #options: QueueConsumerOptions;
  readonly #gate = new WakeGate();
  readonly #stopping = new AbortController();
  readonly #running = new Map<string, Running>();
  #loop: Promise<void> | undefined;
  #heartbeat: TimerHandle | undefined;
  #claimFailures = 0;

  /** @param options Queue, worker and work. */
  constructor(options: QueueConsumerOptions) {
    this.#options = options;
  }

  /** How many pieces of work run now. */
  get running(): number {
    return this.#running.size;
  }

  /** Begins to work. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /**
   * Stops: claims no more, waits for what runs, and after the deadline aborts it and waits for it to end.
   *
   * @param deadlineMs How long work may go on. @default `Infinity`
   */
  async stop(deadlineMs: number = Infinity): Promise<void> {
    this.#stopping.abort();
    this.#gate.wake();
    await this.#loop;
    const all = Promise.all([...this.#running.values()].map((running) => running.done));
    const timer = deadlineMs === Infinity ? undefined : this.#options.clock.setTimer(deadlineMs, () => {
      for (const { controller } of this.#running.values()) {
        controller.abort(new PosthornError("stopping", "Cannot go on: the worker stops", { retryable: true }));
      }
    });
    await all;
    timer?.cancel();
    this.#heartbeat?.cancel();
  }

  /**
   * Works off what is due now, without waiting for more: for places that run in short bursts.
   *
   * @param limits How much at most, and for how long.
   * @returns How many pieces were done.
   */
  async pump(limits: { readonly budgetMs?: number; readonly maxMessages?: number } = {}): Promise<number> {
    const { budgetMs = Infinity, maxMessages = Infinity } = limits;
    const { clock, concurrency } = this.#options;
    const deadline = clock.monotonic() + budgetMs;
    let done = 0;
    while (done < maxMessages && clock.monotonic() < deadline && !this.#stopping.signal.aborted) {
      const started = await this.#claim(Math.min(concurrency - this.#running.size, maxMessages - done));
      done += started;
      if (this.#running.size === 0) break;
      if (started === 0 || this.#running.size >= concurrency) {
        await Promise.race([...this.#running.values()].map((running) => running.done));
      }
    }
    await Promise.all([...this.#running.values()].map((running) => running.done));
    return done;
  }

  async #run(): Promise<void> {
    const { store, channel, clock, concurrency } = this.#options;
    const { signal } = this.#stopping;
    const unwatch = store.watch(channel, () => this.#gate.wake());
    while (!signal.aborted) {
      const free = concurrency - this.#running.size;
      try {
        const started = free > 0 ? await this.#claim(free) : 0;
        this.#claimFailures = 0;
        if (started === free && free > 0) continue;
        await this.#gate.wait(clock, free > 0 ? await this.#untilDueMs() : undefined, signal);
      } catch (error) {
        this.#options.onError(error);
        await this.#gate.wait(clock, 50 + backoffDelayMs(++this.#claimFailures, { maxDelayMs: 30_000 }), signal);
      }
    }
    unwatch();
  }

  /** How long nothing can be due, unless the store says otherwise meanwhile. */
  async #untilDueMs(): Promise<number | undefined> {
    const { store, channel, clock, pollIntervalMs = 1_000 } = this.#options;
    const pollMs = store.capabilities.durable && store.capabilities.notifies === "process" ? pollIntervalMs : undefined;
    const dueAt = await store.nextDueAt([channel]);
    if (dueAt === undefined) return pollMs;
    // What is due already but was not given out waits in a busy lane: its lane wakes us, this is only the safety net.
    const waitMs = dueAt > clock.now() ? dueAt - clock.now() : 1_000;
    return pollMs === undefined ? waitMs : Math.min(waitMs, pollMs);
  }

  async #claim(limit: number): Promise<number> {
    const { store, channel, workerId, leaseMs } = this.#options;
    const claimed = await store.claim({ channel, workerId, limit: Math.min(limit, 10_000), leaseMs });
    for (const message of claimed) this.#begin(message);
    return claimed.length;
  }

  #begin(message: ClaimedMessage): void {
    const controller = new AbortController();
    const { token } = message.lease;
    const done = this.#work(message, controller).catch((error: unknown) => this.#options.onError(error)).then(() => {
      this.#running.delete(token);
      this.#gate.wake();
    });
    this.#running.set(token, { message, controller, done });
    this.#heartbeat ??= this.#options.clock.setTimer(this.#options.leaseMs / 3, () => void this.#beat());
  }

  async #work(message: ClaimedMessage, controller: AbortController): Promise<void> {
    const { store, channel, work, settled } = this.#options;
    const settlement = await work(message, { signal: controller.signal, attempt: message.lease.attempt });
    const held = { channel, seq: message.seq, token: message.lease.token };
    const end: StoreOperation = settlement.kind === "ack"
      ? { type: "ack", ...held }
      : { type: "release", ...held, ...settlement.release };
    const { operations = [] } = settlement;
    for (let conflicts = 0;; conflicts++) {
      const more = typeof operations === "function" ? await operations() : operations;
      const { committed, results } = await this.#commit([end, ...more], store);
      const again = !committed && results[0]?.status !== "lease-lost" && typeof operations === "function";
      if (again && conflicts < MAX_CONFLICTS) continue;
      settled?.(message, settlement, committed);
      if (!committed && results[0]?.status !== "lease-lost") {
        throw new ConflictError(`Cannot settle message "${message.id}": what goes with it cannot be committed`);
      }
      return;
    }
  }

  /** A store that fails for a moment must not turn finished work into repeated work: try again while the lease may live. */
  async #commit(operations: readonly StoreOperation[], store: MessageStore): Promise<CommitResult> {
    const giveUpAt = this.#options.clock.monotonic() + this.#options.leaseMs;
    for (let failures = 1;; failures++) {
      try {
        return await store.commit(operations);
      } catch (error) {
        const retryable = error instanceof PosthornError && error.code === "store";
        if (!retryable || this.#options.clock.monotonic() > giveUpAt) throw error;
        this.#options.onError(error);
        await this.#options.clock.sleep(20 + backoffDelayMs(failures, { baseDelayMs: 100, maxDelayMs: 5_000 }));
      }
    }
  }

  /** Extends every lease whose work still runs; work whose lease is lost is told to end. */
  async #beat(): Promise<void> {
    const { store, channel, leaseMs, clock, onError } = this.#options;
    const running = [...this.#running.values()];
    try {
      const { results } = await store.commit(
        running.map(({ message }) => ({
          type: "extend",
          channel,
          seq: message.seq,
          token: message.lease.token,
          leaseMs,
        })),
        { onConflict: "skip" },
      );
      for (const [index, { message, controller }] of running.entries()) {
        if (results[index]?.status === "done" || !this.#running.has(message.lease.token)) continue;
        controller.abort(
          new LeaseLostError(`Cannot go on with message "${message.id}": its lease is lost`, message.id),
        );
      }
    } catch (error) {
      onError(error);
    }
    this.#heartbeat = this.#running.size === 0 ? undefined : clock.setTimer(leaseMs / 3, () => void this.#beat());
  }
}
