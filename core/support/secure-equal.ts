/**
 * Comparison of secrets in constant time.
 *
 * @module
 */

/**
 * Compares two secrets in a time that does not depend on where they differ: both are hashed with SHA-256 first, so not
 * even the length shows.
 *
 * @param given What a stranger sent.
 * @param expected What it must be. An empty one never matches.
 * @returns Whether they are the same.
 */
export async function secureEqual(given: string | Uint8Array, expected: string | Uint8Array): Promise<boolean> {
  const [left, right] = await Promise.all([digest(given), digest(expected)]);
  let difference = expected.length === 0 ? 1 : 0;
  for (let index = 0; index < 32; index++) difference |= (left[index] ?? 0) ^ (right[index] ?? 1);
  return difference === 0;
}

async function digest(value: string | Uint8Array): Promise<Uint8Array> {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : Uint8Array.from(value);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
