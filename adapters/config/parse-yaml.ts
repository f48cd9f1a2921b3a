/**
 * Reads YAML. The only file that knows the `yaml` package; `loadConfig(text, { parse })` does without it.
 *
 * @module
 */
import { CST, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument } from "yaml";
import { ConfigError, type ConfigIssue } from "../../core/mod.ts";
import { type ConfigPath, formatPath, showKey } from "./config-path.ts";
import type { ParsedConfig } from "./plain-tree.ts";
import { findNestingProblem, type LexedToken, type TokenKind } from "./yaml-nesting.ts";

const MAX_DEPTH = 64;
/** A line has about five tokens of fifty bytes. A parser's time goes by tokens, about ten microseconds each. */
const BYTES_PER_TOKEN = 10;
const MAX_ISSUES = 20;

/**
 * Reads one YAML 1.2 document: core schema, no merge keys, no tags of its own, no duplicate keys.
 *
 * On Deno the parser reads two environment variables of its own, so it needs
 * `--allow-env=LOG_TOKENS,LOG_STREAM`.
 *
 * @param text The document.
 * @param maxBytes How many bytes it may have; how many words and signs follows from it.
 * @returns Its value, and where each part of it stands.
 * @throws {ConfigError} If it is not such a document, with line and column of every fault.
 */
export function parseYaml(text: string, maxBytes: number): ParsedConfig {
  try {
    return read(text, Math.ceil(maxBytes / BYTES_PER_TOKEN));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // The message of a foreign error may quote the text, and the text may hold secrets: only its name is shown.
    const name = error instanceof Error ? error.name : typeof error;
    const hint = name === "NotCapable" || name === "PermissionDenied"
      ? "the parser needs --allow-env=LOG_TOKENS,LOG_STREAM on Deno"
      : `the parser gave up on it (${name})`;
    throw new ConfigError([{ path: "", message: `line 1, column 1: ${hint}` }]);
  }
}

function read(text: string, maxTokens: number): ParsedConfig {
  const problem = findNestingProblem(lex(text), { maxDepth: MAX_DEPTH, maxTokens });
  if (problem !== undefined) {
    const reason = problem.reason === "too-deep"
      ? `nested deeper than ${MAX_DEPTH} levels`
      : `more than ${maxTokens} words and signs; maxBytes raises the limit`;
    throw new ConfigError([{ path: "", message: `line ${problem.line}: ${reason}` }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    customTags: [],
    intAsBigInt: true,
    lineCounter: lines,
    // Not "silent": that also keeps a second document in the file to itself.
    logLevel: "error",
    merge: false,
    prettyErrors: false,
    resolveKnownTags: false,
    schema: "core",
    strict: true,
    // Duplicates are found below in linear time; the parser compares every key with every other.
    uniqueKeys: false,
    version: "1.2",
  });
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) throw new ConfigError(syntaxIssues(syntax, text, lines));
  const reader = new NodeReader(lines);
  const value = reader.read(document.contents, []);
  if (reader.issues.length > 0) throw new ConfigError(reader.issues.slice(0, MAX_ISSUES));
  return { value, locate: (path) => reader.lineOf(path) };
}

interface SyntaxFault {
  readonly code: string;
  readonly pos: readonly [number, number];
}

function syntaxIssues(faults: readonly SyntaxFault[], text: string, lines: LineCounter): ConfigIssue[] {
  const issues = new Map<string, ConfigIssue>();
  for (const { code, pos } of faults) {
    const { line, col } = lines.linePos(pos[0]);
    const fault = describeFault(code, lineAt(text, pos[0]));
    const key = `${line} ${fault}`;
    if (issues.has(key)) continue;
    if (issues.size === MAX_ISSUES) {
      issues.set("", { path: "", message: "and more faults of syntax" });
      break;
    }
    issues.set(key, { path: "", message: `line ${line}, column ${col}: ${fault}` });
  }
  return [...issues.values()];
}

function lineAt(text: string, offset: number): string {
  const end = text.indexOf("\n", offset);
  return text.slice(text.lastIndexOf("\n", offset - 1) + 1, end < 0 ? text.length : end);
}

