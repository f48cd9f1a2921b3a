/**
 * Notifications and questions: plans begun by the program itself, and what it hears of them.
 *
 * @module
 */
import { leavesOf, type PlanNode, type PlanStatus, stateAt } from "../delivery/delivery-plan.ts";
import { checkNotification, type Notification, type NotificationPayload } from "../delivery/notification.ts";
import type { CommunicationDispatcher } from "../dispatcher/communication-dispatcher.ts";
import { ConflictError, PosthornError } from "../errors.ts";
import type { DeliveryStatus } from "../message/delivery-event.ts";
import { deliveryIdOf } from "../message/delivery-id.ts";
import { createOutgoingMessage, type OutgoingMessage } from "../message/outgoing-message.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanAnswer, PlanRecord, PlanRunner, PlanTraits } from "../outbox/plan-runner.ts";
import { assertText } from "../support/assert.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import { type AskOptions, checkAskOptions, checkDeliverOptions, type DeliverOptions } from "./notification-options.ts";
import {
  arrivedBy,
  type DurableOutcome,
  notificationPlan,
  questionPlan,
  reasonsOf,
  skippedOf,
} from "./notification-plan.ts";

/** What notifications use of an application. */
export interface NotificationParts {
  /** Follows the plans. */
  readonly plans: PlanRunner;
  /** Where deliveries are queued. */
  readonly outbox: Outbox;
  /** Knows the backends. */
  readonly dispatcher: CommunicationDispatcher;
  /** Time. */
  readonly clock: Clock;
  /** Gives ids. */
  readonly newId: () => string;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
}

const ANSWERED: ReadonlySet<DeliveryStatus> = new Set(["accepted", "cancelled"]);
/** A question that is given up in one of these may have reached somebody, who may still answer. */
const ANSWERABLE: ReadonlySet<PlanStatus> = new Set(["late", "overdue", "unknown"]);

/** How often a plan is begun again that somebody else began meanwhile. */
const MAX_CONFLICTS = 10;

/** Begins notifications and questions, and waits for what comes of them. */
export class Notifications {
  readonly #parts: NotificationParts;

  /**
   * Makes one.
   *
   * @param parts What it uses of an application.
   */
  constructor(parts: NotificationParts) {
    this.#parts = parts;
  }

