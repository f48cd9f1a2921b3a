/**
 * ntfy: notifications to phones and browsers by topic.
 *
 * @module
 */
import {
  assertText,
  type CommunicatorCapabilities,
  type Destination,
  type JsonObject,
  type OutgoingMessage,
  type PacingDefaults,
  type Severity,
  ValidationError,
} from "../../core/mod.ts";
import { checkHeaders, checkUrl, type PostOptions, resolvePostOptions } from "./options.ts";
import { jsonPost, type PostRequest } from "./post-attempt.ts";
import { assertSaysSomething, partsOf, PostingCommunicator, unsupported } from "./posting-communicator.ts";
import { codeOfJson, idOfJson, type OutcomeRules } from "./webhook-outcome.ts";

/** Options of {@link NtfyCommunicator}. */
export interface NtfyOptions extends PostOptions {
  /** The topic: whoever knows it can read, unless the server guards it. */
  readonly topic: string;
  /** The server. @default `"https://ntfy.sh"` */
  readonly server?: string;
  /** An access token. */
  readonly token?: string;
}

/** Beyond it, ntfy makes a text an attachment. */
const MAX_MESSAGE_BYTES = 4_096;
const MAX_TITLE_LENGTH = 250;

const PRIORITIES: Readonly<Record<Severity, number>> = { debug: 2, info: 3, warning: 4, error: 4, critical: 5 };

/** What ntfy says. */
export const NTFY_RULES: OutcomeRules = {
  statuses: new Map([
    [401, { reason: "auth", retryable: true, backendDown: true }],
    [403, { reason: "auth", retryable: true, backendDown: true }],
    [507, { reason: "rate-limited", retryable: true }],
  ]),
  wordOf: codeOfJson,
  messageIdOf: idOfJson,
};

/**
 * Posts to one topic of an ntfy server, with the subject as title and the severity as priority.
 */
export class NtfyCommunicator extends PostingCommunicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities = {
    receives: false,
    maxTextLength: MAX_MESSAGE_BYTES,
    html: false,
    attachments: false,
    edits: false,
  };
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "ntfy";
  /** What ntfy.sh allows: 60 at once, then one in five seconds. */
  override readonly pacing: PacingDefaults = { backend: { count: 1, perMs: 5_000, burst: 60 } };
  readonly #url: string;
  readonly #topic: string;
  readonly #headers: Readonly<Record<string, string>>;

  /**
   * Makes the backend.
   *
   * @param name The backend's name.
   * @param options Topic, server.
   * @throws {ValidationError} If an option is of the wrong kind.
   */
  constructor(name: string, options: NtfyOptions) {
    const post = resolvePostOptions(options);
    super(name, post, NTFY_RULES);
    this.#url = checkUrl(options.server ?? "https://ntfy.sh", "server", post.guard);
    const topic = assertText(options.topic, "topic", { maxLength: 64 });
    if (!/^[-_A-Za-z0-9]+$/.test(topic)) {
      throw new ValidationError("topic", "Cannot use 'topic': it must be letters, digits, hyphens and underscores");
    }
    this.#topic = topic;
    const { token } = options;
    this.#headers = token === undefined ? {} : checkHeaders({ authorization: `Bearer ${assertText(token, "token")}` });
  }

  /** One: the topic, whoever the message names. */
  override destinations(): readonly Destination[] {
    return [{}];
  }

  /** {@inheritDoc PostingCommunicator.plan} */
  protected override plan(message: OutgoingMessage): readonly PostRequest[] {
    const files = message.attachments.map(({ url, filename }) => {
      if (url === undefined) throw unsupported("files through ntfy: give them by url");
      return { attach: url, filename };
    });
    const title = message.subject === undefined || message.subject === ""
      ? {}
      : { title: message.subject.slice(0, MAX_TITLE_LENGTH).toWellFormed() };
    const parts: JsonObject[] = textParts(message.message).map((text) => ({ message: text }));
    // A file goes with the first text, and further ones by themselves.
    for (const [index, file] of files.entries()) parts[index] = { ...parts[index], ...file };
    assertSaysSomething(parts);
    const fields = { topic: this.#topic, ...title, priority: PRIORITIES[message.severity] };
    return parts.map((part) => jsonPost(this.#url, { ...fields, ...part }, this.#headers));
  }
}

/** The limit counts bytes: at most three for each UTF-16 unit, and one where all is ASCII. */
function textParts(text: string): readonly string[] {
  const isSmall = new TextEncoder().encode(text).length <= MAX_MESSAGE_BYTES;
  // deno-lint-ignore no-control-regex -- all of ASCII
  const perUnit = /^[\x00-\x7f]*$/.test(text) ? 1 : 3;
  return partsOf(text, isSmall ? MAX_MESSAGE_BYTES : Math.floor(MAX_MESSAGE_BYTES / perUnit));
}
