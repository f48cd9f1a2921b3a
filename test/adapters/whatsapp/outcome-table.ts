// Answer of the Graph API → receipt. Codes: Meta's list of error codes; what has no code: what is safe to believe.
import type { Receipt } from "../../../core/mod.ts";

/** One row. */
export interface OutcomeRow {
  readonly name: string;
  readonly status: number;
  readonly body: unknown;
  readonly expected: Partial<Receipt>;
}

function error(code: number, extras: object = {}): object {
  return {
    error: { code, message: `(#${code})`, type: "OAuthException", ...extras },
  };
}

type Expected = readonly [reason: string, retryable: boolean, extras?: object];

function coded(
  code: number,
  status: number,
  [reason, retryable, extras = {}]: Expected,
): OutcomeRow {
  const expected = {
    outcome: "rejected",
    reason,
    retryable,
    code: String(code),
    ...extras,
  } as Partial<Receipt>;
  return {
    name: `code ${code} with ${status}`,
    status,
    body: error(code),
    expected,
  };
}

const AUTH: Expected = ["auth", true, { backendDown: true }];
const TRANSIENT: Expected = ["unavailable", true];
const NOT_READY: Expected = ["not-configured", false, { backendDown: true }];
const INVALID: Expected = ["invalid-message", false];
const POLICY: Expected = ["policy", false];
const INVALID_RECIPIENT: Expected = ["invalid-recipient", false];

const accepted = { messages: [{ id: "wamid.1" }] };

