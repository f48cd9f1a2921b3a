// The tools this repository is built and tested with: one place, read by every script and by CI.
// Deno and workerd stay at versions whose packages the npm registry has for every platform.
export const VERSIONS = Object.freeze({
  bun: "1.4.5",
  deno: "2.9.5",
  node: "24.21.0",
  /** The floor of "engines" in package.json. */
  oldestNode: "22.13.0",
});
