/**
 * `metadata.whatsapp` on its way out: checked against WhatsApp's limits, whoever wrote it.
 *
 * @module
 */
import { type JsonObject, type JsonValue, kindOf, ValidationError } from "../../core/mod.ts";

/** The part of a request that a content stands for: its `type`, and the member of that name. */
export interface ContentPayload {
  /** The request's `type`. */
  readonly type: string;
  /** The member named like it. */
  readonly value: JsonObject;
  /** Whether the message's text is part of it, must go ahead of it, or is not sent at all. */
  readonly text: "within" | "before" | "not-sent";
}

/**
 * Turns `metadata.whatsapp` into what the Graph API takes. It may come from anywhere, so all of it is checked.
 *
 * @param content The value.
 * @param text The message's text.
 * @throws {ValidationError} If it is not what the functions of this file make, or passes a limit.
 */
export function contentPayload(content: JsonValue, text: string): ContentPayload {
  const fields = objectOf(content, "metadata.whatsapp");
  switch (fields["type"]) {
    case "template": {
      const template = objectOf(fields["template"], "template");
      limited(template["name"], "template.name", 512);
      limited(objectOf(template["language"], "template.language")["code"], "template.language.code", 20);
      return { type: "template", value: template, text: "not-sent" };
    }
    case "buttons":
      return { type: "interactive", value: buttonsValue(fields, text), text: "within" };
    case "list":
      return { type: "interactive", value: listValue(fields, text), text: "within" };
    case "location":
      return { type: "location", value: locationValue(fields), text: "before" };
    case "reaction":
      return {
        type: "reaction",
        value: {
          message_id: limited(fields["message_id"], "message_id", 200),
          emoji: limited(fields["emoji"], "emoji", 40, true),
        },
        text: "not-sent",
      };
    default:
      throw new ValidationError(
        "metadata.whatsapp.type",
        "Cannot send 'metadata.whatsapp': its type must be template, buttons, list, location or reaction",
      );
  }
}

function buttonsValue(fields: JsonObject, text: string): JsonObject {
  const buttons = listOf(fields["buttons"], "buttons", 1, 3).map((item, index) => {
    const { id, title } = objectOf(item, `buttons[${index}]`);
    return {
      type: "reply",
      reply: {
        id: limited(id, `buttons[${index}].id`, 256),
        title: limited(title, `buttons[${index}].title`, 20),
      },
    };
  });
  assertUnique(buttons.map(({ reply }) => reply.id), "buttons");
  return {
    type: "button",
    body: { text: limited(text, "message", 1_024) },
    action: { buttons },
    ...framePayload(fields),
  };
}

function listValue(fields: JsonObject, text: string): JsonObject {
  const given = listOf(fields["sections"], "sections", 1, 10);
  const ids: string[] = [];
  const sections = given.map((item, index) => {
    const path = `sections[${index}]`;
    const { title, rows } = objectOf(item, path);
    const hasTitle = title !== undefined || given.length > 1;
    return {
      ...(hasTitle ? { title: limited(title, `${path}.title`, 24) } : {}),
      rows: listOf(rows, `${path}.rows`, 1, 10).map((row, place) => {
        const entry = objectOf(row, `${path}.rows[${place}]`);
        const id = limited(entry["id"], `${path}.rows[${place}].id`, 200);
        ids.push(id);
        const { description } = entry;
        return {
          id,
          title: limited(entry["title"], `${path}.rows[${place}].title`, 24),
          ...(description === undefined
            ? {}
            : { description: limited(description, `${path}.rows[${place}].description`, 72) }),
        };
      }),
    };
  });
  if (ids.length > 10) {
    throw new ValidationError("sections", `Cannot show ${ids.length} rows: WhatsApp takes 10 in all sections`);
  }
  assertUnique(ids, "rows");
  return {
    type: "list",
    body: { text: limited(text, "message", 4_096) },
    action: { button: limited(fields["button"], "button", 20), sections },
    ...framePayload(fields),
  };
}

function locationValue(fields: JsonObject): JsonObject {
  const { latitude, longitude, name, address } = fields;
  return {
    latitude: degrees(latitude, "latitude", 90),
    longitude: degrees(longitude, "longitude", 180),
    ...(name === undefined ? {} : { name: limited(name, "name", 1_000) }),
    ...(address === undefined ? {} : { address: limited(address, "address", 1_000) }),
  };
}

function framePayload({ header, footer }: JsonObject): JsonObject {
  return {
    ...(header === undefined ? {} : { header: { type: "text", text: limited(header, "header", 60) } }),
    ...(footer === undefined ? {} : { footer: { text: limited(footer, "footer", 60) } }),
  };
}

/** A text within a limit. */
export function limited(value: JsonValue | undefined, name: string, maxLength: number, allowEmpty = false): string {
  if (typeof value !== "string" || (value === "" && !allowEmpty)) {
    throw new ValidationError(name, `Cannot send '${name}': it must be a text, not ${kindOf(value)}`);
  }
  if (value.length > maxLength) {
    throw new ValidationError(name, `Cannot send '${name}' of ${value.length} characters: WhatsApp takes ${maxLength}`);
  }
  return value;
}

function degrees(value: JsonValue | undefined, name: string, most: number): number {
  if (typeof value === "number" && Math.abs(value) <= most) return value;
  throw new ValidationError(name, `Cannot send '${name}': it must be degrees from ${-most} to ${most}`);
}

function listOf(value: JsonValue | undefined, name: string, least: number, most: number): readonly JsonValue[] {
  if (isJsonList(value) && value.length >= least && value.length <= most) return value;
  throw new ValidationError(
    name,
    `Cannot send '${name}': it must be a list of ${least} to ${most}, not ${kindOf(value)}`,
  );
}

function isJsonList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function objectOf(value: JsonValue | undefined, name: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new ValidationError(name, `Cannot send '${name}': it must be an object, not ${kindOf(value)}`);
}

function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function assertUnique(ids: readonly string[], name: string): void {
  if (new Set(ids).size < ids.length) {
    throw new ValidationError(name, `Cannot send '${name}': two of them have the same id`);
  }
}
