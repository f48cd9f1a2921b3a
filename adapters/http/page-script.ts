/**
 * What the emulator's page does. It runs in the browser, so it stands here as text: plain JavaScript without a build.
 *
 * @module
 */

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
  const WORDS = {
    waiting: "waiting for the connection", sending: "sending…", queued: "queued", handling: "being handled…",
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
    // The list is filled while it is silent: what was there before is not read aloud as news.
    ui.log.setAttribute("aria-live", "off");
    ui.messages.replaceChildren(...[...conversation.messages.values()].map((message) => message.element));
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

  // Messages

  function put(data) {
    const conversation = conversations.get(data.conversation);
    if (!conversation) return;
    // A message typed here is on the page already, under the name this page gave it.
    const own = data.ref === undefined ? undefined : conversation.messages.get("ref:" + data.ref);
    if (own) {
      conversation.messages.delete("ref:" + data.ref);
      conversation.messages.set(data.id, own);
      setState(own, data);
      return;
    }
    if (conversation.messages.has(data.id)) return;
    draw(conversation, data.id, data);
  }

  function draw(conversation, key, data) {
    const isMine = data.from === "person";
    const root = element("li", isMine ? "message mine" : "message");
    const bubble = element("div", "bubble");
    bubble.append(element("span", "quiet", isMine ? "You: " : "Program: "));
    if (data.subject) {
      const subject = element("div", "subject", data.subject);
      subject.dir = "auto";
      bubble.append(subject);
    }
    const text = element("div", "text", data.text);
    text.dir = "auto";
    bubble.append(text);
    if (data.text.length > 1500 || data.text.split("\n").length > 24) fold(bubble, text);
    if (data.html) bubble.append(extra("HTML", data.html));
    for (const file of data.attachments || []) bubble.append(element("div", "extra", "📎 " + file));
    const foot = element("div", "foot");
    const at = new Date(data.at);
    const time = element("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at.toISOString();
    const state = element("span", "state");
    foot.append(time, state);
    root.append(bubble, foot);
    const message = { element: root, bubble, text, foot, time, state, detail: undefined, seq: 0 };
    conversation.messages.set(key, message);
    setState(message, data);
    if (conversation.messages.size > KEEP) {
      const [oldest] = conversation.messages;
      conversation.messages.delete(oldest[0]);
      oldest[1].element.remove();
    }
    if (conversation.name === current) {
      const follow = isMine || isAtEnd();
      ui.empty.hidden = true;
      ui.messages.append(root);
      if (follow) toEnd();
      else ui.jump.hidden = false;
    } else if (!isMine) {
      conversation.count += 1;
      showUnread(conversation);
    }
    return message;
  }

  function fold(bubble, text) {
    text.classList.add("folded");
    const more = element("button", "more", "Show all");
    more.type = "button";
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => {
      const isFolded = text.classList.toggle("folded");
      more.textContent = isFolded ? "Show all" : "Show less";
      more.setAttribute("aria-expanded", String(!isFolded));
    });
    bubble.append(more);
  }

  function extra(title, source) {
    const details = element("details", "extra");
    details.append(element("summary", "", title), element("pre", "", source));
    return details;
  }

  /** What a message says from now on. */
  function edit(message, data) {
    message.text.textContent = data.text;
    message.bubble.querySelector("details")?.remove();
    if (data.html) message.bubble.append(extra("HTML", data.html));
    if (!message.isEdited) message.time.after(element("span", "", "changed"));
    message.isEdited = true;
  }

  function setState(message, data) {
    const seq = data.seq || 0;
    if (seq < message.seq) return;
    message.seq = seq;
    const word = WORDS[data.state] || data.state;
    const attempt = data.attempt > 1 ? " (try " + data.attempt + ")" : "";
    message.state.dataset.state = data.state;
    message.state.textContent = (MARKS[data.state] ? MARKS[data.state] + " " : "") + word + attempt;
    if (message.detail) message.detail.remove();
    message.detail = undefined;
    if (data.detail) {
      message.detail = element("span", "detail", data.detail);
      message.detail.dir = "auto";
      message.foot.append(message.detail);
    }
  }

  function isAtEnd() {
    return ui.log.scrollHeight - ui.log.scrollTop - ui.log.clientHeight < 80;
  }

  function toEnd() {
    ui.log.scrollTop = ui.log.scrollHeight;
    ui.jump.hidden = true;
  }

  function notice(text) {
    const item = element("li", "notice", text);
    if (current) ui.messages.append(item);
  }

  // The connection

  function say(state, text) {
    ui.link.dataset.state = state;
    if (ui.link.textContent !== text) ui.link.textContent = text;
  }

  function connect(from) {
    if (events) events.close();
    clearTimeout(retryTimer);
    if (isEnded || conversations.size === 0) return;
    const address = new URL(config.events, location.href);
    address.searchParams.set("token", token);
    address.searchParams.set("after", String(from));
    for (const name of conversations.keys()) address.searchParams.append("conversation", name);
    const source = new EventSource(address);
    events = source;
    source.addEventListener("hello", (event) => {
      failures = 0;
      say("open", "Connected");
      const hello = JSON.parse(event.data);
      if (run !== "" && run !== hello.run) {
        // Another run may have another log: what it still knows is read from the beginning.
        run = hello.run;
        forget("The program was started anew.");
        connect(0);
        return;
      }
      run = hello.run;
      flush();
      suggest();
    });
    source.addEventListener("message", (event) => { receive(event, put); });
    source.addEventListener("state", (event) => {
      receive(event, (data) => {
        const message = conversations.get(data.conversation)?.messages.get(data.id);
        if (message) setState(message, data);
      });
    });
    source.addEventListener("edit", (event) => {
      receive(event, (data) => {
        const message = conversations.get(data.conversation)?.messages.get(data.id);
        if (message) edit(message, data);
      });
    });
    source.addEventListener("reset", () => forget("Older messages are gone."));
    source.addEventListener("error", () => {
      if (events !== source) return;
      say("busy", "Reconnecting…");
      // The browser comes back by itself unless it was refused: then somebody has to find out why.
      if (source.readyState === EventSource.CLOSED) findOut();
    });
  }

  function receive(event, take) {
    const data = JSON.parse(event.data);
    const seq = Number(event.lastEventId);
    place = Math.max(place, seq);
    take({ ...data, seq });
  }

  function forget(text) {
    for (const conversation of conversations.values()) {
      for (const [key] of conversation.messages) if (!key.startsWith("ref:")) conversation.messages.delete(key);
    }
    place = 0;
    if (current) show(current);
    notice(text);
  }

  async function findOut() {
    let wait = Math.min(10_000, 500 * 2 ** failures++);
    try {
      const response = await api(config.conversations);
      if (response.status === 401 || response.status === 403) {
        isEnded = true;
        say("closed", (await problemOf(response)).text);
        return;
      }
      if (response.ok) {
        const { names } = await response.json();
        const known = new Set(names);
        for (const name of conversations.keys()) if (!known.has(name)) await openConversation(name);
        wait = 0;
      }
    } catch { /* Still away. */ }
    retryTimer = setTimeout(() => connect(place), wait + Math.random() * 250);
  }

  // A browser allows few connections to one server: a page nobody looks at gives its own back.
  let hideTimer = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hideTimer);
    if (document.hidden) {
      hideTimer = setTimeout(() => {
        if (events) events.close();
        events = undefined;
        clearTimeout(retryTimer);
        if (!isEnded) say("busy", "Paused");
      }, 60_000);
    } else if (events === undefined && !isEnded) {
      connect(place);
    }
  });

  // Sending

  function type(text) {
    const conversation = conversations.get(current);
    const ref = crypto.randomUUID();
    const message = draw(conversation, "ref:" + ref, {
      from: "person", text, at: Date.now(), state: "sending", conversation: current,
    });
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
          setState(next.message, { state: "waiting" });
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
