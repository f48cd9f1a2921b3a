// Stands in for "bun:test" on Deno (deno.json maps it).
import { createRegistry, type Describe, type Hook, type It, type TestRegistry } from "./registry.ts";

const registry: TestRegistry = createRegistry({
  add({ name, skipped, run }) {
    // The sanitizers are off as Bun and Node have none, and keep-alive sockets of a package are not a fault of a test.
    Deno.test({ name, ignore: skipped, fn: run, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false });
  },
});
Deno.test.afterAll(() => registry.finish());

export const describe: Describe = registry.describe;
export const it: It = registry.it;
export const test: It = registry.it;
export const beforeAll: Hook = registry.beforeAll;
export const afterAll: Hook = registry.afterAll;
export const beforeEach: Hook = registry.beforeEach;
export const afterEach: Hook = registry.afterEach;
