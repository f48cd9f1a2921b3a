/**
 * Files people sent: fetched from Meta when somebody asks for them.
 *
 * @module
 */
import {
  decodeBase64,
  decodeHex,
  equalBytes,
  type OpenAttachmentOptions,
  PosthornError,
  TooLargeError,
} from "../../core/mod.ts";
import { openFileStream } from "../net/file-stream.ts";
import { readRequestFailure } from "../net/network-error.ts";
import { createRunningSha256 } from "../net/platform-hmac.ts";
import { memberOf, textOf } from "./graph-answer.ts";
import type { GraphClient } from "./graph-client.ts";
import type { ResolvedWhatsAppOptions } from "./options.ts";

const MAX_REDIRECTS = 3;

/**
 * Opens a file somebody sent. The token goes to Meta's hosts alone, redirects included; the content is checked against
 * the SHA-256 Meta gives for it, and the stream fails at its end if it differs.
 *
 * @param mediaId The id of the file; it is good for seven days.
 * @param client Makes the request for the file's address.
 * @param settings The backend's options.
 * @param options A signal, and the most bytes.
 * @throws {PosthornError} With code `media` if it cannot be had; retryable if later may do.
 * @throws {TooLargeError} If it is larger than allowed.
 */
export async function openMedia(
  mediaId: string,
  client: GraphClient,
  settings: ResolvedWhatsAppOptions,
  options: OpenAttachmentOptions = {},
): Promise<ReadableStream<Uint8Array>> {
  const { signal } = options;
  const maxBytes = Math.min(options.maxBytes ?? 26_214_400, settings.maxMediaBytes);
  signal?.throwIfAborted();
  const { url, sha256, size } = await lookUp(mediaId, client, signal);
  if (size !== undefined && size > maxBytes) {
    throw new TooLargeError(`Cannot open a file of ${size} bytes: limit is ${maxBytes}`, maxBytes);
  }
  const running = createRunningSha256();
  const { clock, timeoutMs } = settings;
  return await openFileStream((ending) => download(url, settings, ending), {
    clock,
    timeoutMs,
    maxBytes,
    signal,
    piece: (bytes) => running.update(bytes),
    async end(): Promise<void> {
      if (sha256 !== undefined && !equalBytes(await running.digest(), sha256)) {
        throw new PosthornError("media", "Cannot trust the file: its SHA-256 is not the one Meta gave", {
          retryable: true,
        });
      }
    },
  });
}

interface MediaPlace {
  readonly url: string;
  readonly sha256: Uint8Array | undefined;
  readonly size: number | undefined;
}

async function lookUp(mediaId: string, client: GraphClient, signal: AbortSignal | undefined): Promise<MediaPlace> {
  const result = await client.get(mediaId, signal);
  signal?.throwIfAborted();
  if (result.ended !== "answer") {
    throw new PosthornError("media", `Cannot look up the file: ${result.detail}`, { retryable: true });
  }
  const { status, body } = result.answer;
  const url = textOf(body, "url");
  if (status < 200 || status > 299 || url === undefined) {
    const code = memberOf(memberOf(body, "error"), "code");
    // Not what Meta says of it: it may repeat what it was sent.
    throw new PosthornError(
      "media",
      `Cannot look up the file: status ${status}${typeof code === "number" ? `, code ${code}` : ""}`,
      { retryable: status >= 500 || status === 429 },
    );
  }
  const hash = textOf(body, "sha256") ?? "";
  const size = Number(memberOf(body, "file_size"));
  return {
    url,
    // Hexadecimal in the API's answers, base64 in webhooks: both have been seen.
    sha256: [decodeHex(hash.toLowerCase()), decodeBase64(hash)].find((bytes) => bytes?.length === 32),
    size: Number.isSafeInteger(size) && size >= 0 ? size : undefined,
  };
}

async function download(
  first: string,
  settings: ResolvedWhatsAppOptions,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  let url = first;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await request(trusted(url, settings), settings, signal);
    if (response.status >= 200 && response.status <= 299 && response.body !== null) return response.body;
    await response.body?.cancel();
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || location === null || !URL.canParse(location, url)) {
      throw new PosthornError("media", `Cannot fetch the file: status ${response.status}`, {
        retryable: response.status >= 500 || response.status === 429,
      });
    }
    url = new URL(location, url).href;
  }
  throw new PosthornError("media", "Cannot fetch the file: too many redirects");
}

/** The address, if the token may go there. */
function trusted(text: string, { trustedHosts, graphUrl }: ResolvedWhatsAppOptions): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const graph = new URL(graphUrl);
  const isOwnRoot = url?.origin === graph.origin;
  const isTrusted = url !== undefined && trustedHosts.has(url.host) && url.username === "" && url.password === "" &&
    (url.protocol === "https:" || isOwnRoot);
  if (!isTrusted) throw new PosthornError("media", "Cannot fetch the file: its host is none the token may go to");
  return url.href;
}

async function request(
  url: string,
  { fetch, token }: ResolvedWhatsAppOptions,
  signal: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(url, { headers: { authorization: `Bearer ${token}` }, redirect: "manual", signal });
  } catch (error) {
    const { code } = readRequestFailure(error);
    throw new PosthornError("media", `Cannot fetch the file: ${code ?? "no connection"}`, { retryable: true });
  }
}
