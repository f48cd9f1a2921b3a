/**
 * Slack by incoming webhook.
 *
 * @module
 */
import type { CommunicatorCapabilities, Destination, OutgoingMessage, PacingDefaults } from "../../core/mod.ts";
import { checkUrl, type PostOptions, resolvePostOptions } from "./options.ts";
import { jsonPost, type PostRequest } from "./post-attempt.ts";
import { assertSaysSomething, partsOf, PostingCommunicator, unsupported } from "./posting-communicator.ts";
import type { Meaning, OutcomeRules } from "./webhook-outcome.ts";

/** Options of {@link SlackCommunicator}. */
export interface SlackOptions extends PostOptions {
  /** The incoming webhook's address: a secret. */
  readonly webhookUrl: string;
  /**
   * Whether the text is Slack's markup: `*bold*`, `_italic_`, backquotes for code. Even then it mentions nobody, and links
   * show where they lead. @default `false`: the text is shown as it is
   */
  readonly mrkdwn?: boolean;
}

/** Slack's own advice for one message; it cuts off at 40,000. */
const MAX_TEXT_LENGTH = 4_000;
const HOSTS: readonly string[] = ["hooks.slack.com", "hooks.slack-gov.com"];

const INVALID: Meaning = { reason: "invalid-message", retryable: false };
const GONE: Meaning = { reason: "recipient-unreachable", retryable: false, backendDown: true };
const DISABLED: Meaning = { reason: "not-configured", retryable: false, backendDown: true };
const POLICY: Meaning = { reason: "policy", retryable: false };

/** What Slack says in the body (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */
export const SLACK_RULES: OutcomeRules = {
  statuses: new Map([[404, GONE]]),
  words: new Map([
    ["invalid_payload", INVALID],
    ["no_text", INVALID],
    ["missing_text_or_fallback_or_attachments", INVALID],
    ["too_many_attachments", INVALID],
    ["msg_too_long", INVALID],
    ["invalid_blocks", INVALID],
    ["user_not_found", GONE],
    ["channel_not_found", GONE],
    ["channel_is_archived", GONE],
    ["action_prohibited", POLICY],
    ["posting_to_general_channel_denied", POLICY],
    ["no_service", DISABLED],
    ["no_service_id", DISABLED],
    ["no_active_hooks", DISABLED],
    ["no_team", DISABLED],
    ["team_disabled", DISABLED],
    ["invalid_token", DISABLED],
    ["token_revoked", DISABLED],
    ["rollup_error", { reason: "unavailable", retryable: true }],
  ]),
};

/**
 * Makes text safe for Slack: `&`, `<` and `>` become entities, so that nothing in it is a mention, a link with another
 * name, or `<!channel>`.
 *
 * @param text The text.
 */
export function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/**
 * Posts to one Slack channel by its incoming webhook.
 *
 * @example
 * ```ts
 * import { SlackCommunicator } from "posthorn/webhook";
 *
 * const slack = new SlackCommunicator("ops", { webhookUrl: "https://hooks.slack.com/services/T0/B0/secret" });
 * console.log(slack.capabilities.maxTextLength); // 4000
 * ```
 */
export class SlackCommunicator extends PostingCommunicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities = {
    receives: false,
    maxTextLength: MAX_TEXT_LENGTH,
    html: false,
    attachments: false,
    edits: false,
  };
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "slack";
  /** About a message a second, with short bursts. */
  override readonly pacing: PacingDefaults = { backend: { count: 1, perMs: 1_000, burst: 3 } };
  readonly #url: string;
  readonly #mrkdwn: boolean;

  /**
   * Makes the backend.
   *
   * @param name The backend's name.
   * @param options The webhook's address.
   * @throws {ValidationError} If the address is not one of Slack's, and no other was allowed.
   */
  constructor(name: string, options: SlackOptions) {
    const post = resolvePostOptions(options, HOSTS);
    super(name, post, SLACK_RULES);
    this.#url = checkUrl(options.webhookUrl, "webhookUrl", post.guard);
    this.#mrkdwn = options.mrkdwn ?? false;
  }

  /** One: the webhook's own channel, whoever the message names. */
  override destinations(): readonly Destination[] {
    return [{}];
  }

  /** {@inheritDoc PostingCommunicator.plan} */
  protected override plan(message: OutgoingMessage): readonly PostRequest[] {
    const links = message.attachments.map(({ url, filename, caption }) => {
      if (url === undefined) throw unsupported("files through a Slack webhook: give them by url");
      return `<${url.replaceAll(/[<>|]/g, encodeURIComponent)}|${
        escapeSlack(caption ?? filename).replaceAll("|", "¦")
      }>`;
    });
    const texts = partsOf(message.message, MAX_TEXT_LENGTH).map(escapeSlack);
    const parts = [...texts, ...(links.length === 0 ? [] : [links.join("\n")])];
    assertSaysSomething(parts);
    const options = { mrkdwn: this.#mrkdwn, link_names: false, parse: "none" };
    return parts.map((text) => jsonPost(this.#url, { text, ...options }));
  }
}
