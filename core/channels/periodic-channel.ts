/**
 * Data that has to be fetched.
 *
 * @module
 */
import type { JsonValue } from "../message/json.ts";
import { BaseChannel } from "./base-channel.ts";

/**
 * Data fetched on a schedule: implement `pullFn` (fetch, then `write` what you got) and, to shape it, `convertFn`. The
 * whole loop is {@link BaseChannel}'s.
 *
 * @example
 * ```ts
 * import { PeriodicChannel } from "posthorn";
 *
 * class Prices extends PeriodicChannel<{ price: number }> {
 *   protected override async pullFn(): Promise<void> {
 *     await this.write("stock-api", { price: 17 });
 *   }
 * }
 * const prices = new Prices({ id: "stocks", periodMs: 5_000 });
 * await prices.start();
 * await prices.drain();
 * console.log((await prices.read("me")).length); // 1
 * await prices.stop();
 * ```
 */
export abstract class PeriodicChannel<T = JsonValue> extends BaseChannel<T> {
  /** What kind of channel it is. */
  override readonly kind: string = "periodic";

  /** Fetches, and writes what it got. Called once a period; what it throws goes to `onError`, and the loop goes on. */
  protected abstract override pullFn(): Promise<void>;
}
