/**
 * What workerd.json binds for a test file. Filled before its tests run; empty on other runtimes.
 *
 * @module
 */

/** Bindings by name. */
export const bindings: Record<string, unknown> = {};
