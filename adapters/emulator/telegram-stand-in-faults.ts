/**
 * What can be made to go wrong at the stand-in.
 *
 * @module
 */

/** Which calls a fault is for, and how often it strikes. */
export interface FaultScope {
  /** Only calls of this method. @default every method that sends */
  readonly method?: string;
  /** Only calls for this chat. @default every chat */
  readonly chatId?: string;
  /** Let this many calls pass first. @default `0` */
  readonly after?: number;
  /** How many calls it strikes. @default `1` */
  readonly times?: number;
}

/** Something that goes wrong. */
export type TelegramFault =
  & FaultScope
  & (
    | {
      /** 429 with `retry_after`, in seconds. */
      readonly kind: "rate-limit";
      readonly retryAfter: number;
    }
    | {
      /** A refusal of the Bot API. */
      readonly kind: "error";
      readonly code: number;
      readonly description?: string;
      readonly parameters?: Readonly<Record<string, unknown>>;
    }
    | {
      /** An answer that is not the Bot API's, such as a proxy's page. */
      readonly kind: "foreign";
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
    | {
      /** The answer is late. */
      readonly kind: "slow";
      readonly delayMs: number;
    }
    | {
      /** The connection ends without an answer; the message was taken, or was not. */
      readonly kind: "cut";
      readonly accept: boolean;
    }
    | {
      /** Updates of the next answer to `getUpdates`, or the next webhook request, come twice. */
      readonly kind: "duplicate";
    }
  );

/** The faults that wait, in the order they were injected. */
export class FaultQueue {
  readonly #waiting: { readonly fault: TelegramFault; skip: number; left: number }[] = [];

  /** Adds one. */
  add(fault: TelegramFault): void {
    this.#waiting.push({ fault, skip: fault.after ?? 0, left: fault.times ?? 1 });
  }

  /** Forgets all of them. */
  clear(): void {
    this.#waiting.length = 0;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /**
   * The fault that strikes a call, if one does.
   *
   * @param method The method called.
   * @param chatId The chat it is for.
   */
  take(method: string, chatId: string | undefined): TelegramFault | undefined {
    for (const [index, entry] of this.#waiting.entries()) {
      if (!concerns(entry.fault, method, chatId)) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.left -= 1;
      if (entry.left <= 0) this.#waiting.splice(index, 1);
      return entry.fault;
    }
    return undefined;
  }
}

function concerns(fault: TelegramFault, method: string, chatId: string | undefined): boolean {
  if (fault.chatId !== undefined && fault.chatId !== chatId) return false;
  if (fault.kind === "duplicate") return method === (fault.method ?? method) && !method.startsWith("send");
  return fault.method === undefined ? method.startsWith("send") : fault.method === method;
}
