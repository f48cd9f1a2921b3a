/**
 * The updates the stand-in keeps, and how it hands them out.
 *
 * @module
 */
import type { Clock } from "../../core/mod.ts";
import type { FaultQueue } from "./telegram-stand-in-faults.ts";

/** An update: its id, and one member that says what it is. */
export type TelegramStandInUpdate = Readonly<Record<string, unknown>> & { readonly update_id: number };

/** A webhook that was set. */
export interface TelegramStandInWebhook {
  /** Where updates are sent. */
  readonly url: string;
  /** What is sent in the secret header. */
  readonly secretToken: string | undefined;
  /** Which kinds are sent; empty: all but those that must be asked for. */
  readonly allowedUpdates: readonly string[];
}

/** One request to the webhook. */
export interface TelegramStandInDelivery {
  /** The update. */
  readonly updateId: number;
  /** The status of the answer; 0 when there was none. */
  readonly status: number;
}

/** What {@link UpdateQueue} works with. */
export interface UpdateQueueOptions {
  /** Time. */
  readonly clock: Clock;
  /** What goes wrong. */
  readonly faults: FaultQueue;
  /** How the webhook is called. */
  readonly fetch: typeof fetch;
  /** The pause before a webhook request is repeated. */
  readonly retryDelayMs: number;
}

/** Kinds that are sent only when they are asked for by name. */
const ON_REQUEST: readonly string[] = ["chat_member", "message_reaction", "message_reaction_count"];
const MAX_DELIVERIES = 10_000;

/** Why a poll ended. */
export type PollResult = { readonly updates: readonly TelegramStandInUpdate[] } | { readonly conflict: true };

/** Keeps updates until they are confirmed by an offset or taken by the webhook. */
export class UpdateQueue {
  readonly #options: UpdateQueueOptions;
  readonly #deliveries: TelegramStandInDelivery[] = [];
  readonly #sending = new Set<Promise<void>>();
  readonly #chains = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  #pending: TelegramStandInUpdate[] = [];
  #nextId = 1;
  #allowed: readonly string[] = [];
  #wake: (() => void) | undefined;
  #endPoll: (() => void) | undefined;
  #webhook: TelegramStandInWebhook | undefined;

  /** @param options What it works with. */
  constructor(options: UpdateQueueOptions) {
    this.#options = options;
  }

  /** Updates nobody has confirmed. */
  get pending(): readonly TelegramStandInUpdate[] {
    return this.#pending;
  }

  /** Requests to the webhook, in order. */
  get deliveries(): readonly TelegramStandInDelivery[] {
    return this.#deliveries;
  }

  /** The webhook that is set. */
  get webhook(): TelegramStandInWebhook | undefined {
    return this.#webhook;
  }

  /** The id the next update gets. Setting it is what Telegram does after a quiet week. */
  get nextId(): number {
    return this.#nextId;
  }

  set nextId(id: number) {
    this.#nextId = id;
  }

