/**
 * Sends what is in the outbox.
 *
 * @module
 */
import { QueueConsumer, type Settlement, type WorkContext } from "../channels/queue-consumer.ts";
import type { Communicator, RetryPolicy } from "../communicators/communicator.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import { restingWords } from "../delivery/resting.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { amendingStep, isRefusedForGood } from "./amending.ts";
import { type Attempt, AttemptSettler, type LedgerNote, MAX_AGE_MS, withRow } from "./attempt-settler.ts";
import type { Outbox } from "./outbox.ts";
import { type OutboxRow, rowFromJson } from "./outbox-row.ts";
import { Pacer } from "./pacing.ts";
import type { PlanFollower, StepPermit } from "./plan-follower.ts";
import type { RestingBook } from "./resting-book.ts";
import { sendOnce } from "./send-once.ts";
import type { SenderPolicy } from "./sender-policy.ts";

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
  /** Whether a step of a plan is still wanted, and whether something else can arrive in its place. */
  readonly permit?: (row: OutboxRow) => Promise<StepPermit>;
  /** Knows which backends rest. @default none does */
  readonly rests?: RestingBook;
}

const DEFAULT_RETRY: RetryPolicy = { maxAttempts: 3, baseDelayMs: 1_000, maxDelayMs: 60_000 };
/** A destination that wants a longer pause than this gives its place to others meanwhile. */
const INLINE_PAUSE_MS = 250;
/** How long a backend that is not started is left alone. */
const BACKEND_PAUSE_MS = 5_000;
const CRASHED = "the worker that was sending it ended before the answer came";

/**
 * Sends the deliveries of one backend: claims, paces, makes one attempt, classifies what came of it, and commits the end
 * of the attempt with everything that follows from it. The one place in the library where anything is retried.
 */
export class SenderWorker {
  readonly #options: SenderWorkerOptions;
  readonly #retry: RetryPolicy;
  readonly #pacer: Pacer;
  readonly #settler: AttemptSettler;
  readonly #handedOver = new WeakSet<ClaimedMessage>();
  #consumer: QueueConsumer | undefined;

  /**
   * Makes a sender worker.
   *
   * @param options Outbox, backend and policy.
   */
  constructor(options: SenderWorkerOptions) {
    this.#options = options;
    const { communicator, policy = {} } = options;
    this.#retry = { ...DEFAULT_RETRY, ...communicator.retryPolicy, ...policy.retry };
    this.#settler = new AttemptSettler({ ...options, policy, retry: this.#retry });
    this.#pacer = new Pacer(policy.pacing ?? communicator.pacing ?? {});
  }

  /** Since when the network refuses our credentials, in milliseconds since 1970. */
  get downSince(): number | undefined {
    return this.#settler.downSince;
  }

