// Holds the stand-ins for "bun:test" to what Bun does: this file passes on Bun itself.
import assert from "node:assert/strict";
import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from "bun:test";
import { createRegistry, type RegisteredTest, type TestRegistry } from "./registry.ts";

const seen: string[] = [];

function take(): string[] {
  return seen.splice(0);
}

function mark(name: string): () => void {
  return () => {
    seen.push(name);
  };
}

beforeAll(mark("file beforeAll"));
beforeEach(mark("file beforeEach"));
afterEach(mark("file afterEach"));

describe("beforeEach()", () => {
  beforeAll(mark("outer beforeAll"));
  beforeEach(mark("outer beforeEach 1"));
  beforeEach(mark("outer beforeEach 2"));
  afterEach(mark("outer afterEach"));
  afterAll(mark("outer afterAll"));

  it("runs from the file inwards, after each beforeAll", () => {
    assert.deepEqual(take(), [
      "file beforeAll",
      "outer beforeAll",
      "file beforeEach",
      "outer beforeEach 1",
      "outer beforeEach 2",
    ]);
  });

  describe("nested", () => {
    beforeAll(mark("inner beforeAll"));
    beforeEach(async () => {
      await Promise.resolve();
      seen.push("inner beforeEach");
    });
    afterEach(mark("inner afterEach"));
    afterAll(mark("inner afterAll"));

    it("runs the outer hooks first", () => {
      assert.deepEqual(take(), [
        "outer afterEach",
        "file afterEach",
        "inner beforeAll",
        "file beforeEach",
        "outer beforeEach 1",
        "outer beforeEach 2",
        "inner beforeEach",
      ]);
    });
  });

  it("comes after the afterAll of an earlier group", () => {
    assert.deepEqual(take(), [
      "inner afterEach",
      "outer afterEach",
      "file afterEach",
      "inner afterAll",
      "file beforeEach",
      "outer beforeEach 1",
      "outer beforeEach 2",
    ]);
  });
});

describe("afterAll()", () => {
  it("has run for the group before", () => {
    assert.deepEqual(take(), ["outer afterEach", "file afterEach", "outer afterAll", "file beforeEach"]);
  });
});

/** A file's registry, run the way a host would run it: what ran, and how each test ended. */
async function runAll(fill: (registry: TestRegistry) => void): Promise<string[]> {
  const tests: RegisteredTest[] = [];
  const registry = createRegistry({ add: (test) => tests.push(test) });
  fill(registry);
  const results: string[] = [];
  for (const test of tests) {
    if (test.skipped) {
      results.push(`skip ${test.name}`);
      continue;
    }
    await test.run().then(
      () => results.push(`pass ${test.name}`),
      (error) => results.push(`fail ${test.name}: ${error instanceof Error ? error.message : error}`),
    );
  }
  await registry.finish().catch((error) => results.push(`fail finish: ${error.message}`));
  return results;
}

describe("createRegistry()", () => {
  it("skips by it.skip, skipIf and describe.skip, and never enters a group of skipped tests", async () => {
    take();
    const results = await runAll(({ describe, it, beforeAll, afterAll }) => {
      describe("a", () => {
        beforeAll(mark("beforeAll"));
        afterAll(mark("afterAll"));
        it.skip("1", mark("body"));
        it.skipIf(true)("2", mark("body"));
        describe.skip("b", () => it("3", mark("body")));
        describe.skipIf(true)("c", () => it("4", mark("body")));
      });
      it.skipIf(false)("5", mark("ran"));
    });
    assert.deepEqual(results, ["skip a > 1", "skip a > 2", "skip a > b > 3", "skip a > c > 4", "pass 5"]);
    assert.deepEqual(take(), ["ran"]);
  });

  it("fails a test by its hooks, still runs every afterEach, and goes on", async () => {
    take();
    const results = await runAll(({ describe, it, beforeAll, beforeEach, afterEach, afterAll }) => {
      describe("a", () => {
        beforeEach(() => {
          throw new Error("beforeEach");
        });
        afterEach(mark("afterEach"));
        it("1", mark("body"));
      });
      describe("b", () => {
        beforeAll(() => Promise.reject(new Error("beforeAll")));
        it("2", mark("body"));
        it("3", mark("body"));
      });
      describe("c", () => {
        afterAll(() => {
          throw new Error("afterAll");
        });
        it("4", mark("ran"));
      });
    });
    assert.deepEqual(results, [
      "fail a > 1: beforeEach",
      "fail b > 2: beforeAll",
      "fail b > 3: beforeAll",
      "fail c > 4: afterAll",
    ]);
    assert.deepEqual(take(), ["afterEach", "ran"]);
  });

  it("fails a test that overstays its timeout", async () => {
    const forever = new Promise(() => {});
    const results = await runAll(({ it }) => {
      it("1", () => forever, 5);
      it("2", () => forever, { timeout: 5 });
      it("3", () => {});
    });
    assert.deepEqual(results, ["fail 1: Cannot finish within 5 ms", "fail 2: Cannot finish within 5 ms", "pass 3"]);
  });

  it("runs in finish() the afterAll of the file and of groups cut short by a filter, the innermost first", async () => {
    take();
    const tests: RegisteredTest[] = [];
    const registry = createRegistry({ add: (test) => tests.push(test) });
    registry.afterAll(mark("file"));
    registry.describe("a", () => {
      registry.afterAll(mark("a"));
      registry.it("1", mark("1"));
      registry.it("2", mark("2"));
    });
    await tests[0]?.run();
    assert.deepEqual(take(), ["1"]);
    await registry.finish();
    assert.deepEqual(take(), ["a", "file"]);
    await registry.finish();
    assert.deepEqual(take(), []);
  });

  it("refuses an async describe body", () => {
    const registry = createRegistry({ add() {} });
    assert.throws(() => registry.describe("late", async () => await Promise.resolve()), {
      name: "TypeError",
      message: 'Cannot register "late" as its body is async: tests would be registered too late',
    });
  });
});
