/**
 * The backend types `webhook`, `slack`, `discord` and `ntfy`.
 *
 * @module
 */
import type { BackendConfig, BackendContext, BackendType, Communicator } from "../../core/mod.ts";
import { ConfigReader } from "../net/config-reader.ts";
import { DiscordCommunicator } from "./discord-communicator.ts";
import { NtfyCommunicator } from "./ntfy-communicator.ts";
import type { PostOptions } from "./options.ts";
import { SlackCommunicator } from "./slack-communicator.ts";
import { WebhookCommunicator } from "./webhook-communicator.ts";

/** `type: webhook`: signed JSON, both ways. Options: {@link WEBHOOK_OPTION_KEYS}. */
export const webhook: BackendType = { type: "webhook", create: createWebhook };

/** `type: slack`: an incoming webhook of Slack. Options: {@link SLACK_OPTION_KEYS}. */
export const slack: BackendType = { type: "slack", create: createSlack };

/** `type: discord`: a webhook of Discord. Options: {@link DISCORD_OPTION_KEYS}. */
export const discord: BackendType = { type: "discord", create: createDiscord };

/** `type: ntfy`: a topic of an ntfy server. Options: {@link NTFY_OPTION_KEYS}. */
export const ntfy: BackendType = { type: "ntfy", create: createNtfy };

/** What all of them take. */
function readPostOptions(reader: ConfigReader, { clock, logger }: BackendContext): PostOptions {
  const timeoutMs = reader.secondsAsMs("timeout");
  const maxAnswerBytes = reader.number("max_answer_bytes");
  const allowHosts = reader.texts("allow_hosts");
  const allowPrivate = reader.flag("allow_private");
  const allowHttp = reader.flag("allow_http");
  return {
    clock,
    logger,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(maxAnswerBytes === undefined ? {} : { maxAnswerBytes }),
    ...(allowHosts === undefined ? {} : { allowHosts }),
    ...(allowPrivate === undefined ? {} : { allowPrivate }),
    ...(allowHttp === undefined ? {} : { allowHttp }),
  };
}

function createWebhook(name: string, config: BackendConfig, context: BackendContext): Communicator {
  const reader = new ConfigReader(config);
  const post = readPostOptions(reader, context);
  const url = reader.text("url");
  const secret = reader.texts("secret");
  const headers = reader.textMap("headers");
  const receive = reader.flag("receive");
  const toleranceMs = reader.secondsAsMs("tolerance");
  const maxBodyBytes = reader.number("max_body_bytes");
  return reader.build(() =>
    new WebhookCommunicator(name, {
      ...post,
      ...(url === undefined ? {} : { url }),
      ...(secret === undefined ? {} : { secret }),
      ...(headers === undefined ? {} : { headers }),
      ...(receive === undefined ? {} : { receive }),
      ...(toleranceMs === undefined ? {} : { toleranceMs }),
      ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
    })
  );
}

function createSlack(name: string, config: BackendConfig, context: BackendContext): Communicator {
  const reader = new ConfigReader(config);
  const post = readPostOptions(reader, context);
  const webhookUrl = reader.requiredText("webhook_url");
  const mrkdwn = reader.flag("mrkdwn");
  return reader.build(() =>
    new SlackCommunicator(name, { ...post, webhookUrl, ...(mrkdwn === undefined ? {} : { mrkdwn }) })
  );
}

function createDiscord(name: string, config: BackendConfig, context: BackendContext): Communicator {
  const reader = new ConfigReader(config);
  const post = readPostOptions(reader, context);
  const webhookUrl = reader.requiredText("webhook_url");
  const username = reader.text("username");
  return reader.build(() =>
    new DiscordCommunicator(name, { ...post, webhookUrl, ...(username === undefined ? {} : { username }) })
  );
}

function createNtfy(name: string, config: BackendConfig, context: BackendContext): Communicator {
  const reader = new ConfigReader(config);
  const post = readPostOptions(reader, context);
  const topic = reader.requiredText("topic");
  const server = reader.text("server");
  const token = reader.text("token");
  return reader.build(() =>
    new NtfyCommunicator(name, {
      ...post,
      topic,
      ...(server === undefined ? {} : { server }),
      ...(token === undefined ? {} : { token }),
    })
  );
}
