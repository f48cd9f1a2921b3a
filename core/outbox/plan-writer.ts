/**
 * From what a plan wants done to the operations that do it.
 *
 * @module
 */
import { deadLetterKey } from "../channels/dead-letter.ts";
import type { Communicator } from "../communicators/communicator.ts";
import {
  leavesOf,
  outcomeOf,
  type PlanAction,
  type PlanLeaf,
  type PlanOutcome,
  type PlanState,
  stateAt,
} from "../delivery/delivery-plan.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { JsonObject } from "../message/json.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import type { StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Outbox } from "./outbox.ts";
import type { PlanContinuation } from "./plan-follower.ts";
import type { AwaitedSteps } from "./awaiting.ts";
import { noteOfAnswer } from "./others.ts";
import { deliveryIdOfStep, planKey, type PlanRecord, recordToJson } from "./plan-record.ts";

/** A plan begun or moved on: what to commit, and what to tell observers of afterwards. */
export interface PlanMove extends PlanContinuation {
  /** The record after it. */
  readonly record: PlanRecord;
}

/** What a writer is made from. */
export interface PlanWriterOptions {
  /** Where deliveries are queued. */
  readonly outbox: Outbox;
  /** Keeps which steps wait for an answer. */
  readonly awaited: AwaitedSteps;
  /** Knows the backends. */
  readonly findBackend: (name: string) => Communicator | undefined;
  /** Time. */
  readonly clock: Clock;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
}

/** How a plan stood before something happened. */
export interface PlanBefore {
  /** Its state. */
  readonly state: PlanState;
  /** The delivery that somebody has answered. */
  readonly answeredLeaf?: string;
}

const DAY_MS = 86_400_000;
/** How long the end of a plan is known. */
const SETTLED_TTL_MS = 30 * DAY_MS;
/** A plan that waits for a word which never comes is forgotten at last: so long after anything happened to it. */
const IDLE_TTL_MS = 400 * DAY_MS;

/** Makes operations of what a plan wants done: deliveries, timers, the end. It commits nothing. */
export class PlanWriter {
  /** The key of the channel timers wait in. */
  readonly channelKey: string;
  readonly #options: PlanWriterOptions;

  /** @param options Outbox and time. */
  constructor(options: PlanWriterOptions) {
    this.#options = options;
    this.channelKey = `${options.namespace ?? "default"}:plans`;
  }

