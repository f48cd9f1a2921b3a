/**
 * Keeps connections open for the next mail. It queues callers, never mails: what fails, fails for its caller.
 *
 * @module
 */
import { systemClock, type TimerHandle } from "../../core/mod.ts";
import type { ResolvedSmtpOptions } from "./check-options.ts";
import type { SmtpFault } from "./outcome.ts";
import { SmtpSession, type SmtpSessionContext } from "./smtp-session.ts";

/** A session to use, or why there is none. */
export type AcquiredSession = {
  readonly session: SmtpSession;
  readonly isReused: boolean;
} | {
  readonly fault: SmtpFault;
};

interface Waiter {
  /** Gets a session, or `undefined`: there is room to open one. */
  readonly wake: (session: SmtpSession | undefined) => void;
}

/** Up to `maxConnections` sessions, most recently used first, so that few stay warm. */
export class SmtpPool {
  readonly #options: ResolvedSmtpOptions;
  readonly #context: SmtpSessionContext;
  readonly #idle: {
    readonly session: SmtpSession;
    readonly timer: TimerHandle;
  }[] = [];
  readonly #waiting: Waiter[] = [];
  readonly #closing = new Set<Promise<void>>();
  #open = 0;
  #isDraining = false;
  #onDrained: (() => void) | undefined;

  /**
   * @param options Limits, and where to connect.
   * @param context Time and texts.
   */
  constructor(options: ResolvedSmtpOptions, context: SmtpSessionContext) {
    this.#options = options;
    this.#context = context;
  }

  /** How many connections are open or being opened. */
  get size(): number {
    return this.#open;
  }

  /**
   * Gets a session for one mail, waiting for one if all are busy. Give it back by {@link SmtpPool.release}.
   *
   * @param signal Gives up early.
   */
  async acquire(signal: AbortSignal): Promise<AcquiredSession> {
    if (signal.aborted) return { fault: { stage: "queue", kind: "aborted" } };
    const idle = this.#takeIdle();
    if (idle !== undefined) return { session: idle, isReused: true };
    if (this.#open >= this.#options.maxConnections) {
      const turn = await this.#wait(signal);
      if (turn === "aborted") {
        return { fault: { stage: "queue", kind: "aborted" } };
      }
      if (turn !== undefined) return { session: turn, isReused: true };
    } else {
      this.#open += 1;
    }
    const opened = await SmtpSession.open(this.#options, this.#context, signal);
    if ("fault" in opened) {
      this.#leave();
      return opened;
    }
    return { session: opened.session, isReused: false };
  }

  /**
   * Takes a session back.
   *
   * @param session The session.
   * @param needsReset Whether its last mail was refused, so that the server must be told to forget it.
   */
  release(session: SmtpSession, needsReset: boolean): void {
    const isSpent = session.sent >= this.#options.maxMessagesPerConnection;
    if (!session.isUsable) this.#leave();
    else if (isSpent || this.#mayNotIdle()) this.#retire(session);
    else if (!needsReset) this.#store(session);
    else void session.reset().then((isReady) => isReady ? this.#store(session) : this.#leave());
  }

  /** Closes the idle sessions, which a server that closed one has most likely closed too. */
  dropIdle(): void {
    for (const { session, timer } of this.#idle.splice(0)) {
      timer.cancel();
      session.close();
      this.#leave();
    }
  }

  /** Lets what is under way end, closes everything and resolves. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const { session, timer } of this.#idle.splice(0)) {
      timer.cancel();
      this.#retire(session);
    }
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  #mayNotIdle(): boolean {
    return this.#waiting.length === 0 &&
      (this.#isDraining || this.#options.idleTimeoutMs === 0);
  }

  #takeIdle(): SmtpSession | undefined {
    for (
      let next = this.#idle.pop();
      next !== undefined;
      next = this.#idle.pop()
    ) {
      next.timer.cancel();
      if (next.session.isUsable) return next.session;
      this.#leave();
    }
    return undefined;
  }

  #wait(signal: AbortSignal): Promise<SmtpSession | undefined | "aborted"> {
    return new Promise((resolve) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        resolve("aborted");
      };
      const waiter: Waiter = {
        wake: (session) => {
          signal.removeEventListener("abort", onAbort);
          resolve(session);
        },
      };
      this.#waiting.push(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  #store(session: SmtpSession): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) return waiter.wake(session);
    if (this.#mayNotIdle()) return this.#retire(session);
    const { clock = systemClock } = this.#context;
    const entry = {
      session,
      timer: clock.setTimer(this.#options.idleTimeoutMs, () => {
        if (this.#forget(entry)) this.#retire(session);
      }),
    };
    this.#idle.push(entry);
    session.onClose(() => {
      if (!this.#forget(entry)) return;
      entry.timer.cancel();
      this.#leave();
    });
  }

  #forget(entry: { readonly session: SmtpSession }): boolean {
    const index = this.#idle.findIndex((each) => each === entry);
    if (index < 0) return false;
    this.#idle.splice(index, 1);
    return true;
  }

  /** Its place is free at once; the goodbye is waited for by {@link SmtpPool.drain} alone. */
  #retire(session: SmtpSession): void {
    const goodbye = session.quit().finally(() => this.#closing.delete(goodbye));
    this.#closing.add(goodbye);
    this.#leave();
  }

  /** Gives the place of a connection that is gone to who waits longest. */
  #leave(): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) return waiter.wake(undefined);
    this.#open -= 1;
    if (this.#open === 0) this.#onDrained?.();
  }
}
