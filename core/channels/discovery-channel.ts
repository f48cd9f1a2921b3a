/**
 * Who is there, and what can they do.
 *
 * @module
 */
import type { JsonValue } from "../message/json.ts";
import type { OperationResult, SetStateOperation, StateEntry } from "../store/message-store.ts";
import { assertId, assertText } from "../support/assert.ts";
import { type Announcement, SelfRenewal } from "./announcements.ts";
import { assertFiniteMs, assertOptions, checkLimit } from "./channel-input.ts";
import { checkVisibility } from "./channel-lifecycle.ts";
import type { ChannelInfo, ChannelOptions, Visibility } from "./channel-options.ts";
import { PassthroughChannel } from "./passthrough-channel.ts";
import {
  channelOf,
  checkRegistration,
  type Registered,
  type RegistrationKind,
  type SystemDescriptor,
  systemOf,
} from "./registration.ts";

export type { Announcement } from "./announcements.ts";
export type { Registered, SystemDescriptor } from "./registration.ts";

/** What a registry is made from. */
export interface DiscoveryChannelOptions extends ChannelOptions<RegistryEvent> {
  /** How long a registration lasts unless it is repeated. @default `3_600_000` */
  readonly registrationTtlMs?: number;
}

/** What the registry's own log carries, for those who subscribe to it. */
export interface RegistryEvent {
  /** What happened. A registration that runs out makes no event: nobody is there to write one. */
  readonly type: "registered" | "deregistered";
  /** What kind of thing. */
  readonly kind: "channel" | "system";
  /** Its id. */
  readonly id: string;
  /** Nothing else so far. */
  readonly [key: string]: JsonValue;
}

/** What to look for. All that is given must hold. */
export interface FindOptions {
  /** Who may find it. */
  readonly visibility?: Visibility;
  /** What it can do. */
  readonly capability?: string;
  /** How many at most, 1 to 10,000. @default `1_000` */
  readonly limit?: number;
}

/** How something is announced. */
export interface AnnounceOptions {
  /** Withdraws it. */
  readonly signal?: AbortSignal;
}

/** A registration this object keeps alive. */
interface Own {
  readonly renewal: SelfRenewal;
  /** What it renews. */
  registration: { readonly value: JsonValue };
  /** The version of the state it wrote last. */
  version: number;
}

/**
 * A service registry: systems and channels register, find each other by visibility and capability, and vanish when they
 * stop renewing. A registration of the same id replaces the one before. `announceChannel` and `announceSystem` repeat the
 * registration at a third of its time to live until they are withdrawn.
 *
 * @example
 * ```ts
 * import { DiscoveryChannel, WorkQueueChannel } from "posthorn";
 *
 * const registry = new DiscoveryChannel({ id: "registry" });
 * await registry.start();
 * await registry.registerSystem({ id: "resizer", capabilities: ["process_image"] });
 * await registry.registerChannel(new WorkQueueChannel({ id: "jobs" }).info);
 * console.log((await registry.findSystems({ capability: "process_image" })).map((system) => system.id)); // ["resizer"]
 * console.log((await registry.getChannel("jobs"))?.kind); // work-queue
 * await registry.stop();
 * ```
 */
export class DiscoveryChannel extends PassthroughChannel<RegistryEvent> {
  /** {@inheritDoc ChannelCore.kind} */
  override readonly kind = "discovery";
  /** How long a registration lasts. */
  readonly registrationTtlMs: number;
  readonly #own = new Map<string, Own>();

  /**
   * Makes a discovery channel.
   *
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: DiscoveryChannelOptions) {
    super({ ...options, claims: false });
    this.registrationTtlMs = assertFiniteMs(options.registrationTtlMs ?? 3_600_000, "registrationTtlMs", 1);
  }

  /** Registers a channel, or renews its registration. */
  async registerChannel(info: ChannelInfo): Promise<void> {
    await this.#register("channel", info);
  }

  /** Registers a system, or renews its registration. */
  async registerSystem(descriptor: SystemDescriptor): Promise<void> {
    await this.#register("system", descriptor);
  }

  /** Registers a channel and keeps it registered. A later `registerChannel` of the same id changes what is kept. */
  announceChannel(info: ChannelInfo, options: AnnounceOptions = {}): Promise<Announcement> {
    return this.#announceForLife("channel", info, options);
  }

  /** Registers a system and keeps it registered. A later `registerSystem` of the same id changes what is kept. */
  announceSystem(descriptor: SystemDescriptor, options: AnnounceOptions = {}): Promise<Announcement> {
    return this.#announceForLife("system", descriptor, options);
  }

  /** Takes a channel's registration back. @returns Whether there was one. */
  deregisterChannel(id: string): Promise<boolean> {
    return this.#deregister("channel", id);
  }

  /** Takes a system's registration back. @returns Whether there was one. */
  deregisterSystem(id: string): Promise<boolean> {
    return this.#deregister("system", id);
  }

  /** One channel's registration. */
  async getChannel(id: string): Promise<Registered<ChannelInfo> | undefined> {
    const entry = await this.#get("channel", id);
    return entry === undefined ? undefined : channelOf(entry);
  }

  /** One system's registration. */
  async getSystem(id: string): Promise<Registered<SystemDescriptor> | undefined> {
    const entry = await this.#get("system", id);
    return entry === undefined ? undefined : systemOf(entry);
  }

