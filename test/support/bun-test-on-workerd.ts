// Stands in for "bun:test" in workerd (esbuild maps it). The worker runs each test in a request of its own.
import {
  createRegistry,
  type Describe,
  type Hook,
  type It,
  type RegisteredTest,
  type TestRegistry,
} from "./registry.ts";

const registry: TestRegistry = createRegistry({ add: (test) => tests.push(test) });

/** The tests of the bundled file, in order. */
export const tests: RegisteredTest[] = [];

/** Ends the file. */
export function finish(): Promise<void> {
  return registry.finish();
}

export const describe: Describe = registry.describe;
export const it: It = registry.it;
export const test: It = registry.it;
export const beforeAll: Hook = registry.beforeAll;
export const afterAll: Hook = registry.afterAll;
export const beforeEach: Hook = registry.beforeEach;
export const afterEach: Hook = registry.afterEach;
