/**
 * `posthorn explain`: whom a message would reach, and why not the others.
 *
 * @module
 */
import {
  type Destination,
  type GroupExplanation,
  nearest,
  type OutgoingMessageInit,
  type RouteExplanation,
} from "../../core/mod.ts";
import type { PreparedApplication } from "../app/prepare-application.ts";
import { previewApplication } from "../app/preview-application.ts";
import { type GivenArguments, UsageError } from "./arguments.ts";
import type { CliIo } from "./cli-io.ts";
import { type Command, CONFIG_OPTIONS, type ExitCode, MESSAGE_OPTIONS } from "./command.ts";
import { describeDestination, messageOf } from "./message-arguments.ts";
import { json, plain, table } from "./printing.ts";
import { readConfig } from "./read-config.ts";

/** The command. */
export const explain: Command = {
  summary: "Say which backends would get a message, and why the others would not",
  usage: '--label LABEL [OPTIONS] ["TEXT"]',
  details: `A text may be given as to send; whom a message reaches does not depend on it.
Nothing is sent, and nothing is opened.
The exit code is 0 if somebody would get it, 1 if nobody would, 2 if the configuration cannot be used.`,
  options: { ...CONFIG_OPTIONS, ...MESSAGE_OPTIONS },
  async run(given, io): Promise<ExitCode> {
    const [text = "?", ...more] = given.positionals;
    if (more.length > 0) throw new UsageError("more than one text: put it in quotes");
    const prepared = await readConfig(given, io);
    return printExplanation(prepared, messageOf(given, text), given, io);
  },
};

/** Asks and prints. Where nothing is enabled, nobody gets anything: that is said beside who would. */
export function printExplanation(
  prepared: PreparedApplication,
  message: OutgoingMessageInit,
  given: GivenArguments,
  io: CliIo,
): ExitCode {
  const { application } = previewApplication(prepared);
  const isEnabled = prepared.config.communications?.enabled === true;
  const explanation = application.explain(message);
  const ok = isEnabled && explanation.reaches.length > 0;
  if (given.has("json")) {
    io.out(json({ ok, ...(isEnabled ? {} : { enabled: false }), ...explanationJson(explanation) }));
  } else printForPeople(explanation, message, application.dispatcher.labels, io);
  if (!isEnabled) io.err("nothing is sent: set communications.enabled to true\n");
  return ok ? 0 : 1;
}

function printForPeople(
  { label, reaches, others }: RouteExplanation,
  message: OutgoingMessageInit,
  labels: readonly string[],
  io: CliIo,
): void {
  const what = `label ${plain(label)}, severity ${message.severity ?? "info"}`;
  const guess = labels.includes(label) ? undefined : nearest(label, labels);
  const hint = guess === undefined ? "" : `; did you mean ${plain(guess)}?`;
  io.out(reaches.length === 0 ? `${what}: nobody would get it${hint}\n` : `${what}: would go to\n`);
  io.out(
    table(
      reaches.flatMap(({ backendName, destinations, group }) =>
        group === undefined
          ? destinations.map(({ recipient }) => [backendName, describeDestination(recipient)])
          : groupRows(backendName, group)
      ),
    ),
  );
  if (others.length === 0) return;
  const rows = others.flatMap(({ backendName, detail, group }) => [
    [backendName, detail],
    ...(group === undefined ? [] : channelRows(group, "  ")),
  ]);
  io.out(`and not to\n${table(rows)}`);
}

/** A group and its channels below it, numbered in their order. */
function groupRows(name: string, group: GroupExplanation, indent = ""): string[][] {
  return [[`${indent}${name}`, groupWords(group)], ...channelRows(group, `${indent}  `)];
}

function channelRows({ channels }: GroupExplanation, indent: string): string[][] {
  return channels.flatMap(({ backendName, destinations, skip, group }, index) => {
    const name = `${index + 1}. ${backendName}`;
    if (group !== undefined) return groupRows(name, group, indent);
    if (skip !== undefined) return [[`${indent}${name}`, `left out: ${skip}`]];
    return destinations.map(({ recipient }) => [`${indent}${name}`, describeDestination(recipient)]);
  });
}

const ARRIVED = { accepted: "takes it", delivered: "delivers it", read: "has it read", reply: "has a reply" } as const;

function groupWords({ policy, confirm, withinMs }: GroupExplanation): string {
  const wait = withinMs === undefined ? "" : ` within ${withinMs / 1_000} s`;
  return policy === "parallel"
    ? `all of these at once, until one ${ARRIVED[confirm]}${wait}`
    : `one of these after the other, until one ${ARRIVED[confirm]}${wait}`;
}

/** An explanation for programs. */
function explanationJson({ label, reaches, others }: RouteExplanation): object {
  return {
    label,
    reaches: reaches.map(({ backendName, destinations, group }) => ({
      backend: backendName,
      ...(group === undefined ? { recipients: recipientsOf(destinations) } : groupJson(group)),
    })),
    others: others.map(({ backendName, reason, detail, group }) => ({
      backend: backendName,
      reason,
      detail,
      ...(group === undefined ? {} : groupJson(group)),
    })),
  };
}

function groupJson({ policy, confirm, withinMs, channels }: GroupExplanation): object {
  return {
    policy,
    confirm,
    ...(withinMs === undefined ? {} : { within: withinMs / 1_000 }),
    channels: channels.map(({ backendName, destinations, skip, group }) => ({
      backend: backendName,
      ...(skip === undefined ? {} : { skip }),
      ...(group === undefined ? { recipients: recipientsOf(destinations) } : groupJson(group)),
    })),
  };
}

function recipientsOf(destinations: readonly Destination[]): readonly (string | null)[] {
  return destinations.map(({ recipient }) => recipient ?? null);
}
