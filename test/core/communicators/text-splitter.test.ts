import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import { tokenizeHtml } from "../../../core/communicators/html-tokens.ts";
import { escapeHtml, htmlToText, splitText } from "../../../core/communicators/text-splitter.ts";
import { ValidationError } from "../../../core/errors.ts";

const SEED = 20261121;
const LONG_TEST_MS = 240_000;

/** What a reader has to keep whole, and what makes it hard. */
const PIECES = [
  "a",
  "word ",
  "Zürich ",
  "\n",
  "\n\n",
  "\r\n",
  " ",
  "\t",
  "\u00a0",
  "😀",
  "👨‍👩‍👧‍👦",
  "👍🏽",
  "🇨🇭",
  "🇩🇪🇫🇷",
  "1️⃣",
  "e\u0301",
  "क्षि",
  "مرحبا ",
  "\u200fשלום ",
  "한국어",
  "각",
  "中文字",
  "\u2028",
  "\u200d",
  "\ufe0f",
  "longwordwithoutanyspace",
  "&",
  "<",
  ">",
  '"',
  "'",
] as const;

const TAG_PIECES = [
  "<b>",
  "</b>",
  "<i>",
  "</i>",
  "<u>",
  "</u>",
  '<a href="https://example.org/?a=1&amp;b=>">',
  "<a href='x'>",
  "</a>",
  '<pre><code class="language-js">',
  "</code></pre>",
  "<br>",
  "<br/>",
  "<!-- a > b -->",
  "<!doctype html>",
  "<!x",
  "<!--",
  "-->",
  "&lt;",
  "&amp;",
  "&quot;",
  "&#128512;",
  "&#x1F468;&#x200D;&#x1F469;",
  "&hellip;",
  "&nosuchentity;",
  "&#0;",
  "<3",
  "a<b",
  "<b",
  "</ b>",
  "<a b='",
] as const;

const plainText: fc.Arbitrary<string> = fc.array(
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...PIECES) }, {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 6 }),
  }),
  { maxLength: 40 },
).map((pieces) => pieces.join(""));

const htmlText: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...PIECES) },
    { weight: 4, arbitrary: fc.constantFrom(...TAG_PIECES) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 4 }) },
  ),
  { maxLength: 40 },
).map((pieces) => pieces.join(""));

