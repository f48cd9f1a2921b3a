/**
 * The store in a SQLite file: durable, for one machine and as many processes as share the file.
 *
 * @module
 */
export type { SqliteDatabaseLike, SqliteStatementLike } from "./sqlite-database.ts";
export { SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
