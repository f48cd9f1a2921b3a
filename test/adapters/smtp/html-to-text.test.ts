import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { htmlToText } from "../../../adapters/smtp/html-to-text.ts";

const ROWS: readonly (readonly [html: string, text: string])[] = [
  ["", ""],
  ["plain", "plain"],
  ["<p>One</p><p>Two</p>", "One\n\nTwo"],
  ["<div>One</div><div>Two</div>", "One\nTwo"],
  ["One<br>Two<br/>Three", "One\nTwo\nThree"],
  ["a   b\n\t c", "a b c"],
  ["a<b> b </b>c", "a b c"],
  ["<ul><li>One</li><li>Two</li></ul>", "- One\n- Two"],
  ["<h1>Alert</h1>Disk", "Alert\n\nDisk"],
  ["<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"],
  ["&lt;b&gt; &amp; &quot;x&quot; &#65;&#x42; &nbsp;&euro; &unknown;", '<b> & "x" AB € &unknown;'],
  ["&amp;lt;script&amp;gt;", "&lt;script&gt;"],
  ["&#0;&#xD800;&#x110000;&#27;", "\ufffd\ufffd\ufffd\ufffd"],
  ['<a href="https://example.com/?a=1&amp;b=2">graph</a>', "graph (https://example.com/?a=1&b=2)"],
  ["<a href='https://example.com'>https://example.com</a>", "https://example.com"],
  ['<a href="mailto:ann@example.com">ann@example.com</a>', "ann@example.com"],
  ['<a href="javascript:alert(1)">click</a>', "click"],
  ["<style>p{color:red}</style><script>alert('</p>')</script><title>x</title>ok", "ok"],
  ["a<!-- <p>hidden</p> -->b", "ab"],
  ["a <!-- never closed <p>", "a"],
  ["1 < 2 and 3 > 2", "1 < 2 and 3 > 2"],
  ['<img alt="a > b">after', "after"],
  ["<script>never closed", ""],
  ["<p", ""],
  ["<>x", "<>x"],
  ["<p>One<hr>Two", "One\n---\nTwo"],
  ["<constructor>x</constructor>&constructor;", "x&constructor;"],
];

describe("htmlToText()", () => {
  for (const [html, text] of ROWS) {
    it(`reads ${JSON.stringify(html).slice(0, 70)}`, () => assert.equal(htmlToText(html), text));
  }

  it("takes a time that grows no faster than the text, whatever the text", () => {
    const pieces = [
      "<",
      "<a ",
      '<a ="',
      "<!--",
      "&",
      "&#",
      "<p>",
      "</",
      "<script>",
      "<a href=",
      "<a href='x",
      " ",
      "<a\n=",
    ];
    for (const piece of pieces) htmlToText(piece.repeat(100_000));
  });
});
