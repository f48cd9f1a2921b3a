/**
 * From what came of an attempt to what is committed.
 *
 * @module
 */
import { burialOperations } from "../channels/dead-letter.ts";
import type { Settlement } from "../channels/queue-consumer.ts";
import type { RetryPolicy } from "../communicators/communicator.ts";
import type { ClaimedMessage } from "../message/channel-message.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { Receipt, RejectedReceipt, UnknownReceipt } from "../message/receipt.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import type { ReleaseOperation, StoreOperation } from "../store/message-store.ts";
import { backoffDelayMs } from "../support/backoff.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import { eventOf, type Outbox } from "./outbox.ts";
import { type OutboxRow, rowToJson } from "./outbox-row.ts";
import type { PlanFollower, StepOutcome } from "./plan-follower.ts";
import type { SenderPolicy } from "./sender-policy.ts";

const DAY_MS = 86_400_000;
/** When a delivery is given up for its age. */
export const MAX_AGE_MS: number = 5 * DAY_MS;
/** How long a backend whose credentials are refused is left alone. */
const BACKEND_DOWN_PAUSE_MS = 60_000;
/** A wait that a network asks for is no shorter than this: it costs no attempt, so there may be many. */
const SHORTEST_WAIT_MS = 250;

/** How many ids of one delivery the ledger keeps. */
const MAX_IDS = 100;

/** An entry of the ledger. */
export interface LedgerNote {
  /** The entry. */
  readonly event: DeliveryEvent;
  /** Its own id, where the same may be noted twice. */
  readonly id?: string;
}

/** One claimed row. */
export interface Attempt {
  /** The queue it is in. */
  readonly channel: string;
  /** The claim. */
  readonly claimed: ClaimedMessage;
  /** What it says. */
  readonly row: OutboxRow;
  /** It is a step of a plan that has another way, and it cannot have arrived by this one. */
  readonly isReplaceable?: boolean;
  /** What is noted with whatever becomes of it. */
  readonly notes?: readonly LedgerNote[];
}

/** What a settler is made from. */
export interface AttemptSettlerOptions {
  /** Where the deliveries are. */
  readonly outbox: Outbox;
  /** How they are retried. */
  readonly retry: RetryPolicy;
  /** How they are handled. */
  readonly policy: SenderPolicy;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Gives a number from 0 to 1. @default the platform's cryptographic chance */
  readonly random?: () => number;
  /** Follows plans. */
  readonly followPlan?: PlanFollower;
}

/** Says what becomes of a claimed row, and what is committed with it: the one place that decides whether to try again. */
export class AttemptSettler {
  readonly #options: AttemptSettlerOptions;
  // Weak: a settlement that fails leaves nothing behind.
  readonly #announcements = new WeakMap<
    ClaimedMessage,
    { readonly row: OutboxRow; readonly events: readonly DeliveryEvent[] }
  >();
  #downSince: number | undefined;

  /** @param options Outbox, policy and surroundings. */
  constructor(options: AttemptSettlerOptions) {
    this.#options = options;
  }

  /** Since when the network refuses our credentials, in milliseconds since 1970. */
  get downSince(): number | undefined {
    return this.#downSince;
  }

