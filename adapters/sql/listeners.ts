/**
 * Who watches which channel.
 *
 * @module
 */

/** Listeners by channel. One that throws hurts nobody. */
export class Listeners {
  readonly #onError: (error: unknown) => void;
  readonly #byChannel = new Map<string, readonly (() => void)[]>();

  /** @param onError Told what a listener threw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Whether nobody watches anything. */
  get isEmpty(): boolean {
    return this.#byChannel.size === 0;
  }

  /** Adds a listener. @returns Takes it away. */
  add(channel: string, listener: () => void): () => void {
    // A function of its own: the same one may watch twice, and each ends by itself.
    const call = (): void => listener();
    this.#byChannel.set(channel, [...this.#byChannel.get(channel) ?? [], call]);
    return () => {
      const left = (this.#byChannel.get(channel) ?? []).filter((each) => each !== call);
      if (left.length === 0) this.#byChannel.delete(channel);
      else this.#byChannel.set(channel, left);
    };
  }

  /** Calls those of some channels. */
  notify(channels: Iterable<string>): void {
    for (const channel of channels) this.#call(this.#byChannel.get(channel) ?? []);
  }

  /** Calls all. */
  notifyAll(): void {
    for (const listeners of [...this.#byChannel.values()]) this.#call(listeners);
  }

  /** Forgets all. */
  clear(): void {
    this.#byChannel.clear();
  }

  #call(listeners: readonly (() => void)[]): void {
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** The commit has happened, so not even a handler that throws may make it look as if it had not. */
  #report(error: unknown): void {
    try {
      this.#onError(error);
    } catch (second) {
      writeToConsole(second);
    }
  }
}

/** The default of `onListenerError`. */
export function writeToConsole(error: unknown): void {
  // deno-lint-ignore no-console -- the last resort, where nobody said whom to tell
  console.error("Cannot call a listener of watch():", error);
}
