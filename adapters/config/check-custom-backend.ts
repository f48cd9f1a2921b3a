/**
 * Checks the configuration of a backend whose kind is the user's own.
 *
 * @module
 */
import * as v from "valibot";
import type { BackendConfig, StandardIssue, StandardSchemaV1 } from "../../core/mod.ts";
import type { Finding } from "./config-path.ts";
import type { ConfigObject, ConfigValue } from "./plain-tree.ts";
import { COMMON_BACKEND_KEYS } from "./schema/backend-common.ts";
import { describeIssue, isRecord, mapping } from "./schema/object-fields.ts";

const COMMON = mapping<BackendConfig>(COMMON_BACKEND_KEYS);

/** What {@link checkCustomBackend} found. */
export interface CustomBackendCheck {
  /** The configuration. */
  readonly value: BackendConfig | undefined;
  /** What is wrong, with paths from the backend. */
  readonly findings: readonly Finding[];
}

/**
 * Checks the keys every backend has, and gives the others to the kind's schema. Without a schema they are kept as they
 * are: the backend finds them in `extraFields`.
 *
 * @param config The configuration.
 * @param schema What the kind's own keys must look like: those that not every backend has.
 */
export async function checkCustomBackend(
  config: ConfigObject,
  schema: StandardSchemaV1 | undefined,
): Promise<CustomBackendCheck> {
  const entries = Object.entries(config);
  const common = Object.fromEntries(entries.filter(([key]) => Object.hasOwn(COMMON_BACKEND_KEYS, key)));
  const own = Object.fromEntries(entries.filter(([key]) => !Object.hasOwn(COMMON_BACKEND_KEYS, key)));
  const findings: Finding[] = [];
  const base = v.safeParse(COMMON, common, { message: describeIssue });
  for (const issue of base.issues ?? []) {
    findings.push({ path: (issue.path ?? []).map(({ key }) => pathKey(key)), message: issue.message });
  }
  if (schema === undefined) return { value: base.success ? { ...own, ...base.output } : undefined, findings };
  const result = await schema["~standard"].validate(own);
  for (const issue of result.issues ?? []) {
    findings.push({ path: pathOf(issue), message: withoutValues(issue.message, own) });
  }
  if (result.issues !== undefined || !base.success) return { value: undefined, findings };
  if (isRecord(result.value)) return { value: { ...result.value, ...base.output }, findings };
  findings.push({ path: [], message: "the schema of this type gives no mapping" });
  return { value: undefined, findings };
}

function pathOf(issue: StandardIssue): Finding["path"] {
  return (issue.path ?? []).map((part) => pathKey(typeof part === "object" ? part.key : part));
}

function pathKey(key: unknown): string | number {
  return typeof key === "number" ? key : String(key);
}

/** Many schemas quote the value they refuse: it is cut out, because it may be a secret. */
function withoutValues(message: string, value: ConfigValue): string {
  return textsOf(value)
    .filter((text) => text !== "")
    .sort((left, right) => right.length - left.length)
    .reduce((said, text) => said.replaceAll(JSON.stringify(text), "this value").replaceAll(text, cover(text)), message);
}

/** A text of one or two characters is part of many words and no secret. */
function cover(text: string): string {
  return text.length < 3 ? text : "this value";
}

function textsOf(value: ConfigValue): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((member: ConfigValue) => textsOf(member));
}
