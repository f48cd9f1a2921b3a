/**
 * From what a plan wants done to the operations that do it.
 *
 * @module
 */
import { deadLetterKey } from "../channels/dead-letter.ts";
import { leavesOf, type PlanAction, type PlanOutcome } from "../delivery/delivery-plan.ts";
import type { DeliveryEvent, DeliveryStatus } from "../message/delivery-event.ts";
import type { JsonObject } from "../message/json.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import type { StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Outbox } from "./outbox.ts";
import type { PlanContinuation } from "./plan-follower.ts";
import { awaitingKey, deliveryIdOfStep, planKey, type PlanRecord, recordToJson } from "./plan-record.ts";

/** A plan begun or moved on: what to commit, and what to tell observers of afterwards. */
export interface PlanMove extends PlanContinuation {
  /** The record after it. */
  readonly record: PlanRecord;
}

/** What a writer is made from. */
export interface PlanWriterOptions {
  /** Where deliveries are queued. */
  readonly outbox: Outbox;
  /** Time. */
  readonly clock: Clock;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
}

const SETTLED_TTL_MS = 30 * 86_400_000;
const AWAITING_TTL_MS = 8 * 86_400_000;

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

  /** What makes a record stand as it is now, and its actions happen. @param version The version it was read at; 0 for a new one. */
  async perform(record: PlanRecord, actions: readonly PlanAction[], version: number): Promise<PlanMove> {
    const operations: StoreOperation[] = [];
    const events: DeliveryEvent[] = [];
    let outcome = record.outcome;
    for (const action of actions) {
      switch (action.type) {
        case "send":
          await this.#send(record, action.leaf, operations, events);
          break;
        case "timer":
          operations.push(this.#timer(record, action.leaf, action.withinMs));
          break;
        case "cancel":
          break; // the state says so, and the sender asks before it sends
        case "settled":
          outcome = action.outcome;
          this.#settled(record, action.outcome, operations, events);
          break;
      }
    }
    const after: PlanRecord = outcome === undefined ? record : { ...record, outcome };
    operations.push({
      type: "set-state",
      key: planKey(record.planId),
      value: recordToJson(after),
      expectedVersion: version,
      ...(outcome === undefined ? {} : { ttlMs: SETTLED_TTL_MS }),
    });
    return { record: after, operations, events };
  }

  async #send(record: PlanRecord, leaf: string, operations: StoreOperation[], events: DeliveryEvent[]): Promise<void> {
    const { outbox } = this.#options;
    const node = leavesOf(record.plan).find((each) => each.leaf === leaf)?.node;
    if (node === undefined) return;
    const { backendName, recipient } = node;
    const step: JsonObject = { planId: record.planId, leaf };
    const [prepared] = await outbox.prepare(fromStoredMessage(record.message), [{
      backendName,
      deliveryId: deliveryIdOfStep(record.planId, leaf),
      plan: step,
      ...(recipient === undefined ? {} : { recipient }),
    }]);
    if (prepared === undefined) return;
    operations.push(...prepared.operations);
    events.push(prepared.event);
    if (recipient === undefined) return;
    operations.push({
      type: "set-state",
      key: awaitingKey(backendName, recipient),
      value: step,
      ttlMs: AWAITING_TTL_MS,
    });
  }

  #timer(record: PlanRecord, leaf: string, withinMs: number): StoreOperation {
    const now = this.#options.clock.now();
    return {
      type: "append",
      channel: this.channelKey,
      mode: "queue",
      message: {
        v: 1,
        id: `${record.planId}/${leaf}`,
        timestamp: now,
        senderId: "plan",
        content: { planId: record.planId, leaf },
        metadata: {},
        namespace: this.#options.namespace ?? "default",
        notBefore: now + withinMs,
      },
    };
  }

  #settled(record: PlanRecord, outcome: PlanOutcome, operations: StoreOperation[], events: DeliveryEvent[]): void {
    const status: DeliveryStatus = outcome === "delivered"
      ? "accepted"
      : outcome === "cancelled"
      ? "cancelled"
      : "dead";
    const event = this.event(record, status, {
      reason: outcome,
      ...(record.answer === undefined ? {} : { detail: `answered on ${record.answer.backendName}` }),
    });
    events.push(event);
    operations.push(this.#options.outbox.ledger.operation(event));
    if (status === "dead") operations.push(this.#deadLetter(record, outcome));
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
