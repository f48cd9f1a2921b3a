/**
 * The configuration as JSON Schema, for editors: made from the same fields that check it.
 *
 * @module
 */
import * as v from "valibot";
import { COMMON_BACKEND_KEYS } from "./schema/backend-common.ts";
import { BACKEND_SCHEMAS } from "./schema/backends.ts";
import { CHANNEL_SCHEMAS } from "./schema/channels.ts";
import { type Field, flag, JSON_KEY, type JsonSchema, NAME, name } from "./schema/fields.ts";
import { isRecord, type KeyRule, type KeyRules } from "./schema/object-fields.ts";
import { INBOX_FIELD, LEDGER_FIELD, OUTBOX_FIELD, SERVER_FIELD, STORE_SCHEMAS } from "./schema/settings.ts";

/** Any scalar may be a variable, whose value nobody knows while the file is written. */
const VARIABLE: JsonSchema = {
  type: "string",
  pattern: "\\$\\{",
  description: "A variable of the environment: ${NAME}, ${NAME:-default} or ${NAME:?message}",
};

const NAMES: JsonSchema = { pattern: NAME.source, not: { enum: ["__proto__", "constructor", "prototype"] } };

/**
 * The whole configuration as JSON Schema, draft 07. What only the loading can know is left to it: whether a fallback's
 * backends exist, whether a variable is set, what a kind of backend of your own wants.
 *
 * @returns The schema. The package has it as `posthorn.schema.json`.
 *
 * @example
 * ```ts
 * import { configJsonSchema } from "posthorn/config";
 *
 * console.log(Object.keys(configJsonSchema()));
 * ```
 */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const definitions: Record<string, unknown> = { variable: VARIABLE };
  for (const key of Object.keys(COMMON_BACKEND_KEYS)) {
    const rule = COMMON_BACKEND_KEYS[key];
    if (rule !== undefined) definitions[`every_backend_${key}`] = propertyOf(rule);
  }
  const define = (prefix: string, schemas: Readonly<Record<string, Described>>): void => {
    for (const [type, { field, description }] of Object.entries(schemas)) {
      definitions[`${prefix}_${type}`] = { description, ...jsonOf(field, type) };
    }
  };
  define("store", STORE_SCHEMAS);
  define("backend", BACKEND_SCHEMAS);
  define("channel", CHANNEL_SCHEMAS);
  definitions["backend_of_your_own"] = {
    description: "A kind of backend that the program registers",
    type: "object",
    properties: propertiesOf(COMMON_BACKEND_KEYS),
  };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Posthorn configuration",
    type: "object",
    properties: {
      store: { description: "Where everything is kept; in memory by default", ...choiceOf("store", STORE_SCHEMAS) },
      communications: {
        description: "Backends and labels",
        type: "object",
        properties: {
          enabled: { description: "Whether any backend starts", default: false, ...jsonOf(flag()) },
          backends: {
            description: "The backends by name",
            type: "object",
            propertyNames: NAMES,
            additionalProperties: choiceOf("backend", BACKEND_SCHEMAS, "backend_of_your_own"),
          },
          default_backend: {
            description: "Where sendMsg goes when its address names no backend; the only backend by default",
            ...jsonOf(name()),
          },
        },
        additionalProperties: false,
      },
      channels: {
        description: "Channels by id",
        type: "object",
        propertyNames: NAMES,
        additionalProperties: choiceOf("channel", CHANNEL_SCHEMAS),
      },
      server: { description: "The HTTP server", ...jsonOf(SERVER_FIELD) },
      outbox: { description: "What is sent, and how", ...jsonOf(OUTBOX_FIELD) },
      inbox: { description: "What came in, and who handles it", ...jsonOf(INBOX_FIELD) },
      ledger: { description: "The record of every attempt", ...jsonOf(LEDGER_FIELD) },
    },
    patternProperties: { "^x-": { description: "Your own: a place for anchors" } },
    additionalProperties: false,
    definitions,
  };
}

interface Described {
  readonly field: Field<unknown>;
  readonly description: string;
}

/** `type` chooses. Editors follow if and then better than a choice of wholes, and their messages name the key. */
function choiceOf(prefix: string, schemas: Readonly<Record<string, Described>>, otherwise?: string): JsonSchema {
  const types = Object.keys(schemas);
  const known = { enum: types };
  const branches = types.map((type) => ({
    if: { properties: { type: { const: type } }, required: ["type"] },
    then: { $ref: `#/definitions/${prefix}_${type}` },
  }));
  const other = otherwise === undefined ? [] : [{
    if: { properties: { type: { not: known } }, required: ["type"] },
    then: { $ref: `#/definitions/${otherwise}` },
  }];
  return {
    type: "object",
    properties: { type: otherwise === undefined ? known : { anyOf: [known, { type: "string", minLength: 1 }] } },
    required: ["type"],
    allOf: [...branches, ...other],
  };
}

/** Reads the JSON Schema out of a field's metadata. */
function jsonOf(field: Field<unknown>, type?: string): JsonSchema {
  const json: unknown = v.getMetadata(field)[JSON_KEY];
  if (!isRecord(json)) throw new TypeError("Cannot describe a field without metadata");
  if (isKeyRules(json["keys"])) return mappingOf(json["keys"], json["rules"], type);
  if (isField(json["values"])) {
    const names = json["names"];
    return {
      type: "object",
      propertyNames: typeof names === "string" ? { ...NAMES, pattern: names } : NAMES,
      additionalProperties: jsonOf(json["values"]),
    };
  }
  if (isField(json["items"])) {
    const { minItems, maxItems } = json;
    return { type: "array", items: jsonOf(json["items"]), minItems, maxItems };
  }
  if (isField(json["oneOrMore"])) {
    const item = jsonOf(json["oneOrMore"]);
    return { anyOf: [item, { type: "array", items: item, minItems: 1, maxItems: 100 }] };
  }
  return withVariable(json);
}

function mappingOf(keys: KeyRules, rules: unknown, type: string | undefined): JsonSchema {
  const required = Object.entries(keys).filter(([, rule]) => rule.required === true).map(([key]) => key);
  const properties = propertiesOf(keys);
  return {
    type: "object",
    properties: type === undefined ? properties : { ...properties, type: { const: type } },
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
    ...(Array.isArray(rules) && rules.length > 0 ? { allOf: rules } : {}),
  };
}

function propertiesOf(keys: KeyRules): JsonSchema {
  return Object.fromEntries(
    Object.entries(keys).map(([key, rule]) => [
      key,
      rule === COMMON_BACKEND_KEYS[key] ? { $ref: `#/definitions/every_backend_${key}` } : propertyOf(rule),
    ]),
  );
}

function propertyOf({ field, description, default: standard }: KeyRule): JsonSchema {
  return { description, ...(standard === undefined ? {} : { default: standard }), ...jsonOf(field) };
}

function withVariable(json: Readonly<Record<string, unknown>>): JsonSchema {
  const isFreeText = json["type"] === "string" && json["pattern"] === undefined;
  if (isFreeText || Object.keys(json).length === 0 || json["deprecated"] === true) return json;
  const alternatives: readonly unknown[] = Array.isArray(json["anyOf"]) ? json["anyOf"] : [json];
  return { anyOf: [...alternatives, { $ref: "#/definitions/variable" }] };
}

function isField(value: unknown): value is Field<unknown> {
  return typeof value === "object" && value !== null && "~run" in value;
}

function isKeyRules(value: unknown): value is KeyRules {
  return isRecord(value) && Object.values(value).every((rule) => isRecord(rule) && isField(rule["field"]));
}
