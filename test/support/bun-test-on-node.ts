// Stands in for "bun:test" on Node (register-on-node.mjs maps it).
import { after, test as nodeTest } from "node:test";
import { createRegistry, type Describe, type Hook, type It, type TestRegistry } from "./registry.ts";

const registry: TestRegistry = createRegistry({
  add({ name, skipped, run }) {
    nodeTest(name, { skip: skipped }, run);
  },
});
after(() => registry.finish());

export const describe: Describe = registry.describe;
export const it: It = registry.it;
export const test: It = registry.it;
export const beforeAll: Hook = registry.beforeAll;
export const afterAll: Hook = registry.afterAll;
export const beforeEach: Hook = registry.beforeEach;
export const afterEach: Hook = registry.afterEach;
