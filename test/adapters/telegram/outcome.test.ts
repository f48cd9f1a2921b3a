import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { ManualClock, type Receipt } from "../../../core/mod.ts";
import { TelegramCommunicator } from "../../../adapters/telegram/mod.ts";
import { CHAT, contextOf, messageOf } from "./support.ts";

/** `R`: rejected for good. `r`: rejected, retryable. `d`: rejected, and everything else would be too. `u`: unknown. */
type Verdict = "R" | "r" | "d" | "u" | "a";

interface Row {
  readonly when: string;
  readonly answer: () => Response | Promise<Response>;
  readonly verdict: Verdict;
  readonly reason?: string;
  readonly retryAfterMs?: number;
}

function refusal(code: number, parameters?: object, description = "said in words"): () => Response {
  return () =>
    Response.json({ ok: false, error_code: code, description, ...(parameters ? { parameters } : {}) }, {
      status: code,
    });
}

function foreign(status: number, headers: Record<string, string> = {}, body = "<html>no</html>"): () => Response {
  return () => new Response(body, { status, headers: { "content-type": "text/html", ...headers } });
}

function thrown(make: () => unknown): () => Promise<Response> {
  return () => Promise.reject(make());
}

function failed(code: string, more: object = {}): () => Promise<Response> {
  return thrown(() => new TypeError("fetch failed", { cause: Object.assign(new Error("inner"), { code, ...more }) }));
}

