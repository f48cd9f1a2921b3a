/**
 * Updates by long polling, for places without a public address.
 *
 * @module
 */
import {
  backoffDelayMs,
  type Clock,
  errorFields,
  type IncomingMessage,
  type Logger,
  type MessageStore,
  NotRunningError,
  PosthornError,
} from "../../core/mod.ts";
import type { CallFailure, TelegramClient } from "./client.ts";
import { asObject, numberAt } from "./json.ts";
import type { MappedUpdate } from "./updates.ts";

/** What {@link TelegramPoller} works with. */
export interface PollerOptions {
  /** The backend's name. */
  readonly name: string;
  /** Calls the Bot API. */
  readonly client: TelegramClient;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what it does. */
  readonly logger: Logger;
  /** Where it keeps its place. Absent: in memory only. */
  readonly store: MessageStore | undefined;
  /** Reads an update. */
  readonly map: (update: unknown) => MappedUpdate;
  /** Takes messages in; resolves after they are committed. */
  readonly receive: (messages: readonly IncomingMessage[]) => Promise<void>;
  /** Which kinds of update to ask for. */
  readonly allowedUpdates: readonly string[];
  /** How long one poll waits at Telegram. */
  readonly pollTimeoutMs: number;
  /** How long a request may take beyond that. */
  readonly timeoutMs: number;
}

/**
 * How polling goes. `conflict`: somebody else polls with the same token, or a webhook is set. `unauthorised`: the token
 * is not valid. `failing`: Telegram cannot be reached, or what came in cannot be committed.
 */
export type PollerState = "stopped" | "running" | "conflict" | "unauthorised" | "failing";

/** Telegram chooses update ids anew after a week without updates; a place kept longer could be past them. */
const PLACE_TTL_MS = 6 * 24 * 3_600_000;
const MAX_UPDATES = 100;
const MAX_BACKOFF_MS = 30_000;
const MAX_UNAUTHORISED_BACKOFF_MS = 300_000;

interface Place {
  readonly offset: number;
  readonly since: number;
}

interface Batch {
  readonly messages: readonly IncomingMessage[];
  readonly lastId: number;
}

/** Asks for updates, again and again. Its place moves only after what came in is committed. */
export class TelegramPoller {
  readonly #options: PollerOptions;
  readonly #stateKey: string;
  #state: PollerState = "stopped";
  #controller: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();
  #place: Place | undefined;
  #failures = 0;

  /** @param options What it works with. */
  constructor(options: PollerOptions) {
    this.#options = options;
    this.#stateKey = `backend/${options.name}/poll-offset`;
  }

  /** How it goes. */
  get state(): PollerState {
    return this.#state;
  }

  /** Begins. Called twice is harmless. */
  start(): void {
    if (this.#controller !== undefined) return;
    const controller = new AbortController();
    this.#controller = controller;
    this.#state = "running";
    this.#loop = this.#run(controller.signal);
  }

  /** Ends: drops a poll that waits, and waits for a batch that is being committed. */
  async stop(): Promise<void> {
    this.#controller?.abort();
    await this.#loop;
    this.#controller = undefined;
    this.#state = "stopped";
  }

  async #run(signal: AbortSignal): Promise<void> {
    let isPlaceRead = false;
    while (!signal.aborted) {
      try {
        if (!isPlaceRead) this.#place = await this.#readPlace();
        isPlaceRead = true;
        await this.#poll(signal);
      } catch (error) {
        if (error instanceof NotRunningError) {
          // The application stops: what was polled is not confirmed, and comes again when it runs.
          this.#options.logger.info("left what was polled for the next start", { backend: this.#options.name });
          await this.#wait(MAX_BACKOFF_MS, signal);
          continue;
        }
        // The store, or whoever takes messages in, could not do it: the same updates come again.
        this.#fail("failing", "could not take in what was polled", errorFields(error));
        await this.#wait(backoffDelayMs(this.#failures, { maxDelayMs: MAX_BACKOFF_MS }), signal);
      }
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { client, clock, allowedUpdates, pollTimeoutMs, timeoutMs } = this.#options;
    const place = this.#place;
    const isFresh = place !== undefined && clock.now() - place.since < PLACE_TTL_MS;
    const answer = await client.call("getUpdates", {
      ...(isFresh ? { offset: place.offset } : {}),
      limit: MAX_UPDATES,
      timeout: Math.ceil(pollTimeoutMs / 1_000),
      allowed_updates: allowedUpdates,
    }, { timeoutMs: pollTimeoutMs + timeoutMs, signal });
    if (signal.aborted) return;
    if (!answer.ok) return await this.#recover(answer.failure, signal);
    const batch = this.#read(answer.result);
    if (batch === undefined) {
      this.#fail("failing", "answer of getUpdates is no list of updates", {});
      return await this.#wait(backoffDelayMs(this.#failures, { maxDelayMs: MAX_BACKOFF_MS }), signal);
    }
    if (Number.isFinite(batch.lastId)) {
      await this.#receive(batch.messages);
      await this.#keepPlace(batch.lastId + 1);
    }
    this.#succeed();
  }

  #read(result: unknown): Batch | undefined {
    if (!Array.isArray(result)) return undefined;
    const messages: IncomingMessage[] = [];
    let lastId = Number.NEGATIVE_INFINITY;
    for (const update of result) {
      const mapped = this.#options.map(update);
      if (mapped.kind === "message") messages.push(mapped.message);
      lastId = Math.max(lastId, numberAt(asObject(update), "update_id") ?? Number.NEGATIVE_INFINITY);
    }
    return result.length > 0 && !Number.isSafeInteger(lastId) ? undefined : { messages, lastId };
  }

