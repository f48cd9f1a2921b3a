/**
 * `posthorn explain`: whom a message would reach, and why not the others.
 *
 * @module
 */
import type { Application, OutgoingMessageInit, RouteExplanation } from "../../core/mod.ts";
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
    const { application } = previewApplication(await readConfig(given, io));
    return printExplanation(application, messageOf(given, text), given, io);
  },
};

/** Asks and prints. */
export function printExplanation(
  application: Application,
  message: OutgoingMessageInit,
  given: GivenArguments,
  io: CliIo,
): ExitCode {
  const explanation = application.explain(message);
  if (given.has("json")) io.out(json(explanationJson(explanation)));
  else printForPeople(explanation, message, io);
  return explanation.reaches.length > 0 ? 0 : 1;
}

function printForPeople({ label, reaches, others }: RouteExplanation, message: OutgoingMessageInit, io: CliIo): void {
  const what = `label ${plain(label)}, severity ${message.severity ?? "info"}`;
  io.out(reaches.length === 0 ? `${what}: nobody would get it\n` : `${what}: would go to\n`);
  io.out(
    table(
      reaches.flatMap(({ backendName, destinations }) =>
        destinations.map((destination) => [backendName, describeDestination(destination.recipient)])
      ),
    ),
  );
  if (others.length > 0) io.out(`and not to\n${table(others.map(({ backendName, detail }) => [backendName, detail]))}`);
}

/** An explanation for programs. */
export function explanationJson({ label, reaches, others }: RouteExplanation): object {
  return {
    ok: reaches.length > 0,
    label,
    reaches: reaches.map(({ backendName, destinations }) => ({
      backend: backendName,
      recipients: destinations.map(({ recipient }) => recipient ?? null),
    })),
    others: others.map(({ backendName, reason, detail }) => ({ backend: backendName, reason, detail })),
  };
}
