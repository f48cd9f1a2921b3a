/**
 * How fast the stand-in lets itself be sent to.
 *
 * @module
 */

/** So many messages in any stretch of this length. */
export interface TelegramStandInLimit {
  /** How many. */
  readonly count: number;
  /** How long the stretch is. */
  readonly perMs: number;
}

/** The limits of the stand-in. What is not named is not limited. */
export interface TelegramStandInLimits {
  /** Of all messages together. */
  readonly all?: TelegramStandInLimit;
  /** Of those to one person. */
  readonly person?: TelegramStandInLimit;
  /** Of those to one group or channel. */
  readonly group?: TelegramStandInLimit;
}

/**
 * What Telegram documents (core.telegram.org/bots/faq#broadcasting-to-users): 30 messages a second in all, one a second to
 * a person with short bursts, which is taken here as three, and 20 a minute to a group.
 */
export const TELEGRAM_LIMITS: TelegramStandInLimits = {
  all: { count: 30, perMs: 1_000 },
  person: { count: 13, perMs: 10_000 },
  group: { count: 20, perMs: 60_000 },
};

/** Counts messages by the time they came, for all chats and for each. */
export class LimitBook {
  readonly #limits: TelegramStandInLimits;
  readonly #all: number[] = [];
  readonly #byChat = new Map<string, number[]>();

  /** @param limits What is allowed. */
  constructor(limits: TelegramStandInLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a message in, unless it comes too early.
   *
   * @param chatId The chat.
   * @param now The time.
   * @returns How long the sender has to wait, in milliseconds; 0: it was taken in.
   */
  take(chatId: string, now: number): number {
    const { all, person, group } = this.#limits;
    const times = this.#byChat.get(chatId) ?? [];
    const waitMs = Math.max(
      waitOf(this.#all, all, now),
      waitOf(times, chatId.startsWith("-") || chatId.startsWith("@") ? group : person, now),
    );
    if (waitMs > 0) return waitMs;
    this.#all.push(now);
    times.push(now);
    this.#byChat.set(chatId, times);
    return 0;
  }
}

/** Forgets what is out of the stretch. */
function waitOf(times: number[], limit: TelegramStandInLimit | undefined, now: number): number {
  if (limit === undefined) {
    times.length = 0;
    return 0;
  }
  const { count, perMs } = limit;
  const first = times.findIndex((time) => time > now - perMs);
  times.splice(0, first < 0 ? times.length : first);
  const oldest = times[times.length - count];
  return oldest === undefined ? 0 : oldest + perMs - now;
}
