/**
 * Discord by webhook.
 *
 * @module
 */
import {
  assertText,
  type Attachment,
  type CommunicatorCapabilities,
  type Destination,
  type OutgoingMessage,
  type PacingDefaults,
  ValidationError,
} from "../../core/mod.ts";
import { checkUrl, type PostOptions, resolvePostOptions } from "./options.ts";
import { jsonPost, type PostRequest } from "./post-attempt.ts";
import { assertSaysSomething, partsOf, PostingCommunicator, unsupported } from "./posting-communicator.ts";
import { codeOfJson, idOfJson, jsonMember, type Meaning, type OutcomeRules } from "./webhook-outcome.ts";

/** Options of {@link DiscordCommunicator}. */
export interface DiscordOptions extends PostOptions {
  /** The webhook's address: a secret. */
  readonly webhookUrl: string;
  /** The name messages are shown under. @default the webhook's */
  readonly username?: string;
}

const MAX_TEXT_LENGTH = 2_000;
const MAX_FILES = 10;
const HOSTS: readonly string[] = ["discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"];

const GONE: Meaning = { reason: "recipient-unreachable", retryable: false, backendDown: true };
const AUTH: Meaning = { reason: "auth", retryable: false, backendDown: true };

/** What Discord says: JSON error codes, and waits in the body. */
export const DISCORD_RULES: OutcomeRules = {
  // Asking a dead webhook again leads to a ban of the address asked from.
  statuses: new Map([[401, AUTH], [403, AUTH], [404, GONE]]),
  words: new Map([
    ["10003", GONE],
    ["10015", GONE],
    ["50027", AUTH],
    ["50006", { reason: "invalid-message", retryable: false }],
    ["50035", { reason: "invalid-message", retryable: false }],
    ["40005", { reason: "invalid-message", retryable: false }],
  ]),
  wordOf: codeOfJson,
  waitOf(body) {
    const wait = jsonMember(body, "retry_after");
    if (typeof wait !== "number" || wait < 0) return undefined;
    // Seconds now; milliseconds in older versions, which were whole and large.
    return Number.isInteger(wait) && wait >= 1_000 ? wait : Math.ceil(wait * 1_000);
  },
  messageIdOf: idOfJson,
};

/**
 * Posts to one Discord channel by its webhook. Nothing in a text mentions anybody.
 */
export class DiscordCommunicator extends PostingCommunicator {
  /** {@inheritDoc Communicator.capabilities} */
  override readonly capabilities: CommunicatorCapabilities = {
    receives: false,
    maxTextLength: MAX_TEXT_LENGTH,
    html: false,
    attachments: true,
    edits: false,
  };
  /** {@inheritDoc Communicator.addressKind} */
  override readonly addressKind: string = "discord";
  /** A start; Discord's own word (429) is the authority. */
  override readonly pacing: PacingDefaults = { backend: { count: 1, perMs: 1_000, burst: 5 } };
  readonly #url: string;
  readonly #username: string | undefined;

  /**
   * Makes the backend.
   *
   * @param name The backend's name.
   * @param options The webhook's address.
   * @throws {ValidationError} If the address is not one of Discord's, and no other was allowed.
   */
  constructor(name: string, options: DiscordOptions) {
    const post = resolvePostOptions(options, HOSTS);
    super(name, post, DISCORD_RULES);
    const url = new URL(checkUrl(options.webhookUrl, "webhookUrl", post.guard));
    // With it the answer has the message's id.
    url.searchParams.set("wait", "true");
    this.#url = url.href;
    this.#username = options.username === undefined
      ? undefined
      : assertText(options.username, "username", { maxLength: 80 });
  }

  /** One: the webhook's own channel, whoever the message names. */
  override destinations(): readonly Destination[] {
    return [{}];
  }

  /** {@inheritDoc PostingCommunicator.plan} */
  protected override async plan(message: OutgoingMessage): Promise<readonly PostRequest[]> {
    const links = message.attachments.flatMap(({ url, caption }) =>
      url === undefined ? [] : [caption === undefined ? url : `${caption}: ${url}`]
    );
    const files = message.attachments.filter(({ bytes }) => bytes !== undefined);
    if (files.length + links.length < message.attachments.length) {
      throw unsupported("files of another network through a Discord webhook");
    }
    if (files.length > MAX_FILES) throw new ValidationError("attachments", `Cannot send more than ${MAX_FILES} files`);
    const text = [message.message, ...links, ...captionsOf(files)].filter((line) => line.trim() !== "").join("\n");
    const parts = partsOf(text, MAX_TEXT_LENGTH);
    assertSaysSomething([...parts, ...files]);
    const requests = parts.map((content) => jsonPost(this.#url, this.#payload({ content })));
    if (files.length === 0) return requests;
    const lastText = parts.at(-1);
    const withFiles = await this.#requestWithFiles(lastText === undefined ? {} : { content: lastText }, files);
    return [...requests.slice(0, -1), withFiles];
  }

  #payload(fields: object): object {
    const username = this.#username === undefined ? {} : { username: this.#username };
    return { ...fields, ...username, allowed_mentions: { parse: [] } };
  }

  async #requestWithFiles(fields: object, files: readonly Attachment[]): Promise<PostRequest> {
    const form = new FormData();
    form.set("payload_json", JSON.stringify(this.#payload(fields)));
    for (const [index, { bytes = new Uint8Array(0), contentType, filename }] of files.entries()) {
      form.set(`files[${index}]`, new Blob([Uint8Array.from(bytes)], { type: contentType }), filename);
    }
    const packed = new Response(form);
    const contentType = packed.headers.get("content-type") ?? "multipart/form-data";
    return {
      url: this.#url,
      headers: { "content-type": contentType },
      body: new Uint8Array(await packed.arrayBuffer()),
    };
  }
}

function captionsOf(files: readonly Attachment[]): readonly string[] {
  return files.flatMap(({ caption }) => caption === undefined ? [] : [caption]);
}