/** Says what is wrong without the parser's own words: they quote the text. */
function describeFault(code: string, line: string): string {
  if (/[{[].*\$\{/.test(line)) return 'write "${NAME}" in quotes inside { } and [ ]';
  return FAULTS[code] ?? `this is not YAML (${code})`;
}

const FAULTS: Readonly<Record<string, string>> = {
  BAD_ALIAS: "an alias or anchor without a name",
  BAD_COLLECTION_TYPE: "a tag that does not fit what it stands before",
  BAD_DIRECTIVE: "a directive that is not known",
  BAD_DQ_ESCAPE: "an escape in double quotes that does not exist; use single quotes for a literal backslash",
  BAD_INDENT: "the indentation does not fit, or a closing bracket is missing",
  BAD_SCALAR_START: "a plain text cannot begin with this character; put it in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a second colon in one line; put the text in quotes",
  BLOCK_IN_FLOW: "a list or mapping by indentation inside { } or [ ]",
  KEY_OVER_1024_CHARS: "a key of more than 1024 characters",
  MISSING_CHAR: "a colon, comma, quote or closing bracket is missing",
  MULTILINE_IMPLICIT_KEY: "a key over several lines; is a colon missing, or the indentation wrong?",
  MULTIPLE_DOCS: "more than one document (---) in the file",
  TAB_AS_INDENT: "a tab in the indentation; use spaces",
  TAG_RESOLVE_FAILED: "tags (!name) are not supported",
  UNEXPECTED_TOKEN: "something that cannot stand here; is a quote, a colon or a space missing?",
};

/** Turns the parser's nodes into plain values, remembering where each stands. */
class NodeReader {
  readonly issues: ConfigIssue[] = [];
  readonly #lines: LineCounter;
  readonly #places = new Map<string, number>();
  readonly #anchors = new Map<string, unknown>();

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  lineOf(path: ConfigPath): number | undefined {
    const offset = this.#places.get(formatPath(path));
    return offset === undefined ? undefined : this.#lines.linePos(offset).line;
  }

  read(node: unknown, path: ConfigPath): unknown {
    if (isAlias(node)) return this.#readAlias(node.source, node.range?.[0] ?? 0, path);
    const value = this.#readContent(node, path);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      this.#anchors.set(node.anchor, value);
    }
    return value;
  }

  #readContent(node: unknown, path: ConfigPath): unknown {
    if (isScalar(node)) return node.value;
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        this.#place([...path, index], item);
        return this.read(item, [...path, index]);
      });
    }
    if (!isMap(node)) return null;
    const entries = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      const name = keyOf(key);
      if (name === undefined) {
        this.#refuse(path, key, "a key must be a text or a number");
      } else if (entries.has(name)) {
        this.#refuse([...path, name], key, `the key ${showKey(name)} is there twice`);
      } else {
        this.#place([...path, name], key);
        entries.set(name, this.read(value, [...path, name]));
      }
    }
    return entries;
  }

  /** An alias inside of what it names is not set yet, so a cycle ends here as well. */
  #readAlias(name: string, offset: number, path: ConfigPath): unknown {
    if (this.#anchors.has(name)) return this.#anchors.get(name);
    const { line } = this.#lines.linePos(offset);
    this.issues.push({ path: formatPath(path), message: `an alias without an anchor before it (line ${line})` });
    return null;
  }

  #place(path: ConfigPath, node: unknown): void {
    const offset = offsetOf(node);
    if (offset !== undefined) this.#places.set(formatPath(path), offset);
  }

  #refuse(path: ConfigPath, node: unknown, message: string): void {
    const offset = offsetOf(node);
    const where = offset === undefined ? "" : ` (line ${this.#lines.linePos(offset).line})`;
    this.issues.push({ path: formatPath(path), message: `${message}${where}` });
  }
}

/** `1: x` and `true: x` have texts for keys too: the text as it was written. */
function keyOf(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  if (typeof key.value === "string") return key.value;
  return key.source;
}

function offsetOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}

function* lex(text: string): Generator<LexedToken> {
  let isScalarText = false;
  for (const token of new Lexer().lex(text)) {
    const type: string | null = isScalarText ? "scalar-text" : CST.tokenType(token);
    isScalarText = type === "scalar";
    if (type === "doc-mode" || type === "flow-error-end" || type === "scalar") continue;
    yield { kind: (type === null ? undefined : KINDS[type]) ?? "content", text: token };
  }
}

const KINDS: Readonly<Record<string, TokenKind>> = {
  "flow-map-start": "open",
  "flow-seq-start": "open",
  "flow-map-end": "close",
  "flow-seq-end": "close",
  "seq-item-ind": "indicator",
  "explicit-key-ind": "indicator",
  "map-value-ind": "colon",
  comma: "comma",
  newline: "newline",
  space: "blank",
  comment: "blank",
  "byte-order-mark": "blank",
};
