/**
 * The pieces of an HTML text: tags, entities and the text between them, in the order they stand.
 *
 * A lenient reader for the small HTML that chat networks take. It finds where things begin and end; what a tag means is
 * for others to say.
 *
 * @module
 */

/** One piece. The pieces' `raw` put together are the whole text. */
export type HtmlToken =
  | { readonly type: "text"; readonly raw: string }
  | {
    readonly type: "entity";
    readonly raw: string;
    /** The character it stands for; absent when it is none of `&lt; &gt; &amp; &quot;` and no number. */
    readonly decoded?: string;
  }
  | {
    readonly type: "open" | "close" | "void";
    readonly raw: string;
    /** The tag's name in lower case. */
    readonly name: string;
  }
  | {
    /** A comment or a declaration such as `<!doctype html>`. */
    readonly type: "comment";
    readonly raw: string;
  };

const VOID_TAGS: ReadonlySet<string> = new Set([
  "area",
  "base",
  "br",
  "col",
  "embed",
  "hr",
  "img",
  "input",
  "link",
  "meta",
  "source",
  "track",
  "wbr",
]);

const NAMED: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"' };

const ENTITY = /&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});/y;
const DECLARATION = /<![a-zA-Z][^<>]*>/y;
const TAG_START = /<(\/?)([a-zA-Z][a-zA-Z0-9]*(?:-[a-zA-Z0-9]+)*)(?=[\s/>])/y;

/**
 * Reads a text into its pieces. It takes time in proportion to the text's length, whatever is in it, and throws for
 * nothing: a `<` that begins no tag and a `&` that begins no entity are text.
 *
 * @param html The text.
 * @returns Its pieces.
 *
 * @example
 * ```ts
 * import { tokenizeHtml } from "posthorn";
 *
 * console.log([...tokenizeHtml("<b>1 &lt; 2</b>")].map((token) => token.raw)); // ["<b>", "1 ", "&lt;", " 2", "</b>"]
 * ```
 */
export function* tokenizeHtml(html: string): Generator<HtmlToken, void, undefined> {
  let textFrom = 0;
  let at = 0;
  // Where the last comment can begin: looked up once, so that many unfinished ones cost nothing.
  const lastComment = html.lastIndexOf("-->");
  while (at < html.length) {
    const code = html.charCodeAt(at);
    const token = code === 0x3c ? tagAt(html, at, lastComment) : code === 0x26 ? entityAt(html, at) : undefined;
    if (token === undefined) {
      at += 1;
      continue;
    }
    if (at > textFrom) yield { type: "text", raw: html.slice(textFrom, at) };
    yield token;
    at += token.raw.length;
    textFrom = at;
  }
  if (at > textFrom) yield { type: "text", raw: html.slice(textFrom, at) };
}

function entityAt(html: string, at: number): HtmlToken | undefined {
  ENTITY.lastIndex = at;
  const raw = ENTITY.exec(html)?.[0];
  if (raw === undefined) return undefined;
  const decoded = raw.charAt(1) === "#" ? decodeNumber(raw) : NAMED[raw];
  return decoded === undefined ? { type: "entity", raw } : { type: "entity", raw, decoded };
}

function decodeNumber(raw: string): string | undefined {
  const isHex = /^&#[xX]/.test(raw);
  const code = Number.parseInt(raw.slice(isHex ? 3 : 2, -1), isHex ? 16 : 10);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return String.fromCodePoint(code);
}

function tagAt(html: string, at: number, lastComment: number): HtmlToken | undefined {
  if (html.startsWith("<!--", at)) {
    if (lastComment < at + 4) return undefined;
    return { type: "comment", raw: html.slice(at, html.indexOf("-->", at + 4) + 3) };
  }
  DECLARATION.lastIndex = at;
  const declaration = DECLARATION.exec(html)?.[0];
  if (declaration !== undefined) return { type: "comment", raw: declaration };
  TAG_START.lastIndex = at;
  const start = TAG_START.exec(html);
  if (start === null) return undefined;
  const end = endOfTag(html, TAG_START.lastIndex);
  if (end < 0) return undefined;
  const raw = html.slice(at, end);
  const name = (start[2] ?? "").toLowerCase();
  if (start[1] === "/") return { type: "close", raw, name };
  return { type: VOID_TAGS.has(name) || raw.endsWith("/>") ? "void" : "open", raw, name };
}

/**
 * Where the tag ends: behind the first `>` outside quotes. A `<` outside quotes says that there is no tag. Of all the
 * places a scan may begin at, at most three scans run over the same characters (each quote mark permutes the three
 * states a scan can be in), so that no text makes this slow.
 */
function endOfTag(html: string, from: number): number {
  let quote = 0;
  for (let at = from; at < html.length; at += 1) {
    const code = html.charCodeAt(at);
    if (quote !== 0) {
      if (code === quote) quote = 0;
    } else if (code === 0x22 || code === 0x27) {
      quote = code;
    } else if (code === 0x3e) {
      return at + 1;
    } else if (code === 0x3c) {
      return -1;
    }
  }
  return -1;
}
