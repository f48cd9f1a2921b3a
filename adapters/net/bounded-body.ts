/**
 * Bodies of answers, never more of them than was asked for.
 *
 * @module
 */
import { TooLargeError } from "../../core/mod.ts";

/**
 * Reads a stream to its end, or to a limit.
 *
 * @param stream The body; `null` reads as empty.
 * @param maxBytes The most that is kept.
 * @returns The bytes, at most `maxBytes`, and whether there was more. What is too much is not read.
 */
export async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly truncated: boolean }> {
  if (stream === null) return { bytes: new Uint8Array(0), truncated: false };
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  let truncated = false;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    const left = maxBytes - length;
    if (value.length > left) {
      pieces.push(value.subarray(0, left));
      length += left;
      truncated = true;
      await reader.cancel();
      break;
    }
    pieces.push(value);
    length += value.length;
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return { bytes, truncated };
}

/**
 * Passes a stream on, up to a limit; beyond it the stream fails.
 *
 * @param stream The body.
 * @param maxBytes The most that is passed on.
 * @param watch Sees each piece, and is asked at the end whether all is well: what it throws the reader gets.
 * @returns The stream to read; cancelling it cancels the body.
 */
export function limitStream(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  watch: { piece?(bytes: Uint8Array): void; end?(): Promise<void> } = {},
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let length = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      const { done, value } = await reader.read();
      if (done) {
        await watch.end?.();
        controller.close();
        return;
      }
      length += value.length;
      if (length > maxBytes) {
        const error = new TooLargeError(`Cannot read more than ${maxBytes} bytes: the file is larger`, maxBytes);
        await reader.cancel(error);
        throw error;
      }
      watch.piece?.(value);
      controller.enqueue(value);
    },
    async cancel(reason): Promise<void> {
      await reader.cancel(reason);
    },
  });
}
