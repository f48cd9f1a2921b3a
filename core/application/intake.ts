/**
 * What backends hand on: messages and receipts, committed together with what they settle.
 *
 * @module
 */
import type { CommunicationDispatcher } from "../dispatcher/communication-dispatcher.ts";
import { ConflictError } from "../errors.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { ProviderReceipt } from "../message/receipt.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanMove, PlanRunner } from "../outbox/plan-runner.ts";
import type { Logger } from "../support/logger.ts";
import type { Messenger } from "./messenger.ts";

/** What an intake uses of an application. */
export interface IntakeParts {
  /** Where messages go. */
  readonly inbox: Inbox;
  /** Where deliveries are. */
  readonly outbox: Outbox;
  /** Follows plans. */
  readonly plans: PlanRunner;
  /** Knows whether somebody handles messages. */
  readonly messenger: Messenger;
  /** Publishes messages. */
  readonly dispatcher: CommunicationDispatcher;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
}

/** How often something is tried again that somebody else changed meanwhile. */
const MAX_CONFLICTS = 10;

/** Takes in what backends hand on. */
export class Intake {
  readonly #parts: IntakeParts;

  /**
   * Makes one.
   *
   * @param parts What it uses of an application.
   */
  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Takes a batch in, together with what its replies settle: a plan that waited for one, a question. */
  async receive(messages: readonly IncomingMessage[]): Promise<void> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const moves = await this.#movesBy(messages);
      const isNew = await this.#parts.inbox.accept(messages, moves.flatMap((move) => move.operations));
      if (isNew === undefined) continue; // a plan moved on meanwhile: look again
      for (const move of moves) this.#parts.plans.tell(move);
      this.#publish(messages, isNew);
      return;
    }
    throw new ConflictError("Cannot take messages in: plans they settle change faster than they can be written");
  }

  async #movesBy(messages: readonly IncomingMessage[]): Promise<readonly PlanMove[]> {
    const moves: PlanMove[] = [];
    const moved = new Set<string>();
    for (const { backendName, conversation, replyTo, text, sender, timestamp } of messages) {
      const move = await this.#parts.plans.followReply({
        backendName,
        conversation,
        answer: { text, backendName, at: timestamp, ...(sender === undefined ? {} : { sender }) },
        ...(replyTo === undefined ? {} : { replyTo }),
      });
      if (move === undefined || moved.has(move.record.planId)) continue; // the first answer of a batch counts
      moved.add(move.record.planId);
      moves.push(move);
    }
    return moves;
  }

  /** With a handler, its router publishes; without one, nobody would. */
  #publish(messages: readonly IncomingMessage[], isNew: readonly boolean[]): void {
    if (this.#parts.messenger.isHandling) return;
    for (const [index, message] of messages.entries()) {
      if (isNew[index] === true) this.#parts.dispatcher.incomingPublisher.publish(message);
    }
  }

  /** Records what a provider says of messages it had accepted, and moves the plans that wait for it. */
  async receipts(backendName: string, receipts: readonly ProviderReceipt[]): Promise<void> {
    const { operations, events, unmatched } = await this.#parts.outbox.ledger.receiptOperations(backendName, receipts);
    const kept = this.#parts.inbox.quarantineOperations(
      backendName,
      unmatched.map((receipt): JsonValue => ({ kind: "receipt", ...receipt })),
    );
    const { results } = await this.#parts.outbox.store.commit([...operations, ...kept]);
    for (const [index, event] of events.entries()) {
      if (results[index]?.status !== "done") continue;
      this.#parts.outbox.notify(event);
      await this.#movePlan(event);
    }
  }

  async #movePlan(event: DeliveryEvent): Promise<void> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const move = await this.#parts.plans.followReceipt(event);
      if (move.operations.length === 0) return;
      const { committed } = await this.#parts.outbox.store.commit(move.operations);
      if (committed) return this.#parts.plans.tell(move);
    }
    this.#parts.logger.error("receipt could not move its plan", { deliveryId: event.deliveryId });
  }
}
