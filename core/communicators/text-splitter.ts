/**
 * Cutting a long text into the parts a network takes.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import { assertInteger } from "../support/assert.ts";
import { tokenizeHtml } from "./html-tokens.ts";

/** How {@link splitText} reads the text. */
export interface SplitTextOptions {
  /**
   * `text`: every character counts. `html`: the parsed text counts, tags and entities stay whole, and the tags that are
   * open at a cut are closed before it and opened again behind it. @default `"text"`
   */
  readonly format?: "text" | "html";
}

/**
 * Makes text safe to put into HTML: `&`, `<`, `>` and `"` become entities, the four every network knows.
 *
 * @param text The text.
 * @returns HTML that reads as the text.
 *
 * @example
 * ```ts
 * import { escapeHtml } from "posthorn";
 *
 * console.log(escapeHtml('a < b & "c"')); // a &lt; b &amp; &quot;c&quot;
 * ```
 */
export function escapeHtml(text: string): string {
  if (!/[&<>"]/.test(text)) return text;
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/**
 * What a person reads of an HTML text: tags and comments left out, `&lt; &gt; &amp; &quot;` and numeric entities
 * decoded. Nothing is added, trimmed or collapsed. Its length is what a limit "after parsing" means.
 *
 * @param html The HTML.
 * @returns The text.
 *
 * @example
 * ```ts
 * import { htmlToText } from "posthorn";
 *
 * console.log(htmlToText("<b>1 &lt; 2</b>")); // 1 < 2
 * ```
 */
export function htmlToText(html: string): string {
  if (!/[<&]/.test(html)) return html;
  let text = "";
  for (const token of tokenizeHtml(html)) {
    if (token.type === "text") text += token.raw;
    else if (token.type === "entity") text += token.decoded ?? token.raw;
  }
  return text;
}

/**
 * Cuts a text into parts of at most `limit` UTF-16 units, in order, with nothing added, trimmed or lost: the parts put
 * together read as the text did.
 *
 * It cuts behind a paragraph, or else behind a line, or else behind a word, in the second half of a part if it can. It
 * never cuts a surrogate pair, an emoji made of several code points, a letter and its accents (unless one of these alone
 * is longer than a part), an entity or a tag.
 *
 * With `format: "html"`, tags that were never closed are closed at the end of the last part, and a closing tag that
 * closes nothing becomes an empty pair, so that every part is balanced.
 *
 * @param text The text. `""` gives no part.
 * @param limit The most UTF-16 units of a part, at least 2; in HTML, of its parsed text.
 * @param options How to read the text.
 * @returns The parts.
 * @throws {ValidationError} If the limit is less than 2 or the text is not a string.
 *
 * @example
 * ```ts
 * import { splitText } from "posthorn";
 *
 * console.log(splitText("one two three", 8)); // ["one two ", "three"]
 * console.log(splitText("<b>one two three</b>", 8, { format: "html" })); // ["<b>one two </b>", "<b>three</b>"]
 * ```
 */
export function splitText(text: string, limit: number, options: SplitTextOptions = {}): readonly string[] {
  if (typeof text !== "string") {
    throw new ValidationError("text", `Cannot split as 'text' must be a text, not ${kindOf(text)}`);
  }
  assertInteger(limit, "limit", 2);
  if (text === "") return [];
  return options.format === "html" ? splitHtml(text, limit) : splitPlain(text, limit);
}

function splitPlain(text: string, limit: number): string[] {
  const parts: string[] = [];
  let from = 0;
  while (text.length - from > limit) {
    const to = findCut(text, from, limit, undefined);
    parts.push(text.slice(from, to));
    from = to;
  }
  parts.push(text.slice(from));
  return parts;
}

interface OpenTag {
  readonly name: string;
  readonly raw: string;
}

/** A tag or comment, and where in the parsed text it stands. */
interface Mark {
  readonly at: number;
  readonly type: "open" | "close" | "void";
  readonly raw: string;
  readonly name: string;
}

/** An HTML text taken apart: what is read, where each unit of it comes from, and the tags between. */
interface ParsedHtml {
  readonly text: string;
  /** Per unit of the text: where its source begins and ends. */
  readonly begins: Uint32Array;
  readonly ends: Uint32Array;
  /** Per unit: 1 when it belongs to the same entity as the unit before. */
  readonly glued: Uint8Array;
  readonly marks: readonly Mark[];
}

function parseHtml(html: string): ParsedHtml {
  const begins = new Uint32Array(html.length);
  const ends = new Uint32Array(html.length);
  const glued = new Uint8Array(html.length);
  const marks: Mark[] = [];
  let text = "";
  let source = 0;
  for (const token of tokenizeHtml(html)) {
    const { raw, type } = token;
    if (type === "text" || type === "entity") {
      const decoded = type === "entity" ? token.decoded : undefined;
      const said = decoded ?? raw;
      for (let index = 0; index < said.length; index += 1) {
        const unit = text.length + index;
        begins[unit] = decoded === undefined ? source + index : source;
        ends[unit] = decoded === undefined ? source + index + 1 : source + raw.length;
        if (type === "entity" && index > 0) glued[unit] = 1;
      }
      text += said;
    } else {
      marks.push({
        at: text.length,
        type: type === "comment" ? "void" : type,
        raw,
        name: "name" in token ? token.name : "",
      });
    }
    source += raw.length;
  }
  return { text, begins, ends, glued, marks };
}

function splitHtml(html: string, limit: number): string[] {
  const parsed = parseHtml(html);
  const { text, glued } = parsed;
  const writer = new PartWriter(html, parsed);
  const parts: string[] = [];
  let from = 0;
  while (text.length - from > limit) {
    const to = findCut(text, from, limit, glued);
    parts.push(writer.write(from, to, false));
    from = to;
  }
  parts.push(writer.write(from, text.length, true));
  return parts;
}

/** Writes the parts of an HTML text one after another, carrying the open tags from each to the next. */
class PartWriter {
  readonly #html: string;
  readonly #parsed: ParsedHtml;
  readonly #open: OpenTag[] = [];
  #nextMark = 0;

  constructor(html: string, parsed: ParsedHtml) {
    this.#html = html;
    this.#parsed = parsed;
  }

  write(from: number, to: number, isLast: boolean): string {
    const { marks } = this.#parsed;
    let written = this.#open.map(({ raw }) => raw).join("");
    let at = from;
    for (let mark = marks[this.#nextMark]; mark !== undefined && mark.at <= to; mark = marks[this.#nextMark]) {
      // What opens at the cut belongs to the part behind it.
      if (!isLast && mark.at === to && mark.type === "open") break;
      written += this.#source(at, mark.at) + this.#take(mark);
      at = mark.at;
      this.#nextMark += 1;
    }
    written += this.#source(at, to);
    return written + this.#open.toReversed().map(({ name }) => `</${name}>`).join("");
  }

  #source(from: number, to: number): string {
    if (from >= to) return "";
    const { begins, ends } = this.#parsed;
    return this.#html.slice(begins[from], ends[to - 1]);
  }

  #take(mark: Mark): string {
    if (mark.type === "void") return mark.raw;
    if (mark.type === "open") {
      this.#open.push(mark);
      return mark.raw;
    }
    const place = this.#open.findLastIndex(({ name }) => name === mark.name);
    // Left out, it could make a tag or an entity of what stands before and behind it.
    if (place < 0) return `<${mark.name}></${mark.name}>`;
    const inner = this.#open.splice(place).slice(1);
    return inner.toReversed().map(({ name }) => `</${name}>`).join("") + mark.raw;
  }
}

/**
 * Where to cut: at most `limit` units behind `from`, and at least one. The rest is known to be longer than the limit.
 */
function findCut(text: string, from: number, limit: number, glued: Uint8Array | undefined): number {
  const bounds = new CutFinder(text, from, from + limit, glued);
  const half = from + Math.ceil(limit / 2);
  return bounds.paragraph(half) ?? bounds.line(half) ?? bounds.word(half) ??
    bounds.paragraph(from + 1) ?? bounds.line(from + 1) ?? bounds.word(from + 1) ?? bounds.anywhere();
}

const BREAKING_SPACE = /[\t\n\v\f\r \u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]/;
const NEVER_JOINS_BELOW = 0x300;

/** The places between `from` (not included) and `end` (included) where a text may be cut. */
class CutFinder {
  readonly #text: string;
  readonly #from: number;
  readonly #end: number;
  readonly #glued: Uint8Array | undefined;
  #boundaries: Uint8Array | undefined;

  constructor(text: string, from: number, end: number, glued: Uint8Array | undefined) {
    this.#text = text;
    this.#from = from;
    this.#end = end;
    this.#glued = glued;
  }

  paragraph(least: number): number | undefined {
    const text = this.#text;
    for (let cut = this.#end; cut >= least; cut -= 1) {
      if (text.charCodeAt(cut - 1) !== 0x0a) continue;
      const before = text.charCodeAt(cut - 2) === 0x0d ? cut - 3 : cut - 2;
      if (before >= this.#from && text.charCodeAt(before) === 0x0a && this.#isCut(cut)) return cut;
    }
    return undefined;
  }

  line(least: number): number | undefined {
    const isBreakNext = /^\r?\n/.test(this.#text.slice(this.#end, this.#end + 2));
    if (isBreakNext && this.#end >= least && this.#isCut(this.#end)) return this.#end;
    for (let cut = this.#end; cut >= least; cut -= 1) {
      if (this.#text.charCodeAt(cut - 1) === 0x0a && this.#isCut(cut)) return cut;
    }
    return undefined;
  }

  word(least: number): number | undefined {
    if (BREAKING_SPACE.test(this.#text.charAt(this.#end)) && this.#end >= least && this.#isCut(this.#end)) {
      return this.#end;
    }
    for (let cut = this.#end; cut >= least; cut -= 1) {
      if (BREAKING_SPACE.test(this.#text.charAt(cut - 1)) && this.#isCut(cut)) return cut;
    }
    return undefined;
  }

  /** Between two characters; when one character fills the part, between two code points; never nowhere. */
  anywhere(): number {
    for (let cut = this.#end; cut > this.#from; cut -= 1) {
      if (this.#isCut(cut)) return cut;
    }
    for (let cut = this.#end; cut > this.#from; cut -= 1) {
      if (this.#glued?.[cut] !== 1 && !this.#splitsPair(cut)) return cut;
    }
    return this.#splitsPair(this.#end) ? this.#end - 1 : this.#end;
  }

  #splitsPair(cut: number): boolean {
    const before = this.#text.charCodeAt(cut - 1);
    const after = this.#text.charCodeAt(cut);
    return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
  }

  #isCut(cut: number): boolean {
    if (this.#glued?.[cut] === 1) return false;
    const before = this.#text.charCodeAt(cut - 1);
    const after = this.#text.charCodeAt(cut);
    if (before < NEVER_JOINS_BELOW && after < NEVER_JOINS_BELOW) return before !== 0x0d || after !== 0x0a;
    this.#boundaries ??= this.#findBoundaries();
    return this.#boundaries[cut - this.#from] === 1;
  }

  /** Once per part, and only where a character may be more than one unit: segmenting is slow. */
  #findBoundaries(): Uint8Array {
    const boundaries = new Uint8Array(this.#end - this.#from + 1);
    // Two units more, so that the last boundary is judged by the whole code point behind it.
    const window = this.#text.slice(this.#from, this.#end + 2);
    for (const { index } of graphemes().segment(window)) {
      if (index < boundaries.length) boundaries[index] = 1;
    }
    return boundaries;
  }
}

let segmenter: Intl.Segmenter | undefined;

function graphemes(): Intl.Segmenter {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return segmenter;
}
