/**
 * Who is there, and what can they do.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import { cloneJson, type JsonObject, type JsonValue } from "../message/json.ts";
import { assertDurationMs, assertId, assertText } from "../support/assert.ts";
import type { TimerHandle } from "../support/clock.ts";
import type { ChannelInfo, ChannelOptions, Visibility } from "./channel-options.ts";
import { PassthroughChannel } from "./passthrough-channel.ts";

/** What a registry is made from. */
export interface DiscoveryChannelOptions extends ChannelOptions<RegistryEvent> {
  /** How long a registration lasts unless it is repeated. @default `3_600_000` */
  readonly registrationTtlMs?: number;
}

/** What a system says of itself: an id, what it can do, who may find it, and anything else. */
export interface SystemDescriptor {
  /** Its id. */
  readonly id: string;
  /** What it can do. */
  readonly capabilities?: readonly string[];
  /** Who may find it. @default `"public"` */
  readonly visibility?: Visibility;
  /** Anything else: JSON. */
  readonly [key: string]: JsonValue | undefined;
}

/** A registration with its end. */
export type Registered<D> = D & {
  /** When it ends unless it is repeated, in milliseconds since 1970. */
  readonly expiresAt: number;
};

/** What the registry's own log carries, for those who subscribe to it. */
export interface RegistryEvent {
  /** What happened. A registration that runs out makes no event: nobody is there to write one. */
  readonly type: "registered" | "deregistered";
  /** What kind of thing. */
  readonly kind: "channel" | "system";
  /** Its id. */
  readonly id: string;
  readonly [key: string]: JsonValue;
}

/** What to look for. All that is given must hold. */
export interface FindOptions {
  /** Who may find it. */
  readonly visibility?: Visibility;
  /** What it can do. */
  readonly capability?: string;
  /** How many at most. @default `1_000` */
  readonly limit?: number;
}

/** A registration that refreshes itself while its owner lives. */
export interface Announcement {
  /** Ends it and takes the registration back. */
  withdraw(): Promise<void>;
}

