/**
 * What backends hand on: messages and receipts, committed together with what they settle.
 *
 * @module
 */
import type { CommunicationDispatcher } from "../dispatcher/communication-dispatcher.ts";
import { ConflictError } from "../errors.ts";
import type { Inbox } from "../inbox/inbox.ts";
import { commandOf } from "../inbox/router.ts";
import type { IncomingMessage } from "../message/incoming-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { ProviderReceipt } from "../message/receipt.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PlanMove, PlanReply, PlanRunner, ReplyContinuation } from "../outbox/plan-runner.ts";
import type { StoreOperation } from "../store/message-store.ts";
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

/** What a batch settles. */
interface Settled {
  /** What to commit with it. */
  readonly operations: readonly StoreOperation[];
  /** Which plan moves on by which message. */
  readonly moves: ReadonlyMap<string, PlanMove>;
}

const SETTLES_NOTHING: Settled = { operations: [], moves: new Map() };

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
      const { operations, moves } = await this.#settledBy(messages);
      const marked = moves.size === 0 ? messages : messages.map((message) => {
        const answers = moves.get(message.id)?.record.message.id;
        return answers === undefined ? message : { ...message, answers };
      });
      const isNew = await this.#parts.inbox.accept(marked, operations);
      if (isNew === undefined) continue; // a plan moved on meanwhile: look again
      for (const move of moves.values()) this.#parts.plans.tell(move);
      this.#publish(marked, isNew);
      return;
    }
    throw new ConflictError("Cannot take messages in: plans they settle change faster than they can be written");
  }

  /** What to commit with a batch, and which plan moves on by which message. */
  async #settledBy(messages: readonly IncomingMessage[]): Promise<Settled> {
    const found: { readonly messageId: string; readonly followed: ReplyContinuation }[] = [];
    const seen = messages.length > 1 ? new Set<string>() : undefined;
    for (const message of messages) {
      if (seen?.has(message.id) === true || (message.kind === "reaction" && message.text === "")) continue; // taken back
      seen?.add(message.id);
      const followed = await this.#parts.plans.followReply(replyFrom(message));
      if (followed.move === undefined && followed.operations.length === 0) continue;
      found.push({ messageId: message.id, followed });
    }
    if (found.length === 0) return SETTLES_NOTHING; // as nearly all
    const notes = new Map<string, StoreOperation>(); // by key: two messages of a conversation may note the same
    const moves = new Map<string, PlanMove>();
    const moved = new Set<string>();
    for (const { messageId, followed: { operations, move } } of found) {
      for (const operation of operations) notes.set(keyOf(operation), operation);
      if (move === undefined || moved.has(move.record.planId)) continue; // the first answer of a batch counts
      moved.add(move.record.planId);
      moves.set(messageId, move);
    }
    const operations = [...moves.values()].flatMap((move) => move.operations);
    return { operations: [...notes.values(), ...operations], moves };
  }

  /** With a handler, its router publishes; without one, nobody would. */
  #publish(messages: readonly IncomingMessage[], isNew: readonly boolean[]): void {
    if (this.#parts.messenger.isHandling) return;
    let count = 0;
    for (const [index, message] of messages.entries()) {
      if (isNew[index] !== true) continue;
      if (this.#parts.dispatcher.incomingPublisher.publish(message)) this.#parts.inbox.noteTold(message.id);
      count++;
    }
    void this.#parts.inbox.noteUnhandled(count);
  }

  /**
   * Records what a provider says of messages it had accepted. A word and the move of the plan that waits for it are one
   * commit.
   */
  async receipts(backendName: string, receipts: readonly ProviderReceipt[]): Promise<void> {
    let left = receipts;
    while (left.length > 0) left = await this.#receiptsOfPlansOnce(backendName, left);
  }

  /** Takes of each plan the first receipt, and all that concern none. @returns What is left: the further ones of each plan. */
  async #receiptsOfPlansOnce(
    backendName: string,
    receipts: readonly ProviderReceipt[],
  ): Promise<readonly ProviderReceipt[]> {
    const { outbox, inbox, plans } = this.#parts;
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const { matched, unmatched } = await outbox.ledger.matchReceipts(backendName, receipts);
      const moves = new Map<string, PlanMove>();
      const taken: typeof matched[number][] = [];
      const later: ProviderReceipt[] = [];
      for (const match of matched) {
        const planId = plans.planOf(match.event.deliveryId);
        if (planId !== undefined && moves.has(planId)) {
          later.push(match.receipt);
          continue;
        }
        taken.push(match);
        const move = planId === undefined ? undefined : await plans.followReceipt(match.event);
        if (planId !== undefined && move !== undefined) moves.set(planId, move);
      }
      const kept = inbox.quarantineOperations(
        backendName,
        unmatched.map((receipt): JsonValue => ({ kind: "receipt", ...receipt })),
      );
      const followed = [...moves.values()];
      const { committed, results } = await outbox.store.commit([
        ...taken.map(({ operation }) => operation),
        ...kept,
        ...await plans.keepReceipts(backendName, unmatched),
        ...followed.flatMap((move) => move.operations),
      ]);
      if (!committed) continue; // a plan moved on meanwhile: look again
      for (const [index, { event }] of taken.entries()) if (results[index]?.status === "done") outbox.notify(event);
      for (const move of followed) plans.tell(move);
      if (unmatched.length === 0) return later;
      // Their messages may have been accepted since they were looked for.
      const again = await outbox.ledger.matchReceipts(backendName, unmatched);
      return [...later, ...again.matched.map(({ receipt }) => receipt)];
    }
    throw new ConflictError("Cannot take receipts in: plans they move change faster than they can be written");
  }
}

function keyOf(operation: StoreOperation): string {
  return "key" in operation ? operation.key : JSON.stringify(operation);
}

/** A message as plans see it. A reaction, a command, or what is not understood, answers only what it names. */
function replyFrom(message: IncomingMessage): PlanReply {
  const { id, kind, backendName, conversation, replyTo, text, sender, timestamp } = message;
  return {
    backendName,
    conversation,
    messageId: id,
    isAside: kind === "reaction" || kind === "unsupported" || commandOf(message) !== undefined,
    ...(replyTo === undefined ? {} : { replyTo }),
    answer: { text, backendName, at: timestamp, messageId: id, ...(sender === undefined ? {} : { sender }) },
  };
}
