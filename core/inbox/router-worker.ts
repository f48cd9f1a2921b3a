/**
 * Hands messages that came in to the handler.
 *
 * @module
 */
import { burialOperations } from "../channels/dead-letter.ts";
import { QueueConsumer, type Settlement, type WorkContext } from "../channels/queue-consumer.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { InboundEvent } from "../message/delivery-event.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { OperationResult, StoreOperation } from "../store/message-store.ts";
import { backoffDelayMs, type BackoffOptions } from "../support/backoff.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { describeError } from "../support/redact.ts";
import { inboundEvent } from "./inbound-event.ts";
import type { Inbox } from "./inbox.ts";
import { HandlerContext, type IncomingMessageHandler, type PendingSend } from "./message-context.ts";
import { incomingFromJson } from "./stored-incoming.ts";

/** What a handler said, ready to be committed. */
export interface PreparedSends {
  /** What queues it. */
  readonly operations: readonly StoreOperation[];
  /** To be called once they are committed, with the result of each. */
  readonly committed: (results: readonly OperationResult[]) => void;
}

/** Makes what a handler said ready to be committed. */
export type PrepareSends = (sends: readonly PendingSend[]) => Promise<PreparedSends>;

/** What a router worker is made from. */
export interface RouterWorkerOptions {
  /** Where the messages are. */
  readonly inbox: Inbox;
  /** Handles them. */
  readonly handler: IncomingMessageHandler;
  /** Makes replies. */
  readonly prepareSends: PrepareSends;
  /** Gives a message back the means to open its attachments. */
  readonly revive?: (message: IncomingMessage) => IncomingMessage;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Names this worker in leases. */
  readonly workerId: string;
  /** How many conversations at once. @default `100` */
  readonly concurrency?: number;
  /** How long to wait before the next try of a handler that threw. */
  readonly backoff?: BackoffOptions;
}

/**
 * Hands messages to the handler: one at a time in each conversation, in order; conversations at the same time. A handler
 * that throws is tried again with growing delay, and its conversation waits for it, until the message is done or dead.
 */
export class RouterWorker {
  readonly #options: RouterWorkerOptions;
  readonly #consumer: QueueConsumer;
  /** What is done once a settlement is committed. Weak: one that fails leaves nothing behind. */
  readonly #after = new WeakMap<ClaimedMessage, (results: readonly OperationResult[]) => void>();

  /**
   * Makes a router worker.
   *
   * @param options Inbox, handler and limits.
   */
  constructor(options: RouterWorkerOptions) {
    this.#options = options;
    const { inbox, clock, logger, workerId, concurrency = 100 } = options;
    this.#consumer = new QueueConsumer({
      store: inbox.store,
      channel: inbox.queue.key,
      workerId,
      concurrency,
      leaseMs: inbox.queue.claimTimeoutMs,
      clock,
      work: (claimed, context) => this.#work(claimed, context),
      settled: (claimed, _settlement, committed, results) => this.#settled(claimed, committed, results),
      onError: (error) => logger.error("router error", errorFields(error)),
    });
  }

  /** Begins. */
  start(): void {
    this.#consumer.start();
  }

  /** Looks for messages at once. Resolves when there was none to be had, or when it stops. */
  look(): Promise<void> {
    return this.#consumer.look();
  }

  /** Stops: finishes what is being handled, at most until the deadline, then tells it to end; after a grace it is left behind. */
  stop(deadlineMs: number = 10_000, graceMs: number = 5_000): Promise<void> {
    return this.#consumer.stop(deadlineMs, graceMs);
  }

  /** Handles what is due now. @returns How many messages. */
  pump(limits: { readonly budgetMs?: number; readonly maxMessages?: number } = {}): Promise<number> {
    return this.#consumer.pump(limits);
  }

  async #work(claimed: ClaimedMessage, work: WorkContext): Promise<Settlement> {
    const { inbox, handler, revive, clock } = this.#options;
    const stored = incomingFromJson(claimed.content);
    if (stored === undefined) return this.#bury(claimed, "unreadable");
    if (work.attempt > inbox.queue.maxDeliveries) return this.#bury(claimed, "max-deliveries", stored);
    const message = inbox.live(stored.id) ?? revive?.(stored) ?? stored;
    const context = new HandlerContext(message, work, inbox.store, inbox.queue.namespace);
    inbox.notify(inboundEvent(message, "handling", clock.now(), { attempt: work.attempt }));
    try {
      await handler(context);
      context.close();
      return await this.#done(claimed, context);
    } catch (error) {
      context.close();
      return this.#failed(claimed, message, work.attempt, error);
    }
  }

  async #done(claimed: ClaimedMessage, context: HandlerContext): Promise<Settlement> {
    const { prepareSends, clock, inbox } = this.#options;
    const replies = await prepareSends(context.sends);
    const state = await context.stateOperations();
    const event = inboundEvent(context.message, "handled", clock.now(), { attempt: context.attempt });
    this.#then(claimed, event, (results) => {
      replies.committed(results.slice(1 + state.length)); // the first is that of the acknowledgement
      inbox.forget(context.message.id);
    });
    return { kind: "ack", operations: [...state, ...replies.operations] };
  }

  #failed(claimed: ClaimedMessage, message: IncomingMessage, attempt: number, error: unknown): Settlement {
    const { logger, clock, backoff = {}, inbox } = this.#options;
    logger.error("handler threw", {
      messageId: message.id,
      backend: message.backendName,
      attempt,
      ...errorFields(error),
    });
    const detail = describeError(error);
    if (attempt >= inbox.queue.maxDeliveries) return this.#bury(claimed, "handler-error", message, detail);
    this.#then(claimed, inboundEvent(message, "retrying", clock.now(), { attempt, detail }));
    const delayMs = backoffDelayMs(attempt, backoff);
    return { kind: "release", release: { delayMs, failure: { reason: "handler-error", detail } } };
  }

  #bury(claimed: ClaimedMessage, reason: string, message?: IncomingMessage, detail?: string): Settlement {
    const { clock, inbox } = this.#options;
    const at = clock.now();
    if (message !== undefined) {
      const event = inboundEvent(message, "dead", at, { attempt: claimed.lease.attempt, detail: detail ?? reason });
      this.#then(claimed, event, () => inbox.forget(message.id));
    }
    const info = { reason, at, ...(detail === undefined ? {} : { detail }) };
    return { kind: "ack", operations: burialOperations(inbox.queue.key, claimed, info) };
  }

  /** What is said and done once the settlement is committed. */
  #then(
    claimed: ClaimedMessage,
    event: InboundEvent,
    effect: (results: readonly OperationResult[]) => void = () => {},
  ): void {
    this.#after.set(claimed, (results) => {
      effect(results);
      this.#options.inbox.notify(event);
    });
  }

  async #settled(
    claimed: ClaimedMessage,
    committed: boolean,
    results: readonly OperationResult[],
  ): Promise<void> {
    if (committed) return this.#after.get(claimed)?.(results);
    if (results[0]?.status !== "lease-lost") await this.#giveBack(claimed);
  }

  /** The state the handler had read was changed by somebody else: nothing of this try counts, the next comes soon. */
  async #giveBack({ seq, lease }: ClaimedMessage): Promise<void> {
    const { inbox, backoff = {} } = this.#options;
    await inbox.store.commit([{
      type: "release",
      channel: inbox.queue.key,
      seq,
      token: lease.token,
      delayMs: backoffDelayMs(lease.attempt, backoff),
      failure: { reason: "conflict" },
    }], { onConflict: "skip" });
  }
}
