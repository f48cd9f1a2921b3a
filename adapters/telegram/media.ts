/**
 * Files that somebody sent.
 *
 * @module
 */
import { type Clock, type OpenAttachmentOptions, PosthornError, TooLargeError } from "../../core/mod.ts";
import { openFileStream } from "../net/file-stream.ts";
import type { CallFailure, TelegramClient } from "./client.ts";
import { asObject, numberAt, textAt } from "./json.ts";
import { NetworkFailure } from "./network-error.ts";

/** What {@link openFile} works with. */
export interface MediaOptions {
  /** Calls the Bot API. */
  readonly client: TelegramClient;
  /** Time. */
  readonly clock: Clock;
  /** How long one call, and each piece of a file, may take. */
  readonly timeoutMs: number;
  /** The most that is read, unless the caller asks for less or more. */
  readonly maxBytes: number;
}

/** What Telegram gives as a path: segments of plain characters, none of which leads up. */
const FILE_PATH = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9_.@+-]+(?:\/[A-Za-z0-9_.@+-]+){0,8}$/;

/**
 * Streams a file. The address it is fetched from, which holds the token, is built from the configured API root and
 * nothing else, is not followed elsewhere, and is in no error.
 *
 * @param fileId Telegram's id of the file.
 * @param media What it works with.
 * @param options A signal, and the most that is read.
 * @returns The content.
 * @throws {TooLargeError} If the file is larger than the limit. The stream fails with it when the size was not said.
 * @throws {PosthornError} With code `media` if there is no such file, or the connection failed (`retryable`).
 */
export async function openFile(
  fileId: string,
  media: MediaOptions,
  options: OpenAttachmentOptions = {},
): Promise<ReadableStream<Uint8Array>> {
  const { client, clock, timeoutMs } = media;
  const { signal, maxBytes = media.maxBytes } = options;
  signal?.throwIfAborted();
  const answer = await client.call("getFile", { file_id: fileId }, { timeoutMs, signal });
  signal?.throwIfAborted();
  if (!answer.ok) throw mediaError(answer.failure);
  const file = asObject(answer.result);
  assertSize(numberAt(file, "file_size"), maxBytes);
  const path = textAt(file, "file_path");
  if (path === undefined || path.length > 500 || !FILE_PATH.test(path)) {
    throw new PosthornError("media", "Cannot open file: Telegram gave no path below the bot's own files");
  }
  return await openFileStream((ending) => download(client, path, maxBytes, ending), {
    clock,
    timeoutMs,
    maxBytes,
    signal,
  });
}

async function download(
  client: TelegramClient,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array> | null> {
  let response: Response;
  try {
    response = await client.download(path, signal);
  } catch (error) {
    const code = error instanceof NetworkFailure ? error.code : undefined;
    throw new PosthornError("media", `Cannot open file: no answer${code === undefined ? "" : ` (${code})`}`, {
      retryable: true,
    });
  }
  const { status, headers, body } = response;
  try {
    if (status !== 200) {
      throw new PosthornError("media", `Cannot open file: status is ${status}`, {
        retryable: status === 429 || status >= 500,
      });
    }
    const length = headers.get("content-length");
    assertSize(length === null ? undefined : Number(length), maxBytes);
    return body;
  } catch (error) {
    await body?.cancel();
    throw error;
  }
}

function mediaError(failure: CallFailure): PosthornError {
  switch (failure.kind) {
    case "refused": {
      const retryable = failure.code === 429 || failure.code >= 500;
      return new PosthornError("media", `Cannot open file: ${failure.description || failure.code}`, { retryable });
    }
    case "foreign":
      return new PosthornError("media", `Cannot open file: status is ${failure.status}`, {
        retryable: failure.status === 429 || failure.status >= 500,
      });
    case "not-sent":
    case "no-answer":
      return new PosthornError("media", "Cannot open file: no answer", { retryable: true });
  }
}

function assertSize(sizeBytes: number | undefined, maxBytes: number): void {
  if (sizeBytes !== undefined && sizeBytes > maxBytes) {
    throw new TooLargeError(`Cannot open file of ${sizeBytes} bytes: limit is ${maxBytes} bytes`, maxBytes);
  }
}
