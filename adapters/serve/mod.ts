/**
 * Listening on a port on Deno, Bun and Node.
 *
 * @module
 */
export * from "./serve.ts";
