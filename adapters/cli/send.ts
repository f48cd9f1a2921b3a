/**
 * `posthorn send`: sends one message and says what became of it.
 *
 * @module
 */
import type { Logger } from "../../core/mod.ts";
import { previewApplication } from "../app/preview-application.ts";
import { parseSeconds } from "../config/duration.ts";
import { type GivenArguments, UsageError } from "./arguments.ts";
import type { CliIo } from "./cli-io.ts";
import { type Command, CONFIG_OPTIONS, type ExitCode, MESSAGE_OPTIONS } from "./command.ts";
import { deliver, type DeliveryEnd, type Outcome } from "./deliver.ts";
import { printExplanation } from "./explain.ts";
import { describeDestination, messageOf } from "./message-arguments.ts";
import { json, plain, table } from "./printing.ts";
import { readConfig } from "./read-config.ts";

const MAX_INPUT_BYTES = 1_048_576;
const DEFAULT_TIMEOUT_SECONDS = 60;

/** The command. */
export const send: Command = {
  summary: "Send a message, wait for the networks' answers, and print them",
  usage: '--label LABEL [OPTIONS] "TEXT"',
  details: `Without a text, or with -, the text is read from the standard input.
It is sent by this process alone: the store of the configuration is not opened, and nothing is received.
The exit code is 0 if every delivery was accepted, 1 if one was not, 2 if nothing could be tried.`,
  options: {
    ...CONFIG_OPTIONS,
    ...MESSAGE_OPTIONS,
    subject: { takes: "value", value: "TEXT", description: "The subject, where the network has one" },
    source: { takes: "value", value: "TEXT", description: "Who says it" },
    id: {
      takes: "value",
      value: "ID",
      description: "The message's id; the same id is the same message to the networks",
    },
    timeout: {
      takes: "value",
      value: "TIME",
      description: `How long to wait, such as 30s or 5m (default: ${DEFAULT_TIMEOUT_SECONDS}s)`,
    },
    "dry-run": { takes: "nothing", description: "Only say who would get it" },
    verbose: { takes: "nothing", short: "v", description: "Say on the standard error what happens" },
  },
  async run(given, io): Promise<ExitCode> {
    const timeoutMs = timeoutOf(given.value("timeout"));
    const prepared = await readConfig(given, io);
    const message = messageOf(given, await textOf(given, io));
    const preview = previewApplication(prepared).application;
    const isEnabled = prepared.config.communications?.enabled === true;
    if (given.has("dry-run")) return printExplanation(prepared, message, given, io);
    if (!isEnabled) throw new UsageError("nothing is sent: set communications.enabled to true");
    const { reaches, others } = preview.explain(message);
    if (reaches.length === 0) return printExplanation(prepared, message, given, io);
    const outcome = await deliver(prepared, message, {
      // One that takes the label and has nobody to write to belongs into the report.
      reached: [...reaches, ...others.filter(({ reason }) => reason === "no-recipient")]
        .map(({ backendName }) => backendName),
      timeoutMs,
      logger: terminalLogger(io, given.has("verbose")),
    });
    if (given.has("json")) io.out(json(outcomeJson(outcome)));
    else printForPeople(outcome, io);
    return isWell(outcome) ? 0 : 1;
  },
};

async function textOf(given: GivenArguments, io: CliIo): Promise<string> {
  const [text, ...more] = given.positionals;
  if (more.length > 0) throw new UsageError("more than one text: put it in quotes");
  if (text !== undefined && text !== "-") return text;
  const none = new UsageError('there is no text: posthorn send --label LABEL "TEXT"');
  if (text === undefined && io.isInteractive) throw none;
  // The line break at the end is the shell's.
  const read = (await io.readInput(MAX_INPUT_BYTES)).replace(/\r?\n$/, "");
  if (text === undefined && read === "") throw none;
  return read;
}

function timeoutOf(given: string | undefined): number {
  const seconds = parseSeconds(given ?? DEFAULT_TIMEOUT_SECONDS);
  if (seconds === undefined || seconds === 0) throw new UsageError("--timeout must be a time such as 30s or 5m");
  return seconds * 1_000;
}

const GOOD: ReadonlySet<string> = new Set(["accepted", "delivered", "read"]);

function isWell({ deliveries, undelivered }: Outcome): boolean {
  return deliveries.length > 0 && undelivered.length === 0 && deliveries.every(({ status }) => GOOD.has(status));
}

function outcomeJson(outcome: Outcome): object {
  return {
    ok: isWell(outcome),
    messageId: outcome.messageId,
    deliveries: outcome.deliveries,
    undelivered: outcome.undelivered.map(({ backendName, ...rest }) => ({ backend: backendName, ...rest })),
  };
}

function printForPeople({ messageId, deliveries, undelivered }: Outcome, io: CliIo): void {
  io.out(`message ${plain(messageId)}\n`);
  io.out(table([
    ...deliveries.flatMap((end) => [row(end), ...(end.steps ?? []).map((step) => row(step, "  "))]),
    ...undelivered.map(({ backendName, reason, detail }) => [backendName ?? "", "", reason, detail]),
  ]));
  if (deliveries.some(({ status }) => status === "queued" || status === "rejected" || status === "unknown")) {
    io.err("posthorn send: not settled in time; what was not accepted is given up now (--timeout waits longer)\n");
  }
}

function row({ backend, recipient, status, reason, code, detail, steps }: DeliveryEnd, indent = ""): readonly string[] {
  return [
    `${indent}${backend}`,
    steps === undefined ? describeDestination(recipient) : "by its channels",
    status,
    [reason, code, detail].filter((part) => part !== undefined && part !== "").join(" · "),
  ];
}

function terminalLogger(io: CliIo, isVerbose: boolean): Logger {
  const say = (level: string) => (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const facts = Object.entries(fields).filter(([, value]) => value !== undefined);
    io.err(plain(`${level}: ${message}${facts.map(([key, value]) => ` ${key}=${String(value)}`).join("")}`) + "\n");
  };
  const nothing = (): void => {};
  return {
    debug: nothing,
    info: isVerbose ? say("info") : nothing,
    warn: isVerbose ? say("warning") : nothing,
    error: say("error"),
  };
}
