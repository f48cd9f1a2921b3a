/**
 * Each message to one worker.
 *
 * @module
 */
import type { ClaimedMessage, StoredMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { AppendMode, StoreOperation } from "../store/message-store.ts";
import { assertDurationMs, assertId, assertInteger } from "../support/assert.ts";
import type { BackoffOptions } from "../support/backoff.ts";
import { assertFunction, assertOptions, checkLimit } from "./channel-input.ts";
import type {
  ChannelOptions,
  ClaimOptions,
  ClaimReference,
  ClaimResult,
  NackOptions,
  ReadOptions,
} from "./channel-options.ts";
import { type ConsumeOptions, type Consumer, startConsumer, type WorkHandler } from "./consumer.ts";
import { DeadLetterBox, type DeadLetterPage } from "./dead-letter-box.ts";
import { type BurialInfo, burialOperations, type DeadLetter } from "./dead-letter.ts";
import { checkNack, idOf, PassthroughChannel } from "./passthrough-channel.ts";

export type { ConsumeContext, ConsumeOptions, Consumer, WorkHandler } from "./consumer.ts";

/** How long {@link WorkQueueChannel.stop} waits for what is being handled. */
const STOP_DEADLINE_MS = 30_000;

/** What a work queue is made from. */
export interface WorkQueueChannelOptions<T = JsonValue> extends ChannelOptions<T> {
  /** How long a claim lasts unless it is extended. @default `300_000` */
  readonly claimTimeoutMs?: number;
  /** How often a message is given to a worker before it becomes a dead letter, from 1. @default `5` */
  readonly maxDeliveries?: number;
  /** How long to wait after a failed delivery, in {@link WorkQueueChannel.consume}. */
  readonly backoff?: BackoffOptions;
}

/**
 * Competing consumers: each message is worked on by one worker at a time, until one acknowledges it. Claim by `read`
 * with `exclusive: true` (shared reads throw a `TypeError`), or let {@link WorkQueueChannel.consume} do the rest.
 *
 * A claim is a lease with a token: hidden from other workers until it is acknowledged, given back or ends by itself. A
 * message that has been delivered `maxDeliveries` times without an acknowledgement becomes a dead letter, with its whole
 * history, and can be driven again.
 *
 * @example
 * ```ts
 * import { WorkQueueChannel } from "posthorn";
 *
 * const queue = new WorkQueueChannel<{ file: string }>({ id: "jobs" });
 * await queue.start();
 * await queue.write("scheduler", { file: "img.png" });
 * for (const job of await queue.read("worker-1", { limit: 5, exclusive: true })) {
 *   console.log(job.content.file); // img.png
 *   await queue.acknowledge("worker-1", [job]);
 * }
 * await queue.stop();
 * ```
 */
export class WorkQueueChannel<T = JsonValue> extends PassthroughChannel<T> {
  /** {@inheritDoc ChannelCore.kind} */
  override readonly kind = "work-queue";
  /** {@inheritDoc ChannelCore.mode} */
  protected override readonly mode: AppendMode = "queue";
  /** How often a message is delivered before it becomes a dead letter. */
  readonly maxDeliveries: number;
  readonly #backoff: BackoffOptions;
  readonly #consumers = new Set<Consumer>();
  readonly #dead: DeadLetterBox;

  /**
   * Makes a work queue channel.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: WorkQueueChannelOptions<T>) {
    super({ ...options, claims: true });
    this.maxDeliveries = assertInteger(options.maxDeliveries ?? 5, "maxDeliveries", 1, 1_000_000);
    this.#backoff = checkBackoff(options.backoff ?? {});
    this.#dead = new DeadLetterBox(this.store, this.key);
  }

  /** Claims messages. Throws a `TypeError` without `exclusive: true`. */
  override read(readerId: string, options: ClaimOptions): Promise<readonly ClaimedMessage<T>[]>;
  /**
   * Nothing else: a work queue has no shared reads.
   *
   * @throws {TypeError} Always.
   */
  override read(readerId: string, options?: ReadOptions): Promise<readonly StoredMessage<T>[]>;
  override read(
    readerId: string,
    options: ReadOptions | ClaimOptions = {},
  ): Promise<readonly StoredMessage<T>[] | readonly ClaimedMessage<T>[]> {
    return super.read(readerId, options);
  }

  /** {@inheritDoc PassthroughChannel.claim} What must not be delivered any more becomes a dead letter. */
  protected override async claim(
    workerId: string,
    options: { readonly limit?: number; readonly claimTimeoutMs?: number },
  ): Promise<readonly ClaimedMessage<T>[]> {
    const limit = checkLimit(options.limit);
    const first = await super.claim(workerId, options);
    if (first.every((message) => this.#deadReason(message, message.lease.attempt) === undefined)) return first;
    const given: ClaimedMessage<T>[] = [];
    let claimed = first;
    for (let claims = limit; claims > 0;) {
      for (const message of claimed) {
        const reason = this.#deadReason(message, message.lease.attempt);
        if (reason === undefined) given.push(message);
        // What cannot be buried now comes again when its lease ends.
        else {await this.#bury(message, { reason, failure: null }).catch((error: unknown) =>
            this.report(error, message)
          );}
      }
      // Some were dead, and there may be living ones behind them.
      claims = claimed.length < claims ? 0 : limit - given.length;
      if (claims > 0) claimed = await super.claim(workerId, { ...options, limit: claims });
    }
    return given;
  }

  /**
   * Gives claims back. A message that has been delivered `maxDeliveries` times becomes a dead letter in place of that.
   */
  override async nack(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    options: NackOptions = {},
  ): Promise<readonly ClaimResult[]> {
    const { detail } = checkNack(options);
    this.assertRunning("settle on");
    const buried = new Map<ClaimedMessage<T>, boolean>();
    const claims = this.resolveClaims(readerId, claimed);
    // The caller's array is the caller's to change as soon as this waits.
    const references = claims.flatMap((claim, index) => claim ?? claimed[index] ?? []);
    for (const claim of claims) {
      if (claim === undefined || claim.lease.attempt < this.maxDeliveries || buried.has(claim)) continue;
      const info = { reason: "max-deliveries", failure: "nacked", ...(detail === undefined ? undefined : { detail }) };
      buried.set(claim, await this.#bury(claim, info));
    }
    const rest = await super.nack(readerId, references.filter(isLeft), options);
    let next = 0;
    return claims.flatMap((claim, index): readonly ClaimResult[] => {
      const isDead = claim === undefined ? undefined : buried.get(claim);
      if (isDead !== undefined) return [{ id: idOf(references[index]), status: isDead ? "dead" : "lease-lost" }];
      const result = rest[next++];
      return result === undefined ? [] : [result];
    });

    function isLeft(reference: ClaimReference<T>): boolean {
      return typeof reference === "string" || !buried.has(reference);
    }
  }

  /**
   * Works the queue: claims, keeps the lease alive while the handler runs, acknowledges when it returns, gives back with
   * exponential delay and full jitter when it throws, and buries what has failed `maxDeliveries` times.
   *
   * @param workerId Who works.
   * @param handler Does one piece of work. Effects outside the store happen at least once: use the message's id to make
   * them idempotent.
   * @param options How many at once, and what ends it.
   * @returns The consumer; the channel's `stop` stops it too.
   * @throws {NotRunningError} If the channel is not running.
   *
   * @example
   * ```ts
   * import { WorkQueueChannel } from "posthorn";
   *
   * const queue = new WorkQueueChannel<number>({ id: "numbers" });
   * await queue.start();
   * await queue.write("me", 1);
   * const done = new Promise<void>((resolve) => {
   *   queue.consume("worker", (message) => {
   *     console.log(message.content); // 1
   *     resolve();
   *   });
   * });
   * await done;
   * await queue.stop();
   * ```
   */
  consume(workerId: string, handler: WorkHandler<T>, options: ConsumeOptions = {}): Consumer {
    this.assertOpen("consume");
    assertId(workerId, "workerId");
    assertFunction(handler, "handler");
    assertOptions(options);
    const consumer: Consumer = startConsumer<T>({
      engine: {
        store: this.store,
        channel: this.key,
        workerId,
        concurrency: assertInteger(options.concurrency ?? 1, "concurrency", 1, 10_000),
        leaseMs: this.claimTimeoutMs,
        clock: this.clock,
      },
      handler,
      maxDeliveries: this.maxDeliveries,
      backoff: this.#backoff,
      signal: options.signal,
      typed: (message) => this.typed(message),
      deadReason: (message, attempt) => this.#deadReason(message, attempt),
      burial: (message, info) => this.#burial(message, info),
      onError: (error, message) => this.report(error, message),
      onEnd: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  #deadReason(message: { readonly expiresAt?: number }, attempt: number): string | undefined {
    if (message.expiresAt !== undefined && message.expiresAt <= this.clock.now()) return "expired";
    return attempt > this.maxDeliveries ? "max-deliveries" : undefined;
  }

  #burial(message: ClaimedMessage, info: Omit<BurialInfo, "at">): readonly StoreOperation[] {
    return burialOperations(this.key, message, { ...info, at: this.clock.now() });
  }

  async #bury(message: ClaimedMessage<T>, info: Omit<BurialInfo, "at">): Promise<boolean> {
    this.forgetClaim(message);
    const { committed } = await this.store.commit([
      { type: "ack", ...this.held(message) },
      ...this.#burial(this.untyped(message), info),
    ]);
    return committed;
  }

  /** {@link ChannelCore.typed} the other way: what came from the store was JSON. */
  protected untyped(message: ClaimedMessage<T>): ClaimedMessage {
    return message as ClaimedMessage<T> & ClaimedMessage;
  }

  /**
   * The dead letters, oldest first.
   *
   * @param page How many, and behind which sequence number.
   */
  async deadLetters(page: DeadLetterPage = {}): Promise<readonly DeadLetter<T>[]> {
    this.assertRunning("read dead letters of");
    return (await this.#dead.list(page)).map((letter) => this.typed(letter));
  }

  /**
   * Puts a dead letter back into the queue under its id, as if it had never been delivered.
   *
   * @param id The message.
   * @returns Whether it was among the dead letters.
   * @throws {ConflictError} If the queue has a message with this id: it was written again. The dead letter stays.
   */
  async redrive(id: string): Promise<boolean> {
    this.assertRunning("redrive");
    return await this.#dead.redrive(id);
  }

  /** Removes a dead letter for good. @returns Whether it was there. */
  async discard(id: string): Promise<boolean> {
    this.assertRunning("discard from");
    return await this.#dead.discard(id);
  }

  /** Stops its consumers, giving what is being handled 30 seconds, unless told otherwise. */
  protected override async windDown(deadlineMs: number = STOP_DEADLINE_MS): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop(deadlineMs)));
    await super.windDown(deadlineMs);
  }
}

function checkBackoff(backoff: BackoffOptions): BackoffOptions {
  assertOptions(backoff, "backoff");
  const { baseDelayMs, maxDelayMs, random } = backoff;
  if (baseDelayMs !== undefined) assertDurationMs(baseDelayMs, "backoff.baseDelayMs");
  if (maxDelayMs !== undefined) assertDurationMs(maxDelayMs, "backoff.maxDelayMs");
  if (random !== undefined) assertFunction(random, "backoff.random");
  return backoff;
}
