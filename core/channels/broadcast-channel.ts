/**
 * Everybody hears everything.
 *
 * @module
 */
import type { JsonValue } from "../message/json.ts";
import type { ChannelOptions } from "./channel-options.ts";
import { PassthroughChannel } from "./passthrough-channel.ts";

/**
 * Fan-out: every consumer receives every message, by `subscribe` (push), `read` (each reader from its own place, late
 * joiners catch up) or `stream`. `read` with `exclusive: true` throws a `TypeError`.
 *
 * The name is the channel types' specification's. The Web has a global `BroadcastChannel` too, which is another thing:
 * it talks between browsing contexts and keeps nothing.
 *
 * @example
 * ```ts
 * import { BroadcastChannel } from "posthorn";
 *
 * const bus = new BroadcastChannel<{ temperature: number }>({ id: "telemetry" });
 * await bus.start();
 * await bus.subscribe("dashboard", (message) => console.log(message.content.temperature)); // 22.4
 * await bus.write("sensor", { temperature: 22.4 });
 * await bus.stop();
 * ```
 */
export class BroadcastChannel<T = JsonValue> extends PassthroughChannel<T> {
  /** {@inheritDoc ChannelCore.kind} */
  override readonly kind = "broadcast";

  /**
   * Makes a broadcast channel.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: ChannelOptions<T>) {
    super({ ...options, claims: false });
  }
}
