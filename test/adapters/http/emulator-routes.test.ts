import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { Application, ConfigError, PosthornError, StoreError } from "../../../core/mod.ts";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import { EmulatorCommunicator } from "../../../adapters/emulator/mod.ts";
import { type HttpBench, problemIn, setUpHttp, TOKEN } from "./http-bench.ts";
import { EventReader } from "./sse-reader.ts";

const ORIGIN = "http://127.0.0.1:8787";
const BEARER = { authorization: `Bearer ${TOKEN}` };

function post(
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): RequestInit {
  const body = typeof value === "string"
    ? value
    : value instanceof Uint8Array
    ? Uint8Array.from(value)
    : JSON.stringify(value);
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...BEARER, ...headers },
    body,
  };
}

/** Every route of the emulator, each as a request that would be served. */
const ROUTES: readonly (readonly [string, RequestInit])[] = [
  ["/emulator", {}],
  ["/emulator/conversations", {}],
  ["/emulator/conversations", post({ name: "intruder" })],
  ["/emulator/events?conversation=anna", {}],
  ["/webhooks/emulator", post({ conversation: "anna", text: "forged" })],
];

async function ask(
  bench: HttpBench,
  path: string,
  init: RequestInit = {},
  base = ORIGIN,
): Promise<Response> {
  return await bench.app.request(base + path, init);
}

function withHeaders(
  init: RequestInit,
  more: Readonly<Record<string, string | undefined>>,
): RequestInit {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(more)) {
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  }
  return { ...init, headers };
}

describe("the emulator's routes", () => {
  it("serve whoever shows the token, as a header or in the query", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    for (const [path, init] of ROUTES) {
      const separator = path.includes("?") ? "&" : "?";
      const answers = [
        await ask(bench, path, withHeaders(init, BEARER)),
        await ask(
          bench,
          `${path}${separator}token=${TOKEN}`,
          withHeaders(init, { authorization: undefined }),
        ),
        await ask(
          bench,
          path,
          withHeaders(init, {
            ...BEARER,
            origin: ORIGIN,
            "sec-fetch-site": "same-origin",
          }),
        ),
        await ask(bench, path, withHeaders(init, BEARER), "http://localhost:1"),
        await ask(bench, path, withHeaders(init, BEARER), "http://[::1]:8787"),
      ];
      for (const answer of answers) {
        assert.equal(answer.status, 200, path);
        await answer.body?.cancel();
      }
    }
  });

  it("refuse foreign hosts, foreign origins and wrong tokens, every one of them, and do nothing", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    const before = await bench.snapshot();
    const bases = [
      "http://evil.example:8787",
      "http://127.0.0.1.evil.example:8787",
      "http://localhost.evil.example",
      "http://192.168.1.7:8787",
      "http://0.0.0.0:8787",
      "http://127.0.0.2:8787",
      "http://[::ffff:127.0.0.1]:8787",
      "http://[fe80::1]:8787",
    ];
    const headers: readonly Readonly<Record<string, string | undefined>>[] = [
      { host: "evil.example" },
      { host: "evil.example:8787" },
      { host: "127.0.0.1:8787@evil.example" },
      { host: "localhost.evil.example" },
      { host: "" },
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "" },
      { origin: "http://127.0.0.1:9999" },
      { origin: "http://localhost:8787" },
      { origin: "http://127.0.0.1:8787.evil.example" },
      { origin: "file://" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
      { "x-forwarded-for": "203.0.113.7" },
      { "x-forwarded-host": "evil.example" },
      { forwarded: "for=203.0.113.7" },
      { authorization: undefined },
      { authorization: "Bearer" },
      { authorization: "Bearer " },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
      { authorization: `Bearer ${TOKEN.toUpperCase()}` },
      { authorization: `Basic ${btoa(`x:${TOKEN}`)}` },
      { authorization: TOKEN },
    ];
    let refused = 0;
    for (const [path, init] of ROUTES) {
      for (const base of bases) {
        assert.ok(
          await isRefusal(
            await ask(bench, path, withHeaders(init, BEARER), base),
          ),
          `${base}${path}`,
        );
        refused++;
      }
      for (const each of headers) {
        const answer = await ask(
          bench,
          path,
          withHeaders(init, { ...BEARER, ...each }),
        );
        assert.ok(
          await isRefusal(answer),
          `${path} ${JSON.stringify(each)} ${answer.status}`,
        );
        refused++;
      }
    }
    assert.equal(refused, ROUTES.length * (bases.length + headers.length));
    assert.deepEqual(await bench.snapshot(), before);
  });

  it("answer 405 to other methods, and 404 to other paths", async () => {
    const bench = await setUpHttp();
    for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"]) {
      const answer = await ask(bench, "/emulator", { method, headers: BEARER });
      assert.equal(answer.status, 405);
      assert.equal(answer.headers.get("allow"), "GET, HEAD");
      assert.equal((await problemIn(answer)).code, "method-not-allowed");
    }
    for (
      const path of [
        "/",
        "/emulator/",
        "/emulator/x",
        "/emulator/%2e%2e",
        "/webhooks",
        "/webhooks/other",
        "/x",
      ]
    ) {
      const answer = await ask(bench, path, { headers: BEARER });
      assert.equal(answer.status, 404, path);
      assert.equal((await problemIn(answer)).code, "not-found");
    }
  });

  it("are not there unless they are asked for", async () => {
    const bench = await setUpHttp({});
    for (const [path, init] of ROUTES) {
      assert.equal(
        (await ask(bench, path, withHeaders(init, BEARER))).status,
        404,
      );
    }
  });
});

