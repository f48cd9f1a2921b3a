/**
 * How the emulator's page looks.
 *
 * @module
 */

/** The style sheet. Two palettes, one layout; below 44rem the list of conversations stands above the messages. */
export const PAGE_STYLE: string = `
:root {
  color-scheme: light dark;
  --ground: #f4f2ec; --surface: #ffffff; --sunken: #ebe8df; --line: #d9d4c7; --ink: #1f1d18; --soft: #625d50;
  --accent: #8a5a00; --accent-ink: #ffffff; --mine: #fdeec8; --mine-line: #ecd59b; --theirs: #ffffff;
  --good: #1e6b3a; --bad: #b3261e; --busy: #8a5a00; --focus: #1a5fb4; --shadow: 0 1px 2px rgb(60 50 20 / .09);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #171614; --surface: #1f1e1b; --sunken: #131210; --line: #38352e; --ink: #ece8dd; --soft: #a8a192;
    --accent: #f0b73f; --accent-ink: #221a05; --mine: #3b3016; --mine-line: #5b4a22; --theirs: #27251f;
    --good: #7fd09a; --bad: #ff9b91; --busy: #f0b73f; --focus: #8ab8ff; --shadow: 0 1px 2px rgb(0 0 0 / .4);
  }
}
*, *::before, *::after { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body {
  display: grid; grid-template: auto minmax(0, 1fr) / minmax(13rem, 17rem) minmax(0, 1fr);
  grid-template-areas: "brand head" "side main"; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1, h2, p, ul, ol { margin: 0; padding: 0; }
ul, ol { list-style: none; }
button, input, textarea { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
[hidden] { display: none !important; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.brand {
  grid-area: brand; display: flex; align-items: center; gap: .6rem; padding: .75rem 1rem;
  border-block-end: 1px solid var(--line); border-inline-end: 1px solid var(--line);
}
.brand svg { width: 1.9rem; height: 1.9rem; color: var(--accent); flex: none; }
.brand h1 { font-size: 1rem; line-height: 1.2; font-weight: 650; }
.brand p { font-size: .78rem; line-height: 1.2; color: var(--soft); }

.head {
  grid-area: head; display: flex; align-items: center; justify-content: space-between; gap: 1rem; min-width: 0;
  padding: .75rem 1.25rem; border-block-end: 1px solid var(--line); background: var(--surface);
}
.head h2 { font-size: 1.05rem; font-weight: 650; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.link { display: flex; align-items: center; gap: .45rem; font-size: .85rem; color: var(--soft); white-space: nowrap; }
.link::before { content: ""; width: .6rem; height: .6rem; border-radius: 50%; background: var(--busy); flex: none; }
.link[data-state="open"]::before { background: var(--good); }
.link[data-state="closed"]::before { background: var(--bad); }
.link[data-state="closed"] { color: var(--bad); }

.side {
  grid-area: side; display: flex; flex-direction: column; gap: .75rem; padding: .75rem; min-height: 0;
  border-inline-end: 1px solid var(--line);
}
.side h2 { font-size: .75rem; font-weight: 600; color: var(--soft); padding-inline: .5rem; }
.list { display: flex; flex-direction: column; gap: 2px; overflow-y: auto; min-height: 0; flex: 1; padding: 3px; margin: -3px; }
.list button {
  display: flex; align-items: center; gap: .5rem; width: 100%; padding: .45rem .6rem; border: 0; border-radius: .5rem;
  background: none; text-align: start;
}
.list button:hover { background: var(--sunken); }
.list button[aria-current="true"] { background: var(--surface); box-shadow: var(--shadow), 0 0 0 1px var(--line); font-weight: 600; }
.list .name { flex: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.list .unread {
  min-width: 1.35rem; padding: 0 .35rem; border-radius: 1rem; background: var(--accent); color: var(--accent-ink);
  font-size: .75rem; font-weight: 650; line-height: 1.35rem; text-align: center;
}
.opener { display: flex; flex-direction: column; gap: .4rem; }
.opener label { font-size: .8rem; color: var(--soft); padding-inline: .5rem; }
.opener div { display: flex; gap: .4rem; }
.opener input {
  flex: 1; min-width: 0; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--surface);
}
.opener button, .tab {
  padding: .4rem .7rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--surface);
}
.opener button:hover, .tab:hover { border-color: var(--soft); }
.tab { display: block; color: inherit; text-decoration: none; text-align: center; font-size: .9rem; }
.fault { color: var(--bad); font-size: .85rem; padding-inline: .5rem; }

.main { grid-area: main; display: flex; flex-direction: column; min-height: 0; min-width: 0; position: relative; }
.log { flex: 1; overflow-y: auto; min-height: 0; padding: 1.25rem; scrollbar-gutter: stable; }
.log ol { display: flex; flex-direction: column; gap: .65rem; max-width: 52rem; margin-inline: auto; }
.empty { max-width: 30rem; margin: 18vh auto 0; text-align: center; color: var(--soft); text-wrap: balance; }
.empty strong { display: block; color: var(--ink); font-size: 1.15rem; font-weight: 650; margin-block-end: .35rem; }
.message { display: flex; flex-direction: column; align-items: flex-start; max-width: min(40rem, 88%); }
.message.mine { align-self: flex-end; align-items: flex-end; }
.bubble {
  padding: .5rem .85rem; border: 1px solid var(--line); border-radius: 1rem; border-end-start-radius: .3rem;
  background: var(--theirs); box-shadow: var(--shadow); max-width: 100%; min-width: 0;
}
.mine .bubble {
  background: var(--mine); border-color: var(--mine-line); border-end-start-radius: 1rem; border-end-end-radius: .3rem;
}
.subject { font-weight: 650; overflow-wrap: anywhere; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
.text.folded { max-height: 15rem; overflow: hidden; mask-image: linear-gradient(#000 75%, transparent); }
.more { border: 0; background: none; padding: .2rem 0 0; color: var(--accent); font-size: .85rem; text-decoration: underline; }
.extra { margin-block-start: .35rem; font-size: .85rem; color: var(--soft); }
.extra summary { cursor: pointer; }
.extra pre { margin: .35rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; font: .8rem/1.45 ui-monospace, "Cascadia Code", Menlo, monospace; }
.foot { display: flex; flex-wrap: wrap; gap: .5rem; padding: .15rem .4rem 0; font-size: .76rem; color: var(--soft); }
.foot .state[data-state="failed"], .foot .state[data-state="unsent"] { color: var(--bad); font-weight: 600; }
.foot .state[data-state="retrying"] { color: var(--busy); font-weight: 600; }
.foot .state[data-state="sent"], .foot .state[data-state="handled"] { color: var(--good); }
.foot .detail { flex-basis: 100%; overflow-wrap: anywhere; }
.mine .foot { justify-content: flex-end; text-align: end; }
.notice { align-self: center; font-size: .82rem; color: var(--soft); padding: .2rem .8rem; border: 1px dashed var(--line); border-radius: 1rem; }
.jump {
  position: absolute; inset-inline: 0; margin-inline: auto; width: max-content; inset-block-end: 6.5rem; z-index: 1;
  padding: .35rem .9rem; border: 1px solid var(--line); border-radius: 2rem; background: var(--surface); box-shadow: var(--shadow);
}
.composer { padding: .75rem 1.25rem 1rem; border-block-start: 1px solid var(--line); background: var(--surface); }
.composer form { display: flex; gap: .6rem; align-items: flex-end; max-width: 52rem; margin-inline: auto; }
.composer textarea {
  flex: 1; min-width: 0; resize: none; max-height: 12rem; padding: .55rem .85rem; border: 1px solid var(--line);
  border-radius: .8rem; background: var(--ground); line-height: 1.45; field-sizing: content; unicode-bidi: plaintext;
}
.composer button {
  padding: .55rem 1.15rem; border: 1px solid transparent; border-radius: .8rem; background: var(--accent);
  color: var(--accent-ink); font-weight: 650; line-height: 1.45;
}
.composer button:hover { filter: brightness(1.08); }
.hint { max-width: 52rem; margin: .35rem auto 0; font-size: .76rem; color: var(--soft); }
.hint .fault { padding: 0; }

@media (max-width: 44rem) {
  body { grid-template: auto auto minmax(0, 1fr) / minmax(0, 1fr); grid-template-areas: "head" "side" "main"; }
  .brand { display: none; }
  .head { padding: .6rem .9rem; }
  .side { padding: .5rem .75rem; gap: .4rem; border-inline-end: 0; border-block-end: 1px solid var(--line); }
  .side h2 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .list { flex-direction: row; overflow-x: auto; flex: none; scrollbar-width: thin; }
  .list button { width: auto; max-width: 12rem; }
  .opener { flex-direction: row; align-items: center; min-width: 0; }
  .opener label { padding: 0; white-space: nowrap; }
  .opener div { flex: 1; min-width: 0; }
  .tab { display: none; }
  .log { padding: .9rem; }
  .message { max-width: 94%; }
  .empty { margin-block-start: 10vh; }
  .composer { padding: .6rem .75rem .75rem; }
  #hint { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
@media (prefers-reduced-motion: no-preference) {
  .message { animation: arrive .16s ease-out; }
  @keyframes arrive { from { opacity: 0; translate: 0 .3rem; } }
}
`;
