/**
 * Posthorn: what a program says to people and hears from them, on every runtime.
 *
 * @module
 */
export * from "./core/mod.ts";
