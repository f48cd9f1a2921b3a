// Serves the tests of one bundled file: GET gives their names, POST /?test=<index> runs one of them, and
// POST /?finish runs what is left of afterAll. A request per test keeps the I/O of one away from the next.
import type { RegisteredTest } from "../support/registry.ts";
import { bindings } from "../support/workerd-bindings.ts";

/** The entry of the worker. */
export interface TestWorker {
  fetch(request: Request, environment: Readonly<Record<string, unknown>>): Promise<Response>;
}

/** Creates the worker over what the file registered. */
export function createTestWorker(tests: readonly RegisteredTest[], finish: () => Promise<void>): TestWorker {
  return {
    async fetch(request, environment) {
      Object.assign(bindings, environment);
      if (request.method === "GET") {
        return Response.json(tests.map(({ name, skipped }) => ({ name, skipped })));
      }
      const query = new URL(request.url).searchParams;
      const test = tests[Number(query.get("test") ?? -1)];
      try {
        if (query.has("finish")) await finish();
        else if (test === undefined) throw new RangeError(`Cannot find test ${query.get("test")}`);
        else await test.run();
        return Response.json({ passed: true });
      } catch (error) {
        return Response.json({ passed: false, error: describeError(error) });
      }
    },
  };
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `Thrown: ${JSON.stringify(error) ?? String(error)}`;
  const text = error.stack?.includes(error.message) ? error.stack : `${error}\n${error.stack}`;
  const parts = error instanceof AggregateError ? error.errors.map((each) => `\n  - ${describeError(each)}`) : [];
  const cause = error.cause === undefined ? "" : `\nCaused by: ${describeError(error.cause)}`;
  return text + parts.join("") + cause;
}
