/**
 * Delivery channels by name, built from a configuration.
 *
 * @module
 */
import { ConfigError, type ConfigIssue, PosthornError, RoutingError } from "../errors.ts";
import { assertName } from "../support/assert.ts";
import { errorWord } from "../support/error-word.ts";
import type { DeliveryChannel } from "./delivery-channel.ts";

/** Makes a channel of a configuration; `undefined` when the configuration does not ask for it. */
export type DeliveryChannelFactory<Config> = (config: Config) => DeliveryChannel | undefined;

/**
 * Knows how delivery channels are made, in the order they shall be tried.
 *
 * @typeParam Config Whatever the factories read.
 *
 * @example
 * ```ts
 * import { ChannelRegistry, DeliveryOrchestrator } from "posthorn";
 *
 * const registry = new ChannelRegistry<{ smtp?: string }>();
 * registry.register("email", (config) =>
 *   config.smtp === undefined
 *     ? undefined
 *     : { name: "email", isAvailable: () => true, send: () => Promise.resolve(true) });
 * const orchestrator = new DeliveryOrchestrator({ channels: registry.buildChannels({ smtp: "localhost" }) });
 * console.log(await orchestrator.deliver({ notificationId: "1", recipient: { email: "a@example.com" }, textContent: "hi" }));
 * ```
 */
export class ChannelRegistry<Config = unknown> {
  readonly #factories = new Map<string, DeliveryChannelFactory<Config>>();

  /**
   * Adds a channel.
   *
   * @param name The channel's name.
   * @param factory Makes it.
   * @throws {RoutingError} If the name is taken: two of one name would send twice.
   */
  register(name: string, factory: DeliveryChannelFactory<Config>): void {
    assertName(name, "name");
    if (this.#factories.has(name)) throw new RoutingError(`Cannot register channel "${name}": the name is taken`);
    this.#factories.set(name, factory);
  }

  /** The names, in the order of their registration. */
  get names(): readonly string[] {
    return [...this.#factories.keys()];
  }

  /**
   * Makes the channels a configuration asks for, in the order of their registration.
   *
   * @param config The configuration.
   * @throws {ConfigError} If some factories fail, with all of their errors.
   */
  buildChannels(config: Config): readonly DeliveryChannel[] {
    const channels: DeliveryChannel[] = [];
    const issues: ConfigIssue[] = [];
    for (const [name, factory] of this.#factories) {
      try {
        const channel = factory(config);
        if (channel !== undefined) channels.push(channel);
      } catch (error) {
        issues.push({
          path: name,
          message: error instanceof PosthornError ? error.message : `its factory threw ${errorWord(error)}`,
        });
      }
    }
    if (issues.length > 0) throw new ConfigError(issues);
    return channels;
  }
}
