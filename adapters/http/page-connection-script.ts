/**
 * How the emulator's page hears of what is new: a part of its script.
 *
 * @module
 */

/** The stream of events: reconnecting, reading anew, and giving its connection back when nobody looks. */
export const CONNECTION_SCRIPT: string = String.raw`
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
    const seq = Number(event.lastEventId);
    place = Math.max(place, seq);
    const text = event.data;
    arrived.push(() => take({ ...JSON.parse(text), seq }));
    schedule();
  }

  function forget(text) {
    arrived = [];
    for (const conversation of conversations.values()) {
      conversation.seen = 0;
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
`;