  /** The registered channels that fit, by id. */
  findChannels(options: FindOptions = {}): Promise<readonly Registered<ChannelInfo>[]> {
    return this.#find("channel", options, channelOf);
  }

  /** The registered systems that fit, by id. */
  findSystems(options: FindOptions = {}): Promise<readonly Registered<SystemDescriptor>[]> {
    return this.#find("system", options, systemOf);
  }

  /** Withdraws what announces itself through this object. */
  protected override async windDown(deadlineMs?: number): Promise<void> {
    await Promise.all([...this.#own.values()].map(({ renewal }) => renewal.withdraw()));
    await super.windDown(deadlineMs);
  }

  #stateKey(kind: RegistrationKind, id: string): string {
    return `discovery/${this.key}/${kind}/${id}`;
  }

  async #register(kind: RegistrationKind, descriptor: ChannelInfo | SystemDescriptor): Promise<number> {
    this.assertWritable();
    const { id, value } = checkRegistration(kind, descriptor);
    const key = this.#stateKey(kind, id);
    const isNew = await this.store.getState(key) === undefined;
    const result = await this.#commit({ type: "set-state", key, value, ttlMs: this.registrationTtlMs });
    const version = result.version ?? 0;
    const own = this.#own.get(key);
    if (own !== undefined) Object.assign(own, { registration: { value }, version });
    if (isNew) await this.write(this.id, { type: "registered", kind, id });
    return version;
  }

  async #deregister(kind: RegistrationKind, id: string, expectedVersion?: number): Promise<boolean> {
    this.assertWritable();
    const key = this.#stateKey(kind, assertId(id, "id"));
    const { results } = await this.store.commit([
      { type: "delete-state", key, ...(expectedVersion === undefined ? {} : { expectedVersion }) },
    ]);
    const own = expectedVersion === undefined ? this.#own.get(key) : undefined;
    if (own !== undefined) {
      // Whoever takes it back by hand does not want it back at the next renewal.
      this.#own.delete(key);
      await own.renewal.giveWay();
    }
    const isGone = results[0]?.status === "done";
    if (isGone) await this.write(this.id, { type: "deregistered", kind, id });
    return isGone;
  }

  async #announceForLife(
    kind: RegistrationKind,
    descriptor: ChannelInfo | SystemDescriptor,
    options: AnnounceOptions,
  ): Promise<Announcement> {
    this.assertOpen("announce in");
    assertOptions(options);
    options.signal?.throwIfAborted();
    const { id, value } = checkRegistration(kind, descriptor);
    const key = this.#stateKey(kind, id);
    const version = await this.#register(kind, descriptor);
    this.assertOpen("announce in");
    const before = this.#own.get(key);
    const renewal = new SelfRenewal({
      clock: this.clock,
      intervalMs: this.registrationTtlMs / 3,
      renew: () => this.#renew(key),
      takeBack: async () => {
        const version = this.#own.get(key)?.version;
        this.#own.delete(key);
        await this.#deregister(kind, id, version);
      },
      onError: (error) => this.report(error),
      signal: options.signal,
    });
    this.#own.set(key, { renewal, registration: { value }, version });
    await before?.renewal.giveWay();
    return renewal;
  }

  /**
   * Renews a registration. Where somebody else has registered the same id since, that one stands as long as it is there:
   * of two owners, the one that ends takes only its own word back.
   */
  async #renew(key: string): Promise<void> {
    const own = this.#own.get(key);
    if (own === undefined) return;
    const { value } = own.registration;
    const operation: SetStateOperation = { type: "set-state", key, value, ttlMs: this.registrationTtlMs };
    let result = await this.#commit({ ...operation, expectedVersion: own.version });
    // It may have run out, while the machine slept, say: then it is put back where nobody else was quicker.
    if (result.status === "conflict") result = await this.#commit({ ...operation, expectedVersion: 0 });
    if (result.status === "done" && result.version !== undefined) own.version = result.version;
  }

  async #commit(operation: SetStateOperation): Promise<OperationResult> {
    const { results } = await this.store.commit([operation], { onConflict: "skip" });
    return results[0] ?? { status: "not-found" };
  }

  async #get(kind: RegistrationKind, id: string): Promise<StateEntry | undefined> {
    this.assertRunning("look into");
    return await this.store.getState(this.#stateKey(kind, assertId(id, "id")));
  }

  async #find<D extends { readonly visibility?: Visibility; readonly capabilities?: readonly string[] }>(
    kind: RegistrationKind,
    options: FindOptions,
    read: (entry: StateEntry) => D,
  ): Promise<readonly D[]> {
    this.assertRunning("look into");
    assertOptions(options);
    const { visibility, capability } = options;
    const limit = checkLimit(options.limit, 1_000);
    if (visibility !== undefined) checkVisibility(visibility);
    if (capability !== undefined) assertText(capability, "capability");
    const found: D[] = [];
    const prefix = this.#stateKey(kind, "");
    for (let after = prefix; found.length < limit;) {
      const page = await this.store.listState(prefix, { limit: 500, after });
      for (const entry of page) {
        const candidate = read(entry);
        if (visibility !== undefined && candidate.visibility !== visibility) continue;
        if (capability !== undefined && candidate.capabilities?.includes(capability) !== true) continue;
        found.push(candidate);
      }
      after = page.at(-1)?.key ?? after;
      if (page.length < 500) break;
    }
    return found.slice(0, limit);
  }
}
