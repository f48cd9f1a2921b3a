/**
 * Hostile texts and addresses, the same for the same seed.
 *
 * @module
 */

/** A source of them. */
export interface Hostility {
  /** One in `n`. */
  chance(n: number): boolean;
  /** One of several. */
  pick<Item>(items: readonly Item[]): Item;
  /** Any text: nearly half are harmless, so that not everything is refused. */
  text(): string;
  /** What could be taken for an address. */
  address(): string;
}

const PIECES: readonly string[] = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\r\n.\r\n",
  "\r\n\r\n",
  "\n.\n",
  "\r.\r",
  "\u2028",
  "\u2029",
  "\u0085",
  "\u000b",
  "\t",
  "\u001b[31m",
  "\r\nBcc: evil@evil.example",
  "\nRCPT TO:<evil@evil.example>",
  "\r\nDATA\r\n",
  "\r\n.\r\nMAIL FROM:<evil@evil.example>\r\nRCPT TO:<evil@evil.example>\r\nDATA\r\n",
  "\r\n--=_mixed_posthorn\r\n",
  "--=_alternative_posthorn--",
  "=?UTF-8?Q?=0D=0ABcc:_evil=40evil.example?=",
  "=?UTF-8?B?DQpCY2M6IGV2aWxAZXZpbC5leGFtcGxl?=",
  "=0D=0A",
  "%0d%0a",
  "\\r\\n",
  '"',
  "'",
  "\\",
  "<",
  ">",
  "<evil@evil.example>",
  ", evil@evil.example",
  "; evil@evil.example",
  "evil@evil.example,",
  "(evil@evil.example)",
  "group: evil@evil.example;",
  "@",
  ":",
  ",",
  ";",
  "(",
  ")",
  "[",
  "]",
  ".",
  "..",
  " ",
  "  ",
  "ä",
  "日本",
  "🚧",
  "👩‍👩‍👧‍👦",
  "\ud800",
  "\udfff",
  "\u202e",
  "\ufeff",
  "е\u0301",
  "ﬁ",
  "xn--",
  "=",
  "?=",
  "=?",
  "&lt;",
  "<b>",
  "{delivery_id}",
  "SIZE=1 RET=FULL",
];
const HARMLESS: readonly string[] = [
  "Disk",
  "usage",
  "at",
  "95",
  "%",
  "on",
  "web-1",
  "Straße",
  "данные",
  "!",
  "a.b",
  "x=y",
];
const DOMAINS: readonly string[] = [
  "example.com",
  "bücher.example",
  "a.b.example.org",
  "EXAMPLE.net",
  "例え.テスト",
  "localhost",
];
const LOCALS: readonly string[] = ["ann", "a.b", "o'neil", "x+y", "jürgen", "A_B-c", "root", "данные"];

/**
 * Makes a source.
 *
 * @param seed Says which one.
 */
export function createHostility(seed: number): Hostility {
  let state = seed >>> 0;
  /** Mulberry32: small, fast and the same everywhere. */
  function random(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296;
  }
  const chance = (n: number): boolean => random() * n < 1;
  function pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new RangeError("Cannot pick from nothing");
    return item;
  }
  function joined(pieces: readonly string[], most: number, separator: string): string {
    return Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(pieces)).join(separator);
  }
  function text(): string {
    if (!chance(8)) return joined(HARMLESS, chance(20) ? 120 : 6, " ");
    return chance(10) ? joined(PIECES, 60, "") : joined([...HARMLESS, ...PIECES], 5, "");
  }
  function address(): string {
    const good = `${pick(LOCALS)}@${pick(DOMAINS)}`;
    if (!chance(3)) return good;
    const hostile = joined(PIECES, 2, "");
    const at = Math.floor(random() * (good.length + 1));
    return pick([
      good.slice(0, at) + hostile + good.slice(at),
      hostile + good,
      good + hostile,
      `"${hostile}"@example.com`,
      hostile,
    ]);
  }
  return { chance, pick, text, address };
}