  /**
   * All together; when one of them can never be taken in (too large, say), one by one, and that one as a stub, so that
   * it neither blocks those behind it nor goes without a trace.
   */
  async #receive(messages: readonly IncomingMessage[]): Promise<void> {
    const { receive, logger, name } = this.#options;
    if (messages.length === 0) return;
    try {
      return await receive(messages);
    } catch (error) {
      if (!(error instanceof PosthornError) || error.retryable || error.code === "store") throw error;
    }
    for (const message of messages) {
      try {
        await receive([message]);
      } catch (error) {
        if (!(error instanceof PosthornError) || error.retryable || error.code === "store") throw error;
        logger.error("took in only a stub of an update", { backend: name, id: message.id, ...errorFields(error) });
        await receive([stubOf(message, error.code)]);
      }
    }
  }

  /** What follows from a refusal: a conflict and a bad token are for people to mend, everything else for time. */
  async #recover(failure: CallFailure, signal: AbortSignal): Promise<void> {
    if (failure.kind === "refused" && failure.code === 409) {
      this.#fail("conflict", "polling is refused: another program polls with this token, or a webhook is set", {
        code: failure.code,
      });
    } else if (failure.kind === "refused" && (failure.code === 401 || failure.code === 404)) {
      this.#fail("unauthorised", "polling is refused: the token is not valid", { code: failure.code });
    } else {
      this.#fail("failing", "polling failed", { kind: failure.kind, code: codeOf(failure) });
    }
    const maxDelayMs = this.#state === "unauthorised" ? MAX_UNAUTHORISED_BACKOFF_MS : MAX_BACKOFF_MS;
    const asked = "retryAfterMs" in failure ? failure.retryAfterMs ?? 0 : 0;
    await this.#wait(Math.max(asked, backoffDelayMs(this.#failures, { maxDelayMs })), signal);
  }

  #fail(
    state: PollerState,
    text: string,
    fields: Readonly<Record<string, string | number | boolean | undefined>>,
  ): void {
    const { logger, name } = this.#options;
    const isNew = this.#state !== state;
    this.#state = state;
    this.#failures += 1;
    const all = { backend: name, failures: this.#failures, ...fields };
    // Once loudly; a network that is down for a night must not fill the log.
    if (isNew) logger.error(text, all);
    else logger.debug(text, all);
  }

  #succeed(): void {
    if (this.#failures > 0) {
      this.#options.logger.info("polling works again", { backend: this.#options.name, failures: this.#failures });
    }
    this.#failures = 0;
    this.#state = "running";
  }

  async #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(delayMs, { signal });
    } catch {
      // Stopped: the loop sees it.
    }
  }

  async #readPlace(): Promise<Place | undefined> {
    const entry = await this.#options.store?.getState(this.#stateKey);
    const value = asObject(entry?.value);
    const offset = numberAt(value, "offset");
    const since = numberAt(value, "since");
    return offset === undefined || since === undefined ? this.#place : { offset, since };
  }

  async #keepPlace(offset: number): Promise<void> {
    const { store, clock } = this.#options;
    const place: Place = { offset, since: clock.now() };
    await store?.commit([
      { type: "set-state", key: this.#stateKey, value: { ...place }, ttlMs: PLACE_TTL_MS },
    ]);
    this.#place = place;
  }
}

function codeOf(failure: CallFailure): string | number | undefined {
  return failure.kind === "foreign" ? failure.status : failure.code;
}

function stubOf(message: IncomingMessage, why: string): IncomingMessage {
  const { update_id: id = null, update_kind: kind = null } = message.metadata;
  const { rawEvent: _rawEvent, ...kept } = message;
  return {
    ...kept,
    kind: "unsupported",
    text: "",
    attachments: [],
    metadata: { update_id: id, update_kind: kind, left_out: why },
  };
}
