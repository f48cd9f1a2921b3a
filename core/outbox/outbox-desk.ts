/**
 * What persons do with deliveries: call them off, decide those in doubt, set those going again that were given up.
 *
 * @module
 */
import {
  type DeadLetter,
  type DeadLetterInfo,
  deadLetterKey,
  envelopeOf,
  readDeadLetter,
} from "../channels/dead-letter.ts";
import type { WorkQueueChannel } from "../channels/work-queue-channel.ts";
import { ConflictError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { StoredMessage } from "../message/channel-message.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import { fromStoredMessage } from "../message/stored-message.ts";
import type { MessageStore, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { eventOf, type OutboxRow, rowFromJson, rowToJson } from "./outbox-row.ts";
import type { PlanListener, StepWord } from "./plan-follower.ts";

/** What becomes of the plan of a step that is called off. */
export interface CancelOptions {
  /** `end`: the whole plan is called off. `next`: it goes on to its next channel. @default `"end"` */
  readonly plan?: "end" | "next";
}

/** A person's word on a delivery in doubt. */
export type ResolveWord = "delivered" | "retry" | "next";

/** A dead delivery. */
export interface DeadDelivery {
  /** The row that was given up. */
  readonly row: OutboxRow;
  /** Why, and what was tried. */
  readonly letter: DeadLetter;
}

/** What a desk is made from. */
export interface OutboxDeskOptions {
  /** Where deliveries are kept. */
  readonly store: MessageStore;
  /** Where every step is recorded. */
  readonly ledger: Ledger;
  /** Time. */
  readonly clock: Clock;
  /** The queue of one backend, or all that are open. */
  readonly queues: (backendName?: string) => Promise<readonly WorkQueueChannel[]>;
  /** Tells observers of what was committed. */
  readonly notify: (event: DeliveryEvent, message?: OutgoingMessage) => void;
}

/** A row where it stands. */
interface Located {
  readonly queue: WorkQueueChannel;
  readonly stored: StoredMessage;
  readonly row: OutboxRow;
}

const BY_HAND = "by-hand";
const PAGE = 500;
/** How often a plan is read again that somebody else moved on meanwhile. */
const MAX_CONFLICTS = 20;

/** What persons do with deliveries. Everything is one commit, and done twice it is done once. */
export class OutboxDesk {
  readonly #options: OutboxDeskOptions;
  #plans: PlanListener | undefined;

  /** @param options Queues and ledger. */
  constructor(options: OutboxDeskOptions) {
    this.#options = options;
  }

  /** See `Outbox.followPlansWith`. */
  followPlansWith(plans: PlanListener): void {
    this.#plans = plans;
  }

  /** How a delivery stands of which the ledger has no entry: see {@link EndFinder}. */
  async endOf(deliveryId: string): Promise<DeliveryEvent | "under-way" | undefined> {
    if (await this.locate(deliveryId) !== undefined) return "under-way";
    const dead = await this.#locateDead(deliveryId);
    if (dead === undefined) return await this.#plans?.endOf(deliveryId);
    const { reason, at, detail } = dead.letter;
    return eventOf(dead.row, "dead", at, { reason, ...(detail === undefined ? {} : { detail }) });
  }

  /** Where a delivery stands, if it is in a queue. */
  async locate(deliveryId: string): Promise<Located | undefined> {
    for (const queue of await this.#options.queues()) {
      const stored = await queue.get(deliveryId);
      const row = stored === undefined ? undefined : rowFromJson(stored.content);
      if (stored !== undefined && row !== undefined) return { queue, stored, row };
    }
    return undefined;
  }

  /** See `Outbox.cancel`. */
  async cancel(deliveryId: string, { plan = "end" }: CancelOptions): Promise<boolean> {
    const found = await this.locate(deliveryId);
    if (found === undefined) return false;
    const event = eventOf(found.row, "cancelled", this.#options.clock.now());
    return await this.#take(found, plan === "end" ? "cancelled-all" : "cancelled", event);
  }

  /** See `Outbox.held`. */
  async held(
    { backendName, limit = 100 }: { readonly backendName?: string; readonly limit?: number },
  ): Promise<readonly OutboxRow[]> {
    const found: OutboxRow[] = [];
    for (const queue of await this.#options.queues(backendName)) {
      for (let after: number | undefined = 0; after !== undefined && found.length < limit;) {
        const page: Awaited<ReturnType<typeof queue.query>> = await queue.query({ after, limit: PAGE });
        for (const { content } of page.messages) {
          const row = rowFromJson(content);
          if (row?.held === true && found.length < limit) found.push(row);
        }
        after = page.next;
      }
    }
    return found;
  }

  /** See `Outbox.resolve`. */
  async resolve(deliveryId: string, word: ResolveWord): Promise<boolean> {
    const found = await this.locate(deliveryId);
    if (found === undefined) return await this.#resolveDead(deliveryId, word);
    const { row, queue, stored } = found;
    if (row.held !== true && row.possibleDuplicate !== true) return false;
    const at = this.#options.clock.now();
    if (word === "delivered") {
      return await this.#take(found, "delivered", eventOf(row, "accepted", at, { reason: BY_HAND }));
    }
    if (word === "retry") {
      return await this.#take(found, undefined, eventOf(row, "redriven", at, { reason: BY_HAND }), [
        again(queue, stored, row, at),
      ]);
    }
    const dead = eventOf(row, "dead", at, { reason: BY_HAND });
    const channel = deadLetterKey(queue.key);
    const letter: readonly StoreOperation[] = [
      { type: "remove", channel, id: row.deliveryId }, // one of an earlier life would make this one a duplicate
      {
        type: "append",
        channel,
        mode: "log",
        message: { ...envelopeOf(stored), metadata: { "posthorn.dead": { reason: BY_HAND, at, failures: [] } } },
      },
    ];
    return await this.#take(found, "failed", dead, row.plan === undefined ? letter : []);
  }

  /** Takes a row that nobody sends at this moment out of its queue, and tells its plan, in one commit. */
  async #take(
    { queue, row }: Located,
    word: StepWord | undefined,
    event: DeliveryEvent,
    more: readonly StoreOperation[] = [],
  ): Promise<boolean> {
    const { store, ledger, notify } = this.#options;
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const next = row.plan === undefined || word === undefined ? undefined : await this.#plans?.followWord(row, word);
      const { committed, results } = await store.commit([
        { type: "remove", channel: queue.key, id: row.deliveryId, unlessClaimed: true, mustExist: true },
        ...more,
        ledger.operation(event),
        ...next?.operations ?? [],
      ]);
      if (committed) {
        notify(event, fromStoredMessage(row.message));
        for (const each of next?.events ?? []) notify(each);
        return true;
      }
      if (results[0]?.status === "missing" || results[0]?.status === "claimed") return false;
    }
    throw new ConflictError(
      `Cannot decide delivery "${row.deliveryId}": its plan changes faster than it can be written`,
    );
  }

  /** See `Outbox.deadLetters`. */
  async deadLetters(
    { backendName, limit = 100 }: { readonly backendName?: string; readonly limit?: number },
  ): Promise<readonly DeadDelivery[]> {
    const found: DeadDelivery[] = [];
    for (const queue of await this.#options.queues(backendName)) {
      for (const letter of await queue.deadLetters({ limit: limit - found.length })) {
        const row = rowFromJson(letter.content);
        if (row !== undefined) found.push({ row, letter });
      }
      if (found.length >= limit) break;
    }
    return found;
  }

  /** See `Outbox.redrive`. */
  async redrive(deliveryId: string): Promise<boolean> {
    const found = await this.#locateDead(deliveryId);
    if (found === undefined) return false;
    const { queue, stored, row } = found;
    if (await queue.get(deliveryId) !== undefined) {
      throw new ConflictError(`Cannot redrive delivery "${deliveryId}": the same is queued again already`);
    }
    const at = this.#options.clock.now();
    return await this.#takeDead(found, eventOf(row, "redriven", at), [again(queue, stored, row, at)]);
  }

  async #resolveDead(deliveryId: string, word: ResolveWord): Promise<boolean> {
    const found = await this.#locateDead(deliveryId);
    if (found === undefined || found.row.possibleDuplicate !== true || word === "next") return false;
    if (word === "retry") return await this.redrive(deliveryId);
    const event = eventOf(found.row, "accepted", this.#options.clock.now(), { reason: BY_HAND });
    return await this.#takeDead(found, event, []);
  }

  async #locateDead(deliveryId: string): Promise<Located & { readonly letter: DeadLetterInfo } | undefined> {
    for (const queue of await this.#options.queues()) {
      const stored = await this.#options.store.get(deadLetterKey(queue.key), deliveryId);
      const row = stored === undefined ? undefined : rowFromJson(stored.content);
      if (stored === undefined || row === undefined) continue;
      const { dead: letter, ...message } = readDeadLetter(stored);
      return { queue, stored: message, row, letter };
    }
    return undefined;
  }

  async #takeDead({ queue, row }: Located, event: DeliveryEvent, more: readonly StoreOperation[]): Promise<boolean> {
    const { store, ledger, notify } = this.#options;
    const { committed } = await store.commit([
      { type: "remove", channel: deadLetterKey(queue.key), id: row.deliveryId, mustExist: true },
      ...more,
      ledger.operation(event),
    ]);
    if (committed) notify(event, fromStoredMessage(row.message));
    return committed;
  }
}

/** The append that queues a row anew, under its id, to be sent now. */
function again(queue: WorkQueueChannel, stored: StoredMessage, row: OutboxRow, at: number): StoreOperation {
  const { held: _held, ...free } = row;
  const { notBefore: _notBefore, ...envelope } = envelopeOf(stored);
  return {
    type: "append",
    channel: queue.key,
    mode: "queue",
    message: { ...envelope, content: rowToJson({ ...free, queuedAt: at }) },
  };
}
