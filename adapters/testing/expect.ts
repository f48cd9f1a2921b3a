/**
 * The few assertions the suite needs, of nothing but the language: it runs wherever a store runs.
 *
 * @module
 */

/** Fails with both values shown, unless they are the same in every part: `{}` is not `{ a: undefined }`. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const difference = differenceOf(actual, expected, "");
  if (difference !== undefined) {
    throw new Error(`${what}: ${difference}\n  expected ${show(expected)}\n  actual   ${show(actual)}`);
  }
}

/** Fails unless the condition holds. */
export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Gives the value back, which must be there. */
export function present<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`${what}: nothing is there`);
  return value;
}

/**
 * Fails unless the call rejects with an error of this code. By code, not by class: the suite and the store may each
 * have brought a copy of the library.
 *
 * @returns The error.
 */
export async function rejects(call: () => unknown, code: string, what: string): Promise<object> {
  try {
    await call();
  } catch (error) {
    if (typeof error !== "object" || error === null) throw new Error(`${what}: threw ${show(error)}`);
    equal(Reflect.get(error, "code"), code, `${what}: code of "${String(error)}"`);
    return error;
  }
  throw new Error(`${what}: did not reject`);
}

/** Fails unless the call rejects as `invalid-argument` and names what was wrong at the end of `argument`. */
export async function refuses(call: () => unknown, argument: string, what: string): Promise<void> {
  const error = await rejects(call, "invalid-argument", what);
  const named: unknown = Reflect.get(error, "argument");
  ok(
    typeof named === "string" && (named === argument || named.endsWith(`.${argument}`)),
    `${what}: names ${show(named)}, not "${argument}"`,
  );
}

/** Waits for something that may come a little after a promise settled. Fails when it does not come at all. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, turn < 100 ? 0 : 5));
  }
  throw new Error(`${what}: did not happen`);
}

function differenceOf(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  const place = path === "" ? "" : `${path}: `;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) {
    return `${place}${show(actual)} is not ${show(expected)}`;
  }
  if (Array.isArray(actual) !== Array.isArray(expected)) return `${place}only one is an array`;
  const keys = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  for (const key of keys) {
    if (!Object.hasOwn(actual, key)) return `${place}"${key}" is missing`;
    if (!Object.hasOwn(expected, key)) return `${place}"${key}" is too much`;
    const inner = differenceOf(
      Reflect.get(actual, key),
      Reflect.get(expected, key),
      path === "" ? key : `${path}.${key}`,
    );
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function show(value: unknown): string {
  const text = typeof value === "object"
    ? JSON.stringify(value)
    : typeof value === "string"
    ? `"${value}"`
    : String(value);
  return text.length > 1_500 ? `${text.slice(0, 1_500)}…` : text;
}