  /**
   * What follows from a receipt.
   *
   * @param attempt The row that was tried.
   * @param receipt What came of it.
   * @param number Which attempt it was.
   */
  settle(attempt: Attempt, receipt: Receipt, number: number): Settlement {
    if (receipt.outcome !== "rejected" || receipt.backendDown !== true) this.#downSince = undefined;
    switch (receipt.outcome) {
      case "accepted": {
        const { providerMessageId, providerMessageIds = [], detail } = receipt;
        const first = providerMessageId ?? providerMessageIds[0];
        const event = this.event(attempt, "accepted", {
          attempt: number,
          ...(first === undefined ? {} : { providerMessageId: first }),
          ...(providerMessageIds.length > 1 ? { providerMessageIds: providerMessageIds.slice(0, MAX_IDS) } : {}),
          ...(detail === undefined ? {} : { detail: detail.slice(0, 1_000) }),
        });
        return this.#end(attempt, "accepted", [event]);
      }
      case "skipped":
        return this.#end(attempt, "skipped", [
          this.event(attempt, "skipped", { attempt: number, detail: receipt.detail }),
        ]);
      case "unknown":
        return this.unknown(attempt, receipt, number);
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
      this.#options.logger.error("backend is down: its messages wait until its configuration is right", {
        backend: attempt.row.backendName,
        reason: receipt.reason,
        ...(receipt.code === undefined ? {} : { code: receipt.code }),
      });
      if (attempt.isReplaceable === true) {
        return this.bury(attempt, receipt.reason, this.event(attempt, "rejected", facts)); // its plan has another way
      }
      const pauseMs = Math.max(BACKEND_DOWN_PAUSE_MS, this.#waitMs(attempt, receipt.retryAfterMs ?? 0));
      return this.#again(attempt, "rejected", facts, pauseMs, { countAttempt: false });
    }
    // A server that asks for no wait at all gets ours, and it counts: else two programs would turn in circles.
    const waits = receipt.retryAfterMs !== undefined && receipt.retryAfterMs > 0;
    if (!receipt.retryable || (!waits && number >= this.#options.retry.maxAttempts)) {
      return this.bury(
        attempt,
        receipt.retryable ? "max-attempts" : receipt.reason,
        this.event(attempt, "rejected", facts),
      );
    }
    const next = receipt.progress === undefined ? attempt : withRow(attempt, { progress: receipt.progress });
    const delayMs = waits ? this.#waitMs(attempt, receipt.retryAfterMs ?? 0) : this.#delayMs(number);
    const holdLaneMs = receipt.reason === "rate-limited" ? delayMs : this.#options.policy.laneHoldMs ?? 30_000;
    return this.#again(next, "rejected", facts, delayMs, { countAttempt: !waits, holdLaneMs });
  }

  /** It left, and no answer came: again, held for a person, on to the next step of its plan, or given up. */
  unknown(attempt: Attempt, receipt: UnknownReceipt, number: number): Settlement {
    const { policy, retry } = this.#options;
    const marked = withRow(attempt, {
      possibleDuplicate: true,
      ...(receipt.progress === undefined ? {} : { progress: receipt.progress }),
    });
    const facts = { attempt: number, detail: receipt.detail.slice(0, 1_000) };
    const choice = policy.onUnknown ?? "retry";
    if (choice === "hold") {
      const holdMs = policy.holdMs ?? DAY_MS;
      const held = withRow(marked, { held: true });
      const events = [this.event(held, "unknown", facts), this.event(held, "held", facts)];
      return this.#release(held, events, { delayMs: holdMs, holdLaneMs: 0, countAttempt: false });
    }
    const isStep = attempt.row.plan !== undefined && this.#options.followPlan !== undefined;
    if (isStep && (choice === "fallback" || number >= retry.maxAttempts)) {
      // Whether the plan goes on to another channel is its follower's to say: by default it does not.
      return this.#end(marked, "unknown", [this.event(marked, "unknown", facts)]);
    }
    if (number >= retry.maxAttempts) {
      return this.bury(marked, "unknown", this.event(marked, "unknown", facts));
    }
    const holdLaneMs = policy.laneHoldMs ?? 30_000;
    return this.#again(marked, "unknown", facts, this.#delayMs(number), { countAttempt: true, holdLaneMs });
  }

  /** A network may ask for a wait of years: it is looked at again when it is given up for its age. */
  #waitMs({ row: { queuedAt }, claimed: { notBefore = 0 } }: Attempt, askedMs: number): number {
    const { policy, clock } = this.#options;
    const leftMs = Math.max(queuedAt, notBefore) + (policy.maxAgeMs ?? MAX_AGE_MS) + 1 - clock.now();
    return Math.max(Math.min(askedMs, leftMs), SHORTEST_WAIT_MS);
  }

  #delayMs(failures: number): number {
    const { retry: { scheduleMs, baseDelayMs, maxDelayMs }, random } = this.#options;
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
    return this.#release(attempt, [this.event(attempt, status, { ...facts, retryAt })], { delayMs, ...release });
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
      operations: this.announce(attempt, events),
    };
  }

  /** Ends the delivery, and goes on with its plan if it has one. */
  #end(
    attempt: Attempt,
    outcome: StepOutcome["outcome"],
    events: readonly DeliveryEvent[],
    more: readonly StoreOperation[] = [],
    last: DeliveryEvent | undefined = events.at(-1),
  ): Settlement {
    const { followPlan } = this.#options;
    if (attempt.row.plan === undefined || followPlan === undefined || last === undefined) {
      return { kind: "ack", operations: [...this.announce(attempt, events), ...more] };
    }
    return {
      kind: "ack",
      operations: async () => {
        // After an `unknown` a refusal, an expiry or a hold that ran out does not say that nothing arrived.
        const isNothing = outcome === "failed" || outcome === "skipped";
        const doubted = isNothing && attempt.row.possibleDuplicate === true ? "unknown" : outcome;
        const next = await followPlan({ row: attempt.row, outcome: doubted, event: last });
        const own = this.announce(attempt, events);
        this.announce(attempt, [...events, ...next.events]);
        return [...own, ...next.operations, ...more];
      },
    };
  }

  /** Gives the delivery up: a dead letter, or, for a step of a plan, the plan's next step. */
  bury(attempt: Attempt, reason: string, cause?: DeliveryEvent): Settlement {
    const { clock, followPlan } = this.#options;
    const detail = cause?.detail === undefined ? {} : { detail: cause.detail };
    const code = cause?.code === undefined ? {} : { code: cause.code };
    const facts = { reason, ...detail, ...code, attempt: attempt.claimed.lease.attempt };
    const dead = this.event(attempt, "dead", facts);
    const events = cause === undefined ? [dead] : [cause, dead];
    if (attempt.row.plan !== undefined && followPlan !== undefined) return this.#end(attempt, "failed", events);
    const claimed = { ...attempt.claimed, content: rowToJson(attempt.row) };
    const letter = burialOperations(attempt.channel, claimed, { reason, at: clock.now(), ...detail });
    return this.#end(attempt, "failed", events, letter);
  }

  /** It has arrived, though its answer was lost: somebody else has noted that already, and nothing is left to do. */
  arrived(attempt: Attempt, event: DeliveryEvent): Settlement {
    return this.#end(attempt, "accepted", [], [], event);
  }

  /** Leaves a step out that has another way: nothing was tried, and its plan goes on. */
  leaveOut(attempt: Attempt, reason: string, detail: string): Settlement {
    return this.#end(attempt, "skipped", [this.event(attempt, "skipped", { reason, detail })]);
  }

  /** A row that nobody can read is kept as it is. */
  buryUnreadable(channel: string, claimed: ClaimedMessage): Settlement {
    const { clock, logger } = this.#options;
    logger.error("outbox row cannot be read", { messageId: claimed.id });
    return {
      kind: "ack",
      operations: burialOperations(channel, claimed, { reason: "unreadable", at: clock.now() }),
    };
  }

  /** An entry of the ledger about it. */
  event(attempt: Attempt, status: DeliveryStatus, more: Partial<DeliveryEvent>): DeliveryEvent {
    return eventOf(attempt.row, status, this.#options.clock.now(), more);
  }

  /** The operations that record entries. Observers hear of the entries once the settlement is committed. */
  announce(attempt: Attempt, events: readonly DeliveryEvent[]): readonly StoreOperation[] {
    this.#announcements.set(attempt.claimed, { row: attempt.row, events });
    const { ledger } = this.#options.outbox;
    const notes = (attempt.notes ?? []).map(({ event, id }) => ledger.operation(event, id));
    return [...notes, ...events.map((event) => ledger.operation(event))];
  }

  /** Tells observers of a settlement once it is committed. */
  settled(claimed: ClaimedMessage, committed: boolean): void {
    const announcement = this.#announcements.get(claimed);
    if (announcement === undefined || !committed) return;
    const message = fromStoredMessage(announcement.row.message);
    for (const event of announcement.events) {
      if (event.status === "dead") this.#sayGivenUp(event);
      this.#options.outbox.notify(event, message);
    }
  }

  /** Who reads the log hears of what needs a person; the detail, which may name addresses, is in the ledger. */
  #sayGivenUp({ backendName: backend, deliveryId, reason, code }: DeliveryEvent): void {
    this.#options.logger.warn("a delivery was given up: it is among the dead letters or in its plan", {
      backend,
      deliveryId,
      ...(reason === undefined ? {} : { reason }),
      ...(code === undefined ? {} : { code }),
    });
  }

  /** Records entries at once, before the attempt has ended. */
  async record(attempt: Attempt, notes: readonly LedgerNote[]): Promise<void> {
    const { outbox } = this.#options;
    const { results } = await outbox.store.commit(notes.map(({ event, id }) => outbox.ledger.operation(event, id)));
    const message = fromStoredMessage(attempt.row.message);
    for (const [index, { event }] of notes.entries()) {
      if (results[index]?.status === "done") outbox.notify(event, message);
    }
  }
}

/** The same attempt with changes of its row. */
export function withRow(attempt: Attempt, changes: Partial<OutboxRow>): Attempt {
  return { ...attempt, row: { ...attempt.row, ...changes } };
}