describe("GET /emulator", () => {
  it("is one document with a policy that allows its own script and nothing else", async () => {
    const bench = await setUpHttp();
    const [first, second] = [
      await ask(bench, `/emulator?token=${TOKEN}`),
      await ask(bench, `/emulator?token=${TOKEN}`),
    ];
    const policy = first.headers.get("content-security-policy") ?? "";
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? "";
    assert.ok(nonce.length >= 16);
    for (
      const rule of [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "connect-src 'self'",
      ]
    ) {
      assert.ok(policy.split("; ").includes(rule), rule);
    }
    assert.ok(!policy.includes("unsafe"));
    assert.notEqual(second.headers.get("content-security-policy"), policy);
    assert.equal(first.headers.get("x-content-type-options"), "nosniff");
    assert.equal(first.headers.get("cache-control"), "no-store");
    assert.equal(first.headers.get("referrer-policy"), "no-referrer");
    const html = await first.text();
    assert.deepEqual(
      Array.from(
        html.matchAll(/<(?:script|style)\b([^>]*)>/g),
        ([, attributes]) => attributes?.trim(),
      ),
      [
        `nonce="${nonce}"`,
        `nonce="${nonce}"`,
      ],
    );
    assert.ok(
      !/\son[a-z]+=|javascript:|https?:\/\/|\bsrc=|innerHTML|outerHTML|insertAdjacent|document\.write/
        .test(html),
    );
    assert.ok(!html.includes(TOKEN), "the page does not repeat the token");
  });
});