type Kind = "channel" | "system";

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
  readonly #announcements = new Set<Announcement>();

  /**
   * @param options Its id, and what differs from the defaults.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(options: DiscoveryChannelOptions) {
    super({ ...options, claims: false });
    this.registrationTtlMs = assertDurationMs(options.registrationTtlMs ?? 3_600_000, "registrationTtlMs", 1);
  }

  /** Registers a channel, or renews its registration. */
  async registerChannel(info: ChannelInfo): Promise<void> {
    await this.#register("channel", info);
  }

  /** Registers a system, or renews its registration. */
  async registerSystem(descriptor: SystemDescriptor): Promise<void> {
    await this.#register("system", descriptor);
  }

  /** Registers a channel and keeps it registered. */
  announceChannel(info: ChannelInfo, options: { readonly signal?: AbortSignal } = {}): Promise<Announcement> {
    return this.#announceForLife("channel", info, options.signal);
  }

  /** Registers a system and keeps it registered. */
  announceSystem(descriptor: SystemDescriptor, options: { readonly signal?: AbortSignal } = {}): Promise<Announcement> {
    return this.#announceForLife("system", descriptor, options.signal);
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
    return await this.#get("channel", id) as Registered<ChannelInfo> | undefined;
  }

  /** One system's registration. */
  async getSystem(id: string): Promise<Registered<SystemDescriptor> | undefined> {
    return await this.#get("system", id) as Registered<SystemDescriptor> | undefined;
  }

  /** The registered channels that fit, by id. */
  async findChannels(options: FindOptions = {}): Promise<readonly Registered<ChannelInfo>[]> {
    return await this.#find("channel", options) as unknown as readonly Registered<ChannelInfo>[];
  }

  /** The registered systems that fit, by id. */
  async findSystems(options: FindOptions = {}): Promise<readonly Registered<SystemDescriptor>[]> {
    return await this.#find("system", options) as readonly Registered<SystemDescriptor>[];
  }

  /** Withdraws what announces itself through this object, and stops. */
  override async stop(): Promise<void> {
    await Promise.all([...this.#announcements].map((announcement) => announcement.withdraw()));
    await super.stop();
  }

  #stateKey(kind: Kind, id: string): string {
    return `discovery/${this.key}/${kind}/${id}`;
  }

  async #register(kind: Kind, descriptor: ChannelInfo | SystemDescriptor): Promise<void> {
    this.assertRunning("register in");
    if (typeof descriptor !== "object" || descriptor === null) {
      throw new ValidationError(kind, `Cannot register as the ${kind} must be an object, not ${kindOf(descriptor)}`);
    }
    const id = assertId(descriptor.id, `${kind}.id`);
    for (const [index, word] of checkCapabilities(descriptor.capabilities, kind).entries()) {
      assertText(word, `${kind}.capabilities[${index}]`);
    }
    const value = cloneJson({ visibility: "public", ...descriptor }, kind);
    const key = this.#stateKey(kind, id);
    const renewed = await this.store.getState(key) !== undefined;
    await this.store.commit([{ type: "set-state", key, value, ttlMs: this.registrationTtlMs }]);
    if (!renewed) await this.write(this.id, { type: "registered", kind, id });
  }

  async #deregister(kind: Kind, id: string): Promise<boolean> {
    this.assertRunning("deregister from");
    const { results } = await this.store.commit([{
      type: "delete-state",
      key: this.#stateKey(kind, assertId(id, "id")),
    }]);
    const removed = results[0]?.status === "done";
    if (removed) await this.write(this.id, { type: "deregistered", kind, id });
    return removed;
  }

  async #announceForLife(
    kind: Kind,
    descriptor: ChannelInfo | SystemDescriptor,
    signal: AbortSignal | undefined,
  ): Promise<Announcement> {
    signal?.throwIfAborted();
    await this.#register(kind, descriptor);
    let timer: TimerHandle;
    let renewal: Promise<void> = Promise.resolve();
    let withdrawn: Promise<void> | undefined;
    const renew = (): void => {
      timer = this.clock.setTimer(this.registrationTtlMs / 3, () => {
        renewal = this.#register(kind, descriptor).catch((error: unknown) => this.onError(error));
        if (withdrawn === undefined) renew();
      });
    };
    const onAbort = (): void => void announcement.withdraw().catch((error: unknown) => this.onError(error));
    const announcement: Announcement = {
      withdraw: (): Promise<void> =>
        withdrawn ??= (async () => {
          timer.cancel();
          signal?.removeEventListener("abort", onAbort);
          this.#announcements.delete(announcement);
          await renewal;
          await this.#deregister(kind, descriptor.id);
        })(),
    };
    renew();
    this.#announcements.add(announcement);
    signal?.addEventListener("abort", onAbort, { once: true });
    return announcement;
  }

  async #get(kind: Kind, id: string): Promise<JsonObject | undefined> {
    this.assertRunning("look into");
    const entry = await this.store.getState(this.#stateKey(kind, assertId(id, "id")));
    return entry === undefined ? undefined : registered(entry.value, entry.expiresAt);
  }

  async #find(kind: Kind, options: FindOptions): Promise<readonly JsonObject[]> {
    this.assertRunning("look into");
    const { visibility, capability, limit = 1_000 } = options;
    const found: JsonObject[] = [];
    const prefix = this.#stateKey(kind, "");
    let after = prefix;
    while (found.length < limit) {
      const page = await this.store.listState(prefix, { limit: 500, after });
      for (const entry of page) {
        const value = registered(entry.value, entry.expiresAt);
        const capabilities = value["capabilities"];
        const fits = (visibility === undefined || value["visibility"] === visibility) &&
          (capability === undefined || (Array.isArray(capabilities) && capabilities.includes(capability)));
        if (fits && found.length < limit) found.push(value);
      }
      after = page.at(-1)?.key ?? after;
      if (page.length < 500) break;
    }
    return found;
  }
}

function registered(value: JsonValue, expiresAt: number | undefined): JsonObject {
  return { ...(value as JsonObject), expiresAt: expiresAt ?? 0 };
}

function checkCapabilities(value: unknown, kind: Kind): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new ValidationError(
    `${kind}.capabilities`,
    `Cannot register as '${kind}.capabilities' must be an array of texts, not ${kindOf(value)}`,
  );
}
