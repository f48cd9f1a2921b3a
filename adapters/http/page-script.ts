/**
 * What the emulator's page does. It runs in the browser, so it stands here as text: plain JavaScript without a build.
 *
 * @module
 */
import { CONNECTION_SCRIPT } from "./page-connection-script.ts";
import { MESSAGES_SCRIPT } from "./page-messages-script.ts";

/**
 * The script. Whatever a person or a program wrote only ever becomes `textContent`: Trusted Types are required by the
 * page's policy and no policy is allowed, so nothing here could make markup of it.
 */
export const PAGE_SCRIPT: string = String.raw`
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const ui = {
    title: byId("title"), link: byId("link"), list: byId("list"), log: byId("log"), messages: byId("messages"),
    empty: byId("empty"), form: byId("form"), text: byId("text"), fault: byId("fault"), opener: byId("opener"),
    name: byId("name"), names: byId("names"), openFault: byId("open-fault"), tab: byId("tab"), jump: byId("jump"),
  };
  const config = JSON.parse(document.body.dataset.config);
  const query = new URLSearchParams(location.search);
  const token = query.get("token") || "";
  const KEEP = 500;
  const FRAME_MS = 8;
  const WORDS = {
    waiting: "waiting for the program", sending: "sending…", queued: "queued", handling: "being handled…",
    handled: "handled", sent: "sent", delivered: "delivered", read: "read", retrying: "will be tried again",
    failed: "failed", unsent: "not sent", cancelled: "cancelled", held: "held", unknown: "unknown",
  };
  const MARKS = { queued: "◷", handled: "✓", sent: "✓", delivered: "✓✓", read: "✓✓", retrying: "↻", failed: "✕", unsent: "✕", held: "‖" };

  const conversations = new Map();
  let current = "";
  let run = "";
  let place = 0;
  let events;
  let retryTimer = 0;
  let failures = 0;
  let isEnded = false;
  const outbox = [];
  let isSending = false;
  let arrived = [];
  let isScheduled = false;
  let fresh = [];
  let shownAt = 0;

  function api(path, body) {
    const headers = { authorization: "Bearer " + token };
    if (body !== undefined) headers["content-type"] = "application/json";
    return fetch(path, {
      method: body === undefined ? "GET" : "POST", headers, cache: "no-store", credentials: "omit", redirect: "error",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async function problemOf(response) {
    try {
      const problem = await response.json();
      return { code: problem.code, text: problem.detail || problem.title };
    } catch {
      return { code: "", text: "The answer was " + response.status };
    }
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Conversations

  function add(name) {
    let conversation = conversations.get(name);
    if (conversation) return conversation;
    const button = element("button");
    button.type = "button";
    const label = element("span", "name", name);
    label.dir = "auto";
    const unread = element("span", "unread");
    unread.hidden = true;
    button.append(label, unread);
    button.addEventListener("click", () => { show(name); ui.text.focus(); });
    const item = element("li");
    item.append(button);
    ui.list.append(item);
    conversation = { name, button, unread, count: 0, seen: 0, messages: new Map(), draft: "" };
    conversations.set(name, conversation);
    return conversation;
  }

  function show(name) {
    const before = conversations.get(current);
    if (before) before.draft = ui.text.value;
    const conversation = conversations.get(name);
    current = name;
    for (const each of conversations.values()) {
      if (each === conversation) each.button.setAttribute("aria-current", "true");
      else each.button.removeAttribute("aria-current");
    }
    conversation.count = 0;
    showUnread(conversation);
    ui.title.textContent = name;
    ui.log.setAttribute("aria-label", "Messages in " + name);
    document.title = name + " · Posthorn emulator";
    fresh = [];
    // The list is filled while it is silent: what was there before is not read aloud as news.
    ui.log.setAttribute("aria-live", "off");
    ui.messages.replaceChildren(...[...conversation.messages.values()].map(rootOf));
    ui.log.setAttribute("aria-live", "polite");
    ui.empty.hidden = conversation.messages.size > 0;
    ui.text.value = conversation.draft;
    ui.fault.textContent = "";
    toEnd();
    remember();
  }

  function showUnread(conversation) {
    conversation.unread.hidden = conversation.count === 0;
    conversation.unread.textContent = conversation.count > 99 ? "99+" : String(conversation.count);
    conversation.unread.setAttribute("aria-label", conversation.count + " new");
  }

  function remember() {
    try {
      sessionStorage.setItem("posthorn-conversations", JSON.stringify({ open: [...conversations.keys()], current }));
    } catch { /* Storage may be forbidden; then a reload begins anew. */ }
  }

  function remembered() {
    try {
      const stored = JSON.parse(sessionStorage.getItem("posthorn-conversations") || "{}");
      if (Array.isArray(stored.open)) {
        return { open: stored.open.filter((name) => typeof name === "string"), current: stored.current };
      }
    } catch { /* As above. */ }
    return { open: [], current: undefined };
  }

  /** Makes a conversation known to the program's side; undefined lets it choose a name. */
  async function openConversation(name) {
    const response = await api(config.conversations, name === undefined ? {} : { name });
    if (!response.ok) throw await problemOf(response);
    return (await response.json()).name;
  }

  async function suggest() {
    try {
      const response = await api(config.conversations);
      if (!response.ok) return;
      const { names } = await response.json();
      ui.names.replaceChildren(...names.filter((name) => !conversations.has(name)).slice(0, 50).map((name) => {
        const option = element("option");
        option.value = name;
        return option;
      }));
    } catch { /* Suggestions are a convenience; the connection's state is shown elsewhere. */ }
  }

${MESSAGES_SCRIPT}
${CONNECTION_SCRIPT}
  // Sending

  function type(text) {
    const conversation = conversations.get(current);
    const ref = crypto.randomUUID();
    const message = draw(conversation, "ref:" + ref, {
      from: "person", text, at: Date.now(), state: "sending", conversation: current,
    });
    showFresh(true);
    outbox.push({ conversation: current, text, ref, message });
    flush();
  }

  async function flush() {
    if (isSending || isEnded) return;
    isSending = true;
    try {
      while (outbox.length > 0) {
        const next = outbox[0];
        setState(next.message, { state: "sending" });
        let response;
        try {
          response = await api(config.webhook, { conversation: next.conversation, text: next.text, id: next.ref });
        } catch {
          // The same id goes again once the connection is back, so nothing is said twice.
          for (const each of outbox) setState(each.message, { state: "waiting" });
          return;
        }
        if (response.status === 503) {
          const { code } = await problemOf(response);
          for (const each of outbox) setState(each.message, { state: "waiting" });
          if (code === "not-running") say("busy", "The program is stopping");
          setTimeout(flush, 2_000);
          return;
        }
        outbox.shift();
        if (!response.ok) {
          const problem = await problemOf(response);
          setState(next.message, { state: "unsent", detail: problem.text });
        } else if (next.message.seq === 0) {
          setState(next.message, { state: "queued" });
        }
      }
    } finally {
      isSending = false;
    }
  }

  ui.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = ui.text.value;
    if (text.trim() === "" || !conversations.has(current)) return;
    if (text.length > config.maxTextLength) {
      ui.fault.textContent = "The text has " + text.length.toLocaleString() + " characters; " +
        config.maxTextLength.toLocaleString() + " fit into a message.";
      return;
    }
    ui.fault.textContent = "";
    ui.text.value = "";
    grow();
    type(text);
  });
  ui.text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ui.form.requestSubmit();
  });
  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    ui.text.style.height = "auto";
    ui.text.style.height = Math.min(192, ui.text.scrollHeight + 2) + "px";
  }
  ui.text.addEventListener("input", grow);
  ui.log.addEventListener("scroll", () => { if (isAtEnd()) ui.jump.hidden = true; });
  ui.jump.addEventListener("click", () => { toEnd(); ui.text.focus(); });
  ui.opener.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = ui.name.value.trim();
    if (name === "") return;
    ui.openFault.textContent = "";
    try {
      await enter(name);
      ui.name.value = "";
      ui.text.focus();
    } catch (error) {
      ui.openFault.textContent = error.text || "The program cannot be reached.";
    }
  });
  document.addEventListener("keydown", (event) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    event.preventDefault();
    const names = [...conversations.keys()];
    const step = event.key === "ArrowDown" ? 1 : names.length - 1;
    show(names[(names.indexOf(current) + step) % names.length]);
  });

  /** Opens a conversation here; its history comes with the events, from the beginning. */
  async function enter(wanted) {
    const isNew = wanted === undefined || !conversations.has(wanted);
    const name = isNew ? await openConversation(wanted) : wanted;
    add(name);
    show(name);
    if (isNew) connect(0);
    return name;
  }

  async function begin() {
    const address = new URL(location.pathname, location.href);
    address.searchParams.set("token", token);
    ui.tab.href = address.href;
    const before = remembered();
    const asked = query.get("conversation");
    const wanted = [...new Set([...before.open, ...(asked === null ? [] : [asked])])];
    try {
      for (const name of wanted) {
        try {
          add(await openConversation(name));
        } catch (error) {
          if (!error.code) throw error;
          ui.openFault.textContent = error.text;
        }
      }
      if (conversations.size === 0) add(await openConversation());
    } catch (error) {
      if (error.code === "unauthorized" || error.code === "forbidden") {
        isEnded = true;
        say("closed", error.text);
      } else {
        say("busy", error.text || "The program cannot be reached");
        retryTimer = setTimeout(begin, Math.min(10_000, 500 * 2 ** failures++));
      }
      return;
    }
    const first = [asked, before.current].find((name) => conversations.has(name)) ?? [...conversations.keys()][0];
    show(first);
    connect(0);
    ui.text.focus();
  }
  begin();
})();
`;