const API_ROWS: readonly Row[] = [
  { when: "400", answer: refusal(400), verdict: "R", reason: "invalid-message" },
  {
    when: "400 chat not found",
    answer: refusal(400, undefined, "Bad Request: chat not found"),
    verdict: "R",
    reason: "invalid-message",
  },
  {
    when: "400 with words of a 429",
    answer: refusal(400, undefined, "Too Many Requests: retry after 5"),
    verdict: "R",
    reason: "invalid-message",
  },
  {
    when: "400 with words of a 500",
    answer: refusal(400, undefined, "Internal Server Error 500 timeout"),
    verdict: "R",
    reason: "invalid-message",
  },
  { when: "401", answer: refusal(401), verdict: "d", reason: "auth" },
  { when: "402", answer: refusal(402), verdict: "R", reason: "other" },
  { when: "403", answer: refusal(403), verdict: "R", reason: "recipient-unreachable" },
  {
    when: "403 with words of a 401",
    answer: refusal(403, undefined, "Unauthorized"),
    verdict: "R",
    reason: "recipient-unreachable",
  },
  { when: "404", answer: refusal(404), verdict: "d", reason: "auth" },
  { when: "405", answer: refusal(405), verdict: "R", reason: "other" },
  { when: "406", answer: refusal(406), verdict: "R", reason: "other" },
  { when: "408", answer: refusal(408), verdict: "r", reason: "unavailable" },
  { when: "409", answer: refusal(409), verdict: "r", reason: "unavailable" },
  { when: "410", answer: refusal(410), verdict: "R", reason: "other" },
  { when: "413", answer: refusal(413), verdict: "R", reason: "invalid-message" },
  { when: "418", answer: refusal(418), verdict: "R", reason: "other" },
  {
    when: "420 with retry_after",
    answer: refusal(420, { retry_after: 3 }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 3_000,
  },
  { when: "425", answer: refusal(425), verdict: "r", reason: "unavailable" },
  { when: "429 without retry_after", answer: refusal(429), verdict: "r", reason: "rate-limited" },
  {
    when: "429 retry_after 0",
    answer: refusal(429, { retry_after: 0 }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 0,
  },
  {
    when: "429 retry_after 1",
    answer: refusal(429, { retry_after: 1 }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 1_000,
  },
  {
    when: "429 retry_after 35",
    answer: refusal(429, { retry_after: 35 }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 35_000,
  },
  {
    when: "429 retry_after 0.25",
    answer: refusal(429, { retry_after: 0.25 }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 250,
  },
  { when: "429 retry_after -1", answer: refusal(429, { retry_after: -1 }), verdict: "r", reason: "rate-limited" },
  { when: "429 retry_after a text", answer: refusal(429, { retry_after: "5" }), verdict: "r", reason: "rate-limited" },
  { when: "400 with retry_after", answer: refusal(400, { retry_after: 5 }), verdict: "R", reason: "invalid-message" },
  { when: "499", answer: refusal(499), verdict: "R", reason: "other" },
  { when: "500", answer: refusal(500), verdict: "r", reason: "unavailable" },
  {
    when: "500 with words of a 403",
    answer: refusal(500, undefined, "Forbidden: bot was blocked"),
    verdict: "r",
    reason: "unavailable",
  },
  { when: "501", answer: refusal(501), verdict: "r", reason: "unavailable" },
  { when: "502", answer: refusal(502), verdict: "r", reason: "unavailable" },
  {
    when: "503 with retry_after",
    answer: refusal(503, { retry_after: 2 }),
    verdict: "r",
    reason: "unavailable",
    retryAfterMs: 2_000,
  },
  { when: "504", answer: refusal(504), verdict: "r", reason: "unavailable" },
  { when: "599", answer: refusal(599), verdict: "r", reason: "unavailable" },
  {
    when: "an error_code of 0",
    answer: () => Response.json({ ok: false, error_code: 0, description: "" }),
    verdict: "u",
  },
  {
    when: "an error_code of 200",
    answer: () => Response.json({ ok: false, error_code: 200, description: "" }),
    verdict: "u",
  },
  {
    when: "an error_code of 1000",
    answer: () => Response.json({ ok: false, error_code: 1000, description: "" }),
    verdict: "u",
  },
  {
    when: "an error_code that is a text",
    answer: () => Response.json({ ok: false, error_code: "429", description: "" }),
    verdict: "u",
  },
  {
    when: "an error_code of 429.5",
    answer: () => Response.json({ ok: false, error_code: 429.5, description: "" }),
    verdict: "u",
  },
  {
    when: "no error_code, status 429",
    answer: () => Response.json({ ok: false }, { status: 429 }),
    verdict: "r",
    reason: "rate-limited",
  },
  {
    when: "no error_code, status 403",
    answer: () => Response.json({ ok: false }, { status: 403 }),
    verdict: "R",
    reason: "recipient-unreachable",
  },
  {
    when: "migrate twice",
    answer: refusal(400, { migrate_to_chat_id: -1009999999999 }),
    verdict: "R",
    reason: "invalid-recipient",
  },
  {
    when: "migrate to no number",
    answer: refusal(400, { migrate_to_chat_id: "-100" }),
    verdict: "R",
    reason: "invalid-message",
  },
  {
    when: "migrate past what a number holds",
    answer: refusal(400, { migrate_to_chat_id: 2 ** 60 }),
    verdict: "R",
    reason: "invalid-message",
  },
  { when: "accepted", answer: () => Response.json({ ok: true, result: { message_id: 7 } }), verdict: "a" },
  {
    when: "accepted with status 500",
    answer: () => Response.json({ ok: true, result: { message_id: 7 } }, { status: 500 }),
    verdict: "a",
  },
  { when: "ok without a message", answer: () => Response.json({ ok: true, result: true }), verdict: "u" },
  {
    when: "ok without a message id",
    answer: () => Response.json({ ok: true, result: { message_id: "x" } }),
    verdict: "u",
  },
];

const FOREIGN_ROWS: readonly Row[] = [
  { when: "a page with 200", answer: foreign(200), verdict: "u" },
  { when: "nothing with 200", answer: foreign(200, {}, ""), verdict: "u" },
  { when: "JSON of somebody else with 200", answer: () => Response.json({ status: "ok" }), verdict: "u" },
  { when: "a JSON text with 200", answer: () => Response.json("ok"), verdict: "u" },
  { when: "JSON null with 200", answer: () => Response.json(null), verdict: "u" },
  { when: "half an answer with 200", answer: () => new Response('{"ok":true,"result":{"mess'), verdict: "u" },
  {
    when: "a redirect 301",
    answer: foreign(301, { location: "https://example.org/" }),
    verdict: "d",
    reason: "not-configured",
  },
  { when: "a redirect 302", answer: foreign(302, { location: "/x" }), verdict: "d", reason: "not-configured" },
  { when: "a redirect 307", answer: foreign(307, { location: "/x" }), verdict: "d", reason: "not-configured" },
  { when: "a page with 400", answer: foreign(400), verdict: "R", reason: "other" },
  { when: "a page with 401", answer: foreign(401), verdict: "d", reason: "not-configured" },
  { when: "a page with 403", answer: foreign(403), verdict: "r", reason: "unavailable" },
  { when: "a page with 404", answer: foreign(404), verdict: "d", reason: "not-configured" },
  { when: "a page with 407", answer: foreign(407), verdict: "d", reason: "not-configured" },
  { when: "a page with 408", answer: foreign(408), verdict: "r", reason: "unavailable" },
  { when: "a page with 413", answer: foreign(413), verdict: "R", reason: "invalid-message" },
  { when: "a page with 421", answer: foreign(421), verdict: "r", reason: "unavailable" },
  { when: "a page with 429", answer: foreign(429), verdict: "r", reason: "rate-limited" },
  {
    when: "a page with 429 and Retry-After",
    answer: foreign(429, { "retry-after": "7" }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 7_000,
  },
  {
    when: "a page with 429 and a date",
    answer: foreign(429, { "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }),
    verdict: "r",
    reason: "rate-limited",
    retryAfterMs: 60_000,
  },
  { when: "a page with 451", answer: foreign(451), verdict: "R", reason: "other" },
  { when: "a page with 500", answer: foreign(500), verdict: "u" },
  { when: "a page with 502", answer: foreign(502), verdict: "u" },
  { when: "a page with 503", answer: foreign(503), verdict: "r", reason: "unavailable" },
  {
    when: "a page with 503 and Retry-After",
    answer: foreign(503, { "retry-after": "120" }),
    verdict: "r",
    reason: "unavailable",
    retryAfterMs: 120_000,
  },
  { when: "a page with 504", answer: foreign(504), verdict: "u" },
  { when: "a page with 522", answer: foreign(522), verdict: "u" },
];

const NETWORK_ROWS: readonly Row[] = [
  ...[
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EAI_FAIL",
    "UND_ERR_CONNECT_TIMEOUT",
    "CERT_HAS_EXPIRED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  ].map((code): Row => ({ when: code, answer: failed(code), verdict: "r", reason: "network" })),
  {
    when: "EHOSTUNREACH while connecting",
    answer: failed("EHOSTUNREACH", { syscall: "connect" }),
    verdict: "r",
    reason: "network",
  },
  {
    when: "ETIMEDOUT while connecting",
    answer: failed("ETIMEDOUT", { syscall: "connect" }),
    verdict: "r",
    reason: "network",
  },
  {
    when: "a code of Bun",
    answer: thrown(() => Object.assign(new TypeError("no"), { code: "ConnectionRefused" })),
    verdict: "r",
    reason: "network",
  },
  {
    when: "two addresses refused",
    answer: thrown(() =>
      new TypeError("fetch failed", {
        cause: new AggregateError(["a", "b"].map(() => Object.assign(new Error("x"), { code: "ECONNREFUSED" }))),
      })
    ),
    verdict: "r",
    reason: "network",
  },
  {
    when: "one address refused, one reset",
    answer: thrown(() =>
      new TypeError("fetch failed", {
        cause: new AggregateError(
          ["ECONNREFUSED", "ECONNRESET"].map((code) => Object.assign(new Error("x"), { code })),
        ),
      })
    ),
    verdict: "u",
  },
  {
    when: "the connecting stage of Deno",
    answer: thrown(() =>
      new TypeError("fetch failed", {
        cause: new Error(
          "error sending request for url (http://127.0.0.1:1/): client error (Connect): tcp connect error",
        ),
      })
    ),
    verdict: "r",
    reason: "network",
  },
  {
    when: "the sending stage of Deno",
    answer: thrown(() =>
      new TypeError("fetch failed", {
        cause: new Error(
          "error sending request for http://127.0.0.1:1/ (127.0.0.1:1): client error (SendRequest): closed",
        ),
      })
    ),
    verdict: "u",
  },
  ...[
    "ECONNRESET",
    "EPIPE",
    "UND_ERR_SOCKET",
    "UND_ERR_HEADERS_TIMEOUT",
    "UND_ERR_BODY_TIMEOUT",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "SOMETHING_NEW",
  ]
    .map((code): Row => ({ when: code, answer: failed(code), verdict: "u" })),
  { when: "an error without a code", answer: thrown(() => new TypeError("Network connection lost.")), verdict: "u" },
  { when: "a text in the place of an error", answer: thrown(() => "no"), verdict: "u" },
  { when: "nothing in the place of an error", answer: thrown(() => undefined), verdict: "u" },
  {
    when: "an error that says it was refused in words",
    answer: thrown(() => new Error("connect ECONNREFUSED")),
    verdict: "u",
  },
  {
    when: "a body that breaks off",
    answer: () =>
      new Response(
        new ReadableStream({
          pull(controller): void {
            controller.error(Object.assign(new Error("gone"), { code: "ECONNREFUSED" }));
          },
        }),
      ),
    verdict: "u",
  },
];

async function attempt(answer: Row["answer"]): Promise<Receipt> {
  const backend = new TelegramCommunicator("ops", {
    token: "123456:outcome",
    chats: { default: { chatId: CHAT } },
    fetch: () => Promise.resolve(answer()),
  }, { clock: new ManualClock(Date.parse("2026-10-21T07:27:00Z")) });
  await backend.start();
  const receipt = await backend.send(messageOf({ message: "hello" }), contextOf());
  await backend.stop();
  return receipt;
}

function verdictOf(receipt: Receipt): Verdict | "skipped" {
  if (receipt.outcome === "accepted") return "a";
  if (receipt.outcome === "unknown") return "u";
  if (receipt.outcome === "skipped") return "skipped";
  if (receipt.backendDown) return "d";
  return receipt.retryable ? "r" : "R";
}

for (
  const [title, rows] of Object.entries({
    "what the Bot API says": API_ROWS,
    "what somebody in between says": FOREIGN_ROWS,
    "what the network does": NETWORK_ROWS,
  })
) {
  describe(`send() classifies ${title}`, () => {
    for (const { when, answer, verdict, reason, retryAfterMs } of rows) {
      it(`send() classifies: ${when}`, async () => {
        const receipt = await attempt(answer);
        assert.equal(verdictOf(receipt), verdict, JSON.stringify(receipt));
        if (receipt.outcome === "rejected") {
          assert.equal(receipt.reason, reason);
          assert.equal(receipt.retryAfterMs, retryAfterMs);
        } else {
          assert.equal(reason, undefined);
        }
      });
    }
  });
}

describe("the outcome table", () => {
  it("send() has at least 60 rows of it (G12)", () => {
    const rows = [...API_ROWS, ...FOREIGN_ROWS, ...NETWORK_ROWS];
    assert.ok(rows.length >= 60, `${rows.length} rows`);
    assert.equal(new Set(rows.map(({ when }) => when)).size, rows.length);
  });

  it("send() takes an exception of a transformer for an unknown", async () => {
    const backend = new TelegramCommunicator("ops", {
      bot: {
        token: "123456:outcome",
        api: { config: { installedTransformers: () => [() => Promise.reject(new Error("a transformer broke"))] } },
      },
      chats: { default: { chatId: CHAT } },
      fetch: () => Promise.reject(new Error("never called")),
    });
    await backend.start();
    const receipt = await backend.send(messageOf({ message: "hello" }), contextOf());
    assert.equal(receipt.outcome, "unknown");
  });
});
