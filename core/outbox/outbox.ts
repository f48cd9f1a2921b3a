/**
 * Messages on their way out.
 *
 * @module
 */
import { WorkQueueChannel } from "../channels/work-queue-channel.ts";
import { QueueFullError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import { deliveryIdOf } from "../message/delivery-id.ts";
import type { JsonObject } from "../message/json.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import { toStoredMessage } from "../message/stored-message.ts";
import type { CommitResult, MessageStore, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";
import { type CancelOptions, type DeadDelivery, OutboxDesk, type ResolveWord } from "./outbox-desk.ts";
import { type Amendment, eventOf, type OutboxRow, rowToJson } from "./outbox-row.ts";
import type { PlanListener } from "./plan-follower.ts";
import { QueueLimits, type TakenPlaces } from "./queue-limits.ts";

export type { CancelOptions, DeadDelivery, ResolveWord } from "./outbox-desk.ts";
export { eventOf } from "./outbox-row.ts";

/** Hears of every step of a delivery after its commit. */
export type DeliveryObserver = (event: DeliveryEvent, message?: OutgoingMessage) => void;

/** What an outbox is made from. */
export interface OutboxOptions {
  /** Where it is kept. */
  readonly store: MessageStore;
  /** Where every step is recorded. */
  readonly ledger: Ledger;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Gives ids. */
  readonly newId: () => string;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
  /** How long a delivery's id is remembered, so that the same message emitted again is not sent again. @default 8 days */
  readonly dedupeForMs?: number;
  /** How long a claim lasts unless its heart-beat extends it. @default `60_000` */
  readonly leaseMs?: number;
  /** How many deliveries may wait for each backend; more are refused with `queue-full`. @default as many as there are */
  readonly maxQueued?: number;
}

/** Where a message shall go. */
export interface DeliveryTarget {
  /** By which backend. */
  readonly backendName: string;
  /** To whom; absent for the backend's own destination. */
  readonly recipient?: string;
  /** The lane within the backend. @default the recipient */
  readonly lane?: string;
  /** The plan it is a step of. */
  readonly plan?: JsonObject;
  /** The delivery it is about. */
  readonly amends?: Amendment;
  /** Why it is queued, for the ledger. */
  readonly detail?: string;
  /** Its identity, where it is not that of message, backend and recipient. */
  readonly deliveryId?: string;
  /** Not before, in milliseconds since 1970, where it is not the message's. */
  readonly notBefore?: number;
  /** How often it is queued under its id, by a person's will: its id is not remembered against it. @default `1` */
  readonly life?: number;
}

/** A delivery ready to be committed. */
export interface PreparedDelivery {
  /** The row. */
  readonly row: OutboxRow;
  /** What queues it and records that. Commit all of it. */
  readonly operations: readonly StoreOperation[];
  /** The entry that records it. */
  readonly event: DeliveryEvent;
}

const DEFAULT_DEDUPE_MS = 8 * 86_400_000;

/**
 * Messages on their way out: a work queue for each backend, so that a slow one holds up nobody else. What is in it is
 * sent by a {@link SenderWorker}; whatever becomes of it stands in the ledger.
 */
export class Outbox {
  /** Where it is kept. */
  readonly store: MessageStore;
  /** Where every step is recorded. */
  readonly ledger: Ledger;
  readonly #options: OutboxOptions;
  readonly #queues = new Map<string, WorkQueueChannel>();
  readonly #limits: QueueLimits;
  readonly #observers = new Set<DeliveryObserver>();
  readonly #desk: OutboxDesk;
  #running = false;

  /**
   * Makes an outbox.
   *
   * @param options Where it is kept.
   */
  constructor(options: OutboxOptions) {
    this.#options = options;
    this.store = options.store;
    this.#limits = new QueueLimits(options);
    this.ledger = options.ledger;
    this.#desk = new OutboxDesk({
      ...options,
      queues: async (backendName) =>
        backendName === undefined ? [...this.#queues.values()] : [await this.queue(backendName)],
      notify: (event, message) => this.notify(event, message),
    });
    this.ledger.findEndsWith((deliveryId) => this.#desk.endOf(deliveryId));
  }

  /** Opens it. */
  async start(): Promise<void> {
    this.#running = true;
    await this.ledger.start();
    await Promise.all([...this.#queues.values()].map((queue) => queue.start()));
  }

  /** Closes it. What is in it stays in the store. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all([...this.#queues.values()].map((queue) => queue.stop()));
    await this.ledger.stop();
  }

  /** Adds somebody who hears of every step after its commit. @returns Ends it. */
  observe(observer: DeliveryObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  /** Tells the observers of a step that was committed. One that throws hurts nobody: what it hears of has happened. */
  notify(event: DeliveryEvent, message?: OutgoingMessage): void {
    for (const observer of this.#observers) {
      try {
        observer(event, message);
      } catch (error) {
        this.#options.logger.error("observer of the outbox threw", errorFields(error));
      }
    }
  }

  /**
   * Remembers which backends there are, so that the deliveries of one that is gone later can be found.
   *
   * @param names Those there are now.
   * @returns Those there were, and are no more.
   */
  async rememberBackends(names: readonly string[]): Promise<readonly string[]> {
    const prefix = `outbox/${this.#options.namespace ?? "default"}/`;
    const known: string[] = [];
    for (let after: string | undefined = "";;) {
      const page = await this.store.listState(prefix, { limit: 500, ...(after === "" ? {} : { after }) });
      for (const { key } of page) known.push(key.slice(prefix.length));
      after = page.at(-1)?.key;
      if (after === undefined || page.length < 500) break;
    }
    const added = names.filter((name) => !known.includes(name));
    if (added.length > 0) {
      await this.store.commit(added.map((name) => ({ type: "set-state", key: prefix + name, value: true })));
    }
    return known.filter((name) => !names.includes(name));
  }

  /** The queue of one backend. */
  async queue(backendName: string): Promise<WorkQueueChannel> {
    const known = this.#queues.get(backendName);
    if (known !== undefined) return known;
    const { store, clock, logger, newId, namespace, leaseMs = 60_000 } = this.#options;
    const queue = new WorkQueueChannel({
      id: `outbox.${backendName}`,
      name: `Outbox of ${backendName}`,
      store,
      clock,
      logger,
      newId,
      claimTimeoutMs: leaseMs,
      maxDeliveries: 1_000_000, // attempts are the sender worker's to count
      ...(namespace === undefined ? {} : { namespace }),
    });
    this.#queues.set(backendName, queue);
    this.#limits.add(backendName, queue.key);
    if (this.#running) await queue.start();
    return queue;
  }

  /**
   * Makes deliveries of a message, without committing anything: a handler's replies commit with its acknowledgement.
   *
   * @param message What is said.
   * @param targets Where it goes.
   */
  prepare(message: OutgoingMessage, targets: readonly DeliveryTarget[]): Promise<readonly PreparedDelivery[]> {
    const stored = toStoredMessage(message);
    return Promise.all(targets.map(async (target) => {
      const { backendName, recipient, plan, amends, detail } = target;
      const deliveryId = target.deliveryId ?? await deliveryIdOf(message.id, backendName, recipient);
      const queuedAt = this.#options.clock.now();
      const row: OutboxRow = {
        v: 1,
        deliveryId,
        backendName,
        message: stored,
        queuedAt,
        ...(recipient === undefined ? {} : { recipient }),
        ...(target.lane === undefined ? {} : { bucket: target.lane }),
        ...(plan === undefined ? {} : { plan }),
        ...(amends === undefined ? {} : { amends }),
      };
      const event = eventOf(row, "queued", queuedAt, detail === undefined ? {} : { detail: detail.slice(0, 1_000) });
      return {
        row,
        event,
        operations: [await this.#append(row, target), this.ledger.operation(event, queuedId(deliveryId, target.life))],
      };
    }));
  }

  /**
   * Queues deliveries, all of them in one commit.
   *
   * @param message What is said.
   * @param prepared The deliveries.
   * @param more What else to commit with them.
   * @returns For each delivery, whether it is new; `false`: the same was queued before. `undefined`: `more` was refused,
   * and nothing was queued.
   */
  async enqueue(
    message: OutgoingMessage,
    prepared: readonly PreparedDelivery[],
    more: readonly StoreOperation[] = [],
  ): Promise<readonly boolean[] | undefined> {
    const operations = prepared.flatMap((delivery) => delivery.operations);
    const { committed, results } = await this.store.commit([...operations, ...more]);
    if (!committed) return undefined;
    let next = 0;
    return prepared.map((delivery) => {
      const isNew = results[next]?.status === "done";
      next += delivery.operations.length;
      if (isNew) this.notify(delivery.event, message);
      return isNew;
    });
  }

  /**
   * Takes places for deliveries that are about to be queued, in every queue they go to. What follows from work that was
   * taken on already (the next step of a plan, the answers of a handler) needs none: it is never refused.
   *
   * @param operations What is about to be committed.
   * @returns `end`, to be called when the commit has ended, with whether it happened; or `full`, why nothing was taken.
   */
  takePlaces(operations: readonly StoreOperation[]): Promise<TakenPlaces> {
    return this.#limits.take(operations);
  }

  /**
   * Commits new work: what queues deliveries, and what belongs to it.
   *
   * @param operations What to commit.
   * @throws {QueueFullError} If a queue it appends to is full; nothing was committed then.
   */
  async commit(operations: readonly StoreOperation[]): Promise<CommitResult> {
    const places = await this.takePlaces(operations);
    if ("full" in places) throw new QueueFullError(`Cannot queue: ${places.full}`);
    let committed = false;
    try {
      const result = await this.store.commit(operations);
      committed = result.committed;
      return result;
    } finally {
      places.end(committed);
    }
  }

  async #append(row: OutboxRow, target: DeliveryTarget): Promise<StoreOperation> {
    const queue = await this.queue(row.backendName);
    const { message } = row;
    const lane = message.orderingKey ?? target.lane ?? row.recipient ?? "own";
    const notBefore = target.notBefore ?? message.notBefore;
    return {
      type: "append",
      channel: queue.key,
      mode: "queue",
      ...(isAgain(target) ? {} : { dedupeForMs: this.#options.dedupeForMs ?? DEFAULT_DEDUPE_MS }),
      message: {
        v: 1,
        id: row.deliveryId,
        timestamp: row.queuedAt,
        senderId: "outbox",
        content: rowToJson(row),
        metadata: {},
        namespace: queue.namespace,
        orderingKey: lane,
        correlationId: message.id,
        ...(notBefore === undefined ? {} : { notBefore }),
        ...(message.expiresAt === undefined ? {} : { expiresAt: message.expiresAt }),
      },
    };
  }

  /** The delivery as it stands in its queue, if it is there: queued, waiting for its retry, or being sent. */
  async find(deliveryId: string): Promise<OutboxRow | undefined> {
    return (await this.#desk.locate(deliveryId))?.row;
  }

  /**
   * Calls off a delivery that is not being sent at this moment. Where it is a step of a plan, that is told in the same
   * commit: it ends, with everything else that has not been sent of it, or goes on to the next channel.
   *
   * @param deliveryId The delivery.
   * @param options What becomes of its plan.
   * @returns Whether it was called off. `false`: it is unknown, sent, called off already, or being sent.
   */
  cancel(deliveryId: string, options: CancelOptions = {}): Promise<boolean> {
    return this.#desk.cancel(deliveryId, options);
  }

  /** The deliveries that wait for a person after an `unknown` (`on_unknown: hold`), of one backend or of all. */
  held(options: { readonly backendName?: string; readonly limit?: number } = {}): Promise<readonly OutboxRow[]> {
    return this.#desk.held(options);
  }

  /**
   * A person's word on a delivery in doubt: one that is held, or one that was given up. Where it is a step of a plan, that
   * is told in the same commit. Steps that are not held any more are for `PlanRunner.resolve`.
   *
   * @param deliveryId The delivery.
   * @param word `delivered`: it arrived. `retry`: it is sent again, under its id. `next`: it did not arrive; its plan goes on
   * to the next channel, and without a plan it is given up.
   * @returns Whether it was in doubt. `false` too when somebody else was first.
   */
  resolve(deliveryId: string, word: ResolveWord): Promise<boolean> {
    return this.#desk.resolve(deliveryId, word);
  }

  /** The deliveries that were given up, of one backend or of all. */
  deadLetters(
    options: { readonly backendName?: string; readonly limit?: number } = {},
  ): Promise<readonly DeadDelivery[]> {
    return this.#desk.deadLetters(options);
  }

  /**
   * Queues a dead delivery again, under its id, with all its attempts before it.
   *
   * @param deliveryId The delivery.
   * @returns Whether it was among the dead letters.
   * @throws {ConflictError} If the same delivery is queued again already. The dead letter stays.
   */
  redrive(deliveryId: string): Promise<boolean> {
    return this.#desk.redrive(deliveryId);
  }

  /** Names who follows plans, and is asked about them. A {@link PlanRunner} does it by itself. */
  followPlansWith(plans: PlanListener): void {
    this.#desk.followPlansWith(plans);
  }
}

function isAgain({ life = 1 }: DeliveryTarget): boolean {
  return life > 1;
}

function queuedId(deliveryId: string, life: number = 1): string {
  return life > 1 ? `${deliveryId}/queued/${life}` : `${deliveryId}/queued`;
}
