/**
 * Telegram's reading of HTML, for the stand-in: what it shows, and what it refuses.
 *
 * @module
 */

/** A stretch of a text that is shown otherwise. */
export interface TelegramStandInEntity {
  /** How: `bold`, `text_link`, … */
  readonly type: string;
  /** Where it begins, in UTF-16 units. */
  readonly offset: number;
  /** How long it is. */
  readonly length: number;
  /** Where a link leads. */
  readonly url?: string;
}

/** A text as Telegram shows it. */
export interface ParsedText {
  /** What is read. */
  readonly text: string;
  /** How it is shown. */
  readonly entities: readonly TelegramStandInEntity[];
}

/** Telegram cannot read the HTML; its words. */
export class UnreadableHtml extends Error {
  /** @param reason Why, in the manner of the Bot API. */
  constructor(reason: string) {
    super(`can't parse entities: ${reason}`);
    this.name = "UnreadableHtml";
  }
}

const ENTITY_OF_TAG: Readonly<Record<string, string>> = {
  a: "text_link",
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
  span: "spoiler",
  "tg-spoiler": "spoiler",
  "tg-emoji": "custom_emoji",
};

const CHARACTERS: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"' };

interface OpenTag {
  readonly name: string;
  readonly offset: number;
  readonly url: string | undefined;
}

/**
 * Reads HTML as the Bot API does: a dozen tags, properly nested; four named entities and all numeric ones; anything else
 * that begins like a tag is refused.
 *
 * @param html The HTML.
 * @returns What is shown.
 * @throws {UnreadableHtml} If Telegram would refuse it.
 */
export function parseTelegramHtml(html: string): ParsedText {
  const entities: TelegramStandInEntity[] = [];
  const open: OpenTag[] = [];
  let text = "";
  let at = 0;
  while (at < html.length) {
    const character = html.charAt(at);
    if (character === "&") {
      const [raw = "", name = ""] = /^&(#\d{1,8}|#x[\da-f]{1,8}|[a-z]+);?/i.exec(html.slice(at, at + 14)) ?? [];
      const decoded = raw.endsWith(";") || name.startsWith("#") ? characterOf(name) : CHARACTERS[name];
      text += decoded ?? character;
      at += decoded === undefined ? 1 : raw.length;
    } else if (character === "<") {
      const end = endOfTag(html, at);
      const raw = html.slice(at + 1, end - 1);
      if (raw.startsWith("/")) closeTag(raw.slice(1).trim().toLowerCase());
      else openTag(raw);
      at = end;
    } else {
      text += character;
      at += 1;
    }
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) {
    throw new UnreadableHtml(`Can't find end tag corresponding to start tag "${unclosed.name}"`);
  }
  return { text, entities: entities.sort((left, right) => left.offset - right.offset) };

  function openTag(raw: string): void {
    const name = /^[^\s>/]*/.exec(raw)?.[0].toLowerCase() ?? "";
    if (!Object.hasOwn(ENTITY_OF_TAG, name)) {
      throw new UnreadableHtml(`Unsupported start tag "${name}" at byte offset ${at}`);
    }
    if (name === "span" && !/class\s*=\s*["']?tg-spoiler/.test(raw)) {
      throw new UnreadableHtml(`Tag "span" must have class "tg-spoiler" at byte offset ${at}`);
    }
    const href = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i.exec(raw);
    open.push({ name, offset: text.length, url: href?.[1] ?? href?.[2] ?? href?.[3] });
  }

  function closeTag(name: string): void {
    const tag = open.pop();
    if (tag === undefined) throw new UnreadableHtml(`Unexpected end tag at byte offset ${at}`);
    if (name !== "" && tag.name !== name) {
      throw new UnreadableHtml(`Unmatched end tag at byte offset ${at}, expected "</${tag.name}>", found "</${name}>"`);
    }
    const length = text.length - tag.offset;
    const type = ENTITY_OF_TAG[tag.name] ?? "";
    if (length > 0) {
      entities.push({ type, offset: tag.offset, length, ...(tag.url === undefined ? {} : { url: tag.url }) });
    }
  }
}

function characterOf(name: string): string | undefined {
  if (!name.startsWith("#")) return CHARACTERS[name];
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

function endOfTag(html: string, from: number): number {
  let quote = "";
  for (let at = from + 1; at < html.length; at += 1) {
    const character = html.charAt(at);
    if (quote !== "") {
      if (character === quote) quote = "";
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (character === ">") {
      return at + 1;
    }
  }
  throw new UnreadableHtml(`Unclosed start tag at byte offset ${from}`);
}