  /** See `Application.deliver`. */
  async deliver(payload: NotificationPayload, options: DeliverOptions = {}): Promise<DurableOutcome> {
    const notification = checkNotification(payload);
    checkDeliverOptions(options);
    const message = this.#message(notification, "notification");
    const planId = await this.#start(
      message,
      notificationPlan(notification, this.#parts.dispatcher.communicators, options),
      othersOf(options),
    );
    const end = await this.#parts.outbox.ledger.waitFor(
      planId,
      options.signal === undefined ? {} : { signal: options.signal },
    );
    const attempts = (await this.#parts.outbox.ledger.eventsOf(message.id)).filter((event) =>
      event.deliveryId !== planId
    );
    const record = await this.#parts.plans.find(planId);
    const channel = record === undefined ? undefined : arrivedBy(record);
    return {
      delivered: end.status === "accepted",
      possiblyDelivered: attempts.some((event) => event.status === "unknown"),
      attempts,
      skipped: record === undefined ? [] : skippedOf(record),
      ...(end.status === "accepted" && channel !== undefined ? { channel } : {}),
    };
  }

  /** See `Application.ask`. */
  async ask(payload: NotificationPayload, options: AskOptions = {}): Promise<PlanAnswer> {
    const notification = checkNotification(payload);
    const { timeoutMs = Infinity, signal } = checkAskOptions(options);
    const { dispatcher, logger } = this.#parts;
    const message = this.#message(notification, "question");
    const plan = questionPlan(notification, dispatcher.communicators, options);
    const asked = leavesOf(plan).filter(({ node }) => node.skip === undefined).map(({ node }) => node.backendName);
    if (asked.length > 0 && !asked.some((name) => dispatcher.find(name)?.capabilities.receives === true)) {
      logger.warn("question can be answered by acknowledge() only: no channel of it takes messages in", {
        notificationId: message.id,
        channels: asked.join(", "),
      });
    }
    const planId = await this.#start(message, plan, { isQuestion: true, ...othersOf(options) });
    const timeout = new AbortController();
    const timer = timeoutMs === Infinity ? undefined : this.#parts.clock.setTimer(timeoutMs, () => timeout.abort());
    try {
      const both = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]);
      await this.#waitForAnswer(planId, both, timeoutMs !== Infinity);
    } catch (error) {
      if (!timeout.signal.aborted) throw error;
      await this.#parts.plans.settle(planId, false);
    } finally {
      timer?.cancel();
    }
    const record = await this.#parts.plans.find(planId);
    if (record?.answer === undefined) {
      const reasons = record === undefined ? "it is not known any more" : reasonsOf(record);
      throw new PosthornError("unanswered", `Cannot get an answer to "${message.id}": nobody gave one (${reasons})`);
    }
    return record.answer;
  }

  /** Waits for the end of a question: where there is a time for the whole, everybody asked has all of it. */
  async #waitForAnswer(planId: string, signal: AbortSignal, hasTime: boolean): Promise<void> {
    const { outbox, plans } = this.#parts;
    const end = await outbox.ledger.waitFor(planId, { signal });
    const record = end.status === "dead" && hasTime ? await plans.find(planId) : undefined;
    if (record === undefined || !mayBeAnswered(record)) return;
    await outbox.ledger.waitFor(planId, { signal, until: ({ status }) => ANSWERED.has(status) });
  }

  /** See `Application.acknowledge`. */
  async acknowledge(id: string, by: { readonly sender?: string; readonly text?: string }): Promise<boolean> {
    const sender = by.sender === undefined ? {} : { sender: assertText(by.sender, "sender", { maxLength: 200 }) };
    const text = assertText(by.text ?? "", "text", { maxLength: 10_000, allowEmpty: true, multiline: true });
    return await this.settle(id, true, { text, backendName: "api", at: this.#parts.clock.now(), ...sender });
  }

  /** Settles a plan by its delivery id or its notification's id. @returns Whether it was under way. */
  async settle(id: string, arrived: boolean, answer?: PlanAnswer): Promise<boolean> {
    const { plans } = this.#parts;
    return await plans.settle(id, arrived, answer) || await plans.settle(await planIdOf(id), arrived, answer);
  }

  #message(notification: Notification, label: string): OutgoingMessage {
    const { notificationId: id, textContent: message, subject, htmlContent: html, eventType, metadata } = notification;
    return createOutgoingMessage(
      {
        id,
        message,
        label,
        ...(subject === undefined ? {} : { subject }),
        ...(html === undefined ? {} : { html }),
        metadata: { ...metadata, ...(eventType === undefined ? {} : { eventType }) },
      },
      { newId: this.#parts.newId, now: () => this.#parts.clock.now() },
    );
  }

  async #start(message: OutgoingMessage, plan: PlanNode, traits: PlanTraits): Promise<string> {
    const planId = await planIdOf(message.id);
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const known = await this.#parts.plans.find(planId);
      if (known !== undefined) return assertSame(known, traits);
      const move = await this.#parts.plans.begin(planId, "notification", plan, message, traits);
      const { committed } = await this.#parts.outbox.commit(move.operations);
      if (!committed) continue; // somebody else began the same one
      this.#parts.plans.tell(move);
      return planId;
    }
    throw new ConflictError(`Cannot begin notification "${message.id}": the same is being begun again and again`);
  }
}

function mayBeAnswered({ plan, state }: PlanRecord): boolean {
  return leavesOf(plan).some(({ leaf }) => ANSWERABLE.has(stateAt(state, leaf)?.status ?? "idle"));
}

/** The same id again is the same notification, or the same question, and not one for the other. */
function assertSame({ planId, message, isQuestion = false }: PlanRecord, traits: PlanTraits): string {
  if (isQuestion === (traits.isQuestion ?? false)) return planId;
  const [verb, other] = isQuestion ? ["deliver", "question"] : ["ask", "notification"];
  throw new ConflictError(`Cannot ${verb} "${message.id}": a ${other} has this notificationId; give it another one`);
}

/** The plan of a notification or question. */
function planIdOf(notificationId: string): string | Promise<string> {
  return deliveryIdOf(notificationId, "notification");
}

function othersOf({ others, othersText }: Pick<AskOptions, "others" | "othersText">): PlanTraits {
  return { ...(others === undefined ? {} : { others }), ...(othersText === undefined ? {} : { othersText }) };
}
