/**
 * Each message to one worker.
 *
 * @module
 */
import { kindOf, PosthornError, ValidationError } from "../errors.ts";
import type { ClaimedMessage, StoredMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { AppendMode, StoreOperation } from "../store/message-store.ts";
import { assertId, assertInteger } from "../support/assert.ts";
import { backoffDelayMs, type BackoffOptions } from "../support/backoff.ts";
import { checkLimit } from "./channel-core.ts";
import type {
  ChannelOptions,
  ClaimOptions,
  ClaimReference,
  ClaimResult,
  MessageHandler,
  ReadOptions,
} from "./channel-options.ts";
import {
  type DeadLetter,
  deadLetterKey,
  deadLetterOperation,
  readDeadLetter,
  redriveOperations,
} from "./dead-letter.ts";
import { PassthroughChannel } from "./passthrough-channel.ts";
import { QueueConsumer, type Settlement, type WorkContext } from "./queue-consumer.ts";
import type { Subscription } from "./subscription.ts";

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

/** How {@link WorkQueueChannel.consume} works. */
export interface ConsumeOptions {
  /** How many messages at once. @default `1` */
  readonly concurrency?: number;
  /** Ends the consumer, after what is being handled. */
  readonly signal?: AbortSignal;
}

/** What a handler of {@link WorkQueueChannel.consume} may use. */
export interface ConsumeContext extends WorkContext {
  /** Whether this is the last delivery before the message becomes a dead letter. */
  readonly isLast: boolean;
}

/** Does one piece of work. Returning acknowledges it, throwing gives it back. */
export type WorkHandler<T> = (message: ClaimedMessage<T>, context: ConsumeContext) => void | Promise<void>;

/** A running consumer. */
export interface Consumer {
  /** Stops it: claims no more, and waits for what is being handled, at most `deadlineMs`; then its signal fires. */
  stop(deadlineMs?: number): Promise<void>;
  /** Resolves when it has stopped. */
  readonly finished: Promise<void>;
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

  /**
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: WorkQueueChannelOptions<T>) {
    super({ ...options, claims: true });
    this.maxDeliveries = assertInteger(options.maxDeliveries ?? 5, "maxDeliveries", 1, 1_000_000);
    this.#backoff = options.backoff ?? {};
  }

  /** Claims messages. Throws a `TypeError` without `exclusive: true`. */
  override read(readerId: string, options: ClaimOptions): Promise<readonly ClaimedMessage<T>[]>;
  /** @throws {TypeError} Always: a work queue has no shared reads. */
  override read(readerId: string, options?: ReadOptions): Promise<readonly StoredMessage<T>[]>;
  override async read(
    readerId: string,
    options: ReadOptions | ClaimOptions = {},
  ): Promise<readonly StoredMessage<T>[] | readonly ClaimedMessage<T>[]> {
    if (options.exclusive !== true) {
      throw new TypeError(`Cannot read work queue "${this.id}" without exclusive: true: it has no shared reads`);
    }
    const claimed = await this.claim(readerId, options);
    const given: ClaimedMessage<T>[] = [];
    for (const message of claimed) {
      const reason = this.#deadReason(message);
      if (reason === undefined) given.push(message);
      else await this.#bury(message, reason);
    }
    return given;
  }

  /** @throws {TypeError} Always: a message goes to one worker, not to every subscriber. */
  override subscribe(_subscriberId: string, _handler: MessageHandler<T>): Promise<Subscription<T>> {
    return Promise.reject(
      new TypeError(`Cannot subscribe to work queue "${this.id}": a message goes to one worker; use consume()`),
    );
  }

  /**
   * Gives claims back. A message that has been delivered `maxDeliveries` times becomes a dead letter in place of that.
   */
  override async nack(
    readerId: string,
    claimed: readonly ClaimReference<T>[],
    options: { readonly delayMs?: number; readonly detail?: string } = {},
  ): Promise<readonly ClaimResult[]> {
    const results: ClaimResult[] = [];
    for (const [index, { claim }] of this.resolveClaims(readerId, claimed).entries()) {
      const reference = claimed.slice(index, index + 1);
      const [result] = claim !== undefined && claim.lease.attempt >= this.maxDeliveries
        ? await this.#buryClaim(reference, readerId, claim.id, options.detail)
        : await super.nack(readerId, reference, options);
      if (result !== undefined) results.push(result);
    }
    return results;
  }

  /** A bare id has no failures at hand: the history then starts with this delivery. */
  async #buryClaim(
    reference: readonly ClaimReference<T>[],
    readerId: string,
    id: string,
    detail: string | undefined,
  ): Promise<readonly ClaimResult[]> {
    const [first] = reference;
    const { claim } = this.resolveClaims(readerId, reference)[0] ?? {};
    const stored = await this.get(id);
    if (stored === undefined || claim === undefined) return [{ id, status: "not-found" }];
    const failures = typeof first === "object" ? first.failures : [];
    const buried = await this.#bury({ ...stored, lease: claim.lease, failures }, "max-deliveries", detail);
    return [{ id, status: buried ? "dead" : "lease-lost" }];
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
   *
   * @example
   * ```ts
   * import { WorkQueueChannel } from "posthorn";
   *
   * const queue = new WorkQueueChannel<number>({ id: "numbers" });
   * await queue.start();
   * await queue.write("me", 1);
   * const consumer = queue.consume("worker", (message) => console.log(message.content)); // 1
   * await consumer.stop();
   * await queue.stop();
   * ```
   */
  consume(workerId: string, handler: WorkHandler<T>, options: ConsumeOptions = {}): Consumer {
    this.assertRunning("consume");
    assertId(workerId, "workerId");
    if (typeof handler !== "function") {
      throw new ValidationError("handler", `Cannot consume as 'handler' must be a function, not ${kindOf(handler)}`);
    }
    const engine = new QueueConsumer({
      store: this.store,
      channel: this.key,
      workerId,
      concurrency: assertInteger(options.concurrency ?? 1, "concurrency", 1, 10_000),
      leaseMs: this.claimTimeoutMs,
      clock: this.clock,
      work: (message, context) => this.#handle(this.typed(message), context, handler),
      onError: (error) => this.onError(error),
    });
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => finish = resolve);
    const onAbort = (): void => void consumer.stop();
    let stopping: Promise<void> | undefined;
    const consumer: Consumer = {
      finished,
      stop: (deadlineMs?: number): Promise<void> =>
        stopping ??= engine.stop(deadlineMs).then(() => {
          options.signal?.removeEventListener("abort", onAbort);
          this.#consumers.delete(consumer);
          finish();
        }),
    };
    this.#consumers.add(consumer);
    engine.start();
    if (options.signal?.aborted === true) onAbort();
    else options.signal?.addEventListener("abort", onAbort, { once: true });
    return consumer;
  }

  async #handle(message: ClaimedMessage<T>, context: WorkContext, handler: WorkHandler<T>): Promise<Settlement> {
    const dead = this.#deadReason(message);
    if (dead !== undefined) return this.#burial(message, dead);
    const isLast = message.lease.attempt >= this.maxDeliveries;
    try {
      await handler(message, { ...context, isLast });
      return { kind: "ack" };
    } catch (error) {
      const detail = error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 1_000) : typeof error;
      this.onError(
        new PosthornError("handler", `Cannot handle message "${message.id}": the handler threw`, { cause: error }),
        message,
      );
      if (isLast) return this.#burial(message, "handler-error", detail);
      const delayMs = backoffDelayMs(message.lease.attempt, this.#backoff);
      return { kind: "release", release: { delayMs, failure: { reason: "handler-error", detail } } };
    }
  }

  #deadReason(message: ClaimedMessage<T>): string | undefined {
    if (message.expiresAt !== undefined && message.expiresAt <= this.clock.now()) return "expired";
    return message.lease.attempt > this.maxDeliveries ? "max-deliveries" : undefined;
  }

  #burial(message: ClaimedMessage<T>, reason: string, detail?: string): Settlement {
    return { kind: "ack", operations: [this.#deadLetter(message, reason, detail)] };
  }

  #deadLetter(message: ClaimedMessage<T>, reason: string, detail: string | undefined): StoreOperation {
    const info = { reason, at: this.clock.now(), ...(detail === undefined ? {} : { detail }) };
    return deadLetterOperation(this.key, this.untyped(message), info);
  }

  async #bury(message: ClaimedMessage<T>, reason: string, detail?: string): Promise<boolean> {
    const { committed } = await this.store.commit([
      { type: "ack", channel: this.key, seq: message.seq, token: message.lease.token },
      this.#deadLetter(message, reason, detail),
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
  async deadLetters(
    page: { readonly limit?: number; readonly after?: number } = {},
  ): Promise<readonly DeadLetter<T>[]> {
    this.assertRunning("read dead letters of");
    const { messages } = await this.store.query({
      channel: deadLetterKey(this.key),
      limit: checkLimit(page.limit ?? 100),
      ...(page.after === undefined ? {} : { after: assertInteger(page.after, "after", 0) }),
    });
    return messages.map((message) => readDeadLetter(message) as DeadLetter<T> & DeadLetter);
  }

  /**
   * Puts a dead letter back into the queue under its id, as if it had never been delivered.
   *
   * @param id The message.
   * @returns Whether it was among the dead letters.
   */
  async redrive(id: string): Promise<boolean> {
    this.assertRunning("redrive");
    const message = await this.store.get(deadLetterKey(this.key), assertId(id, "id"));
    if (message === undefined) return false;
    const { results } = await this.store.commit(redriveOperations(this.key, readDeadLetter(message)));
    return results[0]?.status === "done";
  }

  /** Removes a dead letter for good. @returns Whether it was there. */
  async discard(id: string): Promise<boolean> {
    this.assertRunning("discard from");
    const key = deadLetterKey(this.key);
    const { results } = await this.store.commit([{ type: "remove", channel: key, id: assertId(id, "id") }]);
    return results[0]?.status === "done";
  }

  /** Stops its consumers, giving what is being handled 30 seconds, and then itself. */
  override async stop(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop(STOP_DEADLINE_MS)));
    await super.stop();
  }
}
