/**
 * The emulator's page: one document with everything in it.
 *
 * @module
 */
import { PAGE_SCRIPT } from "./page-script.ts";
import { PAGE_STYLE } from "./page-style.ts";

/** What the page is told. */
export interface PageConfig {
  /** Where its events come from. */
  readonly events: string;
  /** Where conversations are opened and listed. */
  readonly conversations: string;
  /** Where it sends what is typed. */
  readonly webhook: string;
  /** The longest text of a message. */
  readonly maxTextLength: number;
}

/**
 * The page.
 *
 * @param config What it is told. None of it comes from a user.
 * @param nonce What marks its own script and style, fresh for every answer.
 */
export function emulatorPage(config: PageConfig, nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Posthorn emulator</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${PAGE_STYLE}</style>
</head>
<body data-config="${escapeAttribute(JSON.stringify(config))}">
<header class="brand">
<svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" aria-hidden="true">
<path d="M3 8h13a8 8 0 1 1-8 8"/><path d="M16 8c5 0 8-1 12-5v12c-3-3-6-4-9-4.4"/><path d="M3 5.6v4.8"/>
</svg>
<div><h1>Posthorn</h1><p>emulator</p></div>
</header>
<div class="head"><h2 id="title" dir="auto">…</h2><p class="link" id="link" role="status" data-state="busy">Connecting…</p></div>
<nav class="side" aria-labelledby="conversations">
<h2 id="conversations">Conversations</h2>
<ul class="list" id="list"></ul>
<form class="opener" id="opener" autocomplete="off">
<label for="name">Open by name</label>
<div><input id="name" list="names" maxlength="64" autocapitalize="off" spellcheck="false" placeholder="name" dir="auto">
<button>Open</button></div>
<datalist id="names"></datalist>
</form>
<p class="fault" id="open-fault" role="alert"></p>
<a class="tab" id="tab" target="_blank" rel="noopener">New conversation in a new tab</a>
</nav>
<main class="main">
<div class="log" id="log" role="log" aria-live="polite" aria-relevant="additions" tabindex="0">
<div class="empty" id="empty"><strong>Nothing has been said yet</strong>Type below. What the program answers appears here, each message with its state.</div>
<ol id="messages"></ol>
</div>
<button class="jump" id="jump" type="button" hidden>New messages ↓</button>
<div class="composer">
<form id="form" autocomplete="off">
<label class="quiet" for="text">Message</label>
<textarea id="text" rows="1" placeholder="Message" dir="auto" enterkeyhint="send" aria-describedby="hint"></textarea>
<button>Send</button>
</form>
<p class="hint"><span id="hint">Enter sends, Shift+Enter starts a new line, Alt+↑↓ changes the conversation.</span>
<span class="fault" id="fault" role="alert"></span></p>
</div>
</main>
<noscript><p class="fault">This page needs JavaScript.</p></noscript>
<script nonce="${nonce}">${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

/**
 * The policy the page is served with: its own script and style, its own origin, and nothing else.
 *
 * @param nonce As given to {@link emulatorPage}.
 */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
