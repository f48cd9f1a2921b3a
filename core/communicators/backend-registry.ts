/**
 * The kinds of backend a configuration may name.
 *
 * @module
 */
import { ConfigError, RoutingError } from "../errors.ts";
import type { StandardSchemaV1 } from "../support/standard-schema.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import { nearest } from "../support/nearest.ts";
import type { MessageStore } from "../store/message-store.ts";
import type { Communicator } from "./communicator.ts";

/** The options of one backend as the configuration gives them: snake_case keys, durations in seconds. */
export interface BackendConfig {
  /** The kind: a registered type. */
  readonly type: string;
  /** Whether it takes part. @default `true` */
  readonly enabled?: boolean;
  /** The labels it takes; `"*"` is every label. @default `["default"]` */
  readonly labels?: readonly string[];
  /** The options of its own kind. */
  readonly [key: string]: unknown;
}

/** The keys every backend may have, whatever its kind; the application reads them. */
export const BACKEND_COMMON_KEYS: readonly string[] = [
  "type",
  "enabled",
  "labels",
  "min_severity",
  "retry",
  "rate",
  "on_unknown",
  "hold_for",
  "resting",
  "concurrency",
  "lane_hold",
  "send_timeout",
  "allow_recipients",
];

/** What a backend may use of its surroundings. */
export interface BackendContext {
  /** Finds another backend by its configured name, for backends made of others. */
  readonly resolve: (name: string) => Communicator;
  /** Time. */
  readonly clock: Clock;
  /** Where it says what it does. */
  readonly logger: Logger;
  /** Where it may keep state under `backend/<name>/…`. */
  readonly store: MessageStore;
  /** The keys of its own kind, without those every backend has: what its schema made of them, or as they were written. */
  readonly extraFields: Readonly<Record<string, unknown>>;
}

/**
 * A kind of backend: what `Application.create(config, { backends: [telegram] })` takes.
 */
export interface BackendType {
  /** The word in `type:`. */
  readonly type: string;
  /**
   * What the options of its own must look like: checked when a configuration is read (`posthorn/config`, `posthorn/app`).
   * Without one, they arrive unchecked.
   */
  readonly schema?: StandardSchemaV1;
  /**
   * Makes one. It checks its options in plain code and throws {@link ConfigError} with paths relative to the backend.
   *
   * @param name The configured name.
   * @param config The options.
   * @param context What it may use.
   */
  create(name: string, config: BackendConfig, context: BackendContext): Communicator;
}

/** Looks kinds up by their word. */
export class BackendRegistry {
  readonly #types = new Map<string, BackendType>();

  /**
   * Makes a backend registry.
   *
   * @param types The kinds it knows from the start.
   */
  constructor(types: readonly BackendType[] = []) {
    for (const type of types) this.register(type);
  }

  /**
   * Adds a kind.
   *
   * @param backend The kind.
   * @throws {RoutingError} If the word is taken by another.
   */
  register(backend: BackendType): void {
    const known = this.#types.get(backend.type);
    if (known !== undefined && known !== backend) {
      throw new RoutingError(`Cannot register backend type "${backend.type}": it is registered already`);
    }
    this.#types.set(backend.type, backend);
  }

  /** Whether a word is known. */
  has(type: string): boolean {
    return this.#types.has(type);
  }

  /** The words it knows. */
  get types(): readonly string[] {
    return [...this.#types.keys()];
  }

  /**
   * Finds a kind.
   *
   * @param type The word.
   * @param path Where the configuration says it, for the error.
   * @throws {ConfigError} If nobody registered it.
   */
  get(type: string, path: string): BackendType {
    const backend = this.#types.get(type);
    if (backend !== undefined) return backend;
    const guess = nearest(type, this.types);
    const hint = guess === undefined
      ? `known types are ${this.types.join(", ") || "none"}`
      : `did you mean "${guess}"?`;
    throw new ConfigError([{ path, message: `unknown backend type "${type}"; ${hint}` }]);
  }
}
