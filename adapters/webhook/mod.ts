/**
 * Webhooks: signed JSON both ways by Standard Webhooks (`webhook`), and the presets `slack`, `discord` and `ntfy`.
 *
 * @module
 */

// Start here
export { discord, ntfy, slack, webhook } from "./webhook-backends.ts";
export { createWebhookSecret } from "./standard-webhooks.ts";

// Without a configuration
export { DiscordCommunicator, type DiscordOptions } from "./discord-communicator.ts";
export { NtfyCommunicator, type NtfyOptions } from "./ntfy-communicator.ts";
export { escapeSlack, SlackCommunicator, type SlackOptions } from "./slack-communicator.ts";
export { WebhookCommunicator } from "./webhook-communicator.ts";
export {
  DISCORD_OPTION_KEYS,
  type FetchLike,
  NTFY_OPTION_KEYS,
  type PostOptions,
  SLACK_OPTION_KEYS,
  WEBHOOK_OPTION_KEYS,
  type WebhookOptions,
} from "./options.ts";

// What comes in
export { INBOUND_SCHEMA } from "./inbound-schema.ts";
export { StandardWebhookReceiver, type StandardWebhookReceiverOptions } from "./webhook-receiver.ts";

// Write your own backend over a webhook
export { createOnceFetch } from "../net/once-fetch.ts";
export { EgressGuard, type EgressOptions, type ResolveHost } from "./egress-guard.ts";
export { type ResolvedPostOptions, resolvePostOptions } from "./options.ts";
export { type GuardedPost, type HttpAnswer, type HttpRequest } from "./pinned-fetch.ts";
export { attemptPost, jsonPost, type PostRequest } from "./post-attempt.ts";
export { PostingCommunicator } from "./posting-communicator.ts";
export {
  parseWebhookSecret,
  type SignatureHeaders,
  StandardWebhookSigner,
  type StandardWebhookSignerOptions,
} from "./standard-webhooks.ts";
export { type Meaning, type OutcomeRules, readWebhookAnswer, type WebhookAnswer } from "./webhook-outcome.ts";
