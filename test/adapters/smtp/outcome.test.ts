import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import type { RejectionReason } from "../../../core/mod.ts";
import { classifySmtpFault, type SmtpFaultKind, type SmtpStage } from "../../../adapters/smtp/outcome.ts";

type Verdict =
  | readonly [retryable: boolean, reason: RejectionReason, backendDown?: "down"]
  | "unknown";
type Row = readonly [stage: SmtpStage, reply: string, verdict: Verdict];
type FaultRow = readonly [stage: SmtpStage, kind: SmtpFaultKind, verdict: Verdict];

const REPLIES: readonly Row[] = [
  // Before a session
  ["greeting", "421 4.3.2", [true, "unavailable"]],
  ["greeting", "450", [true, "unavailable"]],
  ["greeting", "554", [true, "unavailable", "down"]],
  ["greeting", "521", [true, "unavailable", "down"]],
  ["ehlo", "421", [true, "unavailable"]],
  ["ehlo", "451 4.3.0", [true, "unavailable"]],
  ["ehlo", "550 5.7.1", [true, "unavailable", "down"]],
  ["ehlo", "504", [true, "unavailable", "down"]],
  ["starttls", "454 4.7.0", [true, "unavailable"]],
  ["starttls", "502 5.5.1", [true, "policy", "down"]],
  ["starttls", "501", [true, "policy", "down"]],
  ["starttls", "421", [true, "unavailable"]],
  // Login
  ["auth", "421", [true, "unavailable"]],
  ["auth", "454 4.7.0", [true, "unavailable"]],
  ["auth", "432 4.7.12", [true, "unavailable"]],
  ["auth", "535 5.7.8", [true, "auth", "down"]],
  ["auth", "534 5.7.9", [true, "auth", "down"]],
  ["auth", "504 5.5.4", [true, "auth", "down"]],
  ["auth", "550", [true, "auth", "down"]],
  ["mail", "530 5.7.0", [true, "auth", "down"]],
  ["mail", "538 5.7.11", [true, "auth", "down"]],
  ["mail", "550 5.7.8", [true, "auth", "down"]],
  ["data", "530", [true, "auth", "down"]],
  // Sender
  ["mail", "421 4.4.2", [true, "unavailable"]],
  ["mail", "450 4.1.8", [true, "recipient-unreachable"]],
  ["mail", "451 4.3.0", [true, "unavailable"]],
  ["mail", "452 4.3.1", [true, "unavailable"]],
  ["mail", "451 4.7.1", [true, "policy"]],
  ["mail", "450 4.7.28", [true, "rate-limited"]],
  ["mail", "454", [true, "unavailable"]],
  ["mail", "550 5.1.8", [true, "not-configured", "down"]],
  ["mail", "553 5.1.7", [true, "not-configured", "down"]],
  ["mail", "553", [true, "not-configured", "down"]],
  ["mail", "501", [true, "not-configured", "down"]],
  ["mail", "550", [false, "policy"]],
  ["mail", "550 5.7.1", [false, "policy"]],
  ["mail", "552 5.3.4", [false, "invalid-message"]],
  ["mail", "552", [false, "invalid-message"]],
  ["mail", "555 5.5.4", [false, "unsupported"]],
  ["mail", "550 5.6.7", [false, "unsupported"]],
  ["mail", "503 5.5.1", [false, "other"]],
  // Recipient
  ["rcpt", "421", [true, "unavailable"]],
  ["rcpt", "450", [true, "recipient-unreachable"]],
  ["rcpt", "450 4.2.0", [true, "recipient-unreachable"]],
  ["rcpt", "450 4.2.1", [true, "recipient-unreachable"]],
  ["rcpt", "452 4.2.2", [true, "recipient-unreachable"]],
  ["rcpt", "450 4.7.1", [true, "policy"]],
  ["rcpt", "451 4.7.1", [true, "policy"]],
  ["rcpt", "451", [true, "unavailable"]],
  ["rcpt", "451 4.4.1", [true, "unavailable"]],
  ["rcpt", "452", [true, "rate-limited"]],
  ["rcpt", "452 4.5.3", [true, "rate-limited"]],
  ["rcpt", "452 4.3.1", [true, "unavailable"]],
  ["rcpt", "499", [true, "unavailable"]],
  ["rcpt", "552", [true, "rate-limited"]],
  ["rcpt", "552 5.5.3", [true, "rate-limited"]],
  ["rcpt", "552 5.2.2", [false, "recipient-unreachable"]],
  ["rcpt", "550 5.1.1", [false, "invalid-recipient"]],
  ["rcpt", "550 5.1.10", [false, "invalid-recipient"]],
  ["rcpt", "556 5.1.10", [false, "invalid-recipient"]],
  ["rcpt", "550", [false, "invalid-recipient"]],
  ["rcpt", "551 5.1.6", [false, "invalid-recipient"]],
  ["rcpt", "553", [false, "invalid-recipient"]],
  ["rcpt", "501 5.1.3", [false, "invalid-recipient"]],
  ["rcpt", "550 5.2.1", [false, "recipient-unreachable"]],
  ["rcpt", "550 5.4.4", [false, "recipient-unreachable"]],
  ["rcpt", "550 5.7.1", [false, "policy"]],
  ["rcpt", "554 5.7.1", [false, "policy"]],
  ["rcpt", "554", [false, "policy"]],
  ["rcpt", "553 5.6.7", [false, "unsupported"]],
  ["rcpt", "555", [false, "unsupported"]],
  ["rcpt", "500", [false, "other"]],
  ["rcpt", "599", [false, "other"]],
  // Content
  ["data", "421", [true, "unavailable"]],
  ["data", "451", [true, "unavailable"]],
  ["data", "554", [false, "policy"]],
  ["data", "503 5.5.1", [false, "other"]],
  ["body", "452 4.3.1", [true, "unavailable"]],
  ["body", "552 5.3.4", [false, "invalid-message"]],
  ["dot", "421 4.3.0", [true, "unavailable"]],
  ["dot", "450 4.7.1", [true, "policy"]],
  ["dot", "451 4.3.0", [true, "unavailable"]],
  ["dot", "451 4.7.650", [true, "policy"]],
  ["dot", "452 4.3.1", [true, "unavailable"]],
  ["dot", "550 5.7.1", [false, "policy"]],
  ["dot", "550 5.1.1", [false, "invalid-recipient"]],
  ["dot", "550", [false, "policy"]],
  ["dot", "552 5.2.2", [false, "recipient-unreachable"]],
  ["dot", "552", [false, "invalid-message"]],
  ["dot", "552 5.2.3", [false, "invalid-message"]],
  ["dot", "554 5.6.0", [false, "invalid-message"]],
  ["dot", "554 5.7.1", [false, "policy"]],
  ["dot", "554", [false, "policy"]],
  ["dot", "571", [false, "policy"]],
  ["dot", "500", [false, "other"]],
  // Not an answer
  ["dot", "354", "unknown"],
  ["dot", "600", "unknown"],
  ["data", "250", [true, "unavailable"]],
  ["rcpt", "199", [true, "unavailable"]],
];

