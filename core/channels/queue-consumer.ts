/**
 * The engine that takes work off a queue: claims, heart-beats, settles.
 *
 * @module
 */
import { ConflictError, LeaseLostError, PosthornError } from "../errors.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { CommitResult, StoreOperation } from "../store/message-store.ts";
import { deferred } from "../support/abort.ts";
import { assertDurationMs } from "../support/assert.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import { nextTurn, type TimerHandle } from "../support/clock.ts";
import { LiveMap } from "../support/live-map.ts";
import { WakeGate } from "../support/wake-gate.ts";
import { pollIntervalOf } from "./polling.ts";
import { endOf, type QueueConsumerOptions, type Running, type SettlementOperations } from "./queue-consumer-options.ts";

export type { QueueConsumerOptions, Settlement, SettlementOperations, WorkContext } from "./queue-consumer-options.ts";

/** How often operations are computed again after a conflict before the work is left to its lease. */
const MAX_CONFLICTS = 20;

/** How long work that was told to end may take to do so before it is left behind. */
const GRACE_MS = 5_000;

/** So many messages in a row, and the platform gets its turn: with a store in memory nothing else would give it one. */
const MESSAGES_A_TURN = 1_000;

/**
 * Takes work off a queue with bounded concurrency. It claims only what it starts at once, keeps leases alive while the
 * work runs, commits each settlement with what belongs to it, and sleeps until the store says that something is due.
 */
export class QueueConsumer {
  readonly #options: QueueConsumerOptions;
  readonly #gate = new WakeGate();
  readonly #stopping = new AbortController();
  readonly #running = new LiveMap<string, Running>();
  readonly #leftBehind = deferred<void>();
  readonly #pumps = new Set<Promise<number>>();
  readonly #lookers = new Set<() => void>();
  #loop: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #isInterrupted = false;
  /** Whether it has stopped: work that was left behind gets no heart-beats. */
  #isOver = false;
  #heartbeat: TimerHandle | undefined;
  #grace: TimerHandle | undefined;
  #claimFailures = 0;
  #sinceTurn = 0;

  /**
   * Makes a queue consumer.
   *
   * @param options Queue, worker and work.
   */
  constructor(options: QueueConsumerOptions) {
    this.#options = options;
  }

