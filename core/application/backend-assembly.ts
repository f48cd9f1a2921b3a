/**
 * Making backends of a configuration: in the order they need each other, with all that is wrong said at once.
 *
 * @module
 */
import {
  BACKEND_COMMON_KEYS,
  type BackendConfig,
  type BackendContext,
  BackendRegistry,
  type BackendType,
} from "../communicators/backend-registry.ts";
import type { Communicator } from "../communicators/communicator.ts";
import { ConfigError, type ConfigIssue, PosthornError } from "../errors.ts";
import { cloneJson } from "../message/json.ts";
import type { Severity } from "../message/outgoing-message.ts";
import type { SenderPolicy } from "../outbox/sender-policy.ts";
import type { OutboxConfig } from "./application-config.ts";
import { registeredBackends } from "./registered-backends.ts";
import { senderPolicyFrom } from "./sender-policy.ts";

/** A backend made of its configuration. */
export interface AssembledBackend {
  /** The backend. */
  readonly communicator: Communicator;
  /** The labels it takes. */
  readonly labels: readonly string[];
  /** How its deliveries are handled. */
  readonly policy: SenderPolicy;
  /** From which severity on. */
  readonly minSeverity?: Severity;
}

/** What making backends needs beside their configuration. */
export interface AssemblyOptions {
  /** The kinds there are, beside the registered ones. */
  readonly types: readonly BackendType[] | undefined;
  /** What each backend is given of its surroundings. */
  readonly context: Omit<BackendContext, "extraFields">;
  /** The outbox's section. */
  readonly outbox: OutboxConfig;
  /** Called with each backend as it is made, so that those made of others find it. */
  readonly add: (backend: AssembledBackend) => void;
}

/**
 * Makes the backends of a configuration.
 *
 * @param backends Their configurations by name.
 * @param options The kinds, the surroundings, and who takes them.
 * @throws {ConfigError} With everything that is wrong.
 */
export function assembleBackends(
  backends: Readonly<Record<string, BackendConfig>>,
  { types, context, outbox, add }: AssemblyOptions,
): void {
  const own = new BackendRegistry(types);
  const known = registeredBackends();
  const issues: ConfigIssue[] = [];
  for (const [name, config] of inOrderOfNeed(backends)) {
    const path = `communications.backends.${name}`;
    try {
      const registry = known.has(config.type) && !own.has(config.type) ? known : own;
      const type = registry.get(config.type, `${path}.type`);
      const communicator = type.create(name, config, {
        ...context,
        extraFields: extraFields(config, type.schema !== undefined),
      });
      add({ communicator, labels: config.labels ?? ["default"], ...senderPolicyFrom(config, path, outbox) });
    } catch (error) {
      issues.push(...issuesOf(error, path));
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
}

/** Groups come after the backends they are made of; what names nobody, or itself, is left for the registry to refuse. */
function inOrderOfNeed(
  backends: Readonly<Record<string, BackendConfig>>,
): readonly (readonly [string, BackendConfig])[] {
  const waiting = Object.entries(backends).filter(([, config]) => config.enabled !== false);
  const ordered: (readonly [string, BackendConfig])[] = [];
  for (let progress = true; progress;) {
    progress = false;
    for (const entry of [...waiting]) {
      const [name, { channels }] = entry;
      const needs = Array.isArray(channels) ? channels : [];
      if (waiting.some(([other]) => other !== name && needs.includes(other))) continue;
      ordered.push(entry);
      waiting.splice(waiting.indexOf(entry), 1);
      progress = true;
    }
  }
  return [...ordered, ...waiting];
}

/** What is wrong with a backend's configuration, under the path it stands at. */
function issuesOf(error: unknown, path: string): readonly ConfigIssue[] {
  if (error instanceof ConfigError) {
    return error.issues.map((issue) => ({
      ...issue,
      path: issue.path.startsWith(path) ? issue.path : joined(path, issue.path),
    }));
  }
  if (error instanceof PosthornError) return [{ path, message: error.message }];
  throw error;
}

function joined(path: string, rest: string): string {
  return rest === "" ? path : `${path}.${rest}`;
}

/** The keys of the kind's own: what its schema made of them, which need not be JSON, or else copies of what was written. */
function extraFields(config: BackendConfig, hasSchema: boolean): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!BACKEND_COMMON_KEYS.includes(key) && value !== undefined) {
      fields[key] = hasSchema ? value : cloneJson(value, key);
    }
  }
  return fields;
}
