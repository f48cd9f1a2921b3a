import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import fc from "fast-check";
import { toTelegramHtml } from "../../../adapters/telegram/html.ts";
import { parseTelegramHtml } from "../../../adapters/emulator/telegram-stand-in-html.ts";

const SEED = 20261121;

describe("toTelegramHtml()", () => {
  it("leaves Telegram's own HTML as it is", () => {
    const own = [
      "<b>bold</b> and <i>italic <u>both</u></i>\nnext line",
      '<a href="https://example.org/?a=1&amp;b=2">a link</a>',
      '<pre><code class="language-ts">const a = 1 &lt; 2;</code></pre>',
      '<span class="tg-spoiler">hidden</span><tg-spoiler>too</tg-spoiler>',
      '<tg-emoji emoji-id="5368324170671202286">👍</tg-emoji>',
      "<s>a</s><strike>b</strike><del>c</del><ins>d</ins><em>e</em><strong>f</strong>",
      '<a href="tg://user?id=123456789">mention</a> &#128512;',
    ];
    for (const html of own) assert.equal(toTelegramHtml(html), html);
    assert.equal(
      toTelegramHtml("<blockquote>quoted</blockquote>\n<blockquote expandable>long</blockquote>"),
      "<blockquote>quoted</blockquote>\n<blockquote expandable>long</blockquote>",
    );
  });

  it("makes lines of a document", () => {
    const mail = `<!doctype html><html><head><title>x</title><style>p { color: red }</style></head><body>
      <h1>Disk  usage</h1>
      <p>It is at <b>95&nbsp;%</b>
         on <em>db-1</em>.</p>
      <ul>
        <li>one</li>
        <li>two<ol><li>deep</li><li>deeper</li></ol></li>
      </ul>
      <hr>
      <table><tr><th>name</th><td>value</td></tr><tr><td>a</td><td>b</td></tr></table>
      <p>see <a href="https://example.org">there</a><br>or <img src="x.png" alt="a picture"> not</p>
      <script>alert("no")</script>
    </body></html>`;
    const shown = toTelegramHtml(mail);
    assert.equal(
      parseTelegramHtml(shown).text.trim(),
      [
        "Disk usage",
        "",
        "It is at 95\u00a0% on db-1.",
        "",
        "• one",
        "• two",
        "",
        "  1. deep",
        "  2. deeper",
        "",
        "———",
        "",
        "name value",
        "a b",
        "",
        "see there",
        "or a picture not",
      ].join("\n"),
    );
    assert.match(shown, /<b>Disk usage<\/b>/);
    assert.doesNotMatch(shown, /alert|color|<p|<h1/);
  });

  it("drops what Telegram would refuse and keeps what is read", () => {
    assert.equal(toTelegramHtml("<font color=red>x</font><blink>y</blink>"), "xy");
    assert.equal(toTelegramHtml('<a href="javascript:alert(1)">x</a><a href="/relative">y</a><a>z</a>'), "xyz");
    assert.equal(toTelegramHtml("<b>open"), "<b>open</b>");
    assert.equal(toTelegramHtml("<b><i>x</b></i>"), "<b><i>x</i></b>");
    assert.equal(toTelegramHtml("1 < 2 & 3 > 2 &hellip; &unknown;"), "1 &lt; 2 &amp; 3 &gt; 2 … &amp;unknown;");
    assert.equal(toTelegramHtml('<span class="other">x</span>'), "x");
  });

  it(`gives what Telegram takes, for 10,000 random texts (seed ${SEED})`, () => {
    const piece = fc.constantFrom(
      ...[
        "a ",
        "<",
        ">",
        "&",
        '"',
        "'",
        "\n",
        "&amp;",
        "&lt;",
        "&nbsp;",
        "&#128512;",
        "&#0;",
        "&x;",
        "😀",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
      ],
      ...[
        "<a href='https://x.org/?\"'>",
        "<a href=http://x.org/&lt;>",
        "</a>",
        "<pre>",
        "</pre>",
        "<code>",
        "</code>",
        "<p>",
        "</p>",
        "<div>",
      ],
      ...[
        "</div>",
        "<ul>",
        "<li>",
        "</ul>",
        "<h2>",
        "</h2>",
        "<br>",
        "<hr/>",
        "<table>",
        "<td>",
        "</table>",
        "<span class=tg-spoiler>",
        "</span>",
      ],
      ...[
        "<script>",
        "</script>",
        "<!-- x -->",
        "<blockquote expandable>",
        "</blockquote>",
        "<tg-emoji emoji-id='1'>",
        "</tg-emoji>",
        "<x y='",
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const shown = toTelegramHtml(pieces.join(""));
        const { text } = parseTelegramHtml(shown);
        assert.ok(!text.includes("<script"));
      }),
      { numRuns: 10_000, seed: SEED },
    );
  });

  it("takes time in proportion to the text", () => {
    for (
      const html of [
        "<p>".repeat(50_000),
        "<li>x".repeat(30_000),
        "<b ".repeat(50_000),
        "<a href='x".repeat(30_000),
        "<b>".repeat(20_000),
      ]
    ) {
      assert.ok(toTelegramHtml(html).length >= 0);
    }
  });
});
