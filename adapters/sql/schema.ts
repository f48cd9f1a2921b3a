/**
 * The tables, and how an older file becomes a present one.
 *
 * A message is one row, and in as few indexes as can be:
 *
 * - Its key is `channel << 40 | seq`, so that the messages of a channel lie together in their order and need no index
 *   for it: pages of the log, the latest messages, retention and search by time walk or bisect the keys themselves.
 * - In the work queue, `wake_at` says from when on it can be claimed: its due time, or the end of its lease. A lease
 *   that ends needs nobody to notice.
 * - Fields a message does not have are in no index; and the index of senders, which every message has, is made by the
 *   first query that wants it: see {@link SENDER_INDEX}.
 *
 * Messages with a lane or a recipient have their turn in a table of its own, `posthorn_turn`, in the place of
 * `wake_at`: see {@link PLACE}. Those without pay nothing for it: every index on the main table costs each of its
 * writes something, even an index the row is not in.
 *
 * @module
 */
import { StoreError } from "../../core/mod.ts";
import { numberOf, type SqlDriver } from "./sql-driver.ts";

/**
 * The key of a message as SQL, of parameter 1, the channel, and parameter 2, the sequence number. Keys stay within SQL:
 * they are larger than what a JavaScript number holds exactly.
 */
export const KEY = "((?1 << 40) | ?2)";

/** The sequence number within a key, as the column `seq`. */
export const SEQ = "key & 1099511627775 AS seq";

/** The largest sequence number: 40 bits of a key. The other 23 are the channel. */
export const MAX_SEQ = 1_099_511_627_775;

/** The largest channel number. */
export const MAX_CHANNEL = 8_388_607;

/**
 * Where a message with a lane or a recipient stands in the queue.
 *
 * A lane has at most one message in front (`open`, `busy` or `held`); what is due behind it is `parked` and in no index
 * by time. Whatever time changes is written down by the next claim of the channel, once per message: see `promote`.
 * A message without a lane stands in the lane `""`, where nobody is in anybody's way.
 */
export const PLACE = {
  /** Can be claimed from `wake_at` on: the first due one of a lane that is free. */
  open: 0,
  /** Held by a worker until `wake_at`. */
  busy: 1,
  /** Released; it holds the lane until `wake_at` and is due again at `due_at`, not earlier. */
  held: 2,
  /** Not due before `wake_at`, in nobody's way. */
  timed: 3,
  /** Due since `due_at`, behind another. */
  parked: 4,
} as const;

/** Texts of more UTF-16 units go to a table of their own, so that claims do not write them anew. */
export const LARGE_BODY = 2_000;

/** Made when a query first asks by sender. It would cost every message, and few programs ever ask. */
export const SENDER_INDEX = "CREATE INDEX IF NOT EXISTS posthorn_message_sender ON posthorn_message (channel, sender)";

