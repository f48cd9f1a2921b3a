/**
 * Which backends rest, for all processes of a store.
 *
 * @module
 */
import {
  advanceResting,
  type RestingEvent,
  restingEventOf,
  type RestingOptions,
  type RestingState,
} from "../delivery/resting.ts";
import type { JsonObject, JsonValue } from "../message/json.ts";
import type { Receipt } from "../message/receipt.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Clock } from "../support/clock.ts";
import { errorFields, type Logger } from "../support/logger.ts";

/** What a book of rests is made from. */
export interface RestingBookOptions {
  /** Where it is kept. */
  readonly store: MessageStore;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what goes wrong. */
  readonly logger: Logger;
  /** Keeps tenants apart. @default `"default"` */
  readonly namespace?: string;
}

/** A backend's state as it was read. */
interface Known {
  readonly state: RestingState;
  readonly version: number;
  readonly readAt: number;
}

const AWAKE: RestingState = { failures: 0 };
/** Failures longer ago than this are not "in a row" with those of now. */
const FORGET_AFTER_MS = 86_400_000;
/** For how long a state without failures is not read again: one read a second at most while all goes well. */
const TRUST_MS = 1_000;
const MAX_CONFLICTS = 20;

/**
 * How backends stand, in the store: several processes count their failures together and rest together. It only advises: a
 * store that fails keeps nobody from sending.
 */
export class RestingBook {
  readonly #options: RestingBookOptions;
  readonly #known = new Map<string, Known>();

  /**
   * Makes one.
   *
   * @param options Store and time.
   */
  constructor(options: RestingBookOptions) {
    this.#options = options;
  }

  /**
   * Whether a backend may be tried. The first to ask after a rest is its trial: it should try at once.
   *
   * @param backendName The backend.
   * @param options When and how long it rests.
   * @returns How it stands, and whether it may be tried.
   */
  async ask(
    backendName: string,
    options: RestingOptions = {},
  ): Promise<{ readonly mayTry: boolean; readonly state: RestingState }> {
    if (options.afterFailures === 0) return { mayTry: true, state: AWAKE };
    return await this.#advance(backendName, { type: "asked", at: this.#options.clock.now() }, options);
  }

  /** Counts what came of an attempt. While all goes well, that writes nothing, and reads once a second. */
  async record(backendName: string, receipt: Receipt, options: RestingOptions = {}): Promise<void> {
    const now = this.#options.clock.now();
    const event = options.afterFailures === 0 ? undefined : restingEventOf(receipt, now);
    if (event === undefined) return;
    const known = this.#known.get(backendName);
    const isFresh = known !== undefined && known.state.failures === 0 && now - known.readAt < TRUST_MS;
    if (event.type === "succeeded" && isFresh) return;
    await this.#advance(backendName, event, options);
  }

  /** How a backend stands, from the store. */
  async stateOf(backendName: string): Promise<RestingState> {
    return (await this.#read(backendName)).state;
  }

  /** How a backend stood when this process last looked. */
  lastKnown(backendName: string): RestingState {
    return this.#known.get(backendName)?.state ?? AWAKE;
  }

  /** Wakes a backend: a person knows that it works again. */
  async wake(backendName: string): Promise<void> {
    await this.#options.store.commit([{ type: "delete-state", key: this.#key(backendName) }]);
    this.#known.delete(backendName);
  }

  async #advance(
    backendName: string,
    event: RestingEvent,
    options: RestingOptions,
  ): Promise<{ readonly mayTry: boolean; readonly state: RestingState }> {
    const { store, logger } = this.#options;
    const key = this.#key(backendName);
    try {
      for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
        const before = await this.#read(backendName);
        const { state, mayTry } = advanceResting(before.state, event, options);
        if (state === before.state) return { mayTry, state };
        const { committed } = await store.commit([
          state.failures === 0 ? { type: "delete-state", key, expectedVersion: before.version } : {
            type: "set-state",
            key,
            value: toJson(state),
            expectedVersion: before.version,
            ttlMs: FORGET_AFTER_MS,
          },
        ]);
        if (!committed) continue;
        if (state.restsUntil !== undefined && before.state.restsUntil === undefined) {
          logger.warn("backend rests", { backend: backendName, failures: state.failures, until: state.restsUntil });
        }
        this.#known.delete(backendName);
        return { mayTry, state };
      }
      logger.warn("rest of a backend changes faster than it can be written", { backend: backendName });
    } catch (error) {
      logger.error("rest of a backend could not be noted", { backend: backendName, ...errorFields(error) });
    }
    return { mayTry: true, state: AWAKE };
  }

  async #read(backendName: string): Promise<Known> {
    const entry = await this.#options.store.getState(this.#key(backendName));
    const state = entry === undefined ? undefined : stateFrom(entry.value);
    const known = { state: state ?? AWAKE, version: entry?.version ?? 0, readAt: this.#options.clock.now() };
    this.#known.set(backendName, known);
    return known;
  }

  #key(backendName: string): string {
    return `rest/${this.#options.namespace ?? "default"}/${backendName}`;
  }
}

function toJson({ failures, restsUntil, isTrial }: RestingState): JsonObject {
  return {
    failures,
    ...(restsUntil === undefined ? {} : { restsUntil }),
    ...(isTrial === undefined ? {} : { isTrial }),
  };
}

function stateFrom(value: JsonValue): RestingState | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { failures, restsUntil, isTrial } = value as JsonObject;
  if (typeof failures !== "number") return undefined;
  return {
    failures,
    ...(typeof restsUntil === "number" ? { restsUntil } : {}),
    ...(isTrial === true ? { isTrial } : {}),
  };
}
