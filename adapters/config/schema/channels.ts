/**
 * The channels a configuration may declare.
 *
 * @module
 */
import type { ChannelConfig } from "../../../core/mod.ts";
import { type Field, flag, integer, text, word } from "./fields.ts";
import { type KeyRule, type KeyRules, list, mapping, seconds } from "./object-fields.ts";

const YEAR = 366 * 86_400;

const COMMON: KeyRules = {
  type: { field: text({ maxLength: 128 }), required: true, description: "The kind of channel" },
  name: { field: text({ maxLength: 200 }), description: "A name for people; the id by default" },
  description: { field: text({ allowEmpty: true }), description: "What it is for" },
  namespace: { field: text({ maxLength: 128 }), description: "Keeps tenants apart on one store", default: "default" },
  visibility: { field: word(["public", "private"]), description: "Who may find it", default: "public" },
  capabilities: { field: list(text({ maxLength: 200 })), description: "What it can do, for discovery", default: [] },
};

const KEPT: KeyRules = {
  retention: {
    field: mapping({
      max_age: { field: seconds(0, 100 * YEAR), description: "How old a message may get" },
      max_count: {
        field: integer(0, Number.MAX_SAFE_INTEGER),
        description: "How many of the latest messages are kept",
      },
    }),
    description: "How long messages are kept; work that is not acknowledged always is",
  },
  maintenance_interval: { field: seconds(0.01, YEAR), description: "How often retention and upkeep run", default: 60 },
};

const CLAIM_TIMEOUT: KeyRule = {
  field: seconds(0.001, YEAR),
  description: "How long a claim lasts unless it is extended",
  default: 300,
};

const CLAIMS: KeyRules = {
  claims: { field: flag(), description: "Whether messages can also be claimed", default: false },
  claim_timeout: CLAIM_TIMEOUT,
};

const QUEUE: KeyRules = {
  claim_timeout: CLAIM_TIMEOUT,
  max_deliveries: {
    field: integer(1, 1_000_000),
    description: "How often a message is given to a worker before it is a dead letter",
    default: 5,
  },
  backoff: {
    field: mapping({
      base_delay: { field: seconds(0, YEAR), description: "The ceiling of the first delay; it doubles" },
      max_delay: { field: seconds(0, YEAR), description: "The ceiling of every delay" },
    }),
    description: "How long a message that failed waits, with full jitter",
  },
};

/** A kind of channel as the configuration knows it. */
export interface ChannelSchema {
  /** What its configuration must look like. */
  readonly field: Field<ChannelConfig>;
  /** What it is, for editors. */
  readonly description: string;
}

function schemaOf(description: string, keys: KeyRules): ChannelSchema {
  return { field: mapping<ChannelConfig>({ ...COMMON, ...keys }), description };
}

/** The kinds of channel, by the word in `type:`. */
export const CHANNEL_SCHEMAS: Readonly<Record<string, ChannelSchema>> = {
  passthrough: schemaOf("Messages as they are written", { ...KEPT, ...CLAIMS }),
  broadcast: schemaOf("Everybody reads everything", KEPT),
  work_queue: schemaOf("Each message is worked on by one worker", { ...KEPT, ...QUEUE }),
  mailbox: schemaOf("Each recipient reads their own", { ...KEPT, ...CLAIMS }),
  discovery: schemaOf("Who is there, and what they can do", {
    registration_ttl: {
      field: seconds(0.001, YEAR),
      description: "How long a registration lasts unless it is repeated",
      default: 3_600,
    },
  }),
};