const FAULTS: readonly FaultRow[] = [
  ["queue", "aborted", [true, "unavailable"]],
  ["connect", "name", [true, "network"]],
  ["connect", "cut", [true, "network"]],
  ["connect", "timeout", [true, "network"]],
  ["tls", "certificate", [true, "not-configured", "down"]],
  ["tls", "cut", [true, "network"]],
  ["greeting", "timeout", [true, "network"]],
  ["greeting", "protocol", [true, "unavailable"]],
  ["ehlo", "cut", [true, "network"]],
  ["auth", "no-auth", [true, "auth", "down"]],
  ["auth", "no-token", [true, "auth"]],
  ["auth", "cut", [true, "network"]],
  ["mail", "no-smtputf8", [false, "unsupported"]],
  ["mail", "too-large", [false, "invalid-message"]],
  ["mail", "cut", [true, "network"]],
  ["mail", "timeout", [true, "network"]],
  ["mail", "aborted", [true, "unavailable"]],
  ["data", "timeout", [true, "network"]],
  ["body", "cut", [true, "network"]],
  ["body", "timeout", [true, "network"]],
  ["body", "aborted", [true, "unavailable"]],
  ["dot", "cut", "unknown"],
  ["dot", "timeout", "unknown"],
  ["dot", "aborted", "unknown"],
  ["dot", "protocol", "unknown"],
];

function verdictOf(receipt: ReturnType<typeof classifySmtpFault>): Verdict {
  if (receipt.outcome === "unknown") return "unknown";
  return receipt.backendDown === true
    ? [receipt.retryable, receipt.reason, "down"]
    : [receipt.retryable, receipt.reason];
}

describe("classifySmtpFault()", () => {
  it("has an expectation for at least 100 combinations (G12)", () => {
    assert.ok(REPLIES.length + FAULTS.length >= 100);
  });

  for (const [stage, reply, expected] of REPLIES) {
    it(`takes ${reply} at ${stage} for ${String(expected)}`, () => {
      const [code = "", enhanced] = reply.split(" ");
      const receipt = classifySmtpFault({
        stage,
        kind: "reply",
        code: Number(code),
        ...(enhanced === undefined ? {} : { enhanced }),
      });
      assert.deepEqual(verdictOf(receipt), expected);
    });
  }

  for (const [stage, kind, expected] of FAULTS) {
    it(`takes ${kind} at ${stage} for ${String(expected)}`, () => {
      assert.deepEqual(verdictOf(classifySmtpFault({ stage, kind })), expected);
    });
  }

  it("names the code, the enhanced code and the stage", () => {
    const receipt = classifySmtpFault({
      stage: "rcpt",
      kind: "reply",
      code: 550,
      enhanced: "5.1.1",
      detail: "550 5.1.1 No such user",
    });
    assert.ok(receipt.outcome === "rejected");
    assert.equal(receipt.code, "550 5.1.1");
    assert.equal(receipt.detail, "RCPT TO: 550 5.1.1 No such user");
  });

  it("retries every 4xx and no 5xx after the recipient, whatever the words", () => {
    for (let code = 400; code < 600; code++) {
      for (const stage of ["rcpt", "data", "dot"] as const) {
        for (
          const detail of ["user unknown", "try again later", "connection timed out"]
        ) {
          const receipt = classifySmtpFault({ stage, kind: "reply", code, detail });
          assert.ok(receipt.outcome === "rejected");
          const exceptions = stage === "rcpt" && code === 552 ||
            [530, 534, 535, 538].includes(code);
          assert.equal(receipt.retryable, code < 500 || exceptions, `${stage} ${code}`);
        }
      }
    }
  });
});
