/**
 * `type: whatsapp` in a configuration.
 *
 * @module
 */
import { flag, id, integer, secret, text, url } from "./fields.ts";
import { type KeyRules, list, oneOrMore, seconds } from "./object-fields.ts";

/** The keys of `type: whatsapp`. */
export const WHATSAPP: KeyRules = {
  token: { field: secret(), required: true, description: "The access token of a system user" },
  phone_number_id: { field: id(), required: true, description: "The id, not the number, of the phone number" },
  api_version: {
    field: text({ pattern: { expression: /^v\d{1,3}\.\d{1,2}$/, words: 'a version like "v25.0"' } }),
    description: "The version of the Graph API",
    default: "v25.0",
  },
  api_root: { field: url(), description: "Where the Graph API is", default: "https://graph.facebook.com" },
  app_secret: {
    field: oneOrMore(secret()),
    description: "The app's secret, which signs webhooks; several while it changes",
  },
  verify_token: { field: secret(), description: "What Meta must say to verify the webhook's address" },
  default_recipients: { field: list(id()), description: "Who gets messages that name nobody", default: [] },
  timeout: { field: seconds(0.001, 3_600), description: "How long a request may take", default: 30 },
  preview_url: { field: flag(), description: "Show a preview of the first link", default: false },
  media_hosts: {
    field: list(text({ maxLength: 253 })),
    description: "Further hosts media may be fetched from with the token",
  },
  max_media_bytes: { field: integer(1, Number.MAX_SAFE_INTEGER), description: "The largest file that is fetched" },
};
