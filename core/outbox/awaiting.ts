/**
 * Which steps of plans wait for an answer, by conversation.
 *
 * @module
 */
import type { Communicator } from "../communicators/communicator.ts";
import type { DeliveryEvent } from "../message/delivery-event.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { MessageStore, StateEntry, StoreOperation } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { deliveryIdOfStep, type PlanReply, type Step, stepFrom, stepOfDelivery, tenantKey } from "./plan-record.ts";

/** What {@link AwaitedSteps} is made from. */
export interface AwaitedStepsOptions {
  /** Where it is kept. */
  readonly store: MessageStore;
  /** Knows the providers' ids of what was sent. */
  readonly ledger: Ledger;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what it forgets. */
  readonly logger: Logger;
  /** Knows the backends. */
  readonly findBackend: (name: string) => Communicator | undefined;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
}

/** What a reply answers. */
export interface AnsweredStep {
  /** The step; `undefined` when it answers none. */
  readonly step: Step | undefined;
  /** What to commit with the reply, so that a provider's repeat of it answers nothing else. */
  readonly operations: readonly StoreOperation[];
}

/** A step that waits in a conversation, or has waited there until a moment ago. */
interface Awaited extends Step {
  readonly at: number;
  readonly isClosed: boolean;
  readonly key: string;
}

/** How many steps wait in one conversation; of more the oldest can be answered by their references only. */
const MAX_AWAITED = 50;
const PAGE = 200;
const AWAITING_TTL_MS = 8 * 86_400_000;
/** For how long what is said in a conversation is still taken to be about the question that has just been settled. */
const CROSSING_MS = 60_000;
/** How far a provider's clock may be off. */
const SKEW_MS = 30_000;
const MAX_PLAIN_KEY = 200;
const NOTHING: AnsweredStep = { step: undefined, operations: [] };

/**
 * Keeps which steps of plans wait for an answer in which conversation, and finds the one a reply answers: the one it names;
 * of those that are named by no reply the newest.
 */
export class AwaitedSteps {
  readonly #options: AwaitedStepsOptions;

  /** @param options Store, ledger and backends. */
  constructor(options: AwaitedStepsOptions) {
    this.#options = options;
  }