  /** Begins to send. */
  async start(): Promise<void> {
    (await this.#engine()).start();
  }

  /** Stops: finishes what is being sent, at most until the deadline, then aborts it; after a grace it is left behind. */
  async stop(deadlineMs: number = 10_000, graceMs: number = 5_000): Promise<void> {
    await this.#consumer?.stop(deadlineMs, graceMs);
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
      settled: (claimed, _settlement, committed) => this.#settler.settled(claimed, committed),
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
    const { communicator } = this.#options;
    const stored = rowFromJson(claimed.content);
    if (stored === undefined) return this.#settler.buryUnreadable(channel, claimed);
    const attempt: Attempt = { channel, claimed, row: stored };
    const crashed = crashedAttempts(claimed);
    if (stored.possibleDuplicate === true || crashed.length > 0) {
      const arrival = await this.#options.outbox.ledger.arrivalOf(stored.deliveryId); // its provider may have said so since
      if (arrival !== undefined) {
        return this.#settler.arrived({ ...attempt, notes: this.#crashes(attempt, crashed) }, arrival);
      }
    }
    const reason = this.#outdated(claimed, stored);
    if (reason !== undefined) return this.#settler.bury(this.#inDoubt(attempt, crashed), reason);
    const isAfterCrash = crashed.at(-1) === context.attempt - 1;
    const permit = stored.plan === undefined ? undefined : await this.#options.permit?.(stored);
    if (permit?.isWanted === false) {
      const cancelled = this.#settler.event(attempt, "cancelled", { reason: "settled-elsewhere" });
      const notes = this.#crashes(attempt, crashed);
      return { kind: "ack", operations: this.#settler.announce({ ...attempt, notes }, [cancelled]) };
    }
    if (isAfterCrash) return await this.#afterCrash(attempt, context, crashed);
    // What may have arrived on this channel is not left to another one.
    const isReplaceable = permit?.hasAlternative === true && stored.possibleDuplicate !== true;
    if (!communicator.isStarted) {
      if (!isReplaceable) return postpone(BACKEND_PAUSE_MS);
      return this.#settler.leaveOut(attempt, "not-available", "the channel is not available");
    }
    return await this.#send({ ...attempt, isReplaceable }, context);
  }

  /** Why it is given up without another attempt. */
  #outdated({ expiresAt, notBefore = 0 }: ClaimedMessage, { held, queuedAt }: OutboxRow): string | undefined {
    const now = this.#options.clock.now();
    if (expiresAt !== undefined && expiresAt <= now) return "expired";
    if (held === true) return "held";
    const dueAt = Math.max(queuedAt, notBefore); // what is to be sent much later is as old as it is late
    return now - dueAt > (this.#options.policy?.maxAgeMs ?? MAX_AGE_MS) ? "too-old" : undefined;
  }

  /** What is given up after its worker died may have arrived all the same: its plan does not take it for failed. */
  #inDoubt(attempt: Attempt, crashed: readonly number[]): Attempt {
    if (crashed.length === 0) return attempt;
    return { ...withRow(attempt, { possibleDuplicate: true }), notes: this.#crashes(attempt, crashed) };
  }

  /** The worker before died with it: it may or may not have been sent. */
  async #afterCrash(attempt: Attempt, context: WorkContext, crashed: readonly number[]): Promise<Settlement> {
    const number = context.attempt - 1;
    const policy = this.#options.policy?.onUnknown ?? "retry";
    if (policy !== "retry" || number >= this.#retry.maxAttempts) {
      const notes = this.#crashes(attempt, crashed.filter((each) => each !== number));
      return this.#settler.unknown({ ...attempt, notes }, { outcome: "unknown", detail: CRASHED }, number);
    }
    if (!this.#options.communicator.isStarted) return postpone(BACKEND_PAUSE_MS);
    await this.#settler.record(attempt, this.#crashes(attempt, crashed));
    return await this.#send(withRow(attempt, { possibleDuplicate: true }), context);
  }

  /** The ends of attempts whose workers died: each is noted once, though who was about to note it died too. */
  #crashes(attempt: Attempt, numbers: readonly number[]): readonly LedgerNote[] {
    return numbers.map((number) => {
      const facts = { attempt: number, detail: CRASHED, possibleDuplicate: true };
      const event = this.#settler.event(attempt, "unknown", facts);
      // What is redriven may lose its worker again, with the same number.
      return { event, id: `${event.deliveryId}/${attempt.row.queuedAt}/unknown/${number}` };
    });
  }

  async #send(attempt: Attempt, context: WorkContext): Promise<Settlement> {
    const { clock, outbox, communicator, policy = {}, logger } = this.#options;
    const { row } = attempt;
    const amending = row.amends && await amendingStep(row, row.amends, communicator, outbox.ledger);
    if (amending?.kind === "skip") {
      return this.#settler.settle(attempt, { outcome: "skipped", detail: amending.detail }, context.attempt);
    }
    const { recipient, bucket = recipient } = row;
    const pauseMs = this.#pacer.destinationWaitMs(recipient, bucket, clock.monotonic());
    if (pauseMs > INLINE_PAUSE_MS) return postpone(pauseMs);
    if (attempt.isReplaceable === true) {
      const rest = await this.#options.rests?.ask(communicator.name, policy.resting);
      if (rest?.mayTry === false) return this.#settler.leaveOut(attempt, "resting", restingWords(rest.state));
    }
    const waitMs = this.#pacer.reserve(recipient, bucket, clock.monotonic());
    if (waitMs > 0) {
      try {
        await clock.sleep(waitMs, { signal: context.signal });
      } catch {
        return postpone(0); // the worker stops, or the lease is lost: nothing was sent
      }
    }
    await this.#settler.record(attempt, [{
      event: this.#settler.event(attempt, "attempting", { attempt: context.attempt }),
    }]);
    this.#handedOver.add(attempt.claimed);
    const timeoutMs = policy.sendTimeoutMs ?? communicator.sendTimeoutMs ?? 60_000;
    const receipt = await sendOnce(row, context, { communicator, timeoutMs, clock, logger }, amending);
    await this.#options.rests?.record(communicator.name, receipt, policy.resting);
    if (amending?.kind === "change" && row.amends !== undefined && isRefusedForGood(receipt)) {
      // Said in a message of its own next, or left as it is: what cannot be changed is no fault.
      const refused = withRow(attempt, { amends: { ...row.amends, isRefused: true } });
      return this.#settler.settle(refused, { ...receipt, retryable: true, retryAfterMs: 1 }, context.attempt);
    }
    return this.#settler.settle(attempt, receipt, context.attempt);
  }
}

/** Nothing was tried: back into the queue for a while, no attempt counted. */
function postpone(delayMs: number): Settlement {
  return { kind: "release", release: { delayMs, countAttempt: false } };
}

/** The attempts whose workers died, since the last one that came to an end. */
function crashedAttempts({ failures }: ClaimedMessage): readonly number[] {
  const ended = failures.findLastIndex(({ reason }) => reason !== "lease-expired");
  return failures.slice(ended + 1).map(({ attempt }) => attempt);
}
