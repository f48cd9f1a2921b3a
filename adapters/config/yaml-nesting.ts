/**
 * How deep a YAML text nests, found from its tokens alone.
 *
 * Parsers of YAML recurse. One that runs out of stack gives an error that can be caught only most of the time: V8 ends
 * the process when the stack ends inside a regular expression. So the depth is known before the parser starts.
 *
 * @module
 */

/** What a token of the lexer is, as far as nesting is concerned. */
export type TokenKind = "open" | "close" | "indicator" | "colon" | "comma" | "newline" | "blank" | "content";

/** One token of the lexer. */
export interface LexedToken {
  /** What it is. */
  readonly kind: TokenKind;
  /** Its text. */
  readonly text: string;
}

/** Why a text is not parsed, and where. */
export interface NestingProblem {
  /** The line, from 1. */
  readonly line: number;
  /** What is wrong. */
  readonly reason: "too-deep" | "too-many-tokens";
}

/** Limits of {@link findNestingProblem}. */
export interface NestingLimits {
  /** The deepest nesting. */
  readonly maxDepth: number;
  /** The most tokens: what a parser costs goes by them. */
  readonly maxTokens: number;
}

/**
 * Follows indentation, indicators and brackets, and stops at the first token that goes too deep. The depth it counts is
 * at least half the true one and at most twice, because a list may stand at the indentation of its key.
 *
 * @param tokens The tokens, lazily.
 * @param limits How deep, how many.
 * @returns The problem, or `undefined`.
 */
export function findNestingProblem(tokens: Iterable<LexedToken>, limits: NestingLimits): NestingProblem | undefined {
  /** The columns at which the open block nodes begin. */
  const columns: number[] = [];
  let flowDepth = 0;
  /** Colons since the last line break, comma or bracket: from the second on, each opens a mapping in a mapping. */
  let colons = 0;
  let count = 0;
  let line = 1;
  let column = 0;
  let beginsNode = true;
  for (const { kind, text } of tokens) {
    if (++count > limits.maxTokens) return { line, reason: "too-many-tokens" };
    const isContent = kind !== "newline" && kind !== "blank";
    if (isContent && beginsNode && flowDepth === 0) {
      while ((columns.at(-1) ?? -1) >= column) columns.pop();
      columns.push(column);
      beginsNode = kind === "indicator" || kind === "colon";
    }
    if (kind === "open") flowDepth += 1;
    if (kind === "close") flowDepth = Math.max(0, flowDepth - 1);
    if (kind === "colon" || (kind === "indicator" && flowDepth > 0)) colons += 1;
    else if (kind === "open" || kind === "close" || kind === "comma") colons = 0;
    if (columns.length + flowDepth + Math.max(0, colons - 1) > limits.maxDepth) return { line, reason: "too-deep" };
    const lastBreak = text.lastIndexOf("\n");
    if (lastBreak < 0) {
      column += text.length;
    } else {
      for (const character of text) if (character === "\n") line += 1;
      column = text.length - lastBreak - 1;
    }
    if (kind === "newline" && flowDepth === 0) {
      beginsNode = true;
      colons = 0;
    }
  }
  return undefined;
}
