/**
 * What the generic webhook takes in.
 *
 * @module
 */
import { INCOMING_KINDS, type JsonObject } from "../../core/mod.ts";

const message: JsonObject = {
  type: "object",
  required: ["conversation"],
  additionalProperties: true,
  properties: {
    id: {
      type: "string",
      pattern: "^[!-~]{1,150}$",
      description:
        "The same each time the message is repeated. Without one, the request's webhook-id and the place in " +
        "the list stand in.",
    },
    conversation: {
      type: "string",
      pattern: "^[!-~]{1,180}$",
      description: "Where answers go: they are posted with it as recipient.",
    },
    text: { type: "string", description: "What was said." },
    kind: {
      enum: [...INCOMING_KINDS],
      default: "text",
    },
    sender: { type: "string", description: "The sender's name." },
    sender_id: { type: "string", description: "The sender's id." },
    timestamp: { description: "Milliseconds since 1970, or a date by ISO 8601.", type: ["number", "string"] },
    reply_to: { type: "string", description: "The id of the message it answers." },
    metadata: { type: "object", description: "Anything else." },
  },
};

/**
 * The JSON Schema of a body the generic webhook takes in: one message, a list of messages, or either of them as `data` of
 * the envelope Standard Webhooks suggests.
 */
export const INBOUND_SCHEMA: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "A message for the generic webhook of Posthorn",
  anyOf: [
    { $ref: "#/$defs/message" },
    { $ref: "#/$defs/messages" },
    {
      type: "object",
      required: ["type", "data"],
      properties: {
        type: { type: "string", description: "What happened; kept in the message's metadata." },
        timestamp: { type: "string" },
        data: { anyOf: [{ $ref: "#/$defs/message" }, { $ref: "#/$defs/messages" }] },
      },
    },
  ],
  $defs: {
    message,
    messages: {
      type: "object",
      required: ["messages"],
      properties: { messages: { type: "array", items: { $ref: "#/$defs/message" } } },
    },
  },
};
