/**
 * Sends what is in the outbox.
 *
 * @module
 */
import { deadLetterOperation } from "../channels/dead-letter.ts";
import { QueueConsumer, type Settlement, type WorkContext } from "../channels/queue-consumer.ts";
import type { Communicator, PacingDefaults, RetryPolicy } from "../communicators/communicator.ts";
import { PosthornError } from "../errors.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { Receipt, RejectedReceipt, UnknownReceipt } from "../message/receipt.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import type { ReleaseOperation, StoreOperation } from "../store/message-store.ts";
import { deferred } from "../support/abort.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { eventOf, type Outbox } from "./outbox.ts";
import { type OutboxRow, rowFromJson, rowToJson } from "./outbox-row.ts";
import { Pacer } from "./pacing.ts";

/** What happens after an `unknown`: the message left and no answer came. */
export type UnknownPolicy = "retry" | "hold" | "fallback";

/** How one backend's deliveries are handled. */
export interface SenderPolicy {
  /** How they are retried, where it differs from the backend's own. @default 3 attempts, from 1 s to 60 s */
  readonly retry?: Partial<RetryPolicy>;
  /** How they are paced. @default the backend's own, or not at all */
  readonly pacing?: PacingDefaults;
  /** What happens after an `unknown`. @default `"retry"` */
  readonly onUnknown?: UnknownPolicy;
  /** How long a message that waits for its retry holds up the others of its lane at most. @default `30_000` */
  readonly laneHoldMs?: number;
  /** How many are sent at once. @default `16` */
  readonly concurrency?: number;
  /** How long one attempt may take. @default `60_000`, or what the backend says */
  readonly sendTimeoutMs?: number;
  /** When a delivery is given up however few attempts it had, because the network only ever said "later". @default 5 days */
  readonly maxAgeMs?: number;
  /** How long an `unknown` that is held waits for a person. @default 24 hours */
  readonly holdMs?: number;
}

/** How a delivery that is a step of a plan ended. */
export interface StepOutcome {
  /** The delivery. */
  readonly row: OutboxRow;
  /** `accepted`, or given up as `failed`, or `unknown` under the policy `fallback`. */
  readonly outcome: "accepted" | "failed" | "unknown";
  /** The entry that records it. */
  readonly event: DeliveryEvent;
}

/** What follows from a step: committed together with its outcome. */
export interface PlanContinuation {
  /** What to commit. */
  readonly operations: readonly StoreOperation[];
  /** Entries among the operations, to tell observers of. */
  readonly events: readonly DeliveryEvent[];
}

/** Follows plans: called with each step that ended. Called again when state it had read changed before the commit. */
export type PlanFollower = (outcome: StepOutcome) => Promise<PlanContinuation>;

/** What a sender is made from. */
export interface SenderWorkerOptions {
  /** Where the deliveries are. */
  readonly outbox: Outbox;
  /** Sends them. */
  readonly communicator: Communicator;
  /** How. */
  readonly policy?: SenderPolicy;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Names this worker in leases. */
  readonly workerId: string;
  /** Gives a number from 0 to 1. @default the platform's cryptographic chance */
  readonly random?: () => number;
  /** Follows plans. */
  readonly followPlan?: PlanFollower;
  /** Whether a step of a plan is still wanted. */
  readonly isWanted?: (row: OutboxRow) => Promise<boolean>;
}

const DEFAULT_RETRY: RetryPolicy = { maxAttempts: 3, baseDelayMs: 1_000, maxDelayMs: 60_000 };
const DAY_MS = 86_400_000;
/** A destination that wants a longer pause than this gives its place to others meanwhile. */
const INLINE_PAUSE_MS = 250;
/** How long a backend that is not started, or whose credentials are refused, is left alone. */
const BACKEND_PAUSE_MS = 5_000;
const BACKEND_DOWN_PAUSE_MS = 60_000;
/** How long a backend may take to end an attempt once it is told to. */
const GRACE_MS = 5_000;
const CRASHED = "the worker that was sending it ended before the answer came";

/**
 * Sends the deliveries of one backend: claims, paces, makes one attempt, classifies what came of it, and commits the end
 * of the attempt with everything that follows from it. The one place in the library where anything is retried.
 */
