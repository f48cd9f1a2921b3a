/**
 * Keys that other systems need and this one does not: accepted, taken out before anything looks at them, and named in a
 * warning.
 *
 * @module
 */
import type { ConfigObject, ConfigValue } from "./plain-tree.ts";
import { isRecord } from "./schema/object-fields.ts";

/** What a Telegram client that is a user's account needs. A bot needs its token alone. */
const TELEGRAM_KEYS: readonly string[] = ["api_id", "api_hash", "session_string"];

/** A configuration without ignored keys. */
export interface WithoutIgnored {
  /** The configuration. */
  readonly tree: ConfigValue;
  /** At most one sentence. */
  readonly warnings: readonly string[];
}

/**
 * Takes the ignored keys out. A variable that only they name need not be set.
 *
 * @param tree The configuration as it was parsed.
 */
export function dropIgnoredKeys(tree: ConfigValue): WithoutIgnored {
  const communications = memberOf(tree, "communications");
  const backends = memberOf(communications, "backends");
  if (!isRecord<ConfigValue>(tree) || communications === undefined || backends === undefined) {
    return { tree, warnings: [] };
  }
  const places: string[] = [];
  const kept: Record<string, ConfigValue> = {};
  for (const [name, backend] of Object.entries(backends)) {
    const isIgnored = isRecord(backend) && backend["type"] === "telegram" &&
      TELEGRAM_KEYS.some((key) => Object.hasOwn(backend, key));
    if (isIgnored) places.push(name);
    kept[name] = isIgnored ? without(backend, TELEGRAM_KEYS) : backend;
  }
  if (places.length === 0) return { tree, warnings: [] };
  return {
    tree: { ...tree, communications: { ...communications, backends: kept } },
    warnings: [
      `${TELEGRAM_KEYS.join(", ")} are ignored (${places.join(", ")}): a bot needs its token alone`,
    ],
  };
}

function memberOf(value: ConfigValue | undefined, key: string): ConfigObject | undefined {
  const member = isRecord<ConfigValue>(value) ? value[key] : undefined;
  return isRecord<ConfigValue>(member) ? member : undefined;
}

function without(backend: ConfigValue, keys: readonly string[]): ConfigValue {
  if (!isRecord<ConfigValue>(backend)) return backend;
  return Object.fromEntries(Object.entries(backend).filter(([key]) => !keys.includes(key)));
}
