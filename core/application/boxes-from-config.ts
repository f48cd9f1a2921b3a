/**
 * The inbox, the outbox and the ledger of a configuration, each within the limits of where it is kept.
 *
 * @module
 */
import { Inbox, type InboxOptions } from "../inbox/inbox.ts";
import { Ledger, type LedgerOptions } from "../ledger/ledger.ts";
import { Outbox, type OutboxOptions } from "../outbox/outbox.ts";
import type { ApplicationConfig } from "./application-config.ts";

/** What the boxes share with the rest of an application. */
export interface BoxParts
  extends Pick<LedgerOptions & OutboxOptions & InboxOptions, "store" | "clock" | "logger" | "newId"> {
  /** How long a claim lasts without a heart-beat. */
  readonly leaseMs?: number;
}

/** Where messages are, in both directions, and what became of them. */
export interface Boxes {
  /** The record of every delivery. */
  readonly ledger: Ledger;
  /** Messages on their way out. */
  readonly outbox: Outbox;
  /** Messages on their way in. */
  readonly inbox: Inbox;
}

/** How many entries of the ledger a store in memory keeps, unless configured otherwise. */
const MEMORY_LEDGER_ENTRIES = 100_000;
/** How many deliveries may wait for each backend, unless configured otherwise: some 5 kB each in memory. */
const MAX_QUEUED_IN_MEMORY = 10_000;
const MAX_QUEUED = 1_000_000;
/**
 * How many messages that nobody handles a store in memory keeps, unless configured otherwise. On disk they may wait:
 * another process may be the one that handles them.
 */
const MAX_UNHANDLED_IN_MEMORY = 10_000;

/**
 * Makes the boxes. What a store in memory keeps is kept in memory: without a limit of its own, each gets one there.
 *
 * @param config The configuration.
 * @param parts What they share.
 */
export function createBoxes({ ledger = {}, outbox = {}, inbox = {} }: ApplicationConfig, parts: BoxParts): Boxes {
  const { leaseMs, ...shared } = parts;
  const lease = leaseMs === undefined ? {} : { leaseMs };
  const isDurable = shared.store.capabilities.durable;
  const maxCount = ledger.max_count ?? (isDurable ? undefined : MEMORY_LEDGER_ENTRIES);
  const maxUnhandled = inbox.max_unhandled ?? (isDurable ? undefined : MAX_UNHANDLED_IN_MEMORY);
  const record = new Ledger({
    ...shared,
    ...(ledger.max_age === undefined ? {} : { retentionMs: ledger.max_age * 1_000 }),
    ...(maxCount === undefined ? {} : { maxCount }),
  });
  return {
    ledger: record,
    outbox: new Outbox({
      ...shared,
      ...lease,
      ledger: record,
      maxQueued: outbox.max_queued ?? (isDurable ? MAX_QUEUED : MAX_QUEUED_IN_MEMORY),
    }),
    inbox: new Inbox({
      ...shared,
      ...lease,
      ...(inbox.dedupe === undefined ? {} : { dedupeForMs: inbox.dedupe * 1_000 }),
      ...(inbox.claim_timeout === undefined ? {} : { leaseMs: inbox.claim_timeout * 1_000 }),
      ...(inbox.max_deliveries === undefined ? {} : { maxDeliveries: inbox.max_deliveries }),
      ...(inbox.enabled === undefined ? {} : { keeps: inbox.enabled }),
      ...(maxUnhandled === undefined ? {} : { maxUnhandled }),
    }),
  };
}
