/**
 * Registrations that are kept alive.
 *
 * @module
 */
import type { Clock, TimerHandle } from "../support/clock.ts";

/** A registration that refreshes itself while its owner lives. */
export interface Announcement {
  /** Ends it and takes the registration back, unless somebody else has registered the same id since. */
  withdraw(): Promise<void>;
}

/** What keeping one registration alive needs. */
export interface AnnouncementSource {
  /** Time. */
  readonly clock: Clock;
  /** How long between one renewal and the next. */
  readonly intervalMs: number;
  /** Renews it. */
  readonly renew: () => Promise<void>;
  /** Takes it back. */
  readonly takeBack: () => Promise<void>;
  /** Hears what goes wrong. */
  readonly onError: (error: unknown) => void;
  /** Ends it too. */
  readonly signal: AbortSignal | undefined;
}

/** Keeps one registration alive until it is withdrawn. */
export class SelfRenewal implements Announcement {
  readonly #source: AnnouncementSource;
  #timer: TimerHandle | undefined;
  #renewal: Promise<void> = Promise.resolve();
  #withdrawn: Promise<void> | undefined;
  readonly #onAbort = (): void => void this.withdraw().catch(this.#source.onError);

  /** @param source How. */
  constructor(source: AnnouncementSource) {
    this.#source = source;
    this.#schedule();
    source.signal?.addEventListener("abort", this.#onAbort, { once: true });
    // It may have fired while the first registration was committed.
    if (source.signal?.aborted === true) this.#onAbort();
  }

  /** {@inheritDoc Announcement.withdraw} */
  withdraw(): Promise<void> {
    this.#withdrawn ??= this.#end(true);
    return this.#withdrawn;
  }

  /** Ends it and leaves the registration: another announcement of the same owner goes on with it. */
  giveWay(): Promise<void> {
    this.#withdrawn ??= this.#end(false);
    return this.#withdrawn;
  }

  async #end(takesBack: boolean): Promise<void> {
    this.#timer?.cancel();
    this.#source.signal?.removeEventListener("abort", this.#onAbort);
    await this.#renewal;
    if (takesBack) await this.#source.takeBack();
  }

  #schedule(): void {
    const { clock, intervalMs, renew, onError } = this.#source;
    this.#timer = clock.setTimer(intervalMs, () => {
      this.#renewal = renew().catch(onError);
      if (this.#withdrawn === undefined) this.#schedule();
    });
  }
}
