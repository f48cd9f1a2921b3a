/**
 * Many messages over many chats, through the whole application, on a clock that moves from timer to timer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { TelegramStandInApi } from "../../adapters/emulator/stand-ins.ts";
import { TelegramCommunicator } from "../../adapters/telegram/mod.ts";
import {
  Application,
  type Clock,
  MemoryStore,
  type OutgoingMessage,
  type Receipt,
  type SendContext,
  type TimerHandle,
} from "../../core/mod.ts";

const SECOND = 1_000;

/** Moves to its next timer whenever nothing else is under way. */
class IdleClock implements Clock {
  #nowMs = 1_700_000_000_000;
  readonly #timers = new Set<{ readonly dueAt: number; readonly fire: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timer = { dueAt: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  sleep(delayMs: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const timer = this.setTimer(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  step(): void {
    let first: { readonly dueAt: number; readonly fire: () => void } | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.dueAt < first.dueAt) first = timer;
    assert.ok(first !== undefined, "nothing will ever happen again");
    this.#timers.delete(first);
    this.#nowMs = Math.max(this.#nowMs, first.dueAt);
    first.fire();
  }
}

/** Counts what is being sent: the clock stands still meanwhile, so that a message is at Telegram when it was paced to be. */
class WatchedTelegram extends TelegramCommunicator {
  underWay = 0;

  override async send(message: OutgoingMessage, context: SendContext): Promise<Receipt> {
    this.underWay++;
    try {
      return await super.send(message, context);
    } finally {
      this.underWay--;
    }
  }
}

/** How much is sent. */
export interface PacingOptions {
  readonly messages: number;
  readonly chats: number;
  /** A chat, by its number, that is refused once, and for how long. */
  readonly refuse: { readonly chat: number; readonly seconds: number };
}

/** What the stand-in saw. */
export interface PacingResult {
  /** For each chat, when messages arrived and what they said. */
  readonly arrivals: ReadonlyMap<string, readonly { readonly at: number; readonly text: string }[]>;
  /** Calls that were refused by its limits. */
  readonly refusals: number;
  /** Calls for a chat while it had been told to wait. */
  readonly early: number;
  /** The chat that was refused once. */
  readonly refused: string;
  /** When it began. */
  readonly begin: number;
}

/**
 * Emits messages in turn to chats, half of them groups, and waits until Telegram has them all.
 *
 * @param options How many; and a chat that Telegram refuses once.
 */
export function sendPaced(options: PacingOptions): Promise<PacingResult> {
  return countingTurns(() => send(options));
}

async function send({ messages, chats, refuse }: PacingOptions): Promise<PacingResult> {
  const clock = new IdleClock();
  const telegram = new TelegramStandInApi({ clock, limits: "documented", remembered: messages });
  const chatIds = Array.from(
    { length: chats },
    (_, index) => index % 2 === 0 ? `${1_000 + index}` : `-100${1_000_000_000 + index}`,
  );
  let early = 0;
  const waits = new Map<string, number>();
  const backend = new WatchedTelegram("tg", {
    token: telegram.token,
    chats: {},
    fetch: async (input, init) => {
      const answer = await telegram.fetch(input, init);
      const { chatId = "", status } = telegram.calls.at(-1) ?? assert.fail("no call");
      if (clock.now() < (waits.get(chatId) ?? 0)) early++;
      if (status === 429) {
        const { parameters } = await answer.clone().json();
        waits.set(chatId, clock.now() + parameters.retry_after * SECOND);
      }
      return answer;
    },
  }, { clock });
  const app = await Application.create(
    {
      outbox: { max_queued: messages },
      communications: { enabled: true, backends: { tg: { type: "tg", labels: ["*"] } } },
    },
    { backends: [{ type: "tg", create: () => backend }], clock, store: new MemoryStore({ clock }), closeStore: true },
  );
  const begin = clock.now();
  for (let number = 0; number < messages; number++) {
    await app.emit({
      id: `m${number}`,
      message: `${Math.floor(number / chats)}`,
      recipients: [chatIds[number % chats] ?? ""],
    });
  }
  const refused = chatIds[refuse.chat] ?? "";
  telegram.inject({ kind: "rate-limit", retryAfter: refuse.seconds, chatId: refused, after: 2 });
  while (telegram.messages.length < messages) {
    await idle(backend);
    clock.step();
  }
  await idle(backend);
  const arrivals = new Map<string, { readonly at: number; readonly text: string }[]>();
  for (const { chatId, at, text } of telegram.messages) {
    const list = arrivals.get(chatId);
    if (list === undefined) arrivals.set(chatId, [{ at, text }]);
    else list.push({ at, text });
  }
  const refusals = telegram.calls.filter(({ status }) => status === 429).length;
  const stopped = app.stop();
  for (let isOver = false; !isOver;) {
    isOver = await Promise.race([stopped.then(() => true), idle(backend).then(() => false)]);
    if (!isOver) clock.step();
  }
  return { arrivals, refusals, early, refused, begin };
}

/** Turns of the platform's loop that workers wait for to give way to others: timers of 0 ms, which no clock has a hand in. */
let turns = 0;

/** Counts them while it works. */
async function countingTurns<Result>(work: () => Promise<Result>): Promise<Result> {
  const original = globalThis.setTimeout;
  const counted = (callback: () => void, delayMs?: number): ReturnType<typeof setTimeout> => {
    if (delayMs !== 0) return original(callback, delayMs);
    turns++;
    return original(() => {
      turns--;
      callback();
    }, 0);
  };
  globalThis.setTimeout = Object.assign(counted, original);
  try {
    return await work();
  } finally {
    globalThis.setTimeout = original;
  }
}

/** Until nothing is being sent, and everything that follows from it has happened. */
async function idle(backend: WatchedTelegram): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (backend.underWay + turns > 0) quiet = -1;
  }
}

/** The most times in any stretch of a length. */
export function mostIn(times: readonly number[], lengthMs: number): number {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last++) {
    while ((times[last] ?? 0) - (times[first] ?? 0) >= lengthMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
