/**
 * A parser's value, checked and copied: plain objects, lists and scalars, bounded, without keys that reach prototypes.
 *
 * @module
 */
import { kindOf } from "../../core/mod.ts";
import { type ConfigPath, type Finding, showKey } from "./config-path.ts";

/** What a configuration is made of. */
export type ConfigValue = null | boolean | number | string | readonly ConfigValue[] | ConfigObject;

/** A mapping of a configuration. */
export interface ConfigObject {
  readonly [key: string]: ConfigValue;
}

/** What a parser gives. */
export interface ParsedConfig {
  /** Objects, `Map`s, arrays and scalars. */
  readonly value: unknown;
  /** The line at which a part stands, from 1. */
  readonly locate?: (path: ConfigPath) => number | undefined;
}

const MAX_DEPTH = 64;
const MAX_NODES = 100_000;
const FORBIDDEN: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Copies a value of a parser or of a program.
 *
 * @param value The value.
 * @param findings Takes what is wrong with it.
 * @returns The copy. What was refused is left out.
 */
export function toPlainTree(value: unknown, findings: Finding[]): ConfigValue {
  return new TreeCopier(findings).copy(value, []);
}

class TreeCopier {
  readonly #findings: Finding[];
  #nodes = 0;
  #tooManyReported = false;

  constructor(findings: Finding[]) {
    this.#findings = findings;
  }

  copy(value: unknown, path: ConfigPath): ConfigValue {
    if (++this.#nodes > MAX_NODES) return this.#refuseSize();
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) ? value : this.#refuse(path, "must be a finite number");
      case "bigint":
        // A chat id that a double cannot hold would silently become another chat's.
        return BigInt(Number.MIN_SAFE_INTEGER) <= value && value <= BigInt(Number.MAX_SAFE_INTEGER)
          ? Number(value)
          : this.#refuse(path, "the number has too many digits; put it in quotes");
      case "undefined":
        return null;
    }
    if (value === null) return null;
    if (path.length > MAX_DEPTH) return this.#refuse(path.slice(0, 3), `nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) return value.map((item: unknown, index) => this.copy(item, [...path, index]));
    const entries = entriesOf(value);
    if (entries === undefined) return this.#refuse(path, `cannot hold a value of kind ${kindOf(value)}`);
    const copy: Record<string, ConfigValue> = {};
    for (const [key, member] of entries) {
      if (member === undefined) continue;
      if (FORBIDDEN.has(key)) this.#refuse([...path, key], `the key ${showKey(key)} is not allowed`);
      else if (key === "<<") this.#refuse([...path, key], "merge keys (<<) are not supported; write the keys out");
      else copy[key] = this.copy(member, [...path, key]);
      if (this.#tooManyReported) break;
    }
    return copy;
  }

  #refuse(path: ConfigPath, message: string): null {
    this.#findings.push({ path, message });
    return null;
  }

  /** Aliases of aliases make a small file a large tree: the copy stops, and says so once. */
  #refuseSize(): null {
    if (!this.#tooManyReported) this.#refuse([], `more than ${MAX_NODES} values; do aliases repeat each other?`);
    this.#tooManyReported = true;
    return null;
  }
}

function entriesOf(value: unknown): Iterable<readonly [string, unknown]> | undefined {
  if (value instanceof Map) return mapEntries(value);
  if (typeof value !== "object" || value === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype ? Object.entries(value) : undefined;
}

function* mapEntries(map: ReadonlyMap<unknown, unknown>): Generator<readonly [string, unknown]> {
  for (const [key, value] of map) yield [String(key), value];
}
