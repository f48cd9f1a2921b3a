/**
 * How the emulator's page shows messages and their states: a part of its script.
 *
 * @module
 */

/** Messages: kept to so many a conversation, made elements when they are first shown, and shown a frame at a time. */
export const MESSAGES_SCRIPT: string = String.raw`
  // Messages

  // What arrives is shown a frame at a time: a history of ten thousand messages must not stop the page from answering.
  function schedule() {
    if (isScheduled || arrived.length === 0) return;
    isScheduled = true;
    if (document.hidden) setTimeout(showArrived, 100);
    else requestAnimationFrame(showArrived);
  }

  function showArrived() {
    isScheduled = false;
    const end = performance.now() + FRAME_MS;
    let count = 0;
    while (count < arrived.length && performance.now() < end) arrived[count++]();
    arrived = arrived.slice(count);
    // Of what comes in one go only the last is ever made an element: the rest has left the page before it is drawn.
    if (arrived.length === 0 || performance.now() - shownAt > 500) showFresh(isAtEnd());
    schedule();
  }

  function showFresh(follow) {
    shownAt = performance.now();
    const roots = fresh.filter((message) => !message.isGone).map(rootOf);
    fresh = [];
    if (roots.length === 0) return;
    ui.empty.hidden = true;
    ui.messages.append(...roots);
    if (follow) toEnd();
    else ui.jump.hidden = false;
  }

  function put(data) {
    const conversation = conversations.get(data.conversation);
    // What was seen and left out since is no news: opening another conversation reads the whole log again.
    if (!conversation || data.seq <= conversation.seen) return;
    conversation.seen = data.seq;
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
    const message = { data, parts: undefined, now: data, seq: 0, isGone: false, isEdited: false };
    conversation.messages.set(key, message);
    setState(message, data);
    if (conversation.messages.size > KEEP) {
      const [[oldestKey, oldest]] = conversation.messages;
      conversation.messages.delete(oldestKey);
      oldest.isGone = true;
      oldest.parts?.root.remove();
    }
    if (conversation.name === current) {
      fresh.push(message);
    } else if (data.from !== "person") {
      conversation.count += 1;
      showUnread(conversation);
    }
    return message;
  }

  /** The element of a message, made when it is first shown. */
  function rootOf(message) {
    if (message.parts) return message.parts.root;
    const { data } = message;
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
    for (const file of data.attachments || []) bubble.append(element("div", "extra", "Attached: " + file));
    const foot = element("div", "foot");
    const at = new Date(data.at);
    const time = element("time", "", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = at.toISOString();
    const state = element("span", "state");
    foot.append(time, ...(message.isEdited ? [element("span", "", "changed")] : []), state);
    root.append(bubble, foot);
    message.parts = { root, bubble, text, foot, time, state, detail: undefined };
    showState(message);
    return root;
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
  function edit(message, { text, html }) {
    message.data = { ...message.data, text, html };
    const { parts } = message;
    if (parts) {
      parts.text.textContent = text;
      parts.bubble.querySelector("details")?.remove();
      if (html) parts.bubble.append(extra("HTML", html));
      if (!message.isEdited) parts.time.after(element("span", "", "changed"));
    }
    message.isEdited = true;
  }

  function setState(message, data) {
    const seq = data.seq || 0;
    if (seq < message.seq) return;
    message.seq = seq;
    message.now = data;
    showState(message);
  }

  function showState({ parts, now }) {
    if (!parts) return;
    const word = WORDS[now.state] || now.state;
    const attempt = now.attempt > 1 ? " (try " + now.attempt + ")" : "";
    parts.state.dataset.state = now.state;
    parts.state.textContent = (MARKS[now.state] ? MARKS[now.state] + " " : "") + word + attempt;
    if (parts.detail) parts.detail.remove();
    parts.detail = undefined;
    if (now.detail) {
      parts.detail = element("span", "detail", now.detail);
      parts.detail.dir = "auto";
      parts.foot.append(parts.detail);
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
`;