/** The table. */
export const OUTCOMES: readonly OutcomeRow[] = [
  coded(0, 401, AUTH),
  coded(3, 500, AUTH),
  coded(10, 403, AUTH),
  coded(190, 401, AUTH),
  coded(200, 403, AUTH),
  coded(250, 403, AUTH),
  coded(299, 403, AUTH),
  coded(368, 403, AUTH),
  coded(131005, 403, AUTH),
  coded(131031, 403, AUTH),
  coded(4, 429, ["rate-limited", true, { retryAfterMs: 60_000 }]),
  coded(80007, 429, ["rate-limited", true, { retryAfterMs: 60_000 }]),
  coded(130429, 429, ["rate-limited", true, {
    retryAfterMs: 1_000,
    progress: { throttled: 1 },
  }]),
  coded(130429, 400, ["rate-limited", true, { retryAfterMs: 1_000 }]),
  coded(131056, 429, ["rate-limited", true, {
    retryAfterMs: 1_000,
    progress: { throttled: 1 },
  }]),
  coded(131056, 400, ["rate-limited", true]),
  coded(133016, 400, ["rate-limited", true]),
  coded(132069, 400, ["rate-limited", true]),
  coded(131048, 429, ["policy", true, { backendDown: true }]),
  coded(131064, 429, POLICY),
  coded(1, 400, TRANSIENT),
  coded(1, 500, TRANSIENT),
  coded(2, 503, TRANSIENT),
  coded(131000, 500, TRANSIENT),
  coded(131016, 500, TRANSIENT),
  coded(131057, 500, TRANSIENT),
  coded(133004, 500, TRANSIENT),
  coded(33, 400, NOT_READY),
  coded(131037, 400, NOT_READY),
  coded(131042, 402, NOT_READY),
  coded(131045, 500, NOT_READY),
  coded(133000, 500, NOT_READY),
  coded(133005, 400, NOT_READY),
  coded(133006, 400, NOT_READY),
  coded(133008, 400, NOT_READY),
  coded(133009, 400, NOT_READY),
  coded(133010, 400, NOT_READY),
  coded(133015, 400, NOT_READY),
  coded(134011, 400, NOT_READY),
  coded(131021, 400, INVALID_RECIPIENT),
  coded(131030, 400, INVALID_RECIPIENT),
  coded(131062, 400, INVALID_RECIPIENT),
  coded(131026, 400, ["recipient-unreachable", false]),
  coded(131047, 400, ["window-closed", false]),
  coded(131050, 400, ["opted-out", false]),
  coded(130403, 403, POLICY),
  coded(130472, 400, POLICY),
  coded(130497, 403, POLICY),
  coded(131049, 400, POLICY),
  coded(132015, 400, POLICY),
  coded(132016, 400, POLICY),
  coded(100, 400, INVALID),
  coded(131008, 400, INVALID),
  coded(131009, 400, INVALID),
  coded(131052, 400, INVALID),
  coded(131053, 400, INVALID),
  coded(131055, 400, INVALID),
  coded(131051, 400, ["unsupported", false]),
  coded(132000, 400, INVALID),
  coded(132001, 404, INVALID),
  coded(132005, 400, INVALID),
  coded(132007, 400, INVALID),
  coded(132012, 400, INVALID),
  coded(132068, 400, INVALID),
  coded(135000, 400, ["other", false]),
  coded(999_999, 400, ["other", false]),
  coded(999_999, 500, ["unavailable", true]),
  {
    name: "an unknown code that says it passes",
    status: 400,
    body: error(999_998, { is_transient: true }),
    expected: {
      outcome: "rejected",
      reason: "unavailable",
      retryable: true,
      code: "999998",
    },
  },
  {
    name: "a known code is not swayed by is_transient",
    status: 400,
    body: error(131047, { is_transient: true }),
    expected: {
      outcome: "rejected",
      reason: "window-closed",
      retryable: false,
    },
  },
  {
    name: "details before the message",
    status: 400,
    body: error(131009, {
      error_data: { details: "Parameter value\nis not valid" },
    }),
    expected: { outcome: "rejected", detail: "Parameter value is not valid" },
  },
  {
    name: "200 with an error",
    status: 200,
    body: error(131000),
    expected: { outcome: "rejected", retryable: true },
  },
  {
    name: "200 without an id",
    status: 200,
    body: { messages: [{}] },
    expected: { outcome: "unknown" },
  },
  {
    name: "200 with an empty id",
    status: 200,
    body: { messages: [{ id: "" }] },
    expected: { outcome: "unknown" },
  },
  {
    name: "200 with a number for an id",
    status: 200,
    body: { messages: [{ id: 7 }] },
    expected: { outcome: "unknown" },
  },
  {
    name: "200 with no messages",
    status: 200,
    body: { messages: [] },
    expected: { outcome: "unknown" },
  },
  {
    name: "200 with an object",
    status: 200,
    body: {},
    expected: { outcome: "unknown" },
  },
  {
    name: "200 with a list",
    status: 200,
    body: [accepted],
    expected: { outcome: "unknown" },
  },
  {
    name: "200 with text",
    status: 200,
    body: undefined,
    expected: { outcome: "unknown" },
  },
  {
    name: "301",
    status: 301,
    body: undefined,
    expected: {
      outcome: "rejected",
      reason: "not-configured",
      backendDown: true,
    },
  },
  {
    name: "307",
    status: 307,
    body: accepted,
    expected: { outcome: "rejected", reason: "not-configured" },
  },
  {
    name: "400 without a code",
    status: 400,
    body: {},
    expected: { outcome: "rejected", reason: "other" },
  },
  {
    name: "400 with a text for a code",
    status: 400,
    body: { error: { code: "131047" } },
    expected: { outcome: "rejected", reason: "other", retryable: false },
  },
  {
    name: "401 without a code",
    status: 401,
    body: undefined,
    expected: { outcome: "rejected", reason: "auth", backendDown: true },
  },
  {
    name: "403 without a code",
    status: 403,
    body: undefined,
    expected: { outcome: "rejected", reason: "auth" },
  },
  {
    name: "404 without a code",
    status: 404,
    body: undefined,
    expected: {
      outcome: "rejected",
      reason: "not-configured",
      retryable: false,
    },
  },
  {
    name: "408 without a code",
    status: 408,
    body: undefined,
    expected: { outcome: "unknown" },
  },
  {
    name: "413 without a code",
    status: 413,
    body: undefined,
    expected: { outcome: "rejected", retryable: false },
  },
  {
    name: "429 without a code",
    status: 429,
    body: undefined,
    expected: {
      outcome: "rejected",
      reason: "rate-limited",
      retryable: true,
      retryAfterMs: 1_000,
    },
  },
  {
    name: "500 without a code",
    status: 500,
    body: undefined,
    expected: { outcome: "unknown" },
  },
  {
    name: "502 without a code",
    status: 502,
    body: undefined,
    expected: { outcome: "unknown" },
  },
  {
    name: "503 without a code",
    status: 503,
    body: undefined,
    expected: { outcome: "rejected", reason: "unavailable", retryable: true },
  },
  {
    name: "504 without a code",
    status: 504,
    body: undefined,
    expected: { outcome: "unknown" },
  },
];
