/**
 * The store in the SQL storage of a Durable Object.
 *
 * @module
 */
export type { DurableObjectStorageLike, SqlCursorLike } from "./durable-object-driver.ts";
export { DurableObjectStore, type DurableObjectStoreOptions } from "./durable-object-store.ts";
