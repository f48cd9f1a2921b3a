/**
 * What making backends of a configuration needs: their order, their errors, their own keys.
 *
 * @module
 */
import { BACKEND_COMMON_KEYS, type BackendConfig } from "../communicators/backend-registry.ts";
import { ConfigError, type ConfigIssue, PosthornError } from "../errors.ts";
import { cloneJson, type JsonValue } from "../message/json.ts";

/** Groups come after the backends they are made of; what names nobody, or itself, is left for the registry to refuse. */
export function inOrderOfNeed(
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
export function issuesOf(error: unknown, path: string): readonly ConfigIssue[] {
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

/** The keys of a kind registered without a schema, which nobody else claims. */
export function extraFields(config: BackendConfig, hasSchema: boolean): Readonly<Record<string, JsonValue>> {
  const fields: Record<string, JsonValue> = {};
  if (hasSchema) return fields;
  for (const [key, value] of Object.entries(config)) {
    if (!BACKEND_COMMON_KEYS.includes(key) && value !== undefined) fields[key] = cloneJson(value, key);
  }
  return fields;
}
