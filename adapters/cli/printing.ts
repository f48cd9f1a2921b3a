/**
 * Text for a terminal.
 *
 * @module
 */

/**
 * A text as one line without characters that move the cursor or change colours: much of what is printed was said by a
 * server.
 */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what this takes out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, " ");
}

/** Rows with their columns under each other. The last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => widths[index] = Math.max(widths[index] ?? 0, plain(cell).length));
  }
  return rows
    .map((row) => `  ${row.map((cell, index) => plain(cell).padEnd(widths[index] ?? 0)).join("  ").trimEnd()}\n`)
    .join("");
}

/** JSON for programs. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** `1 problem`, `2 problems`. */
export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
