/**
 * How long to wait before the next try.
 *
 * @module
 */

/** Exponential back-off with full jitter. */
export interface BackoffOptions {
  /** The ceiling of the first delay. @default `1_000` */
  readonly baseDelayMs?: number;
  /** The ceiling of every delay. @default `60_000` */
  readonly maxDelayMs?: number;
  /** Gives a number from 0 to 1. @default the platform's cryptographic chance */
  readonly random?: () => number;
}

/**
 * The delay before the next try: a random time between zero and `baseDelayMs · 2^(failures - 1)`, at most `maxDelayMs`.
 * Full jitter keeps many clients that failed together from coming back together.
 *
 * @param failures How many tries have failed, at least 1.
 * @param options Ceilings and chance.
 * @returns Milliseconds.
 *
 * @example
 * ```ts
 * import { backoffDelayMs } from "posthorn";
 *
 * console.log(backoffDelayMs(3, { baseDelayMs: 1_000, random: () => 0.5 })); // 2000
 * ```
 */
export function backoffDelayMs(failures: number, options: BackoffOptions = {}): number {
  const { baseDelayMs = 1_000, maxDelayMs = 60_000, random = defaultRandom } = options;
  const ceiling = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(Math.max(failures, 1) - 1, 50));
  return Math.floor(random() * ceiling);
}

function defaultRandom(): number {
  const [word = 0] = crypto.getRandomValues(new Uint32Array(1));
  return word / 0x1_0000_0000;
}
