/**
 * Reading what callers of the API write.
 *
 * @module
 */
import {
  assertInteger,
  type Attachment,
  decodeBase64,
  kindOf,
  nearest,
  type OutgoingMessageInit,
  SEVERITIES,
  type Severity,
  ValidationError,
} from "../../../core/mod.ts";

/** The members of a JSON object, read one by one; what is not read is not known. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #read = new Set<string>();

  /**
   * @param values The object.
   * @param path What stands before its members' names in an error.
   */
  constructor(values: Readonly<Record<string, unknown>>, path = "") {
    this.#values = values;
    this.#path = path;
  }

  /** A member as it is. */
  any(name: string): unknown {
    this.#read.add(name);
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  /** A text, or nothing. */
  text(name: string): string | undefined {
    const value = this.any(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.#refuse(name, "a text", value);
  }

  /** A text that must be there. */
  requiredText(name: string): string {
    const value = this.text(name);
    if (value !== undefined) return value;
    throw this.#refuse(name, "a text", undefined);
  }

  /** An integer, or nothing. */
  integer(name: string, minimum: number, maximum: number): number | undefined {
    const value = this.any(name);
    return value === undefined ? undefined : assertInteger(value, this.#path + name, minimum, maximum);
  }

  /** A time: milliseconds since 1970, or an ISO 8601 text with its zone. */
  time(name: string): number | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
    if (typeof value === "string" && ISO_TIME.test(value)) {
      const time = Date.parse(value);
      if (!Number.isNaN(time)) return time;
    }
    throw this.#refuse(name, "milliseconds since 1970 or a time such as 2026-11-21T08:30:00Z", value);
  }

  /** An object, or nothing. */
  object(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value));
    }
    throw this.#refuse(name, "an object", value);
  }

  /** A list, or nothing. */
  list(name: string, maxLength: number): readonly unknown[] | undefined {
    const value = this.any(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length <= maxLength) return value;
    throw this.#refuse(name, `a list of at most ${maxLength}`, value);
  }

  /** Refuses what nobody asked for: a mistyped name must not be passed over in silence. */
  done(): void {
    for (const name of Object.keys(this.#values)) {
      if (this.#read.has(name)) continue;
      const known = [...this.#read];
      const guess = nearest(name, known.filter((each) => !Object.hasOwn(this.#values, each)));
      const hint = guess === undefined ? "" : `did you mean '${this.#path}${guess}'? `;
      throw new ValidationError(
        this.#path === "" ? "body" : this.#path.slice(0, -1),
        `Cannot accept the request: a field is not known here; ${hint}known are ${known.join(", ")}`,
      );
    }
  }

  #refuse(name: string, wanted: string, value: unknown): ValidationError {
    const path = this.#path + name;
    return new ValidationError(path, `Cannot accept '${path}': it must be ${wanted}, not ${kindOf(value)}`);
  }
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;
const MAX_RECIPIENTS = 1_000;
const MAX_ATTACHMENTS = 20;

/**
 * Reads the body of `POST /messages`.
 *
 * @param values The body.
 * @throws {ValidationError} If a field is unknown or of the wrong kind.
 */
export function readMessage(values: Readonly<Record<string, unknown>>): OutgoingMessageInit {
  const fields = new Fields(values);
  const init = {
    message: fields.text("message") ?? "",
    ...given("label", fields.text("label")),
    ...given("source", fields.text("source")),
    ...given("severity", readSeverity(fields.text("severity"))),
    ...given("subject", fields.text("subject")),
    ...given("html", fields.text("html")),
    ...given("orderingKey", fields.text("orderingKey")),
    ...given("replyTo", fields.text("replyTo")),
    ...given("notBefore", fields.time("notBefore")),
    ...given("expiresAt", fields.time("expiresAt")),
    ...given("recipients", fields.list("recipients", MAX_RECIPIENTS)?.map(readRecipient)),
    ...given("attachments", fields.list("attachments", MAX_ATTACHMENTS)?.map(readAttachment)),
    ...given("metadata", readMetadata(fields.object("metadata"))),
  };
  fields.done();
  return init;
}

/** A member that is left out when it has no value. */
export function given<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [key in Name]?: Value } {
  const members: { [key in Name]?: Value } = {};
  if (value !== undefined) members[name] = value;
  return members;
}

/** Metadata is JSON already; what reaches recipients has a field of its own, which has rules. */
function readMetadata(
  value: Readonly<Record<string, unknown>> | undefined,
): OutgoingMessageInit["metadata"] | undefined {
  if (value === undefined) return undefined;
  if (Object.hasOwn(value, "recipients")) {
    throw new ValidationError("metadata.recipients", "Cannot accept 'metadata.recipients': use 'recipients'");
  }
  const metadata: OutgoingMessageInit["metadata"] = JSON.parse(JSON.stringify(value));
  return metadata;
}

function readSeverity(value: string | undefined): Severity | undefined {
  if (value === undefined) return undefined;
  const severity = SEVERITIES.find((each) => each === value);
  if (severity !== undefined) return severity;
  throw new ValidationError("severity", `Cannot accept 'severity': it must be one of ${SEVERITIES.join(", ")}`);
}

/** An integer of a query, or nothing. */
export function queryInteger(
  query: URLSearchParams,
  name: string,
  minimum: number,
  maximum: number,
): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return assertInteger(/^\d{1,16}$/.test(text) ? Number(text) : text, name, minimum, maximum);
}

function readRecipient(value: unknown, index: number): string {
  if (typeof value === "string") return value;
  const path = `recipients[${index}]`;
  throw new ValidationError(path, `Cannot accept '${path}': it must be a text, not ${kindOf(value)}`);
}

function readAttachment(value: unknown, index: number): Attachment {
  const path = `attachments[${index}]`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ValidationError(path, `Cannot accept '${path}': it must be an object, not ${kindOf(value)}`);
  }
  const fields = new Fields(Object.fromEntries(Object.entries(value)), `${path}.`);
  const base64 = fields.text("base64");
  const bytes = base64 === undefined ? undefined : decodeBase64(base64);
  if (base64 !== undefined && bytes === undefined) {
    throw new ValidationError(`${path}.base64`, `Cannot accept '${path}.base64': it is not base64`);
  }
  const attachment = {
    filename: fields.requiredText("filename"),
    contentType: fields.requiredText("contentType"),
    ...given("bytes", bytes),
    ...given("url", fields.text("url")),
    ...given("providerId", fields.text("providerId")),
    ...given("caption", fields.text("caption")),
  };
  fields.done();
  return attachment;
}
