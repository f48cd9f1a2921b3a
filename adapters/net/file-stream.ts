/**
 * Files of others, streamed: never more than was asked for, and never waited for in vain.
 *
 * @module
 */
import { type Clock, PosthornError, TooLargeError } from "../../core/mod.ts";

/** How {@link openFileStream} streams. */
export interface FileStreamOptions {
  /** Time. */
  readonly clock: Clock;
  /** How long the answer, and then each piece of the file, may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The most that is passed on. */
  readonly maxBytes: number;
  /** Ends it early. */
  readonly signal: AbortSignal | undefined;
  /** Sees each piece. */
  readonly piece?: (bytes: Uint8Array) => void;
  /** Asked at the end whether all is well: what it throws the reader gets. */
  readonly end?: () => Promise<void>;
}

/**
 * Asks for a file and streams it.
 *
 * @param request Asks. What it throws is passed on, unless the time was up.
 * @param options Limits.
 * @returns The content. The stream fails when the file is larger than the limit, or stops coming.
 * @throws {PosthornError} With code `media` (`retryable`) if no answer comes in time. No error has anything of the
 * platform's, which may name the address, and with it a token.
 */
export async function openFileStream(
  request: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array> | null>,
  options: FileStreamOptions,
): Promise<ReadableStream<Uint8Array>> {
  const { clock, timeoutMs, signal } = options;
  const ending = new AbortController();
  const onAbort = (): void => ending.abort(signal?.reason);
  const letGo = (): void => signal?.removeEventListener("abort", onAbort);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", onAbort, { once: true });
  let isLate = false;
  const timer = clock.setTimer(timeoutMs, () => {
    isLate = true;
    ending.abort();
  });
  try {
    const body = await request(ending.signal);
    return passOn(body ?? new Blob([]).stream(), options, letGo);
  } catch (error) {
    letGo();
    signal?.throwIfAborted();
    throw isLate ? tooSlow("open file: no answer", timeoutMs) : error;
  } finally {
    timer.cancel();
  }
}

function passOn(
  body: ReadableStream<Uint8Array>,
  options: FileStreamOptions,
  letGo: () => void,
): ReadableStream<Uint8Array> {
  const { maxBytes, piece, end } = options;
  const reader = body.getReader();
  let length = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      try {
        const next = await readPiece(reader, options);
        if (next === undefined) {
          await end?.();
          controller.close();
          letGo();
          return;
        }
        length += next.length;
        if (length > maxBytes) {
          cancelQuietly(reader);
          throw new TooLargeError(`Cannot read more than ${maxBytes} bytes: the file is larger`, maxBytes);
        }
        piece?.(next);
        controller.enqueue(next);
      } catch (error) {
        letGo();
        throw error;
      }
    },
    async cancel(reason): Promise<void> {
      letGo();
      await reader.cancel(reason);
    },
  });
}

/** The next piece; `undefined` at the end. */
async function readPiece(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { clock, timeoutMs, signal }: FileStreamOptions,
): Promise<Uint8Array | undefined> {
  let isLate = false;
  const timer = clock.setTimer(timeoutMs, () => {
    isLate = true;
    cancelQuietly(reader); // the read ends by that
  });
  try {
    const { done, value } = await reader.read();
    if (!isLate) return done ? undefined : value;
  } catch {
    signal?.throwIfAborted();
    if (!isLate) {
      throw new PosthornError("media", "Cannot read file to its end: the connection was lost", { retryable: true });
    }
  } finally {
    timer.cancel();
  }
  throw tooSlow("read file to its end: nothing came", timeoutMs);
}

function tooSlow(what: string, timeoutMs: number): PosthornError {
  return new PosthornError("media", `Cannot ${what} within ${timeoutMs / 1_000} s`, { retryable: true });
}

/** The connection may be gone already. */
function cancelQuietly(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}