  /** How many pieces of work run now. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * Begins to work.
   *
   * @throws {StoreError} If the store is closed.
   */
  start(): void {
    if (this.#loop !== undefined || this.#stopping.signal.aborted) return;
    const unwatch = this.#options.store.watch(this.#options.channel, () => this.#gate.wake());
    this.#loop = this.#run().finally(() => {
      unwatch();
      this.#endLooks(this.#lookers);
    });
  }

  /**
   * Stops: claims no more and waits for what runs. After the deadline it tells the work to end (its signal fires), and
   * a grace later leaves behind what did not: its lease ends by itself, and somebody else gets the message.
   *
   * @param deadlineMs How long work may go on. Called again, the earlier deadline counts. @default `Infinity`
   * @param graceMs How long work may take to end once it is told to. @default `5_000`
   */
  async stop(deadlineMs: number = Infinity, graceMs: number = GRACE_MS): Promise<void> {
    assertDurationMs(deadlineMs, "deadlineMs");
    assertDurationMs(graceMs, "graceMs");
    this.#stopping.abort();
    const timer = deadlineMs === Infinity
      ? undefined
      : this.#options.clock.setTimer(deadlineMs, () => this.#interrupt(graceMs));
    this.#ending ??= this.#end();
    await this.#ending.finally(() => timer?.cancel());
  }

  /**
   * Works off what is due now, without waiting for more: for places that run in short bursts.
   *
   * @param limits How much at most, and for how long.
   * @returns How many pieces were done.
   */
  async pump(limits: { readonly budgetMs?: number; readonly maxMessages?: number } = {}): Promise<number> {
    const pump = this.#pump(limits);
    this.#pumps.add(pump);
    try {
      return await pump;
    } finally {
      this.#pumps.delete(pump);
    }
  }

  async #pump(limits: { readonly budgetMs?: number; readonly maxMessages?: number }): Promise<number> {
    const { budgetMs = Infinity, maxMessages = Infinity } = limits;
    const { clock, concurrency } = this.#options;
    const deadline = clock.monotonic() + budgetMs;
    let done = 0;
    while (done < maxMessages && clock.monotonic() < deadline && !this.#stopping.signal.aborted) {
      const free = Math.min(concurrency - this.#running.size, maxMessages - done);
      const started = free > 0 ? await this.#claim(free) : 0;
      done += started;
      if (this.#running.size === 0) break;
      if (started < free || free <= 0) await this.#gate.wait(clock);
    }
    await this.#allDone();
    this.#rest();
    return done;
  }

  /**
   * Looks for work at once. Resolves when there was nothing to be had: all that was due is begun and has ended, or is held
   * by somebody else. Resolves too where the store fails, as `onError` is told, and when the consumer ends.
   */
  async look(): Promise<void> {
    if (this.#loop === undefined || this.#stopping.signal.aborted) return;
    const { promise, resolve } = deferred<void>();
    this.#lookers.add(resolve);
    this.#gate.wake();
    await promise;
  }

  #endLooks(lookers: Iterable<() => void>): void {
    for (const resolve of lookers) {
      this.#lookers.delete(resolve);
      resolve();
    }
  }

  async #run(): Promise<void> {
    const { clock, concurrency } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const free = concurrency - this.#running.size;
        const lookers = this.#lookers.size === 0 || this.#running.size > 0 ? [] : [...this.#lookers];
        const started = free > 0 ? await this.#claim(free) : 0;
        if (started === 0) this.#endLooks(lookers);
        this.#claimFailures = 0;
        if (started === free && free > 0) continue;
        if (this.#running.size === 0) this.#rest();
        await this.#gate.wait(clock, free > 0 ? await this.#untilDueMs() : undefined, signal);
      } catch (error) {
        this.#report(error);
        this.#endLooks(this.#lookers);
        await this.#gate.wait(clock, 50 + backoffDelayMs(++this.#claimFailures, { maxDelayMs: 30_000 }), signal);
      }
    }
  }

  /** How long nothing can be due, unless the store says otherwise meanwhile. */
  async #untilDueMs(): Promise<number | undefined> {
    const { store, channel, clock, pollIntervalMs } = this.#options;
    const pollMs = pollIntervalOf(store, pollIntervalMs);
    const dueAt = await store.nextDueAt([channel]);
    if (dueAt === undefined) return pollMs;
    // What is due already but was not given out waits in a busy lane: its lane wakes us, this is only the safety net.
    const waitMs = dueAt > clock.now() ? dueAt - clock.now() : 1_000;
    return pollMs === undefined ? waitMs : Math.min(waitMs, pollMs);
  }

  async #claim(limit: number): Promise<number> {
    const { store, channel, workerId, leaseMs, clock } = this.#options;
    if (this.#sinceTurn >= MESSAGES_A_TURN) {
      this.#sinceTurn = 0;
      await nextTurn();
    }
    if (this.#stopping.signal.aborted) return 0;
    const leaseEndsAt = clock.monotonic() + leaseMs;
    const claimed = await store.claim({ channel, workerId, limit: Math.min(limit, 10_000), leaseMs });
    this.#sinceTurn += claimed.length;
    if (this.#stopping.signal.aborted) {
      await this.#giveBack(claimed);
      return 0;
    }
    for (const message of claimed) this.#begin(message, leaseEndsAt);
    return claimed.length;
  }

  /** What came when nobody wanted more goes back as if it had never been given. */
  async #giveBack(claimed: readonly ClaimedMessage[]): Promise<void> {
    const { store, channel } = this.#options;
    if (claimed.length === 0) return;
    await store.commit(
      claimed.map(({ seq, lease }) => ({ type: "release", channel, seq, token: lease.token, countAttempt: false })),
      { onConflict: "skip" },
    );
  }

  #begin(message: ClaimedMessage, leaseEndsAt: number): void {
    const running: Running = {
      message,
      controller: new AbortController(),
      done: Promise.resolve(),
      leaseEndsAt,
      isSettling: false,
    };
    const { token } = message.lease;
    this.#running.set(token, running);
    running.done = this.#work(running).catch((error: unknown) => this.#report(error)).then(() => {
      this.#running.delete(token);
      this.#gate.wake();
    });
    this.#armHeartbeat();
  }

  async #work(running: Running): Promise<void> {
    const { channel, work, settled } = this.#options;
    const { message, controller } = running;
    const settlement = await work(message, { signal: controller.signal, attempt: message.lease.attempt });
    running.isSettling = true;
    const end = endOf(settlement, { channel, seq: message.seq, token: message.lease.token });
    const { operations = [] } = settlement;
    for (let conflicts = 0;; conflicts++) {
      const { committed, results } = await this.#commit(end, operations);
      const again = !committed && results[0]?.status !== "lease-lost" && typeof operations === "function";
      if (again && conflicts < MAX_CONFLICTS) continue;
      await settled?.(message, settlement, committed, results);
      if (!committed && results[0]?.status !== "lease-lost") {
        throw new ConflictError(`Cannot settle message "${message.id}": what goes with it cannot be committed`);
      }
      return;
    }
  }

  /** A store that fails for a moment must not turn finished work into repeated work: try again while the lease may live. */
  async #commit(end: StoreOperation, operations: SettlementOperations): Promise<CommitResult> {
    const { store, clock, leaseMs } = this.#options;
    const giveUpAt = clock.monotonic() + leaseMs;
    for (let failures = 1;; failures++) {
      try {
        const more = typeof operations === "function" ? await operations() : operations;
        return await store.commit([end, ...more]);
      } catch (error) {
        const retryable = error instanceof PosthornError && error.code === "store";
        if (!retryable || this.#isInterrupted || clock.monotonic() > giveUpAt) throw error;
        this.#report(error);
        await clock.sleep(20 + backoffDelayMs(failures, { baseDelayMs: 100, maxDelayMs: 5_000 }));
      }
    }
  }

  #armHeartbeat(): void {
    if (this.#heartbeat !== undefined || this.#running.size === 0 || this.#isOver) return;
    this.#heartbeat = this.#options.clock.setTimer(this.#options.leaseMs / 3, () => {
      this.#heartbeat = undefined;
      void this.#beat().then(() => this.#armHeartbeat());
    });
  }

  /** Leaves no timer behind where nothing runs. */
  #rest(): void {
    if (this.#running.size > 0) return;
    this.#heartbeat?.cancel();
    this.#heartbeat = undefined;
  }

  /** Extends every lease whose work still runs; work whose lease is lost is told to end. */
  async #beat(): Promise<void> {
    const { store, channel, leaseMs, clock } = this.#options;
    const running = [...this.#running.values()];
    const leaseEndsAt = clock.monotonic() + leaseMs;
    const extend = running.map(({ message: { seq, lease } }): StoreOperation => (
      { type: "extend", channel, seq, token: lease.token, leaseMs }
    ));
    try {
      const { results } = await store.commit(extend, { onConflict: "skip" });
      for (const [index, each] of running.entries()) {
        if (results[index]?.status === "done") each.leaseEndsAt = leaseEndsAt;
        else if (!each.isSettling) this.#tellLost(each);
      }
    } catch (error) {
      this.#report(error);
      const now = clock.monotonic();
      for (const each of running) if (each.leaseEndsAt <= now) this.#tellLost(each);
    }
  }

  #tellLost({ message, controller }: Running): void {
    controller.abort(new LeaseLostError(`Cannot go on with message "${message.id}": its lease is lost`, message.id));
  }

  async #end(): Promise<void> {
    const claiming = Promise.allSettled([this.#loop, ...this.#pumps]);
    await Promise.race([claiming.then(() => this.#allDone()), this.#leftBehind.promise]);
    this.#isOver = true;
    this.#grace?.cancel();
    this.#heartbeat?.cancel();
  }

  async #allDone(): Promise<void> {
    await Promise.all([...this.#running.values()].map((running) => running.done));
  }

  #interrupt(graceMs: number): void {
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    for (const { controller } of this.#running.values()) {
      controller.abort(new PosthornError("stopping", "Cannot go on: the worker stops", { retryable: true }));
    }
    this.#grace = this.#options.clock.setTimer(graceMs, () => {
      for (const { message } of this.#running.values()) {
        this.#report(
          new PosthornError("stopping", `Cannot wait longer for message "${message.id}": its work ignores its signal`),
        );
      }
      this.#leftBehind.resolve();
    });
  }

  /** Whoever hears errors must not add any: nobody is left to hear them. */
  #report(error: unknown): void {
    try {
      this.#options.onError(error);
    } catch {
      // As above.
    }
  }
}