  /**
   * What notes that a step waits for an answer in the conversation with a recipient.
   *
   * @param backendName By which backend it asks.
   * @param recipient Whom.
   * @param step The step.
   * @param notBefore When it is sent, where that is later: nobody answers it before.
   */
  async open(
    backendName: string,
    recipient: string,
    step: Step,
    notBefore: number = 0,
  ): Promise<readonly StoreOperation[]> {
    const { clock, logger, store } = this.#options;
    const now = clock.now();
    const at = Math.max(now, notBefore);
    const ttlMs = AWAITING_TTL_MS + at - now;
    const place = await this.#placeOf(backendName, this.#conversationOf(backendName, recipient));
    const { prefix, countKey } = place;
    const entry = await store.getState(countKey);
    const counted = countOf(entry) + 1;
    const waiting = counted <= MAX_AWAITED ? [] : (await this.#list(prefix)).filter((each) => !each.isClosed);
    const forgotten = waiting.slice(MAX_AWAITED - 1);
    for (const { planId } of forgotten) {
      const reason =
        `more than ${MAX_AWAITED} questions are open in the conversation: answer this one by a reply to it`;
      logger.warn("question is no longer answered by plain messages", { backend: backendName, planId, reason });
    }
    const count = counted <= MAX_AWAITED ? counted : waiting.length - forgotten.length + 1;
    return [
      ...forgotten.map(({ key }): StoreOperation => ({ type: "delete-state", key })),
      { type: "set-state", key: countKey, value: count, ttlMs: Math.max(ttlMs, (entry?.expiresAt ?? now) - now) },
      {
        type: "set-state",
        key: keyOf(prefix, step),
        value: { ...plain(step), at },
        ttlMs,
      },
    ];
  }

  /**
   * What notes that a step is settled. For a minute it still takes what is said there without a reference: that is likely
   * about it, and must not answer an older question.
   */
  async close(backendName: string, recipient: string, step: Step): Promise<readonly StoreOperation[]> {
    const { prefix } = await this.#placeOf(backendName, this.#conversationOf(backendName, recipient));
    const key = keyOf(prefix, step);
    const entry = await this.#options.store.getState(key);
    const awaited = entry === undefined ? undefined : awaitedFrom(entry);
    if (awaited === undefined) return [];
    const value = { ...plain(step), at: awaited.at, closed: true };
    return [{ type: "set-state", key, value, ttlMs: CROSSING_MS }];
  }

  /** Finds the step a reply answers. */
  async answeredBy(reply: PlanReply): Promise<AnsweredStep> {
    const { clock, store, logger } = this.#options;
    const { prefix, countKey } = await this.#placeOf(reply.backendName, reply.conversation);
    const counted = await store.getState(countKey);
    const waiting = counted === undefined ? [] : await this.#list(prefix);
    if (reply.replyTo !== undefined) {
      return { step: await this.#named(reply, reply.replyTo, waiting), operations: [] };
    }
    const now = clock.now();
    const newest = waiting.find(({ at }) => at <= now); // what is to be asked later is answered by nothing said now
    if (waiting.length === 0 && counted !== undefined) {
      // Unless something is opened meanwhile.
      const { version } = counted;
      return { step: undefined, operations: [{ type: "delete-state", key: countKey, expectedVersion: version }] };
    }
    if (newest === undefined || reply.isAside === true) return NOTHING;
    const key = tenantKey(this.#options.namespace, `heard/${reply.messageId}`);
    if (await store.getState(key) !== undefined) return NOTHING;
    const heard: StoreOperation = {
      type: "set-state",
      key,
      value: now,
      expectedVersion: 0,
      ttlMs: AWAITING_TTL_MS,
    };
    const isEarlier = reply.answer.at < newest.at - SKEW_MS;
    if (isEarlier && !newest.isClosed) {
      logger.info("message was said before the question, and does not answer it", { messageId: reply.messageId });
    }
    return { step: newest.isClosed || isEarlier ? undefined : newest, operations: [heard] };
  }

  /** The step a reply names: by the provider's id of its message, or by ours. What names something else answers nothing. */
  async #named(reply: PlanReply, replyTo: string, waiting: readonly Awaited[]): Promise<Step | undefined> {
    const { ledger, findBackend } = this.#options;
    const ours = stepOfDelivery(/^<?([^<>@]+)(?:@[^<>]*)?>?$/.exec(replyTo)?.[1] ?? "");
    for (const step of waiting) {
      if (ours?.planId === step.planId && ours.leaf === step.leaf) return step;
      const events = await ledger.eventsOfDelivery(deliveryIdOfStep(step.planId, step.leaf));
      if (events.some((event) => hasId(event, replyTo))) return step;
    }
    if (findBackend(reply.backendName)?.capabilities.messageIds === "conversation") return undefined;
    const known = await ledger.findByProviderId(reply.backendName, replyTo);
    return known === undefined ? undefined : stepOfDelivery(known.deliveryId);
  }

  /** What waits in a conversation, or did until a moment ago, the newest first. */
  async #list(prefix: string): Promise<readonly Awaited[]> {
    const found: (Awaited & { readonly version: number })[] = [];
    for (let after: string | undefined = "";;) {
      // What was settled in the last minute is here too, and the newest may be the last of all by its key.
      const page: readonly StateEntry[] = await this.#options.store.listState(prefix, {
        limit: PAGE,
        ...(after === "" ? {} : { after }),
      });
      for (const entry of page) {
        const awaited = awaitedFrom(entry);
        if (awaited !== undefined) found.push({ ...awaited, version: entry.version });
      }
      after = page.at(-1)?.key;
      if (after === undefined || page.length < PAGE) break;
    }
    return found.toSorted((one, other) => other.at - one.at || other.version - one.version);
  }

  /** Where a conversation has its steps, and, so that one look is enough where there are none, about how many. */
  async #placeOf(
    backendName: string,
    conversation: string,
  ): Promise<{ readonly prefix: string; readonly countKey: string }> {
    const name = conversation.length <= MAX_PLAIN_KEY ? escaped(conversation) : await digestOf(conversation);
    const { namespace } = this.#options;
    return {
      prefix: tenantKey(namespace, `awaiting/${backendName}/${name}/`),
      countKey: tenantKey(namespace, `awaited/${backendName}/${name}`),
    };
  }

  #conversationOf(backendName: string, recipient: string): string {
    return this.#options.findBackend(backendName)?.conversationOf(recipient) ?? recipient;
  }
}

function countOf(entry: StateEntry | undefined): number {
  return typeof entry?.value === "number" ? entry.value : 0;
}

function plain({ planId, leaf }: Step): JsonObject {
  return { planId, leaf };
}

function keyOf(prefix: string, { planId, leaf }: Step): string {
  return `${prefix}${planId}/${leaf}`;
}

function awaitedFrom({ key, value }: StateEntry): Awaited | undefined {
  const step = stepFrom(value);
  const at = memberOf(value, "at");
  if (step === undefined || typeof at !== "number") return undefined;
  return { ...step, at, key, isClosed: memberOf(value, "closed") === true };
}

function memberOf(value: JsonValue, name: string): JsonValue | undefined {
  return typeof value === "object" && value !== null ? (value as JsonObject)[name] : undefined;
}

function hasId({ providerMessageId, providerMessageIds = [] }: DeliveryEvent, id: string): boolean {
  return providerMessageId === id || providerMessageIds.includes(id);
}

/** A conversation is one part of its keys. */
function escaped(conversation: string): string {
  return conversation.replaceAll("%", "%25").replaceAll("/", "%2F");
}

async function digestOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `%${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