/** The smallest part must hold the longest character of PIECES, or cutting it would be right. */
const limit = fc.integer({ min: 16, max: 90 });

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** An independent reader of HTML: one regular expression and a stack, nothing shared with the code under test. */
function readIndependently(html: string): { readonly text: string; readonly balanced: boolean } {
  const piece =
    /<!--[\s\S]*?-->|<![a-zA-Z][^<>]*>|<(\/?)([a-zA-Z][a-zA-Z0-9]*(?:-[a-zA-Z0-9]+)*)(?=[\s/>])((?:[^<>"']|"[^"]*"|'[^']*')*)>|&(?:lt|gt|amp|quot|#\d{1,7}|#[xX][\da-fA-F]{1,6});|[\s\S]/g;
  const stack: string[] = [];
  let text = "";
  let balanced = true;
  for (const [raw, slash, name, rest] of html.matchAll(piece)) {
    if (raw.startsWith("<!") && raw.length > 2) continue;
    if (name !== undefined) {
      const tag = name.toLowerCase();
      if (tag === "br" || rest?.endsWith("/")) continue;
      if (slash === "") stack.push(tag);
      else if (stack.pop() !== tag) balanced = false;
      continue;
    }
    text += raw.length > 1 ? decode(raw) : raw;
  }
  return { text, balanced: balanced && stack.length === 0 };
}

function decode(entity: string): string {
  const named: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"' };
  const known = named[entity];
  if (known !== undefined) return known;
  const code = /^&#x/i.test(entity) ? Number.parseInt(entity.slice(3), 16) : Number(entity.slice(2, -1));
  const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : entity;
}

/** Where characters begin, by the platform's own segmenter over the whole text: the splitter looks at windows only. */
function characterStarts(text: string): Set<number> {
  const starts = new Set<number>([text.length]);
  for (const { index } of new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)) starts.add(index);
  return starts;
}

function longestCharacter(text: string): number {
  const starts = [...characterStarts(text)].sort((left, right) => left - right);
  return Math.max(0, ...starts.map((start, index) => start - (starts[index - 1] ?? 0)));
}

describe("splitText()", () => {
  it("keeps a text that fits as it is", () => {
    assert.deepEqual(splitText("hello", 5), ["hello"]);
    assert.deepEqual(splitText("", 5), []);
    assert.deepEqual(splitText("<b>hello</b>", 5, { format: "html" }), ["<b>hello</b>"]);
  });

  it("prefers a paragraph to a line, a line to a word, a word to a letter", () => {
    assert.deepEqual(splitText("aaaa aa\n\nbb\nbb cc", 12), ["aaaa aa\n\n", "bb\nbb cc"]);
    assert.deepEqual(splitText("aaaa aa\nbb bb cc", 12), ["aaaa aa\n", "bb bb cc"]);
    assert.deepEqual(splitText("aaaa aabb bb cc", 12), ["aaaa aabb bb", " cc"]);
    assert.deepEqual(splitText("a bcdefghijklmnop", 12), ["a ", "bcdefghijklm", "nop"]);
    assert.deepEqual(splitText("abcdefgh", 3), ["abc", "def", "gh"]);
  });

  it("does not cut at a space that forbids it", () => {
    assert.deepEqual(splitText("10\u00a0000 km away", 9), ["10\u00a0000 km", " away"]);
    assert.deepEqual(splitText("aa 10\u00a0000", 6), ["aa ", "10\u00a0000"]);
  });

  it("keeps an emoji of several code points whole", () => {
    const family = "👨‍👩‍👧‍👦";
    assert.deepEqual(splitText(`aaaa${family}bb`, 12), ["aaaa", `${family}b`, "b"]);
    assert.deepEqual(splitText("🇨🇭🇩🇪🇫🇷", 5), ["🇨🇭", "🇩🇪", "🇫🇷"]);
  });

  it("cuts a character that is longer than a part between code points", () => {
    const parts = splitText("e" + "\u0301".repeat(10), 4);
    assert.equal(parts.join(""), "e" + "\u0301".repeat(10));
    assert.ok(parts.every((part) => part.length <= 4));
    assert.deepEqual(splitText("😀😀", 3), ["😀", "😀"]);
  });

  it("closes and opens tags at a cut, in order", () => {
    assert.deepEqual(
      splitText('<b>one <a href="x">two three</a></b> four', 8, { format: "html" }),
      ['<b>one <a href="x">two </a></b>', '<b><a href="x">three</a></b> ', "four"],
    );
  });

  it("counts what is read, not the source", () => {
    assert.deepEqual(splitText("&lt;&lt;&lt;&lt;", 4, { format: "html" }), ["&lt;&lt;&lt;&lt;"]);
    assert.deepEqual(splitText("&#128512;&#128512;", 3, { format: "html" }), ["&#128512;", "&#128512;"]);
    assert.deepEqual(splitText("ab&hellip;cd", 8, { format: "html" }), ["ab", "&hellip;", "cd"]);
  });

  it("balances tags that were not", () => {
    assert.deepEqual(splitText("a</b><i>b", 10, { format: "html" }), ["a<b></b><i>b</i>"]);
    assert.deepEqual(splitText("<b><i>x</b>y</i>", 10, { format: "html" }), ["<b><i>x</i></b>y<i></i>"]);
  });

  it("refuses a limit below 2 and anything but a text", () => {
    assert.throws(() => splitText("a", 1), ValidationError);
    assert.throws(() => splitText("a", Number.NaN), ValidationError);
    // @ts-expect-error what a JavaScript caller may pass
    assert.throws(() => splitText(undefined, 10), ValidationError);
  });

  it("takes time in proportion to the text, whatever is in it", () => {
    const hostile = [
      '<a \'<a "<a "'.repeat(10_000),
      "<!--".repeat(25_000),
      "<a".repeat(50_000),
      "&".repeat(100_000),
      "<b>".repeat(30_000),
      " \u0308".repeat(50_000),
      "\u3000\u0308".repeat(50_000),
      "e" + "\u0301".repeat(100_000),
      "🇨".repeat(50_000),
    ];
    for (const text of hostile) {
      for (const format of ["text", "html"] as const) {
        const parts = splitText(text, 4096, { format });
        assert.ok(parts.length >= 1);
      }
    }
  });

  it(`gives back every text, in parts that hold whole characters: 50,000 random texts (G26, seed ${SEED})`, () => {
    fc.assert(
      fc.property(plainText, limit, (text, most) => {
        const parts = splitText(text, most);
        assert.equal(parts.join(""), text);
        const starts = characterStarts(text);
        const isCuttable = longestCharacter(text) <= most;
        let at = 0;
        for (const part of parts) {
          assert.ok(part.length > 0 && part.length <= most);
          if (text.isWellFormed()) assert.doesNotMatch(part, LONE_SURROGATE);
          at += part.length;
          if (isCuttable) assert.ok(starts.has(at), `cut inside a character at ${at}`);
        }
      }),
      { numRuns: 50_000, seed: SEED },
    );
  }, LONG_TEST_MS);

  it(
    `gives back every text, with its tags closed and opened again: 50,000 random HTML texts (G26, seed ${SEED})`,
    () => {
      fc.assert(
        fc.property(htmlText, limit, (html, most) => {
          const parts = splitText(html, most, { format: "html" });
          const expected = readIndependently(html).text;
          const read = parts.map(readIndependently);
          assert.equal(read.map(({ text }) => text).join(""), expected);
          const starts = characterStarts(expected);
          const isCuttable = longestCharacter(expected) <= most;
          let at = 0;
          for (const { text, balanced } of read) {
            assert.ok(text.length <= most);
            assert.ok(balanced, "tags are not balanced");
            if (expected.isWellFormed()) assert.doesNotMatch(text, LONE_SURROGATE);
            at += text.length;
            if (isCuttable) assert.ok(starts.has(at), `cut inside a character at ${at}`);
          }
        }),
        { numRuns: 50_000, seed: SEED },
      );
    },
    LONG_TEST_MS,
  );
});

describe("escapeHtml()", () => {
  it("knows the four characters", () => {
    assert.equal(escapeHtml(`<b>&"'</b>`), "&lt;b&gt;&amp;&quot;'&lt;/b&gt;");
  });

  it(`gives back 100,000 hostile texts: escaped, split, read again (G27, seed ${SEED})`, () => {
    fc.assert(
      fc.property(htmlText, limit, (text, most) => {
        const escaped = escapeHtml(text);
        assert.doesNotMatch(escaped, /[<>"]/);
        assert.equal(htmlToText(escaped), text);
        const parts = splitText(escaped, most, { format: "html" });
        const read = parts.map(readIndependently);
        assert.equal(read.map((part) => part.text).join(""), text);
        assert.ok(read.every((part) => part.text.length <= most));
        // The same cuts as in the plain text.
        assert.deepEqual(read.map((part) => part.text), splitText(text, most));
      }),
      { numRuns: 100_000, seed: SEED },
    );
  }, LONG_TEST_MS);
});

describe("htmlToText()", () => {
  it("leaves out tags and decodes what every network decodes", () => {
    assert.equal(htmlToText("<b>1 &lt; 2</b> &hellip; &#x41;<!-- x --> a < b & c"), "1 < 2 &hellip; A a < b & c");
  });
});

describe("tokenizeHtml()", () => {
  it("gives back the whole text", () => {
    fc.assert(
      fc.property(htmlText, (html) => {
        assert.equal([...tokenizeHtml(html)].map(({ raw }) => raw).join(""), html);
      }),
      { numRuns: 2_000, seed: SEED },
    );
  });
});
