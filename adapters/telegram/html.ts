/**
 * The HTML that Telegram takes, from any HTML.
 *
 * Telegram knows a dozen tags and refuses a message with any other. A message whose HTML was written for mail would
 * never arrive; so what Telegram has no tag for is said with what it has.
 *
 * @module
 */
import { escapeHtml, type HtmlToken, tokenizeHtml } from "../../core/mod.ts";

/** Tags that stay, without their attributes. Source: core.telegram.org/bots/api#html-style. */
const PLAIN_TAGS: ReadonlySet<string> = new Set([
  "b",
  "strong",
  "i",
  "em",
  "u",
  "ins",
  "s",
  "strike",
  "del",
  "code",
  "pre",
  "blockquote",
  "tg-spoiler",
]);

/** Tags that begin and end a line, with the line breaks they ask for around them. */
const BLOCKS: Readonly<Record<string, number>> = {
  address: 1,
  article: 2,
  aside: 2,
  body: 1,
  dd: 1,
  div: 1,
  dl: 2,
  dt: 1,
  fieldset: 2,
  figure: 2,
  figcaption: 1,
  footer: 2,
  form: 2,
  h1: 2,
  h2: 2,
  h3: 2,
  h4: 2,
  h5: 2,
  h6: 2,
  header: 2,
  html: 1,
  li: 1,
  main: 1,
  nav: 2,
  ol: 2,
  p: 2,
  section: 2,
  table: 2,
  tbody: 1,
  tfoot: 1,
  thead: 1,
  tr: 1,
  ul: 2,
};

/** Tags whose content is not for reading. */
const HIDDEN: ReadonlySet<string> = new Set(["head", "noscript", "script", "style", "svg", "template", "title"]);

/** Entities that people write and Telegram does not know. */
const NAMED: Readonly<Record<string, string>> = {
  "&apos;": "'",
  "&bull;": "•",
  "&cent;": "¢",
  "&copy;": "©",
  "&darr;": "↓",
  "&deg;": "°",
  "&euro;": "€",
  "&frac12;": "½",
  "&hellip;": "…",
  "&laquo;": "«",
  "&larr;": "←",
  "&ldquo;": "“",
  "&lsquo;": "‘",
  "&mdash;": "—",
  "&middot;": "·",
  "&minus;": "−",
  "&nbsp;": "\u00a0",
  "&ndash;": "–",
  "&para;": "¶",
  "&plusmn;": "±",
  "&pound;": "£",
  "&raquo;": "»",
  "&rarr;": "→",
  "&rdquo;": "”",
  "&reg;": "®",
  "&rsquo;": "’",
  "&sect;": "§",
  "&shy;": "\u00ad",
  "&times;": "×",
  "&trade;": "™",
  "&uarr;": "↑",
  "&yen;": "¥",
};

const ATTRIBUTE = /([a-zA-Z_:][-a-zA-Z0-9_:.]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g;
const LINK_PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "mailto:", "tel:", "tg:"]);
const HTML_SPACE = /[ \t\r\n\f]+/g;

/**
 * Turns any HTML into the HTML Telegram takes.
 *
 * HTML that is Telegram's already comes back as it was, line breaks included. HTML with paragraphs, lists, tables and
 * the like becomes lines: white space counts as it does in a browser, headings turn bold, list items get a bullet or a
 * number. Other tags go, and what stands in them stays. Tags end up balanced and characters escaped, so that Telegram
 * cannot refuse them.
 *
 * @param html Any HTML.
 * @returns Telegram's HTML.
 */
export function toTelegramHtml(html: string): string {
  const tokens = [...tokenizeHtml(html)];
  const isDocument = tokens.some((token) => token.type === "open" && BLOCKS[token.name] !== undefined);
  const writer = new TelegramHtmlWriter(isDocument);
  for (const token of tokens) writer.take(token);
  return writer.end();
}

interface OpenElement {
  /** The name in the source. */
  readonly name: string;
  /** What ends it in the output; `""` when nothing was written for it. */
  readonly close: string;
}

interface List {
  readonly ordered: boolean;
  count: number;
}

class TelegramHtmlWriter {
  /** Whether white space collapses, as in a document, or counts, as in a message. */
  readonly #isDocument: boolean;
  readonly #open: OpenElement[] = [];
  readonly #lists: List[] = [];
  readonly #written: string[] = [];
  /** Line breaks asked for, written before the next text. */
  #breaks = 0;
  /** Whether something to read was written. */
  #hasText = false;
  #endsInSpace = true;
  #hidden: string | undefined;

  constructor(isDocument: boolean) {
    this.#isDocument = isDocument;
  }