  /**
   * What makes a record stand as it is now, and its actions happen.
   *
   * @param record The record as it shall be.
   * @param actions What its plan wants done.
   * @param version The version it was read at; 0 for a new one.
   * @param before How it stood; absent for a new one.
   */
  async perform(
    record: PlanRecord,
    actions: readonly PlanAction[],
    version: number,
    before?: PlanBefore,
  ): Promise<PlanMove> {
    const operations: StoreOperation[] = [];
    const events: DeliveryEvent[] = [];
    for (const action of actions) {
      switch (action.type) {
        case "send":
          await this.#send(record, action.leaf, before, operations, events);
          break;
        case "timer":
          operations.push(this.#timer(record, action.leaf, action.withinMs));
          break;
        case "cancel":
          break; // the state says so, and the sender asks before it sends
        case "settled":
          this.#settled(record, action.outcome, operations, events);
          if (before !== undefined) await this.#close(record, action.outcome, before, operations, events);
          break;
      }
    }
    const { outcome: known, ...rest } = record;
    const outcome = outcomeOf(record.state.status);
    const after: PlanRecord = outcome === undefined ? rest : { ...rest, outcome };
    if (isDead(known) && outcome !== known) operations.unshift(this.#removeDeadLetter(record));
    operations.push({
      type: "set-state",
      key: planKey(record.planId, this.#options.namespace),
      value: recordToJson(after),
      expectedVersion: version,
      ttlMs: outcome === undefined ? this.#idleTtlMs(record) : SETTLED_TTL_MS,
    });
    return { record: after, operations, events };
  }

  /** Longer than anything of it may still wait: for its time, and then for its longest `within`. */
  #idleTtlMs({ plan, message: { notBefore = 0 } }: PlanRecord): number {
    const longest = Math.max(0, ...leavesOf(plan).map(({ node }) => node.withinMs ?? 0));
    return IDLE_TTL_MS + longest + Math.max(0, notBefore - this.#options.clock.now());
  }

  async #send(
    record: PlanRecord,
    leaf: string,
    before: PlanBefore | undefined,
    operations: StoreOperation[],
    events: DeliveryEvent[],
  ): Promise<void> {
    const { outbox } = this.#options;
    const node = leavesOf(record.plan).find((each) => each.leaf === leaf)?.node;
    if (node === undefined) return;
    const { backendName, recipient } = node;
    const { life = 1 } = record;
    const step: JsonObject = { planId: record.planId, leaf };
    const deliveryId = deliveryIdOfStep(record.planId, leaf);
    if (life > 1) {
      const { key } = await outbox.queue(backendName);
      operations.push({ type: "remove", channel: key, id: deliveryId, unlessClaimed: true });
    }
    const [prepared] = await outbox.prepare(fromStoredMessage(record.message), [{
      backendName,
      deliveryId,
      plan: step,
      ...(life > 1 ? { life } : {}),
      ...(recipient === undefined ? {} : { recipient }),
      ...reasonOf(record, before),
    }]);
    if (prepared === undefined) return;
    operations.push(...prepared.operations);
    events.push(prepared.event);
    if (recipient !== undefined && waitsForAnswer(record, node)) {
      const { planId, message: { notBefore } } = record;
      operations.push(...await this.#options.awaited.open(backendName, recipient, { planId, leaf }, notBefore));
    }
  }

  /** Nothing of it waits for an answer any more, and those who were asked too hear of the one there is. */
  async #close(
    record: PlanRecord,
    outcome: PlanOutcome,
    before: PlanBefore,
    operations: StoreOperation[],
    events: DeliveryEvent[],
  ): Promise<void> {
    if (outcome !== "delivered" && outcome !== "cancelled") return; // a late answer still counts
    const { awaited, outbox, findBackend } = this.#options;
    const { planId } = record;
    for (const { leaf, node } of leavesOf(record.plan)) {
      if (node.recipient === undefined || !waitsForAnswer(record, node)) continue;
      operations.push(...await awaited.close(node.backendName, node.recipient, { planId, leaf }));
    }
    if (outcome !== "delivered") return;
    const note = noteOfAnswer(record, before.state, before.answeredLeaf, findBackend);
    for (const prepared of note === undefined ? [] : await outbox.prepare(note.message, note.targets)) {
      operations.push(...prepared.operations);
      events.push(prepared.event);
    }
  }

  #timer(record: PlanRecord, leaf: string, withinMs: number): StoreOperation {
    const now = this.#options.clock.now();
    const { planId, life = 1, message: { notBefore = now } } = record;
    return {
      type: "append",
      channel: this.channelKey,
      mode: "queue",
      message: {
        v: 1,
        id: life > 1 ? `${planId}/${leaf}/${life}` : `${planId}/${leaf}`,
        timestamp: now,
        senderId: "plan",
        content: { planId, leaf, life },
        metadata: {},
        namespace: this.#options.namespace ?? "default",
        notBefore: Math.max(now, notBefore) + withinMs,
      },
    };
  }

  #settled(record: PlanRecord, outcome: PlanOutcome, operations: StoreOperation[], events: DeliveryEvent[]): void {
    const event = this.endEvent(record, outcome);
    events.push(event);
    operations.push(this.#options.outbox.ledger.operation(event));
    if (isDead(outcome)) operations.push(this.#removeDeadLetter(record), this.#deadLetter(record, outcome));
  }

  /** A plan that has gone on, or has ended otherwise after all, is no dead letter any more. */
  #removeDeadLetter(record: PlanRecord): StoreOperation {
    return { type: "remove", channel: deadLetterKey(this.channelKey), id: record.planId };
  }

  #deadLetter(record: PlanRecord, outcome: PlanOutcome): StoreOperation {
    const at = this.#options.clock.now();
    return {
      type: "append",
      channel: deadLetterKey(this.channelKey),
      mode: "log",
      message: {
        v: 1,
        id: record.planId,
        timestamp: at,
        senderId: "plan",
        content: recordToJson({ ...record, outcome }),
        metadata: { "posthorn.dead": { reason: outcome, at, failures: [] } },
        namespace: this.#options.namespace ?? "default",
        correlationId: record.message.id,
      },
    };
  }

  /** The entry of the ledger about the end of a plan. */
  endEvent(record: PlanRecord, outcome: PlanOutcome): DeliveryEvent {
    const status = isDead(outcome) ? "dead" : outcome === "cancelled" ? "cancelled" : "accepted";
    return this.event(record, status, {
      reason: outcome,
      ...(record.answer === undefined ? {} : { detail: `answered on ${record.answer.backendName}` }),
    });
  }

  /** An entry of the ledger about a plan. */
  event(record: PlanRecord, status: DeliveryStatus, more: Partial<DeliveryEvent>): DeliveryEvent {
    return {
      deliveryId: record.planId,
      messageId: record.message.id,
      backendName: record.groupName,
      status,
      at: this.#options.clock.now(),
      ...more,
    };
  }
}

/** Why the plan goes on to another delivery: what has just become of those before. */
function reasonOf(record: PlanRecord, before: PlanBefore | undefined): { readonly detail?: string } {
  if (before === undefined) return {};
  const passed = leavesOf(record.plan).flatMap(({ leaf, node }) => {
    const now = stateAt(record.state, leaf);
    const isNew = now?.status !== stateAt(before.state, leaf)?.status;
    return isNew && now?.reason !== undefined ? [`${node.backendName}: ${wordsOf(now, node)}`] : [];
  });
  return passed.length === 0 ? {} : { detail: `after ${passed.join(", ")}` };
}

function wordsOf({ status, reason = "" }: PlanState, { confirm = "accepted", withinMs = 0 }: PlanLeaf): string {
  if (status !== "late" && status !== "overdue") return reason;
  return `not ${status === "overdue" ? "accepted" : confirm === "reply" ? "answered" : confirm} within ${
    withinMs / 1_000
  } s`;
}

/** Whether something is expected to be said about a step: what is done once the network takes it waits for nobody. */
function waitsForAnswer(record: PlanRecord, node: PlanLeaf): boolean {
  return record.isQuestion === true || (node.confirm ?? "accepted") !== "accepted";
}

function isDead(outcome: PlanOutcome | undefined): boolean {
  return outcome === "exhausted" || outcome === "unknown";
}
