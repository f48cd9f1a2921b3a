/**
 * Bodies of answers, never more of them than was asked for.
 *
 * @module
 */
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
