/**
 * Identifiers: UUID version 7, made in order, several million a second.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";

/** The digits of hexadecimal numbers, as character codes. */
const DIGITS: readonly number[] = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/** Random 16-bit words fetched at once: enough for 1,024 identifiers. A single fetch costs as much as twenty. */
const POOL_WORDS = 3_072;

/** The first counter that no longer fits into the 12 + 14 bits it has. */
const COUNTER_END = 0x400_0000;

/** The counter of a new millisecond starts in the lower half, so that at least 33 million identifiers follow. */
const COUNTER_SEED_MASK = 0x1ff_ffff;

/** The first time that no longer fits into the 48 bits it has: the year 10889. */
const TIME_END = 0x1_0000_0000_0000;

const HYPHEN = 45;
const VERSION_7 = 55;

/**
 * Creates a generator of UUIDs of version 7 (RFC 9562, section 5.7): 36 lower-case characters, of which each is greater
 * than the one before, so that sorting by id is sorting by age.
 *
 * A 48-bit time in milliseconds is followed by a 26-bit counter (the RFC's "fixed bit-length dedicated counter", in
 * `rand_a` and the head of `rand_b`) that starts at a random place each millisecond, and by 48 random bits. When the
 * clock stands still or goes back, the time of the latest id is kept and the counter goes on; when the counter is used
 * up, the time runs ahead by a millisecond. Nothing random is asked for before the first id: a Worker may not do that
 * in its global scope.
 *
 * @param now The time in milliseconds since 1970: `Date.now`, or that of an injected clock.
 * @returns The generator. It throws a {@link ValidationError} when `now` gives something that is no such time.
 *
 * @example
 * ```ts
 * import { createIdGenerator } from "posthorn";
 *
 * const nextId = createIdGenerator(Date.now);
 * const first = nextId();
 * console.log(first < nextId());
 * ```
 */
export function createIdGenerator(now: () => number): () => string {
  let pool: Uint16Array<ArrayBuffer> | undefined;
  let used = POOL_WORDS;
  let time = Number.NaN;
  let counter = 0;
  /** The 12 digits of the time, as character codes. */
  const t: number[] = new Array<number>(12).fill(HYPHEN);

  function refill(): Uint16Array<ArrayBuffer> {
    pool ??= new Uint16Array(POOL_WORDS);
    crypto.getRandomValues(pool);
    used = 0;
    return pool;
  }

  function startMillisecond(next: number): void {
    if (!(next >= 0 && next < TIME_END)) {
      throw new ValidationError(
        "now",
        `Cannot create id: 'now' must give milliseconds since 1970, not ${kindOf(next)}`,
      );
    }
    time = next;
    const words = pool === undefined || used + 2 > POOL_WORDS ? refill() : pool;
    counter = ((words[used]! << 16) | words[used + 1]!) & COUNTER_SEED_MASK;
    used += 2;
    for (let digit = 11, rest = time; digit >= 0; digit--, rest = Math.floor(rest / 16)) {
      t[digit] = DIGITS[rest % 16]!;
    }
  }

  return function nextId(): string {
    const present = Math.floor(now());
    // "Not at most" rather than "greater": that holds for the first id, and for a clock that gives NaN.
    if (!(present <= time)) startMillisecond(present);
    else if (++counter === COUNTER_END) startMillisecond(time + 1);
    const words = pool === undefined || used + 3 > POOL_WORDS ? refill() : pool;
    const a = words[used]!;
    const b = words[used + 1]!;
    const c = words[used + 2]!;
    used += 3;
    const n = counter;
    const d = DIGITS;
    // All at once: joining pieces makes a tree of strings, which is flattened again when the id becomes a key.
    // deno-fmt-ignore
    return String.fromCharCode(
      t[0]!, t[1]!, t[2]!, t[3]!, t[4]!, t[5]!, t[6]!, t[7]!, HYPHEN, t[8]!, t[9]!, t[10]!, t[11]!, HYPHEN,
      VERSION_7, d[n >>> 22]!, d[(n >>> 18) & 15]!, d[(n >>> 14) & 15]!, HYPHEN,
      d[8 | ((n >>> 12) & 3)]!, d[(n >>> 8) & 15]!, d[(n >>> 4) & 15]!, d[n & 15]!, HYPHEN,
      d[a >>> 12]!, d[(a >>> 8) & 15]!, d[(a >>> 4) & 15]!, d[a & 15]!,
      d[b >>> 12]!, d[(b >>> 8) & 15]!, d[(b >>> 4) & 15]!, d[b & 15]!,
      d[c >>> 12]!, d[(c >>> 8) & 15]!, d[(c >>> 4) & 15]!, d[c & 15]!,
    );
  };
}