  /** Adds an update and hands it to whoever waits. Gives its id. */
  push(content: Readonly<Record<string, unknown>>): number {
    const update: TelegramStandInUpdate = { update_id: this.#nextId, ...content };
    this.#nextId += 1;
    this.#pending.push(update);
    if (this.#webhook === undefined) this.#wake?.();
    else this.#enqueue(update);
    return update.update_id;
  }

  /** Sets or ends the webhook. What is pending is kept unless it is to be dropped. */
  setWebhook(webhook: TelegramStandInWebhook | undefined, dropPending: boolean): void {
    this.#webhook = webhook;
    if (dropPending) this.#pending = [];
    if (webhook === undefined) return;
    this.#endPoll?.();
    for (const update of this.#pending) this.#enqueue(update);
  }

  /** Which kinds polls get from now on; unset, as it was. */
  allow(kinds: readonly string[] | undefined): void {
    if (kinds !== undefined) this.#allowed = kinds;
  }

  /**
   * Hands out what is pending from an offset on, waiting for something if there is nothing. All before the offset is
   * confirmed and forgotten. A second poll ends the first.
   */
  async poll(offset: number, limit: number, timeoutMs: number, signal: AbortSignal): Promise<PollResult> {
    this.#endPoll?.();
    if (offset < 0) this.#pending = this.#pending.slice(offset);
    // An offset from before Telegram chose its ids anew is past all of them: then it counts for nothing.
    else if (offset <= this.#nextId) this.#pending = this.#pending.filter((update) => update.update_id >= offset);
    const state = { conflict: false };
    const deadline = this.#options.clock.monotonic() + timeoutMs;
    while (this.#ready(1).length === 0 && !state.conflict && !signal.aborted && !this.#stopped.signal.aborted) {
      const leftMs = deadline - this.#options.clock.monotonic();
      if (leftMs <= 0) break;
      await this.#waitForUpdate(leftMs, signal, () => (state.conflict = true));
    }
    if (state.conflict) return { conflict: true };
    const updates = this.#ready(limit);
    const isRepeated = updates.length > 0 && this.#options.faults.take("getUpdates", undefined)?.kind === "duplicate";
    return { updates: isRepeated ? updates.flatMap((update) => [update, update]) : updates };
  }

  /** Resolves when the webhook has taken everything, or is given up. */
  async settled(): Promise<void> {
    while (this.#sending.size > 0) await Promise.allSettled(this.#sending);
  }

  /** Ends polls and webhook requests. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#endPoll?.();
    this.#wake?.();
    await this.settled();
  }

  #ready(limit: number): readonly TelegramStandInUpdate[] {
    return this.#pending.filter((update) => isAllowed(update, this.#allowed)).slice(0, limit);
  }

  #waitForUpdate(leftMs: number, signal: AbortSignal, onConflict: () => void): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", end);
        this.#wake = undefined;
        this.#endPoll = undefined;
        resolve();
      };
      const timer = this.#options.clock.setTimer(leftMs, end);
      signal.addEventListener("abort", end, { once: true });
      this.#wake = end;
      this.#endPoll = () => {
        onConflict();
        end();
      };
    });
  }

  /** Updates of one chat go one after another, those of different chats side by side. */
  #enqueue(update: TelegramStandInUpdate): void {
    const key = chatKeyOf(update);
    const chain = (this.#chains.get(key) ?? Promise.resolve()).then(() => this.#deliver(update));
    this.#chains.set(key, chain);
    this.#sending.add(chain);
    void chain.finally(() => this.#sending.delete(chain));
  }

  async #deliver(update: TelegramStandInUpdate): Promise<void> {
    const { clock, faults, retryDelayMs } = this.#options;
    while (!this.#stopped.signal.aborted && this.#pending.includes(update)) {
      const webhook = this.#webhook;
      if (webhook === undefined || !isAllowed(update, webhook.allowedUpdates)) return;
      const times = faults.take("webhook", undefined)?.kind === "duplicate" ? 2 : 1;
      let isTaken = false;
      for (let time = 0; time < times; time += 1) isTaken = (await this.#request(webhook, update)) || isTaken;
      if (isTaken) {
        this.#pending = this.#pending.filter((each) => each !== update);
        return;
      }
      await clock.sleep(retryDelayMs, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #request({ url, secretToken }: TelegramStandInWebhook, update: TelegramStandInUpdate): Promise<boolean> {
    let status = 0;
    try {
      const response = await this.#options.fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(secretToken === undefined ? {} : { "x-telegram-bot-api-secret-token": secretToken }),
        },
        body: JSON.stringify(update),
        redirect: "manual",
        signal: this.#stopped.signal,
      });
      status = response.status;
      await response.body?.cancel();
    } catch {
      // No answer: Telegram tries again, as for any answer but 2xx.
    }
    if (this.#deliveries.length >= MAX_DELIVERIES) this.#deliveries.shift();
    this.#deliveries.push({ updateId: update.update_id, status });
    return status >= 200 && status < 300;
  }
}

function isAllowed(update: TelegramStandInUpdate, allowed: readonly string[]): boolean {
  const kind = Object.keys(update).find((key) => key !== "update_id") ?? "";
  return allowed.length === 0 ? !ON_REQUEST.includes(kind) : allowed.includes(kind);
}

function chatKeyOf(update: TelegramStandInUpdate): string {
  for (const value of Object.values(update)) {
    if (typeof value !== "object" || value === null) continue;
    const message: unknown = "message" in value ? value.message : value;
    if (typeof message !== "object" || message === null || !("chat" in message)) continue;
    const { chat } = message;
    if (typeof chat === "object" && chat !== null && "id" in chat) return String(chat.id);
  }
  return "";
}
