import { describe, it } from "bun:test";
import assert from "node:assert/strict";
import { createHttpApp } from "../../../adapters/http/mod.ts";
import {
  Communicator,
  ConfigError,
  FallbackCommunicator,
  type OutgoingMessage,
  type Receipt,
  type SendContext,
} from "../../../core/mod.ts";
import { type HttpBench, type HttpBenchOptions, problemIn, setUpHttp } from "./http-bench.ts";
import { EventReader } from "./sse-reader.ts";

const ORIGIN = "http://127.0.0.1:8787";
const TOKEN = "a token of the API".replaceAll(" ", "-");
const BEARER = { authorization: `Bearer ${TOKEN}` };

/** A network that does what it is told. */
class Network extends Communicator {
  readonly sent: { readonly text: string; readonly recipient: string | undefined }[] = [];
  next: Receipt[] = [];

  override send(message: OutgoingMessage, { recipient }: SendContext): Promise<Receipt> {
    const receipt = this.next.shift() ?? { outcome: "accepted" };
    if (receipt.outcome === "accepted") this.sent.push({ text: message.message, recipient });
    return Promise.resolve(receipt);
  }
}

interface ApiBench extends HttpBench {
  readonly network: Network;
  get(path: string): Promise<Response>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

async function setUp(options: HttpBenchOptions = {}): Promise<ApiBench> {
  const network = new Network("ops");
  const bench = await setUpHttp({ token: TOKEN, communicators: [network], ...options });
  return {
    ...bench,
    network,
    get: async (path) => await bench.app.request(ORIGIN + path, { headers: BEARER }),
    post: async (path, body, headers = {}) =>
      await bench.app.request(ORIGIN + path, {
        method: "POST",
        headers: { ...BEARER, ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
  };
}

const WITH_JOBS: HttpBenchOptions = {
  config: { channels: { jobs: { type: "work_queue", max_deliveries: 2 }, news: { type: "broadcast" } } },
};

const ROUTES: readonly (readonly [string, string])[] = [
  ["POST", "/messages"],
  ["GET", "/messages/x"],
  ["GET", "/messages/stream"],
  ["GET", "/channels"],
  ["GET", "/channels/jobs"],
  ["GET", "/channels/jobs/stream"],
  ["GET", "/channels/jobs/messages?reader=a"],
  ["POST", "/channels/jobs/messages"],
  ["POST", "/channels/jobs/claims"],
  ["POST", "/channels/jobs/acknowledgements"],
  ["POST", "/channels/jobs/releases"],
  ["GET", "/dead-letters"],
  ["POST", "/dead-letters/x/redrive"],
  ["GET", "/channels/jobs/dead-letters"],
  ["POST", "/channels/jobs/dead-letters/x/redrive"],
  ["POST", "/deliveries/x/resolve"],
  ["POST", "/deliveries/x/cancel"],
  ["POST", "/deliveries/x/acknowledge"],
  ["GET", "/metrics"],
];

describe("the API", () => {
  it("asks for the token on every route, and does nothing without it", async () => {
    const bench = await setUp(WITH_JOBS);
    const before = await bench.snapshot();
    const wrong = [undefined, "", "Bearer", "Bearer x", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, TOKEN];
    for (const [method, path] of ROUTES) {
      for (const authorization of wrong) {
        const answer = await bench.app.request(ORIGIN + path, {
          method,
          headers: authorization === undefined ? {} : { authorization },
          ...(method === "POST" ? { body: "{}" } : {}),
        });
        assert.equal(answer.status, 401, `${method} ${path} ${authorization}`);
        assert.equal(answer.headers.get("www-authenticate"), "Bearer");
        assert.equal((await problemIn(answer)).code, "unauthorized");
      }
      const inQuery = await bench.app.request(`${ORIGIN}${path}${path.includes("?") ? "&" : "?"}token=${TOKEN}`, {
        method,
      });
      assert.equal(inQuery.status, 401, "a token in an address would stand in logs");
    }
    assert.deepEqual(await bench.snapshot(), before);
  });

  it("is off without a token, and takes none that is short", async () => {
    const { app, application } = await setUpHttp({});
    for (const [method, path] of ROUTES) {
      const answer = await app.request(ORIGIN + path, { method, headers: { authorization: "Bearer undefined" } });
      assert.equal(answer.status, 404);
      assert.equal((await problemIn(answer)).code, "api-off");
    }
    for (const token of ["", "short", " ".repeat(20), "ä".repeat(20)]) {
      assert.throws(() => createHttpApp(application, { token }), ConfigError);
    }
  });

  it("guesses which field was meant, and says which there are", async () => {
    const bench = await setUp(WITH_JOBS);
    const mistyped = await problemIn(await bench.post("/messages", { message: "x", labl: "alerts" }));
    assert.match(
      mistyped.detail ?? "",
      /: a field is not known here; did you mean 'label'\? known are message, label, /,
    );
    const inClaim = await bench.post("/channels/jobs/acknowledgements", {
      worker: "w",
      claims: [{ id: "a", token: "b", tokn: "c" }],
    });
    assert.match((await problemIn(inClaim)).detail ?? "", /: a field is not known here; known are id, token$/);
  });

  it("answers 405 with Allow, and problems with a code to whatever is odd", async () => {
    const bench = await setUp(WITH_JOBS);
    for (const [method, path] of ROUTES) {
      const other = method === "GET" && !path.includes("/messages?") ? "POST" : "DELETE";
      const answer = await bench.app.request(ORIGIN + path, { method: other, headers: BEARER });
      assert.equal(answer.status, 405, `${other} ${path}`);
      assert.ok(answer.headers.get("allow")?.includes(method));
      await problemIn(answer);
    }
    const odd = ["", "{", "[]", "null", "7", '"x"', "[".repeat(10_000), '{"__proto__":{"x":1}}', '{"a":1}'];
    for (const [method, path] of ROUTES.filter(([each]) => each === "POST")) {
      if (path.includes("redrive")) continue;
      for (const body of odd) {
        const answer = await bench.post(path, body);
        assert.equal(answer.status, 400, `${method} ${path} ${body.slice(0, 20)}`);
        assert.ok((await problemIn(answer)).detail !== undefined);
      }
    }
    assert.deepEqual(bench.complaints, []);
  });
});

describe("POST /messages", () => {
  it("emits, and tells the message and its deliveries", async () => {
    const bench = await setUp();
    const answer = await bench.post("/messages", { message: "Disk usage at 95%", label: "ops", severity: "warning" });
    assert.equal(answer.status, 202);
    const { messageId, deliveries, undelivered } = await answer.json();
    assert.equal(answer.headers.get("location"), `/messages/${messageId}`);
    assert.deepEqual(
      deliveries.map(({ backendName, status }: { backendName: string; status: string }) => [
        backendName,
        status,
      ]),
      [["ops", "queued"]],
    );
    assert.deepEqual(undelivered, []);
    await bench.application.pump();
    assert.deepEqual(bench.network.sent, [{ text: "Disk usage at 95%", recipient: undefined }]);
    const shown = await (await bench.get(`/messages/${messageId}`)).json();
    assert.equal(shown.deliveries.length, 1);
    assert.equal(shown.deliveries[0].status, "accepted");
    assert.deepEqual(shown.deliveries[0].events.map(({ status }: { status: string }) => status), [
      "queued",
      "attempting",
      "accepted",
    ]);
  });

  it("takes the same Idempotency-Key for the same request, at once or later, and refuses another", async () => {
    const bench = await setUp();
    const message = { message: "once", label: "ops" };
    const key = { "idempotency-key": "order-4711" };
    const answers = await Promise.all(Array.from({ length: 10 }, () => bench.post("/messages", message, key)));
    const ids = await Promise.all(answers.map(async (answer) => (await answer.json()).messageId));
    assert.equal(new Set(ids).size, 1);
    await bench.application.pump();
    assert.equal((await bench.post("/messages", message, key)).status, 202);
    await bench.application.pump();
    assert.equal(bench.network.sent.length, 1);
    const other = await bench.post("/messages", { ...message, message: "twice" }, key);
    assert.equal(other.status, 409);
    assert.equal((await problemIn(other)).code, "idempotency-mismatch");
    assert.equal((await bench.post("/messages", message, { "idempotency-key": "x".repeat(256) })).status, 400);
  });

  it("says what is wrong with a message, and with its label", async () => {
    const bench = await setUp();
    const before = await bench.snapshot();
    const bad: readonly (readonly [object, string])[] = [
      [{ label: "ops" }, "message"],
      [{ message: 7, label: "ops" }, "message"],
      [{ message: "x", label: 7 }, "label"],
      [{ message: "x", severity: "bad" }, "severity"],
      [{ message: "x", subject: "a\nBcc: b@example.org" }, "subject"],
      [{ message: "x", recipients: "anna" }, "recipients"],
      [{ message: "x", recipients: [7] }, "recipients[0]"],
      [{ message: "x", metadata: [] }, "metadata"],
      [{ message: "x", metadata: { recipients: ["anna"] } }, "metadata.recipients"],
      [{ message: "x", notBefore: "soon" }, "notBefore"],
      [{ message: "x", expiresAt: "2026-02-31T25:00:00Z" }, "expiresAt"],
      [{ message: "x", expiresAt: -1 }, "expiresAt"],
      [{ message: "x", id: "mine" }, "body"],
      [
        { message: "x", attachments: [{ filename: "a", contentType: "text/plain", base64: "?" }] },
        "attachments[0].base64",
      ],
      [{ message: "x", attachments: [{ filename: "a", contentType: "b", path: "/etc/passwd" }] }, "attachments[0]"],
      [
        { message: "x", attachments: [{ filename: "a", contentType: "b", url: "file:///etc/passwd" }] },
        "attachments[0].url",
      ],
    ];
    for (const [body, argument] of bad) {
      const answer = await bench.post("/messages", { label: "ops", ...body });
      const problem = await problemIn(answer);
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.equal(problem.argument, argument, JSON.stringify(problem));
    }
    const unrouted = await bench.post("/messages", { message: "x", label: "opps" });
    assert.equal(unrouted.status, 422);
    const { code, undelivered } = await unrouted.json();
    assert.equal(code, "routing");
    assert.equal(undelivered[0].reason, "unknown-label");
    assert.deepEqual(await bench.snapshot(), before);
    assert.equal((await bench.post("/messages", { message: "x".repeat(3_000_000), label: "ops" })).status, 413);
  });

  it("lets callers name only the recipients that are allowed (P17)", async () => {
    const bench = await setUp({
      allowRecipients: { ops: ["anna@example.org", "*@example.com", "*@*.example.net", "*@bücher.example"] },
    });
    const allowed = [
      ["anna@example.org"],
      ["ANNA@example.org"],
      ["x@example.com", "y@EXAMPLE.com"],
      ["x@sub.example.net"],
      ["x@xn--bcher-kva.example"],
    ];
    for (const recipients of allowed) {
      assert.equal((await bench.post("/messages", { message: "x", label: "ops", recipients })).status, 202);
    }
    const refused = [
      ["bob@example.org"],
      ["anna@example.org", "bob@example.org"],
      ["x@example.com.evil.org"],
      ["x@sub.example.com"],
      ["x@example.net"],
      ["*@example.com.evil"],
      ["example.com"],
      ["anna@example.org\u0000"],
    ];
    for (const recipients of refused) {
      const answer = await bench.post("/messages", { message: "x", label: "ops", recipients });
      assert.equal(answer.status, recipients[0]?.includes("\0") ? 400 : 403, recipients.join());
      await problemIn(answer);
    }
    const closed = await setUp();
    assert.equal((await closed.post("/messages", { message: "x", label: "ops", recipients: ["a"] })).status, 403);
  });

  it("streams every step of every delivery", async () => {
    const bench = await setUp();
    const answer = await bench.get("/messages/stream?after=0");
    assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
    const reader = new EventReader(answer.body ?? assert.fail("no body"));
    const taking = reader.take(3);
    await bench.post("/messages", { message: "x", label: "ops" });
    await bench.application.pump();
    const events = await taking;
    assert.deepEqual(events.map(({ type, data }) => [type, JSON.parse(data).status]), [
      ["delivery", "queued"],
      ["delivery", "attempting"],
      ["delivery", "accepted"],
    ]);
    await reader.cancel();
    const again = await bench.app.request(`${ORIGIN}/messages/stream`, {
      headers: { ...BEARER, "last-event-id": events[1]?.lastEventId ?? "" },
    });
    const rest = new EventReader(again.body ?? assert.fail("no body"));
    assert.deepEqual((await rest.take(1)).map(({ data }) => JSON.parse(data).status), ["accepted"]);
    await rest.cancel();
  });

  it("answers 404 for a message nobody sent, whatever its id looks like", async () => {
    const bench = await setUp();
    for (const id of ["x", "constructor", "a%2Fb", "%00", "x".repeat(3_000)]) {
      const answer = await bench.get(`/messages/${id}`);
      assert.ok([400, 404].includes(answer.status), `${id} ${answer.status}`);
      await problemIn(answer);
    }
  });

  it("shows a message whose id has a slash", async () => {
    const bench = await setUp();
    await bench.application.emit({ message: "x", label: "ops", id: "in:1/2" });
    const answer = await bench.get(`/messages/${encodeURIComponent("in:1/2")}`);
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).messageId, "in:1/2");
  });
});

describe("/channels", () => {
  it("lists, shows, writes and reads", async () => {
    const bench = await setUp(WITH_JOBS);
    const { channels } = await (await bench.get("/channels")).json();
    assert.deepEqual(channels.map(({ id }: { id: string }) => id).sort(), ["jobs", "ledger", "news"]);
    for (let count = 1; count <= 3; count++) {
      const answer = await bench.post("/channels/news/messages", { content: { count }, metadata: { a: 1 } });
      assert.equal(answer.status, 201);
    }
    const first = await (await bench.get("/channels/news/messages?reader=me&limit=2")).json();
    assert.deepEqual(first.messages.map(({ content }: { content: unknown }) => content), [{ count: 1 }, { count: 2 }]);
    assert.equal(first.messages[0].senderId, "http");
    const second = await (await bench.get("/channels/news/messages?reader=me")).json();
    assert.deepEqual(second.messages.map(({ content }: { content: unknown }) => content), [{ count: 3 }]);
    const again = await (await bench.get("/channels/news/messages?reader=me&after=0")).json();
    assert.equal(again.messages.length, 3);
    const shown = await (await bench.get("/channels/news")).json();
    assert.equal(shown.kind, "broadcast");
    assert.equal(shown.stats.stored, 3);
    const reader = new EventReader((await bench.get("/channels/news/stream?after=1")).body ?? assert.fail("no body"));
    assert.deepEqual((await reader.take(2)).map(({ data }) => JSON.parse(data).content.count), [2, 3]);
    await reader.cancel();
  });

  it("takes the same Idempotency-Key for the same message", async () => {
    const bench = await setUp(WITH_JOBS);
    const key = { "idempotency-key": "k" };
    const ids = [];
    for (let count = 0; count < 3; count++) {
      ids.push((await (await bench.post("/channels/news/messages", { content: 1 }, key)).json()).id);
    }
    // The key of one channel is not that of another.
    assert.equal((await bench.post("/channels/jobs/messages", { content: 2 }, key)).status, 201);
    assert.equal(new Set(ids).size, 1);
    assert.equal((await (await bench.get("/channels/news")).json()).stats.stored, 1);
  });

  it("claims, acknowledges and gives back by token, with a result for each", async () => {
    const bench = await setUp(WITH_JOBS);
    for (let count = 1; count <= 3; count++) await bench.post("/channels/jobs/messages", { content: count });
    const claim = async (limit: number): Promise<readonly { id: string; lease: { token: string } }[]> =>
      (await (await bench.post("/channels/jobs/claims", { worker: "w", limit })).json()).messages;
    const [first, second] = await claim(2);
    assert.ok(first !== undefined && second !== undefined);
    const settled = await (await bench.post("/channels/jobs/acknowledgements", {
      worker: "w",
      claims: [
        { id: first.id, token: first.lease.token },
        { id: second.id, token: "a-stale-token" },
        { id: "nobody", token: "x" },
        { id: first.id, token: first.lease.token },
      ],
    })).json();
    assert.deepEqual(settled.results.map(({ status }: { status: string }) => status), [
      "done",
      "lease-lost",
      "not-found",
      "lease-lost",
    ]);
    const released = await (await bench.post("/channels/jobs/releases", {
      worker: "w",
      claims: [{ id: second.id, token: second.lease.token }],
      detail: "first failure",
    })).json();
    assert.deepEqual(released.results, [{ id: second.id, status: "done" }]);
    const again = (await claim(5)).find(({ id }) => id === second.id);
    assert.ok(again !== undefined);
    // The old token means the old delivery, which is over.
    const stale = await (await bench.post("/channels/jobs/acknowledgements", {
      worker: "w",
      claims: [{ id: second.id, token: second.lease.token }],
    })).json();
    assert.deepEqual(stale.results, [{ id: second.id, status: "lease-lost" }]);
    const dead = await (await bench.post("/channels/jobs/releases", {
      worker: "w",
      claims: [{ id: second.id, token: again.lease.token }],
      detail: "second failure",
    })).json();
    assert.deepEqual(dead.results, [{ id: second.id, status: "dead" }]);
  });

  it("refuses what a channel cannot do, limits that are none, and channels that are not there", async () => {
    const bench = await setUp(WITH_JOBS);
    const cases: readonly (readonly [Promise<Response>, number, string])[] = [
      [bench.post("/channels/news/claims", { worker: "w" }), 409, "not-claimable"],
      [bench.get("/channels/jobs/messages?reader=a"), 409, "not-readable"],
      [bench.get("/channels/jobs/stream"), 409, "not-readable"],
      [bench.post("/channels/ledger/messages", { content: 1 }), 403, "forbidden"],
      [bench.post("/channels/jobs/claims", { worker: "w", limit: 0 }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/claims", { worker: "w", limit: 1e9 }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/claims", { worker: "w", limit: "5" }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/claims", { worker: "" }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/acknowledgements", { worker: "w", claims: ["x"] }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/acknowledgements", { worker: "w", claims: {} }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/messages", {}), 400, "invalid-argument"],
      [bench.post("/channels/jobs/messages", { content: 1, senderId: "root" }), 400, "invalid-argument"],
      [bench.post("/channels/jobs/messages", { content: 1, id: "mine" }), 400, "invalid-argument"],
      [bench.get("/channels/news/messages"), 400, "invalid-argument"],
      [bench.get("/channels/news/messages?reader=a&limit=1001"), 400, "invalid-argument"],
      [bench.get("/channels/news/messages?reader=a&limit=-1"), 400, "invalid-argument"],
      [bench.get("/channels/news/messages?reader=a&after=x"), 400, "invalid-argument"],
      [bench.get("/channels/constructor"), 404, "unknown-channel"],
      [bench.get("/channels/nobody/messages?reader=a"), 404, "unknown-channel"],
      [bench.get("/channels/nobody/stream"), 404, "unknown-channel"],
      [bench.post("/channels/nobody/messages", { content: 1 }), 404, "unknown-channel"],
      [bench.post("/channels/nobody/claims", { worker: "w" }), 404, "unknown-channel"],
    ];
    for (const [answering, status, code] of cases) {
      const answer = await answering;
      const problem = await problemIn(answer);
      assert.equal(`${answer.status} ${problem.code}`, `${status} ${code}`, JSON.stringify(problem));
    }
    assert.equal((await bench.post("/channels/jobs/messages", { content: "x".repeat(1_100_000) })).status, 413);
  });
});

describe("/channels/{id}/dead-letters", () => {
  it("lists what a queue gave up, a page at a time, with every attempt, and gives it out again", async () => {
    const bench = await setUp(WITH_JOBS);
    for (const content of ["one", "two"]) await bench.post("/channels/jobs/messages", { content });
    for (let attempt = 1; attempt <= 4; attempt++) {
      const [claimed] = (await (await bench.post("/channels/jobs/claims", { worker: "w" })).json()).messages;
      const claims = [{ id: claimed.id, token: claimed.lease.token }];
      await bench.post("/channels/jobs/releases", { worker: "w", claims, delayMs: 0, detail: "broken file" });
    }
    const { messages } = await (await bench.get("/channels/jobs/dead-letters?limit=1")).json();
    assert.equal(messages.length, 1);
    const [letter] = messages;
    assert.deepEqual([letter.attempts, letter.dead.reason], [2, "max-deliveries"]);
    assert.deepEqual(
      letter.dead.failures.map((failure: Record<string, unknown>) => [failure["attempt"], failure["detail"]]),
      [[1, "broken file"], [2, "broken file"]],
    );
    const next = await (await bench.get(`/channels/jobs/dead-letters?after=${letter.seq}`)).json();
    assert.equal(next.messages.length, 1);
    assert.notEqual(next.messages[0].id, letter.id);
    const path = `/channels/jobs/dead-letters/${letter.id}/redrive`;
    assert.deepEqual(await (await bench.post(path, {})).json(), { id: letter.id, redriven: true });
    assert.equal((await problemIn(await bench.post(path, {}))).code, "unknown-message");
    const [again] = (await (await bench.post("/channels/jobs/claims", { worker: "w" })).json()).messages;
    assert.deepEqual([again.id, again.lease.attempt], [letter.id, 1]);
    assert.equal((await problemIn(await bench.get("/channels/news/dead-letters"))).code, "not-claimable");
    assert.equal((await problemIn(await bench.get("/channels/nobody/dead-letters"))).code, "unknown-channel");
    assert.equal((await problemIn(await bench.get("/channels/jobs/dead-letters?after=x"))).code, "invalid-argument");
    assert.equal((await problemIn(await bench.get("/channels/jobs/dead-letters?limit=0"))).code, "invalid-argument");
  });
});

describe("/dead-letters", () => {
  it("lists what was given up, and sends it again", async () => {
    const bench = await setUp();
    bench.network.next = [{ outcome: "rejected", retryable: false, reason: "policy", detail: "not today" }];
    await bench.post("/messages", { message: "refused", label: "ops" });
    await bench.application.pump();
    const { outgoing } = await (await bench.get("/dead-letters")).json();
    assert.equal(outgoing.length, 1);
    assert.equal(outgoing[0].message, "refused");
    assert.equal(outgoing[0].backendName, "ops");
    assert.equal((await (await bench.get("/dead-letters?backend=ops")).json()).outgoing.length, 1);
    assert.equal((await bench.get("/dead-letters?backend=nobody")).status, 404);
    assert.equal((await bench.get("/dead-letters?limit=0")).status, 400);
    const path = `/dead-letters/${encodeURIComponent(outgoing[0].id)}/redrive`;
    assert.equal((await bench.post(path, {})).status, 200);
    await bench.application.pump();
    assert.deepEqual(bench.network.sent.map(({ text }) => text), ["refused"]);
    assert.equal((await bench.post(path, {})).status, 404);
  });

  it("lists messages that no handler could handle, and hands them over again", async () => {
    const bench = await setUp({ config: { inbox: { max_deliveries: 1 } } });
    let tries = 0;
    bench.application.messenger.route(() => {
      tries++;
      if (tries === 1) throw new Error("poison");
    });
    await bench.emulator.openConversation("anna");
    await bench.emulator.type({ conversation: "anna", text: "poison", id: "p" });
    await bench.application.pump();
    const { incoming } = await (await bench.get("/dead-letters")).json();
    assert.equal(incoming.length, 1);
    assert.equal((await bench.post(`/dead-letters/${encodeURIComponent(incoming[0].id)}/redrive`, {})).status, 200);
    await bench.application.pump();
    assert.equal(tries, 2);
  });
});

describe("/deliveries", () => {
  /** A group over `ops` and `mail`; of `ops` nobody can say whether a message arrived, and a person decides. */
  async function setUpGroup(receipt: Receipt): Promise<ApiBench & { readonly mail: Network }> {
    const ops = new Network("ops");
    const mail = new Network("mail");
    const group = new FallbackCommunicator("page", { channels: [ops, mail] });
    const bench = await setUp({ communicators: [ops, mail, group] });
    ops.next = [receipt, receipt, receipt];
    return { ...bench, network: ops, mail };
  }

  it("lists a plan that was given up, with every attempt, and begins it again", async () => {
    const refused: Receipt = { outcome: "rejected", retryable: false, reason: "policy" };
    const bench = await setUpGroup(refused);
    bench.mail.next = [refused];
    const { deliveries } = await (await bench.post("/messages", { message: "fire", label: "page" })).json();
    for (let round = 0; round < 3; round++) await bench.application.pump();
    const { plans } = await (await bench.get("/dead-letters")).json();
    assert.deepEqual([plans.length, plans[0].reason, plans[0].message], [1, "exhausted", "fire"]);
    const tried = plans[0].attempts.filter(({ status }: { readonly status: string }) => status === "rejected");
    assert.deepEqual(tried.map(({ backendName }: { readonly backendName: string }) => backendName), ["ops", "mail"]);
    assert.equal((await (await bench.get("/dead-letters?backend=page")).json()).plans.length, 1);
    assert.equal((await (await bench.get("/dead-letters?backend=ops")).json()).plans.length, 0);
    bench.network.next = [];
    const path = `/dead-letters/${encodeURIComponent(deliveries[0].deliveryId)}/redrive`;
    assert.equal((await bench.post(path, {})).status, 200);
    assert.equal((await bench.post(path, {})).status, 404);
    await bench.application.pump();
    assert.deepEqual(bench.network.sent.map(({ text }) => text), ["fire"]);
    assert.deepEqual((await (await bench.get("/dead-letters")).json()).plans, []);
  });

  it("takes a person's word on a plan in doubt", async () => {
    const bench = await setUpGroup({ outcome: "unknown", detail: "cut" });
    const { deliveries } = await (await bench.post("/messages", { message: "fire", label: "page" })).json();
    for (let round = 0; round < 3; round++) {
      await bench.application.pump();
      await bench.clock.advance(120_000);
    }
    const path = `/deliveries/${encodeURIComponent(deliveries[0].deliveryId)}/resolve`;
    const problem = await problemIn(await bench.post(path, { as: "maybe" }));
    assert.deepEqual([problem.status, problem.argument], [400, "as"]);
    assert.equal((await bench.post(path, { as: "next", also: 1 })).status, 400);
    assert.equal((await bench.post("/deliveries/nobody/resolve", { as: "next" })).status, 404);
    assert.equal((await bench.post(path, { as: "next" })).status, 200);
    await bench.application.pump();
    assert.deepEqual(bench.mail.sent.map(({ text }) => text), ["fire"]);
    assert.equal((await bench.post(path, { as: "next" })).status, 404);
  });

  it("takes somebody's word that it was seen, which answers a question", async () => {
    const bench = await setUpGroup({ outcome: "accepted" });
    const { deliveries } = await (await bench.post("/messages", { message: "fire", label: "page" })).json();
    const path = `/deliveries/${encodeURIComponent(deliveries[0].deliveryId)}/acknowledge`;
    const problem = await problemIn(await bench.post(path, { sender: "" }));
    assert.deepEqual([problem.status, problem.argument], [400, "sender"]);
    assert.equal((await bench.post(path, { text: 7 })).status, 400);
    assert.equal((await bench.post(path, { by: "Ann" })).status, 400);
    assert.equal((await bench.post("/deliveries/nobody/acknowledge", {})).status, 404);
    assert.equal((await bench.post(path, {})).status, 200);
    assert.equal((await bench.post(path, {})).status, 404, "it is settled");
    const asked = bench.application.ask({ notificationId: "deploy/42", recipient: { ops: "x" }, textContent: "?" });
    for (let round = 0; round < 3; round++) await bench.application.pump();
    const answer = { sender: "Ann", text: "yes" };
    assert.equal((await bench.post("/deliveries/deploy%2F42/acknowledge", answer)).status, 200);
    const { sender, text, backendName } = await asked;
    assert.deepEqual([sender, text, backendName], ["Ann", "yes", "api"]);
  });

  it("calls off what waits, once, and lets a plan go on to its next channel where that is asked for", async () => {
    const bench = await setUpGroup({ outcome: "rejected", retryable: true, reason: "unavailable" });
    const { deliveries } = await (await bench.post("/messages", { message: "fire", label: "page" })).json();
    const planId: string = deliveries[0].deliveryId;
    const path = `/deliveries/${encodeURIComponent(`${planId}_s0`)}/cancel`;
    assert.equal((await bench.post(path, { plan: "all" })).status, 400);
    assert.equal((await bench.post(path, { plan: "next" })).status, 200);
    assert.equal((await bench.post(path, {})).status, 404);
    assert.equal((await bench.post(`/deliveries/${encodeURIComponent(planId)}/cancel`, {})).status, 200);
    await bench.application.pump();
    assert.deepEqual([bench.network.sent, bench.mail.sent], [[], []]);
  });
});

describe("GET /metrics", () => {
  it("tells queues and backends in Prometheus' format", async () => {
    const bench = await setUp();
    await bench.post("/messages", { message: "x", label: "ops" });
    const answer = await bench.get("/metrics");
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    assert.match(text, /^posthorn_queue_messages\{queue="outbox",backend="ops",state="ready"\} 1$/m);
    assert.match(text, /^posthorn_queue_messages\{queue="inbox",state="ready"\} 0$/m);
    assert.match(text, /^posthorn_backend_healthy\{backend="ops"\} 1$/m);
    for (const line of text.trimEnd().split("\n")) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+\{[^}]*\} [\d.]+)$/);
    }
  });
});

describe("/healthz and /readyz", () => {
  it("tell whether the application lives and can work, to anybody", async () => {
    const bench = await setUp();
    const ask = async (path: string): Promise<number> => (await bench.app.request(ORIGIN + path)).status;
    assert.deepEqual([await ask("/healthz"), await ask("/readyz")], [200, 200]);
    await bench.network.stop();
    assert.deepEqual([await ask("/healthz"), await ask("/readyz")], [200, 503]);
    await bench.network.start();
    assert.equal(await ask("/readyz"), 200);
    await bench.application.stop();
    assert.deepEqual([await ask("/healthz"), await ask("/readyz")], [200, 503]);
  });
});