describe("POST /webhooks/emulator", () => {
  it("answers once the message is committed", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    const answer = await ask(
      bench,
      "/webhooks/emulator",
      post({ conversation: "anna", text: "Hello", id: "one" }),
    );
    assert.equal(answer.status, 200);
    const { id, ...rest } = await answer.json();
    assert.match(id, /^emulator:[0-9a-f]{16}\/one$/);
    assert.deepEqual(rest, { conversation: "anna", state: "queued" });
    assert.equal((await bench.inbox()).length, 1);
    assert.equal(
      (await bench.store.stats(bench.emulator.transcript.key)).lastSeq,
      1,
    );
  });

  it("says what is wrong with bad input, keeps nothing and goes on", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    const before = await bench.snapshot();
    const text = "x".repeat(1_000_000);
    const cases: readonly (readonly [
      string | Uint8Array | object,
      number,
      string,
      string?,
    ])[] = [
      ["", 400, "malformed-json"],
      ["{", 400, "malformed-json"],
      ['{"conversation":"anna","text":"x"', 400, "malformed-json"],
      ["\u0000", 400, "malformed-json"],
      [new Uint8Array([0xff, 0xfe, 0x7b]), 400, "malformed-json"],
      [
        new TextEncoder().encode('{"conversation":"anna","text":"').slice(
          0,
          31,
        ),
        400,
        "malformed-json",
      ],
      ["[]", 400, "invalid-argument", "body"],
      ["null", 400, "invalid-argument", "body"],
      ["7", 400, "invalid-argument", "body"],
      ['"text"', 400, "invalid-argument", "body"],
      [{}, 400, "invalid-argument", "conversation"],
      [{ conversation: "anna" }, 400, "invalid-argument", "text"],
      [{ text: "x" }, 400, "invalid-argument", "conversation"],
      [
        { conversation: 7, text: "x" },
        400,
        "invalid-argument",
        "conversation",
      ],
      [{ conversation: "anna", text: 7 }, 400, "invalid-argument", "text"],
      [
        { conversation: "anna", text: ["x"] },
        400,
        "invalid-argument",
        "text",
      ],
      [
        { conversation: "anna", text: { toString: "x" } },
        400,
        "invalid-argument",
        "text",
      ],
      [{ conversation: "anna", text: true }, 400, "invalid-argument", "text"],
      [{ conversation: "anna", text: "" }, 400, "invalid-argument", "text"],
      [
        { conversation: "anna", text: "\u0000" },
        400,
        "invalid-argument",
        "text",
      ],
      [
        { conversation: "anna", text: "x".repeat(10_001) },
        400,
        "invalid-argument",
        "text",
      ],
      [
        { conversation: "anna", text: "x", id: 1 },
        400,
        "invalid-argument",
        "id",
      ],
      [
        { conversation: "anna", text: "x", id: "" },
        400,
        "invalid-argument",
        "id",
      ],
      [
        { conversation: "anna", text: "x", id: "a b" },
        400,
        "invalid-argument",
        "id",
      ],
      [
        { conversation: "anna", text: "x", msg_type: "_stop" },
        400,
        "invalid-argument",
        "body",
      ],
      [
        '{"conversation":"anna","text":"x","__proto__":{"id":"y"}}',
        400,
        "invalid-argument",
        "body",
      ],
      [
        { conversation: "", text: "x" },
        400,
        "invalid-argument",
        "conversation",
      ],
      [
        { conversation: "a b", text: "x" },
        400,
        "invalid-argument",
        "conversation",
      ],
      [
        { conversation: "x".repeat(65), text: "x" },
        400,
        "invalid-argument",
        "conversation",
      ],
      [{ conversation: "bob", text: "x" }, 404, "unknown-conversation"],
      [
        { conversation: "constructor", text: "x" },
        404,
        "unknown-conversation",
      ],
      [{ conversation: "anna", text }, 413, "too-large"],
      [`${" ".repeat(70_000)}{}`, 413, "too-large"],
      ["[".repeat(50_000), 400, "malformed-json"],
    ];
    for (const [body, status, code, argument] of cases) {
      const answer = await ask(bench, "/webhooks/emulator", post(body));
      const problem = await problemIn(answer);
      const shown = (typeof body === "string" ? body : JSON.stringify(body))
        .slice(0, 60);
      assert.equal(answer.status, status, shown);
      assert.equal(problem.status, status);
      assert.equal(problem.code, code, shown);
      assert.equal(problem.argument, argument, shown);
      if (code === "invalid-argument" || code === "malformed-json") {
        assert.ok((problem.detail ?? "").length > 10, shown);
      }
      assert.ok(JSON.stringify(problem).length < 600, shown);
    }
    assert.deepEqual(await bench.snapshot(), before);
    assert.deepEqual(bench.complaints, []);
    assert.equal(
      (await ask(
        bench,
        "/webhooks/emulator",
        post({ conversation: "anna", text: "x" }),
      )).status,
      200,
    );
  });

  it("answers 503 when the message cannot be committed, without the text of the exception", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    const faults: readonly (readonly [Error, number, string])[] = [
      [new StoreError("Cannot append: /secret/path is full"), 503, "store"],
      [
        new PosthornError("not-running", "Cannot receive: secret"),
        503,
        "not-running",
      ],
      [new Error("secret"), 500, "internal"],
      [new TypeError("secret is not a function"), 500, "internal"],
    ];
    for (const [fault, status, code] of faults) {
      bench.emulator.setIncomingHandler(() => Promise.reject(fault));
      const answer = await ask(
        bench,
        "/webhooks/emulator",
        post({ conversation: "anna", text: "Hello" }),
      );
      const problem = await problemIn(answer);
      assert.equal(answer.status, status);
      assert.equal(problem.code, code);
      assert.equal(answer.headers.has("retry-after"), status === 503);
      assert.ok(!JSON.stringify(problem).includes("secret"));
    }
    assert.equal(
      (await bench.store.stats(bench.emulator.transcript.key)).lastSeq,
      0,
    );
    assert.equal(bench.complaints.length, faults.length);
  });
});

