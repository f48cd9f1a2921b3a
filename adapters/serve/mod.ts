/**
 * Listening on a port, and ending when told to, on Deno, Bun and Node.
 *
 * @module
 */
export * from "./serve.ts";
export * from "./stop-on-signal.ts";
