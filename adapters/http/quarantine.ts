/**
 * Where authentic but odd input is kept for a person to look at.
 *
 * @module
 */
import { BroadcastChannel, type ChannelCore, encodeHex, type JsonValue } from "../../core/mod.ts";
import type { HttpApplication } from "./http-application.ts";

/** The id of the channel. */
export const QUARANTINE = "quarantine";

const KEEP = 10_000;

/** The quarantine: a channel of the application where it has one of that name, otherwise one over its store. */
export class Quarantine {
  readonly #application: HttpApplication;
  #own: BroadcastChannel | undefined;

  /** @param application The application. */
  constructor(application: HttpApplication) {
    this.#application = application;
  }

  /**
   * Keeps items. Resolves after the commit. What is sent twice is kept once.
   *
   * @param backendName Who received them.
   * @param items The items.
   */
  async keep(backendName: string, items: readonly JsonValue[]): Promise<void> {
    const channel = await this.#channel();
    for (const item of items) {
      const id = await digestOf(`${backendName}\n${JSON.stringify(item)}`);
      await channel.write(backendName, { backendName, item }, { id });
    }
  }

  async #channel(): Promise<ChannelCore> {
    const given = this.#application.channels.get(QUARANTINE);
    if (given !== undefined) return given;
    if (this.#own === undefined) {
      const { store, clock, logger } = this.#application;
      this.#own = new BroadcastChannel({
        id: QUARANTINE,
        description: "Authentic webhook input that was not understood",
        visibility: "private",
        store,
        clock,
        logger,
        retention: { maxCount: KEEP },
        // Retention runs as items come: an upkeep timer would outlive whoever made the app.
        maintenanceIntervalMs: Infinity,
      });
      await this.#own.start();
    }
    await this.#own.evict({ maxCount: KEEP });
    return this.#own;
  }
}

async function digestOf(text: string): Promise<string> {
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}
