/**
 * What a registry knows of one thing.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import { cloneJson, type JsonObject, type JsonValue } from "../message/json.ts";
import type { StateEntry } from "../store/message-store.ts";
import { assertId } from "../support/assert.ts";
import { assertWords, isJsonObject } from "./channel-input.ts";
import { checkVisibility } from "./channel-lifecycle.ts";
import type { ChannelInfo, Visibility } from "./channel-options.ts";

/** What a system says of itself: an id, what it can do, who may find it, and anything else. */
export interface SystemDescriptor {
  /** Its id. */
  readonly id: string;
  /** What it can do. */
  readonly capabilities?: readonly string[];
  /** Who may find it. @default `"public"` */
  readonly visibility?: Visibility;
  /** Anything else: JSON. */
  readonly [key: string]: JsonValue | undefined;
}

/** A registration with its end. */
export type Registered<D> = D & {
  /** When it ends unless it is repeated, in milliseconds since 1970. */
  readonly expiresAt: number;
};

/** Which of the two things a registry knows. */
export type RegistrationKind = "channel" | "system";

/** A registration, checked. */
export interface CheckedRegistration {
  /** The id. */
  readonly id: string;
  /** What is kept: JSON. */
  readonly value: JsonObject;
}

/** Checks what is to be registered, and copies it. */
export function checkRegistration(
  kind: RegistrationKind,
  descriptor: ChannelInfo | SystemDescriptor,
): CheckedRegistration {
  if (typeof descriptor !== "object" || descriptor === null) {
    throw new ValidationError(kind, `Cannot register as '${kind}' must be an object, not ${kindOf(descriptor)}`);
  }
  const id = assertId(descriptor.id, `${kind}.id`);
  const visibility = checkVisibility(descriptor.visibility ?? "public", `${kind}.visibility`);
  const capabilities = assertWords(descriptor.capabilities ?? [], `${kind}.capabilities`);
  const value = cloneJson({ ...descriptor, id, visibility, capabilities }, kind);
  if (isJsonObject(value)) return { id, value };
  throw new ValidationError(kind, `Cannot register as '${kind}' must be an object, not ${kindOf(descriptor)}`);
}

/** Reads a registered system. */
export function systemOf(entry: StateEntry): Registered<SystemDescriptor> {
  const { value, expiresAt = 0 } = entry;
  const known = isJsonObject(value) ? value : {};
  return {
    ...known,
    id: textOf(known, "id"),
    visibility: visibilityOf(known),
    capabilities: capabilitiesOf(known),
    expiresAt,
  };
}

/** Reads a registered channel. */
export function channelOf(entry: StateEntry): Registered<ChannelInfo> {
  const { value, expiresAt = 0 } = entry;
  const known = isJsonObject(value) ? value : {};
  return {
    id: textOf(known, "id"),
    name: textOf(known, "name"),
    description: textOf(known, "description"),
    kind: textOf(known, "kind"),
    namespace: textOf(known, "namespace"),
    visibility: visibilityOf(known),
    capabilities: capabilitiesOf(known),
    running: known["running"] === true,
    expiresAt,
  };
}

function textOf(value: JsonObject, key: string): string {
  const text = value[key];
  return typeof text === "string" ? text : "";
}

function visibilityOf(value: JsonObject): Visibility {
  return value["visibility"] === "private" ? "private" : "public";
}

function capabilitiesOf(value: JsonObject): readonly string[] {
  const words = value["capabilities"];
  return Array.isArray(words) ? words.filter((word) => typeof word === "string") : [];
}