/** What brings a database from the version that is its index to the next. Never change one; add. */
const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE posthorn_channel (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  last_seq INTEGER NOT NULL,
  logged INTEGER NOT NULL,
  pruned_to INTEGER NOT NULL,
  newest_at REAL NOT NULL,
  slack_ms REAL NOT NULL
);
CREATE TABLE posthorn_message (
  key INTEGER PRIMARY KEY,
  channel INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  log INTEGER NOT NULL,
  wake_at REAL,
  lease_until REAL,
  attempts INTEGER NOT NULL,
  token TEXT,
  worker TEXT,
  stored_at REAL NOT NULL,
  written_at REAL NOT NULL,
  expires_at REAL,
  remember_until REAL,
  id TEXT NOT NULL,
  sender TEXT NOT NULL,
  recipient TEXT,
  correlation TEXT,
  external TEXT,
  lane TEXT,
  failures TEXT,
  body TEXT
);
CREATE UNIQUE INDEX posthorn_message_id ON posthorn_message (channel, id);
CREATE INDEX posthorn_message_open ON posthorn_message (channel, wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX posthorn_message_log ON posthorn_message (channel, recipient) WHERE log = 1;
CREATE INDEX posthorn_message_recipient ON posthorn_message (channel, recipient) WHERE recipient IS NOT NULL;
CREATE INDEX posthorn_message_correlation ON posthorn_message (channel, correlation) WHERE correlation IS NOT NULL;
CREATE INDEX posthorn_message_external ON posthorn_message (channel, external) WHERE external IS NOT NULL;
CREATE TABLE posthorn_turn (
  channel INTEGER NOT NULL,
  lane TEXT NOT NULL,
  place INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  recipient TEXT,
  wake_at REAL,
  due_at REAL,
  PRIMARY KEY (channel, lane, place, seq)
) WITHOUT ROWID;
CREATE INDEX posthorn_turn_open ON posthorn_turn (channel, wake_at, seq) WHERE place = 0 AND recipient IS NULL;
CREATE INDEX posthorn_turn_addressed ON posthorn_turn (channel, wake_at, seq)
  WHERE place = 0 AND recipient IS NOT NULL;
CREATE INDEX posthorn_turn_addressed_to ON posthorn_turn (channel, recipient, wake_at, seq)
  WHERE place = 0 AND recipient IS NOT NULL;
CREATE INDEX posthorn_turn_waking ON posthorn_turn (channel, wake_at) WHERE place IN (1, 2, 3);
CREATE TABLE posthorn_body (key INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE posthorn_remembered (
  channel INTEGER NOT NULL,
  id TEXT NOT NULL,
  until REAL NOT NULL,
  PRIMARY KEY (channel, id)
) WITHOUT ROWID;
CREATE INDEX posthorn_remembered_until ON posthorn_remembered (until);
CREATE TABLE posthorn_cursor (
  channel INTEGER NOT NULL,
  reader TEXT NOT NULL,
  seq INTEGER NOT NULL,
  told INTEGER NOT NULL,
  PRIMARY KEY (channel, reader)
) WITHOUT ROWID;
CREATE TABLE posthorn_state (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  version INTEGER NOT NULL,
  expires_at REAL
) WITHOUT ROWID;
CREATE INDEX posthorn_state_expires ON posthorn_state (expires_at) WHERE expires_at IS NOT NULL;
`,
];

/** The version of the schema this code knows. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/**
 * Brings a database to the present schema. Several processes may do it at once: one does, the others find it done.
 *
 * @param driver The database.
 * @throws {StoreError} If a later version of the library wrote it.
 */
export function migrate(driver: SqlDriver): void {
  if (versionOf(driver) === SCHEMA_VERSION) return;
  driver.transaction(() => {
    driver.exec(
      "CREATE TABLE IF NOT EXISTS posthorn_meta (name TEXT PRIMARY KEY, value NUMERIC NOT NULL) WITHOUT ROWID",
    );
    const found = versionOf(driver);
    if (found > SCHEMA_VERSION) {
      throw new StoreError(
        `Cannot open store: its schema is version ${found}, this version of the library knows ${SCHEMA_VERSION}`,
      );
    }
    for (const migration of MIGRATIONS.slice(found)) driver.exec(migration);
    driver.prepare("INSERT OR REPLACE INTO posthorn_meta (name, value) VALUES ('schema', ?1)").run(SCHEMA_VERSION);
  });
}

/** Whether the database has a table or index. */
export function hasPart(driver: SqlDriver, name: string): boolean {
  return driver.prepare("SELECT 1 AS found FROM sqlite_master WHERE name = ?1").get(name) !== undefined;
}

function versionOf(driver: SqlDriver): number {
  if (!hasPart(driver, "posthorn_meta")) return 0;
  const row = driver.prepare("SELECT value FROM posthorn_meta WHERE name = 'schema'").get();
  return row === undefined ? 0 : numberOf(row["value"]);
}
