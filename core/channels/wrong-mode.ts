/**
 * Calls that no input could make right: reading a channel in a way its kind does not have.
 *
 * @module
 */

/** What is said of the channel. */
interface NamedChannel {
  readonly id: string;
  readonly kind: string;
}

/** The error for everybody reading where each message goes to one worker. */
export function exclusiveOnly(doing: string, { id, kind }: NamedChannel): TypeError {
  return new TypeError(
    `Cannot ${doing} ${kind} channel "${id}" as everybody: each message goes to one worker; ` +
      "use read() with exclusive: true, or consume()",
  );
}

/** The error for a claim where everybody reads everything. */
export function sharedOnly({ id, kind }: NamedChannel): TypeError {
  return new TypeError(
    `Cannot read channel "${id}" exclusively: this ${kind} channel has shared reads only; use a WorkQueueChannel`,
  );
}