describe("/emulator/conversations", () => {
  it("opens conversations, by name or by chance, and lists them", async () => {
    const bench = await setUpHttp();
    const named = await ask(
      bench,
      "/emulator/conversations",
      post({ name: "anna" }),
    );
    assert.deepEqual(await named.json(), { name: "anna" });
    const { name } = await (await ask(bench, "/emulator/conversations", post({}))).json();
    const { names } = await (await ask(bench, "/emulator/conversations", { headers: BEARER }))
      .json();
    assert.deepEqual(names, ["anna", name]);
  });

  it("refuses what is no name", async () => {
    const bench = await setUpHttp();
    for (const name of ["", "a b", "<img>", 7, null, ["a"], "x".repeat(65)]) {
      const answer = await ask(
        bench,
        "/emulator/conversations",
        post({ name }),
      );
      assert.equal(answer.status, 400);
      assert.equal((await problemIn(answer)).code, "invalid-argument");
    }
    assert.deepEqual(bench.emulator.conversations, []);
  });
});

describe("GET /emulator/events", () => {
  it("sends one conversation's messages and states, and not those of another (L16)", async () => {
    const bench = await setUpHttp();
    for (const name of ["anna", "bob"]) {
      await bench.emulator.openConversation(name);
    }
    const answer = await ask(
      bench,
      `/emulator/events?conversation=anna&token=${TOKEN}`,
    );
    assert.equal(answer.status, 200);
    assert.match(
      answer.headers.get("content-type") ?? "",
      /^text\/event-stream/,
    );
    assert.match(answer.headers.get("cache-control") ?? "", /no-store/);
    const reader = new EventReader(answer.body ?? assert.fail("no body"));
    const taking = reader.take(3);
    const forBob = await bench.emulator.type({
      conversation: "bob",
      text: "for bob",
    });
    const forAnna = await bench.emulator.type({
      conversation: "anna",
      text: "for anna",
    });
    const step = { backendName: "emulator", at: 1, status: "handled" } as const;
    bench.emulator.observe({ ...step, messageId: forBob, conversation: "bob" });
    bench.emulator.observe({
      ...step,
      messageId: forAnna,
      conversation: "anna",
    });
    const [hello, message, state] = await taking;
    assert.equal(hello?.type, "hello");
    assert.equal(message?.type, "message");
    assert.equal(JSON.parse(message?.data ?? "").text, "for anna");
    assert.equal(state?.type, "state");
    assert.equal(JSON.parse(state?.data ?? "").state, "handled");
    await reader.cancel();
  });

  it("resumes behind Last-Event-ID, which counts for more than the query", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    for (let count = 1; count <= 5; count++) {
      await bench.emulator.type({ conversation: "anna", text: `${count}` });
    }
    const answer = await ask(
      bench,
      `/emulator/events?conversation=anna&after=0&token=${TOKEN}`,
      {
        headers: { "last-event-id": "3" },
      },
    );
    const reader = new EventReader(answer.body ?? assert.fail("no body"));
    const [, ...events] = await reader.take(3);
    assert.deepEqual(events.map(({ data }) => JSON.parse(data).text), [
      "4",
      "5",
    ]);
    assert.deepEqual(events.map(({ lastEventId }) => lastEventId), ["4", "5"]);
    await reader.cancel();
  });

  it("takes a place that is none for one that is lost", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    await bench.emulator.type({ conversation: "anna", text: "1" });
    for (const place of ["x", "-1", "1e3", "99", "9".repeat(40), "1\u00a0"]) {
      const answer = await ask(
        bench,
        `/emulator/events?conversation=anna&token=${TOKEN}`,
        {
          headers: { "last-event-id": place },
        },
      );
      const reader = new EventReader(answer.body ?? assert.fail("no body"));
      const types = (await reader.take(3)).map(({ type }) => type);
      assert.deepEqual(types, ["hello", "reset", "message"], place);
      await reader.cancel();
    }
  });

  it("refuses conversations that were not opened, none, and too many", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    const many = Array.from(
      { length: 101 },
      (_, index) => `conversation=c${index}`,
    ).join("&");
    const cases = [["", 400], ["conversation=bob", 404], [
      "conversation=anna&conversation=bob",
      404,
    ], [many, 400]];
    for (const [query, status] of cases) {
      const answer = await ask(bench, `/emulator/events?${query}`, {
        headers: BEARER,
      });
      assert.equal(answer.status, status);
      await problemIn(answer);
    }
  });

  it("answers HEAD without opening a stream", async () => {
    const bench = await setUpHttp();
    await bench.emulator.openConversation("anna");
    const before = bench.clock.pending;
    const answer = await ask(bench, "/emulator/events?conversation=anna", {
      method: "HEAD",
      headers: BEARER,
    });
    assert.equal(answer.status, 200);
    assert.equal(bench.clock.pending, before);
  });
});

