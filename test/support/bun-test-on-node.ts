// Stands in for "bun:test" on Node (register-on-node.mjs maps it).
import { after, test as nodeTest } from "node:test";
import process from "node:process";
import { createRegistry, type Describe, type Hook, type It, type TestRegistry } from "./registry.ts";

const GRACE_MS = 5_000;

const registry: TestRegistry = createRegistry({
  add({ name, skipped, run }) {
    nodeTest(name, { skip: skipped }, run);
  },
});
after(async () => {
  try {
    await registry.finish();
  } finally {
    // Does not keep the process alive, but speaks up when something else does.
    setTimeout(failOpen, GRACE_MS).unref();
  }
});

/** Ends a file that a server, socket or timer keeps alive: what a test opens, it has to close. */
function failOpen(): void {
  const open = process.getActiveResourcesInfo().join(", ");
  process.stderr.write(`Cannot end the test file as something is still open ${GRACE_MS} ms after its tests: ${open}\n`);
  process.exit(1);
}

export const describe: Describe = registry.describe;
export const it: It = registry.it;
export const test: It = registry.it;
export const beforeAll: Hook = registry.beforeAll;
export const afterAll: Hook = registry.afterAll;
export const beforeEach: Hook = registry.beforeEach;
export const afterEach: Hook = registry.afterEach;
