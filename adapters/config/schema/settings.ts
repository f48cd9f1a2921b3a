/**
 * The store, the server, outbox, inbox and ledger.
 *
 * @module
 */
import type { InboxConfig, LedgerConfig, OutboxConfig } from "../../../core/mod.ts";
import type { ServerConfig, StoreConfig } from "../config-types.ts";
import { type Field, flag, integer, secret, text, url, word } from "./fields.ts";
import { type KeyRules, list, mapping, seconds } from "./object-fields.ts";

const DAY = 86_400;
const YEAR = 366 * DAY;

const STORE_COMMON: KeyRules = {
  type: { field: text(), required: true, description: "Where everything is kept" },
  max_message_bytes: {
    field: integer(1_024, 1_073_741_824),
    description: "The largest message, as UTF-8 JSON",
    default: 1_048_576,
  },
};

/** A kind of store as the configuration knows it. */
export interface StoreSchema {
  /** What its configuration must look like. */
  readonly field: Field<StoreConfig>;
  /** What it is, for editors. */
  readonly description: string;
}

function storeOf(description: string, keys: KeyRules = {}): StoreSchema {
  return { field: mapping<StoreConfig>({ ...STORE_COMMON, ...keys }), description };
}

/** The kinds of store, by the word in `type:`. */
export const STORE_SCHEMAS: Readonly<Record<string, StoreSchema>> = {
  memory: storeOf("In this process, gone with it"),
  sqlite: storeOf("A file", {
    path: { field: text({ maxLength: 4_096 }), required: true, description: "The file" },
    synchronous: {
      field: word(["full", "normal"]),
      description: "full survives a power cut, normal only a crash of the process",
      default: "full",
    },
    busy_timeout: { field: seconds(0, 600), description: "How long to wait for another process's write", default: 5 },
  }),
  "durable-object": storeOf("The storage of a Cloudflare Durable Object"),
  nats: storeOf("NATS JetStream", {
    servers: { field: list(text(), { minLength: 1, maxLength: 100 }), required: true, description: "The servers" },
  }),
};

/** The HTTP server. */
export const SERVER_FIELD: Field<ServerConfig> = mapping<ServerConfig>({
  host: { field: text({ maxLength: 253 }), description: "The address to listen on", default: "127.0.0.1" },
  port: { field: integer(0, 65_535), description: "The port; 0 takes a free one", default: 8_787 },
  token: { field: secret(), description: "What callers of the API must show as bearer token" },
  public_url: { field: url(), description: "Where the world reaches it, for webhooks" },
  emulator: { field: flag(), description: "Serve the emulator's page", default: false },
});

/** The outbox. */
export const OUTBOX_FIELD: Field<OutboxConfig> = mapping<OutboxConfig>({
  enabled: { field: flag(), description: "Without an outbox, emit sends at once and keeps nothing", default: true },
  max_queued: {
    field: integer(1, Number.MAX_SAFE_INTEGER),
    description: "How many deliveries may wait for each backend; more are refused (1000000, in memory 10000)",
  },
  concurrency: { field: integer(1, 10_000), description: "How many sends at once on each backend", default: 16 },
  lane_hold: {
    field: seconds(0, YEAR),
    description: "How long a lane waits for its head's retry at most",
    default: 30,
  },
  send_timeout: { field: seconds(0.001, DAY), description: "How long one attempt may take", default: 60 },
  drain_timeout: { field: seconds(0, DAY), description: "How long stopping takes at most", default: 10 },
});

/** The inbox. */
export const INBOX_FIELD: Field<InboxConfig> = mapping<InboxConfig>({
  enabled: {
    field: flag(),
    description: "Without an inbox, messages go to subscribers only, and nothing is kept",
    default: true,
  },
  concurrency: { field: integer(1, 10_000), description: "How many conversations are handled at once", default: 100 },
  max_deliveries: {
    field: integer(1, 1_000_000),
    description: "How often a message is tried before it is a dead letter",
    default: 8,
  },
  claim_timeout: {
    field: seconds(0.001, YEAR),
    description: "How long a claim lasts without a heart-beat",
    default: 60,
  },
  max_unhandled: {
    field: integer(1, Number.MAX_SAFE_INTEGER),
    description: "How many may wait in a process that handles none; then the oldest are given up (in memory 10000)",
  },
  dedupe: { field: seconds(0, YEAR), description: "How long an id is remembered", default: 8 * DAY },
});

/** The ledger. */
export const LEDGER_FIELD: Field<LedgerConfig> = mapping<LedgerConfig>({
  max_age: { field: seconds(0, 100 * YEAR), description: "How long it is kept", default: 30 * DAY },
  max_count: { field: integer(0, Number.MAX_SAFE_INTEGER), description: "How many events are kept" },
});