export class SenderWorker {
  readonly #options: SenderWorkerOptions;
  readonly #retry: RetryPolicy;
  readonly #pacer: Pacer;
  // Weak: a settlement that fails leaves nothing behind.
  readonly #announcements = new WeakMap<
    ClaimedMessage,
    { readonly row: OutboxRow; readonly events: readonly DeliveryEvent[] }
  >();
  readonly #handedOver = new WeakSet<ClaimedMessage>();
  #consumer: QueueConsumer | undefined;
  #downSince: number | undefined;

  /**
   * Makes a sender worker.
   *
   * @param options Outbox, backend and policy.
   */
  constructor(options: SenderWorkerOptions) {
    this.#options = options;
    const { communicator, policy = {} } = options;
    this.#retry = { ...DEFAULT_RETRY, ...communicator.retryPolicy, ...policy.retry };
    this.#pacer = new Pacer(policy.pacing ?? communicator.pacing ?? {});
  }

  /** Since when the network refuses our credentials, in milliseconds since 1970. */
  get downSince(): number | undefined {
    return this.#downSince;
  }

  /** Begins to send. */
  async start(): Promise<void> {
    (await this.#engine()).start();
  }

  /** Stops: finishes what is being sent, at most until the deadline, then aborts it. */
  async stop(deadlineMs: number = 10_000): Promise<void> {
    await this.#consumer?.stop(deadlineMs);
    this.#consumer = undefined;
  }

  /** Sends what is due now. @returns How many attempts were made. */
  async pump(limits: { readonly budgetMs?: number; readonly maxMessages?: number } = {}): Promise<number> {
    return await (await this.#engine()).pump(limits);
  }

  async #engine(): Promise<QueueConsumer> {
    const { outbox, communicator, policy = {}, clock, logger, workerId } = this.#options;
    const queue = await outbox.queue(communicator.name);
    return this.#consumer ??= new QueueConsumer({
      store: outbox.store,
      channel: queue.key,
      workerId,
      concurrency: policy.concurrency ?? 16,
      leaseMs: queue.claimTimeoutMs,
      clock,
      work: (claimed, context) => this.#workOrPostpone(queue.key, claimed, context),
      settled: (claimed, _settlement, committed) => this.#settled(claimed, committed),
      onError: (error) => logger.error("sender error", { backend: communicator.name, ...errorFields(error) }),
    });
  }

  /** What fails before the backend has the message, a store most likely, says nothing of the message: it waits. */
  async #workOrPostpone(channel: string, claimed: ClaimedMessage, context: WorkContext): Promise<Settlement> {
    try {
      return await this.#work(channel, claimed, context);
    } catch (error) {
      if (this.#handedOver.has(claimed)) throw error;
      const { communicator, logger } = this.#options;
      logger.error("sender error before sending", { backend: communicator.name, ...errorFields(error) });
      return postpone(BACKEND_PAUSE_MS);
    }
  }

  async #work(channel: string, claimed: ClaimedMessage, context: WorkContext): Promise<Settlement> {
    const { communicator, clock, policy = {} } = this.#options;
    const stored = rowFromJson(claimed.content);
    if (stored === undefined) return this.#buryUnreadable(channel, claimed);
    const attempt: Attempt = { channel, claimed, row: stored };
    const now = clock.now();
    if (claimed.expiresAt !== undefined && claimed.expiresAt <= now) return this.#bury(attempt, "expired");
    if (stored.held === true) return this.#bury(attempt, "held");
    if (now - stored.queuedAt > (policy.maxAgeMs ?? 5 * DAY_MS)) return this.#bury(attempt, "too-old");
    const last = claimed.failures.at(-1);
    const isAfterCrash = last?.reason === "lease-expired" && last.attempt === context.attempt - 1;
    if (stored.plan !== undefined && await this.#options.isWanted?.(stored) === false) {
      const cancelled = this.#event(attempt, "cancelled", { reason: "settled-elsewhere" });
      const events = isAfterCrash ? [this.#crashed(attempt, context.attempt - 1), cancelled] : [cancelled];
      return { kind: "ack", operations: this.#announce(attempt, events) };
    }
    if (isAfterCrash) return await this.#afterCrash(attempt, context);
    if (!communicator.isStarted) return postpone(BACKEND_PAUSE_MS);
    return await this.#send(attempt, context);
  }

  /** The worker before died with it: it may or may not have been sent. */
  async #afterCrash(attempt: Attempt, context: WorkContext): Promise<Settlement> {
    const number = context.attempt - 1;
    const policy = this.#options.policy?.onUnknown ?? "retry";
    if (policy !== "retry" || number >= this.#retry.maxAttempts) {
      return this.#unknown(attempt, { outcome: "unknown", detail: CRASHED }, number);
    }
    const event = this.#crashed(attempt, number);
    await this.#record(attempt, event, `${event.deliveryId}/unknown/${number}`);
    return await this.#send(withRow(attempt, { possibleDuplicate: true }), context);
  }

  #crashed(attempt: Attempt, number: number): DeliveryEvent {
    return this.#event(attempt, "unknown", { attempt: number, detail: CRASHED, possibleDuplicate: true });
  }

  async #send(attempt: Attempt, context: WorkContext): Promise<Settlement> {
    const { clock } = this.#options;
    const { recipient, bucket = recipient } = attempt.row;
    const pauseMs = this.#pacer.destinationWaitMs(recipient, bucket, clock.monotonic());
    if (pauseMs > INLINE_PAUSE_MS) return postpone(pauseMs);
    const waitMs = this.#pacer.reserve(recipient, bucket, clock.monotonic());
    if (waitMs > 0) {
      try {
        await clock.sleep(waitMs, { signal: context.signal });
      } catch {
        return postpone(0); // the worker stops, or the lease is lost: nothing was sent
      }
    }
    await this.#record(attempt, this.#event(attempt, "attempting", { attempt: context.attempt }));
    this.#handedOver.add(attempt.claimed);
    const receipt = await this.#attempt(attempt, context);
    return this.#settle(attempt, receipt, context.attempt);
  }

  /** One attempt under a deadline. What is thrown says nothing of how far the message came. */
  async #attempt(attempt: Attempt, context: WorkContext): Promise<Receipt> {
    const { communicator, clock, policy = {}, logger } = this.#options;
    const { row } = attempt;
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(context.signal.reason);
    context.signal.addEventListener("abort", onAbort, { once: true });
    if (context.signal.aborted) onAbort();
    const timeoutMs = policy.sendTimeoutMs ?? communicator.sendTimeoutMs ?? 60_000;
    const late = new PosthornError("timeout", `Cannot wait longer than ${timeoutMs} ms`, { retryable: true });
    const ignored = deferred<never>();
    const timers = [
      clock.setTimer(timeoutMs, () => controller.abort(late)),
      clock.setTimer(timeoutMs + GRACE_MS, () => ignored.reject(late)), // a backend that ignores its signal
    ];
    try {
      const sent = communicator.send(fromStoredMessage(row.message), {
        deliveryId: row.deliveryId,
        attempt: context.attempt,
        signal: controller.signal,
        ...(row.recipient === undefined ? {} : { recipient: row.recipient }),
        ...(row.progress === undefined ? {} : { progress: row.progress }),
        ...(row.possibleDuplicate === true ? { possibleDuplicate: true } : {}),
      });
      const receipt: unknown = await Promise.race([sent, ignored.promise]);
      return isReceipt(receipt) ? receipt : { outcome: "unknown", detail: "the backend gave no receipt" };
    } catch (error) {
      logger.error("backend threw", { backend: communicator.name, deliveryId: row.deliveryId, ...errorFields(error) });
      const word = error instanceof PosthornError ? error.code : error instanceof Error ? error.name : typeof error;
      return { outcome: "unknown", detail: `the backend threw ${word}` };
    } finally {
      for (const timer of timers) timer.cancel();
      context.signal.removeEventListener("abort", onAbort);
    }
  }

  #settle(attempt: Attempt, receipt: Receipt, number: number): Settlement {
    if (receipt.outcome !== "rejected" || receipt.backendDown !== true) this.#downSince = undefined;
    switch (receipt.outcome) {
      case "accepted": {
        const { providerMessageId, providerMessageIds = [], detail } = receipt;
        const first = providerMessageId ?? providerMessageIds[0];
        const event = this.#event(attempt, "accepted", {
          attempt: number,
          ...(first === undefined ? {} : { providerMessageId: first }),
          ...(detail === undefined ? {} : { detail: detail.slice(0, 1_000) }),
        });
        return this.#end(attempt, "accepted", [event]);
      }
      case "skipped":
        return this.#end(attempt, "failed", [
          this.#event(attempt, "skipped", { attempt: number, detail: receipt.detail }),
        ]);
      case "unknown":
        return this.#unknown(attempt, receipt, number);
      case "rejected":
        return this.#rejected(attempt, receipt, number);
    }
  }

  #rejected(attempt: Attempt, receipt: RejectedReceipt, number: number): Settlement {
    const facts = {
      attempt: number,
      reason: receipt.reason,
      ...(receipt.code === undefined ? {} : { code: receipt.code }),
      ...(receipt.detail === undefined ? {} : { detail: receipt.detail.slice(0, 1_000) }),
    };
    if (receipt.backendDown === true) {
      // Not this message's fault: keep the queue, burn no attempts, and let a person see it.
      this.#downSince ??= this.#options.clock.now();
      this.#options.logger.error("backend is down", { backend: attempt.row.backendName, reason: receipt.reason });
      return this.#again(attempt, "rejected", facts, BACKEND_DOWN_PAUSE_MS, { countAttempt: false });
    }
    const waits = receipt.retryAfterMs !== undefined;
    if (!receipt.retryable || (!waits && number >= this.#retry.maxAttempts)) {
      return this.#bury(
        attempt,
        receipt.retryable ? "max-attempts" : receipt.reason,
        this.#event(attempt, "rejected", facts),
      );
    }
    const next = receipt.progress === undefined ? attempt : withRow(attempt, { progress: receipt.progress });
    const delayMs = waits ? Math.max(receipt.retryAfterMs ?? 0, 1) : this.#delayMs(number);
    const holdLaneMs = receipt.reason === "rate-limited" ? delayMs : this.#options.policy?.laneHoldMs ?? 30_000;
    return this.#again(next, "rejected", facts, delayMs, { countAttempt: !waits, holdLaneMs });
  }

  #unknown(attempt: Attempt, receipt: UnknownReceipt, number: number): Settlement {
    const { policy = {} } = this.#options;
    const marked = withRow(attempt, {
      possibleDuplicate: true,
      ...(receipt.progress === undefined ? {} : { progress: receipt.progress }),
    });
    const facts = { attempt: number, detail: receipt.detail.slice(0, 1_000) };
    const choice = policy.onUnknown ?? "retry";
    if (choice === "hold") {
      const holdMs = policy.holdMs ?? DAY_MS;
      const held = withRow(marked, { held: true });
      const events = [this.#event(held, "unknown", facts), this.#event(held, "held", facts)];
      return this.#release(held, events, { delayMs: holdMs, holdLaneMs: 0, countAttempt: false });
    }
    const isStep = attempt.row.plan !== undefined && this.#options.followPlan !== undefined;
    if (isStep && (choice === "fallback" || number >= this.#retry.maxAttempts)) {
      // Whether the plan goes on to another channel is its follower's to say: by default it does not.
      return this.#end(marked, "unknown", [this.#event(marked, "unknown", facts)]);
    }
    if (number >= this.#retry.maxAttempts) {
      return this.#bury(marked, "unknown", this.#event(marked, "unknown", facts));
    }
    const holdLaneMs = policy.laneHoldMs ?? 30_000;
    return this.#again(marked, "unknown", facts, this.#delayMs(number), { countAttempt: true, holdLaneMs });
  }

  #delayMs(failures: number): number {
    const { scheduleMs, baseDelayMs, maxDelayMs } = this.#retry;
    const { random } = this.#options;
    const fixed = scheduleMs?.[Math.min(failures, scheduleMs.length) - 1];
    if (fixed !== undefined) {
      return fixed -
        backoffDelayMs(1, { baseDelayMs: fixed / 5, maxDelayMs: fixed, ...(random === undefined ? {} : { random }) });
    }
    return backoffDelayMs(failures, { baseDelayMs, maxDelayMs, ...(random === undefined ? {} : { random }) });
  }

  #again(
    attempt: Attempt,
    status: DeliveryStatus,
    facts: Partial<DeliveryEvent>,
    delayMs: number,
    release: Pick<ReleaseOperation, "countAttempt" | "holdLaneMs">,
  ): Settlement {
    const retryAt = this.#options.clock.now() + delayMs;
    return this.#release(attempt, [this.#event(attempt, status, { ...facts, retryAt })], { delayMs, ...release });
  }

  #release(
    attempt: Attempt,
    events: readonly DeliveryEvent[],
    release: Omit<ReleaseOperation, "type" | "channel" | "seq" | "token">,
  ): Settlement {
    const last = events.at(-1);
    const failure = { reason: last?.reason ?? last?.status ?? "released" };
    return {
      kind: "release",
      release: {
        ...release,
        content: rowToJson(attempt.row),
        failure: last?.detail === undefined ? failure : { ...failure, detail: last.detail },
      },
      operations: this.#announce(attempt, events),
    };
  }

  /** Ends the delivery, and goes on with its plan if it has one. */
  #end(
    attempt: Attempt,
    outcome: StepOutcome["outcome"],
    events: readonly DeliveryEvent[],
    more: readonly StoreOperation[] = [],
  ): Settlement {
    const { followPlan } = this.#options;
    const last = events.at(-1);
    if (attempt.row.plan === undefined || followPlan === undefined || last === undefined) {
      return { kind: "ack", operations: [...this.#announce(attempt, events), ...more] };
    }
    return {
      kind: "ack",
      operations: async () => {
        // After an `unknown` a refusal, an expiry or a hold that ran out does not say that nothing arrived.
        const doubted = outcome === "failed" && attempt.row.possibleDuplicate === true ? "unknown" : outcome;
        const next = await followPlan({ row: attempt.row, outcome: doubted, event: last });
        const own = this.#announce(attempt, events);
        this.#announce(attempt, [...events, ...next.events]);
        return [...own, ...next.operations, ...more];
      },
    };
  }

  /** Gives the delivery up: a dead letter, or, for a step of a plan, the plan's next step. */
  #bury(attempt: Attempt, reason: string, cause?: DeliveryEvent): Settlement {
    const { clock, followPlan } = this.#options;
    const detail = cause?.detail === undefined ? {} : { detail: cause.detail };
    const code = cause?.code === undefined ? {} : { code: cause.code };
    const facts = { reason, ...detail, ...code, attempt: attempt.claimed.lease.attempt };
    const dead = this.#event(attempt, "dead", facts);
    const events = cause === undefined ? [dead] : [cause, dead];
    if (attempt.row.plan !== undefined && followPlan !== undefined) return this.#end(attempt, "failed", events);
    const claimed = { ...attempt.claimed, content: rowToJson(attempt.row) };
    const letter = deadLetterOperation(attempt.channel, claimed, { reason, at: clock.now(), ...detail });
    return this.#end(attempt, "failed", events, [letter]);
  }

  #buryUnreadable(channel: string, claimed: ClaimedMessage): Settlement {
    const { clock, logger } = this.#options;
    logger.error("outbox row cannot be read", { messageId: claimed.id });
    return {
      kind: "ack",
      operations: [deadLetterOperation(channel, claimed, { reason: "unreadable", at: clock.now() })],
    };
  }

  #event(attempt: Attempt, status: DeliveryStatus, more: Partial<DeliveryEvent>): DeliveryEvent {
    return eventOf(attempt.row, status, this.#options.clock.now(), more);
  }

  /** The operations that record entries. Observers hear of the entries once the settlement is committed. */
  #announce(attempt: Attempt, events: readonly DeliveryEvent[]): readonly StoreOperation[] {
    this.#announcements.set(attempt.claimed, { row: attempt.row, events });
    return events.map((event) => this.#options.outbox.ledger.operation(event));
  }

  #settled(claimed: ClaimedMessage, committed: boolean): void {
    const announcement = this.#announcements.get(claimed);
    if (announcement === undefined || !committed) return;
    const message = fromStoredMessage(announcement.row.message);
    for (const event of announcement.events) this.#options.outbox.notify(event, message);
  }

  async #record(attempt: Attempt, event: DeliveryEvent, id?: string): Promise<void> {
    const { outbox } = this.#options;
    const { results } = await outbox.store.commit([outbox.ledger.operation(event, id)]);
    if (results[0]?.status === "done") outbox.notify(event, fromStoredMessage(attempt.row.message));
  }
}

/** One claimed row. */
interface Attempt {
  readonly channel: string;
  readonly claimed: ClaimedMessage;
  readonly row: OutboxRow;
}

function withRow(attempt: Attempt, changes: Partial<OutboxRow>): Attempt {
  return { ...attempt, row: { ...attempt.row, ...changes } };
}

function isReceipt(value: unknown): value is Receipt {
  return typeof value === "object" && value !== null && "outcome" in value &&
    ["accepted", "rejected", "unknown", "skipped"].some((outcome) => outcome === value.outcome);
}

/** Nothing was tried: back into the queue for a while, no attempt counted. */
function postpone(delayMs: number): Settlement {
  return { kind: "release", release: { delayMs, countAttempt: false } };
}
