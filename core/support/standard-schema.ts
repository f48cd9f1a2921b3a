/**
 * The Standard Schema interface, version 1 (standardschema.dev), as far as it is used here: valibot, zod, arktype and
 * others implement it, so any of them can describe a channel's content.
 *
 * @module
 */
import { SchemaError, type SchemaIssue } from "../errors.ts";

/** What a validation found. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that did not fit. */
export interface StandardIssue {
  /** What is wrong. */
  readonly message: string;
  /** The keys from the root, or objects that hold them. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Anything that implements Standard Schema 1. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** The interface. */
  readonly "~standard": {
    /** Always 1. */
    readonly version: 1;
    /** Who made the schema. */
    readonly vendor: string;
    /** Checks a value. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Types only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/**
 * Checks a value against a schema.
 *
 * @param schema The schema.
 * @param value The value.
 * @param what What to call the value in the error: `'content of channel "jobs"'`.
 * @returns The schema's output.
 * @throws {SchemaError} If it does not fit, with every issue.
 */
export async function validate<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  what: string,
): Promise<Output> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const issues: SchemaIssue[] = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }));
  const said = issues.slice(0, 5).map((
    issue,
  ) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`));
  const more = issues.length > said.length ? `; and ${issues.length - said.length} more` : "";
  throw new SchemaError(`Cannot accept ${what}: ${said.join("; ")}${more}`, issues);
}

function pathOf(issue: StandardIssue): string {
  return (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}