describe("createHttpApp()", () => {
  it("finds the emulator by itself where there is one, and by name where there are more", async () => {
    const { application: one } = await setUpHttp({});
    assert.equal(
      (await createHttpApp(one, { emulator: true }).request(
        `${ORIGIN}/emulator`,
      )).status,
      401,
    );
    assert.throws(
      () => createHttpApp(one, { emulator: "second" }),
      ConfigError,
    );
    const second = new EmulatorCommunicator("second", {
      store: one.store,
      clock: one.clock,
      token: TOKEN,
    });
    const { application: two } = await setUpHttp({ communicators: [second] });
    assert.throws(() => createHttpApp(two, { emulator: true }), ConfigError);
    const app = createHttpApp(two, { emulator: "second" });
    const page = await (await app.request(`${ORIGIN}/emulator?token=${TOKEN}`))
      .text();
    assert.ok(page.includes("/webhooks/second"));
    const none = await Application.create({}, { mode: "pump" });
    assert.throws(() => createHttpApp(none, { emulator: true }), ConfigError);
    await none.stop();
  });
});

async function isRefusal(answer: Response): Promise<boolean> {
  const problem = await problemIn(answer);
  return (answer.status === 401 && problem.code === "unauthorized") ||
    (answer.status === 403 && problem.code === "forbidden");
}