  take(token: HtmlToken): void {
    if (this.#hidden !== undefined) {
      if (token.type === "close" && token.name === this.#hidden) this.#hidden = undefined;
      return;
    }
    switch (token.type) {
      case "text":
        return this.#text(token.raw);
      case "entity":
        return this.#entity(token.raw, token.decoded);
      case "open":
        return this.#openTag(token.name, token.raw);
      case "close":
        return this.#closeTag(token.name);
      case "void":
        return this.#voidTag(token.name, token.raw);
      case "comment":
        return;
    }
  }

  end(): string {
    for (const { close } of this.#open.toReversed()) this.#written.push(close);
    return this.#written.join("");
  }

  #text(raw: string): void {
    if (!this.#isDocument || this.#isIn("pre")) return this.#write(escapeHtml(raw));
    const collapsed = raw.replace(HTML_SPACE, " ");
    const text = this.#endsInSpace || this.#breaks > 0 ? collapsed.replace(/^ /, "") : collapsed;
    if (text !== "") this.#write(escapeHtml(text));
    this.#endsInSpace = collapsed.endsWith(" ");
  }

  #entity(raw: string, decoded: string | undefined): void {
    this.#write(decoded === undefined ? escapeHtml(NAMED[raw] ?? raw) : raw);
    this.#endsInSpace = false;
  }

  /** Writes what is read, and before it the line breaks that were due. */
  #write(text: string): void {
    if (this.#breaks > 0 && this.#hasText) {
      const last = this.#written.pop() ?? "";
      this.#written.push(last.endsWith(" ") ? last.slice(0, -1) : last, "\n".repeat(this.#breaks));
    }
    this.#breaks = 0;
    this.#written.push(text);
    this.#hasText = true;
    this.#endsInSpace = false;
  }

  #openTag(name: string, raw: string): void {
    if (HIDDEN.has(name)) {
      this.#hidden = name;
      return;
    }
    const breaks = BLOCKS[name];
    if (breaks !== undefined) return this.#openBlock(name, breaks);
    if ((name === "td" || name === "th") && !this.#endsInSpace && this.#breaks === 0) this.#write(" ");
    const tag = this.#telegramTag(name, raw);
    // A break that is due stands before the tag, not inside it.
    if (tag !== "" && this.#breaks > 0) this.#write("");
    this.#written.push(tag);
    this.#open.push({ name, close: tag === "" ? "" : `</${/^<([a-z-]+)/.exec(tag)?.[1] ?? name}>` });
  }

  #openBlock(name: string, breaks: number): void {
    this.#breaks = Math.max(this.#breaks, breaks);
    const isHeading = /^h[1-6]$/.test(name);
    if (name === "ul" || name === "ol") this.#lists.push({ ordered: name === "ol", count: 0 });
    if (name === "li") {
      const list = this.#lists.at(-1);
      if (list !== undefined) list.count += 1;
      this.#write(`${"  ".repeat(Math.max(0, this.#lists.length - 1))}${list?.ordered ? `${list.count}.` : "•"} `);
      this.#endsInSpace = true;
    }
    if (isHeading) {
      this.#write("");
      this.#written.push("<b>");
    }
    this.#open.push({ name, close: isHeading ? "</b>" : "" });
  }

  #closeTag(name: string): void {
    const place = this.#open.findLastIndex((element) => element.name === name);
    if (place < 0) {
      if (name === "p") this.#breaks = Math.max(this.#breaks, 2);
      return;
    }
    for (const element of this.#open.splice(place).toReversed()) {
      this.#written.push(element.close);
      if (element.name === "ul" || element.name === "ol") this.#lists.pop();
      const breaks = BLOCKS[element.name];
      if (breaks !== undefined && this.#hasText) this.#breaks = Math.max(this.#breaks, breaks);
    }
  }

  #voidTag(name: string, raw: string): void {
    if (name === "br") {
      if (this.#isDocument) this.#breaks += 1;
      else this.#write("\n");
    } else if (name === "hr") {
      this.#breaks = Math.max(this.#breaks, 1);
      this.#write("———");
      this.#breaks = 1;
    } else if (name === "img") {
      const alt = attributesOf(raw).get("alt");
      if (alt !== undefined && alt !== "") this.#write(escapeHtml(alt));
    }
  }

  #telegramTag(name: string, raw: string): string {
    if (name === "blockquote") return attributesOf(raw).has("expandable") ? "<blockquote expandable>" : "<blockquote>";
    if (name === "code") {
      const language = /^language-[\w+#.-]{1,64}$/.exec(attributesOf(raw).get("class") ?? "")?.[0];
      return language === undefined ? "<code>" : `<code class="${language}">`;
    }
    if (PLAIN_TAGS.has(name)) return `<${name}>`;
    if (name === "span") return attributesOf(raw).get("class") === "tg-spoiler" ? '<span class="tg-spoiler">' : "";
    if (name === "tg-emoji") {
      const id = attributesOf(raw).get("emoji-id") ?? "";
      return /^\d{1,20}$/.test(id) ? `<tg-emoji emoji-id="${id}">` : "";
    }
    if (name === "a" && !this.#isIn("a")) {
      const href = attributesOf(raw).get("href")?.trim() ?? "";
      const isLink = URL.canParse(href) && LINK_PROTOCOLS.has(new URL(href).protocol);
      return isLink ? `<a href="${escapeHtml(href)}">` : "";
    }
    return "";
  }

  #isIn(name: string): boolean {
    return this.#open.some((element) => element.name === name && element.close !== "");
  }
}

/** The attributes of a tag, by name in lower case, decoded; the first of a name counts. */
function attributesOf(raw: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  const inner = raw.replace(/^<[^\s/>]+/, "").replace(/\/?>$/, "");
  for (const [, name = "", double, single, bare] of inner.matchAll(ATTRIBUTE)) {
    const key = name.toLowerCase();
    if (!attributes.has(key)) attributes.set(key, decodeAttribute(double ?? single ?? bare ?? ""));
  }
  return attributes;
}

function decodeAttribute(value: string): string {
  let decoded = "";
  for (const token of tokenizeHtml(value)) {
    decoded += token.type === "entity" ? token.decoded ?? NAMED[token.raw] ?? token.raw : token.raw;
  }
  return decoded;
}
