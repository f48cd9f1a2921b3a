/**
 * The part of `bun:test` that the suite uses, for runtimes that lack it. One implementation serves Deno, Node and
 * workerd, so that hooks, nesting and timeouts mean there what they mean on Bun; `registry.test.ts` holds all four
 * to it.
 *
 * @module
 */

/** What a test or hook runs. */
export type TestBody = () => unknown;

/** Settings of one test, as on Bun: a bare number is the timeout in milliseconds. */
export type TestSettings = number | { readonly timeout?: number };

/** A test with its place in the file, ready to be run. */
export interface RegisteredTest {
  readonly name: string;
  readonly skipped: boolean;
  readonly run: () => Promise<void>;
}

/** How a runtime takes what the file registers. */
export interface TestHost {
  add(test: RegisteredTest): void;
}

/** `describe` and its variants. */
export interface Describe {
  (name: string, body: () => void): void;
  skip(name: string, body: () => void): void;
  skipIf(condition: boolean): (name: string, body: () => void) => void;
}

/** `it` and its variants. */
export interface It {
  (name: string, body: TestBody, settings?: TestSettings): void;
  skip(name: string, body?: TestBody, settings?: TestSettings): void;
  skipIf(condition: boolean): (name: string, body: TestBody, settings?: TestSettings) => void;
}

/** Registers a hook. */
export type Hook = (body: TestBody, settings?: TestSettings) => void;

/** Everything a shim has to export, and the call that ends the file. */
export interface TestRegistry {
  readonly describe: Describe;
  readonly it: It;
  readonly beforeAll: Hook;
  readonly afterAll: Hook;
  readonly beforeEach: Hook;
  readonly afterEach: Hook;
  /** Runs the `afterAll` hooks that are still due: those of the file, and of groups that a filter cut short. */
  finish(): Promise<void>;
}

/** The timeout of a test or hook that sets none. The runners pass the same figure to Bun. */
export const DEFAULT_TIMEOUT_MS = 30_000;

interface RegisteredHook {
  readonly body: TestBody;
  readonly timeoutMs: number;
}

class Group {
  readonly name: string;
  readonly parent: Group | undefined;
  readonly skipped: boolean;
  readonly beforeAll: RegisteredHook[] = [];
  readonly afterAll: RegisteredHook[] = [];
  readonly beforeEach: RegisteredHook[] = [];
  readonly afterEach: RegisteredHook[] = [];
  /** Tests in this group and below that have not ended yet. */
  remaining = 0;
  entered: Promise<void> | undefined;
  left = false;

  constructor(name: string, parent: Group | undefined, skipped: boolean) {
    this.name = name;
    this.parent = parent;
    this.skipped = skipped;
  }

  /** From the file down to this group. */
  get lineage(): Group[] {
    return this.parent === undefined ? [this] : [...this.parent.lineage, this];
  }
}

/** Creates the registry of one test file. */
export function createRegistry(host: TestHost): TestRegistry {
  const file = new Group("", undefined, false);
  const entered: Group[] = [];
  let current = file;

  function group(name: string, body: () => unknown, skipped: boolean): void {
    const outer = current;
    current = new Group(name, outer, outer.skipped || skipped);
    try {
      const result = body();
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new TypeError(`Cannot register "${name}" as its body is async: tests would be registered too late`);
      }
    } finally {
      current = outer;
    }
  }

  function add(name: string, body: TestBody | undefined, settings: TestSettings | undefined, skip: boolean): void {
    const home = current;
    const lineage = home.lineage;
    const skipped = skip || home.skipped || body === undefined;
    const timeoutMs = timeoutOf(settings);
    if (!skipped) {
      for (const each of lineage) each.remaining += 1;
    }
    host.add({
      name: [...lineage.slice(1).map((each) => each.name), name].join(" > "),
      skipped,
      run: () => body === undefined ? Promise.resolve() : runTest(lineage, { body, timeoutMs }),
    });
  }

  async function runTest(lineage: readonly Group[], test: RegisteredHook): Promise<void> {
    const failures: unknown[] = [];
    try {
      for (const each of lineage) {
        each.entered ??= enter(each);
        await each.entered;
      }
      for (const each of lineage) await runHooks(each.beforeEach);
      await runLimited(test);
    } catch (error) {
      failures.push(error);
    }
    for (const each of lineage.toReversed()) {
      for (const hook of each.afterEach) await collect(failures, () => runLimited(hook));
    }
    for (const each of lineage.toReversed()) {
      each.remaining -= 1;
      // The file's own afterAll waits for finish(): a file with a top-level await may still register tests.
      if (each.remaining === 0 && each !== file) await collect(failures, () => leave(each));
    }
    throwCollected(failures);
  }

  function enter(each: Group): Promise<void> {
    entered.push(each);
    return runHooks(each.beforeAll);
  }

  async function leave(each: Group): Promise<void> {
    if (each.left) return;
    each.left = true;
    const failures: unknown[] = [];
    for (const hook of each.afterAll) await collect(failures, () => runLimited(hook));
    throwCollected(failures);
  }

  async function finish(): Promise<void> {
    const failures: unknown[] = [];
    for (const each of entered.toReversed()) await collect(failures, () => leave(each));
    throwCollected(failures);
  }

  const describe: Describe = Object.assign(
    (name: string, body: () => void) => group(name, body, false),
    {
      skip: (name: string, body: () => void) => group(name, body, true),
      skipIf: (condition: boolean) => (name: string, body: () => void) => group(name, body, condition),
    },
  );
  const it: It = Object.assign(
    (name: string, body: TestBody, settings?: TestSettings) => add(name, body, settings, false),
    {
      skip: (name: string, body?: TestBody, settings?: TestSettings) => add(name, body, settings, true),
      skipIf: (condition: boolean) => (name: string, body: TestBody, settings?: TestSettings) =>
        add(name, body, settings, condition),
    },
  );

  function hookOf(list: (group: Group) => RegisteredHook[]): Hook {
    return (body, settings) => {
      list(current).push({ body, timeoutMs: timeoutOf(settings) });
    };
  }

  return {
    describe,
    it,
    beforeAll: hookOf((each) => each.beforeAll),
    afterAll: hookOf((each) => each.afterAll),
    beforeEach: hookOf((each) => each.beforeEach),
    afterEach: hookOf((each) => each.afterEach),
    finish,
  };
}

function timeoutOf(settings: TestSettings | undefined): number {
  if (typeof settings === "number") return settings;
  return settings?.timeout ?? DEFAULT_TIMEOUT_MS;
}

async function runHooks(hooks: readonly RegisteredHook[]): Promise<void> {
  for (const hook of hooks) await runLimited(hook);
}

async function runLimited({ body, timeoutMs }: RegisteredHook): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Cannot finish within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([(async () => await body())(), expired]);
  } finally {
    clearTimeout(timer);
  }
}

async function collect(failures: unknown[], step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    failures.push(error);
  }
}

function throwCollected(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join("; "));
}
