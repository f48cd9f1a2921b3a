/**
 * The plain text of an HTML message, for readers and filters that want one.
 *
 * @module
 */

/** Elements whose content nobody is meant to read. */
const HIDDEN: ReadonlySet<string> = new Set(["script", "style", "head", "title", "template", "noscript", "svg"]);
/** Elements that start on a line of their own. */
const BLOCK: ReadonlySet<string> = new Set(
  ("address article aside blockquote dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li " +
    "main nav ol p pre section table tbody tfoot thead tr ul").split(" "),
);
/** Block elements with an empty line around them. */
const SPACED: ReadonlySet<string> = new Set([
  "p",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "ul",
  "ol",
  "table",
  "blockquote",
]);

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  copy: "©",
  reg: "®",
  euro: "€",
  laquo: "«",
  raquo: "»",
  bull: "•",
  middot: "·",
  times: "×",
  rarr: "→",
  larr: "←",
};

/**
 * Takes the text out of HTML: one pass, time proportional to its length, no parser that could be surprised. Block
 * elements become lines, list items get a dash, links keep their address in brackets, scripts and styles vanish.
 *
 * @param html Any HTML; what is malformed is taken as text.
 * @returns Plain text, without a line break at its ends.
 *
 * @example
 * ```ts
 * import { htmlToText } from "posthorn";
 *
 * console.log(htmlToText('<p>Disk <b>95 %</b>: <a href="https://example.com">graph</a></p>'));
 * // Disk 95 %: graph (https://example.com)
 * ```
 */
export function htmlToText(html: string): string {
  const out = new TextWriter();
  const links: string[] = [];
  let position = 0;
  while (position < html.length) {
    const open = html.indexOf("<", position);
    if (open < 0) {
      out.text(html.slice(position));
      break;
    }
    out.text(html.slice(position, open));
    position = skipTag(html, open, out, links);
  }
  return out.finish();
}

/** Handles what starts at a `<` and gives the position after it. */
function skipTag(html: string, open: number, out: TextWriter, links: string[]): number {
  if (html.startsWith("<!--", open)) {
    const end = html.indexOf("-->", open + 4);
    return end < 0 ? html.length : end + 3;
  }
  const next = html[open + 1] ?? "";
  if (!/[A-Za-z/!?]/.test(next)) {
    out.text("<");
    return open + 1;
  }
  const close = endOfTag(html, open + 1);
  if (close < 0) return html.length;
  const isEnd = next === "/";
  const start = open + (isEnd ? 2 : 1);
  const tag = html.slice(start, close);
  const name = /^[A-Za-z][A-Za-z0-9]{0,30}/.exec(tag)?.[0].toLowerCase() ?? "";
  if (!isEnd && HIDDEN.has(name) && !tag.endsWith("/")) {
    return endOfElement(html, close + 1, name);
  }
  applyTag(name, isEnd, tag, out, links);
  return close + 1;
}

/** Where the `>` is that ends a tag, past those in quoted attribute values. */
function endOfTag(html: string, from: number): number {
  let quote = "";
  for (let index = from; index < html.length; index++) {
    const character = html[index];
    if (quote !== "") {
      if (character === quote) quote = "";
    } else if (character === '"' || character === "'") {
      if (html[index - 1] === "=") quote = character;
    } else if (character === ">") {
      return index;
    }
  }
  // A quote that is never closed: the tag ends at the next bracket after all.
  return quote === "" ? -1 : html.indexOf(">", from);
}

function endOfElement(html: string, from: number, name: string): number {
  let position = from;
  for (;;) {
    const end = html.indexOf("</", position);
    if (end < 0) return html.length;
    if (html.slice(end + 2, end + 2 + name.length).toLowerCase() === name) {
      const close = html.indexOf(">", end);
      return close < 0 ? html.length : close + 1;
    }
    position = end + 2;
  }
}

function applyTag(name: string, isEnd: boolean, tag: string, out: TextWriter, links: string[]): void {
  if (name === "br") {
    out.line();
  } else if (name === "a") {
    if (!isEnd) links.push(hrefOf(tag));
    else out.link(links.pop() ?? "");
  } else if (name === "td" || name === "th") {
    if (isEnd) out.text(" ");
  } else if (BLOCK.has(name)) {
    out.block(SPACED.has(name));
    if (name === "li" && !isEnd) out.text("- ");
    if (name === "hr") out.rule();
  }
}

function hrefOf(tag: string): string {
  const value = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(tag.slice(0, 4_000));
  const address = decodeEntities(value?.[1] ?? value?.[2] ?? value?.[3] ?? "")
    .trim();
  return /^(?:https?:|mailto:|tel:)/i.test(address) ? address : "";
}

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z]{2,10}));/g,
    (whole, decimal, hex, name) => {
      if (name !== undefined) {
        return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] ?? whole : whole;
      }
      const point = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      const isCharacter = point >= 0x20 && point <= 0x10_ffff &&
        !(point >= 0x7f && point < 0xa0) &&
        !(point >= 0xd800 && point < 0xe000);
      return isCharacter ? String.fromCodePoint(point) : point === 9 || point === 10 ? " " : "\ufffd";
    },
  );
}

/** Collapses white space as a browser does, and puts lines where block elements start. */
class TextWriter {
  readonly #lines: string[] = [];
  #line = "";
  #wantsSpace = false;

  text(raw: string): void {
    if (raw === "") return;
    const text = decodeEntities(raw);
    const collapsed = text.replace(/[ \t\r\n\f\u00a0]+/g, " ");
    if (collapsed === " ") {
      this.#wantsSpace = true;
      return;
    }
    const needsSpace = (this.#wantsSpace || collapsed.startsWith(" ")) &&
      this.#line !== "" &&
      !this.#line.endsWith(" ");
    this.#line += `${needsSpace ? " " : ""}${collapsed.trim()}`;
    this.#wantsSpace = collapsed.endsWith(" ");
  }

  link(address: string): void {
    if (
      address === "" || this.#line.endsWith(address) ||
      this.#line.endsWith(address.replace(/^mailto:/i, ""))
    ) return;
    this.#line += `${this.#line === "" ? "" : " "}(${address})`;
  }

  line(): void {
    this.#lines.push(this.#line.trimEnd());
    this.#line = "";
    this.#wantsSpace = false;
  }

  rule(): void {
    this.#line = "---";
    this.line();
  }

  block(spaced: boolean): void {
    if (this.#line !== "") this.line();
    if (spaced && this.#lines.length > 0 && this.#lines.at(-1) !== "") {
      this.#lines.push("");
    }
  }

  finish(): string {
    if (this.#line !== "") this.line();
    return this.#lines.join("\n").replace(/\n{3,}/g, "\n\n").trim();
  }
}
