/**
 * A message out of arguments.
 *
 * @module
 */
import { nearest, type OutgoingMessageInit, SEVERITIES, type Severity } from "../../core/mod.ts";
import { type GivenArguments, UsageError } from "./arguments.ts";

/** Reads what {@link MESSAGE_OPTIONS} and the options of `send` say. */
export function messageOf(given: GivenArguments, text: string): OutgoingMessageInit {
  const label = given.value("label");
  const severity = severityOf(given.value("severity"));
  const subject = given.value("subject");
  const source = given.value("source");
  const id = given.value("id");
  const recipients = given.values("to");
  return {
    message: text,
    ...(label === undefined ? {} : { label }),
    ...(severity === undefined ? {} : { severity }),
    ...(subject === undefined ? {} : { subject }),
    ...(source === undefined ? {} : { source }),
    ...(id === undefined ? {} : { id }),
    ...(recipients.length === 0 ? {} : { recipients }),
  };
}

function severityOf(given: string | undefined): Severity | undefined {
  if (given === undefined) return undefined;
  const severity = SEVERITIES.find((each) => each === given);
  if (severity !== undefined) return severity;
  const guess = nearest(given, SEVERITIES);
  const hint = guess === undefined ? "" : `; did you mean ${guess}?`;
  throw new UsageError(`--severity must be one of ${SEVERITIES.join(", ")}${hint}`);
}

/** A recipient for people. */
export function describeDestination(recipient: string | undefined): string {
  return recipient ?? "its own destination";
}
