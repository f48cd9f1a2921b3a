/**
 * Reading JSON nobody has checked: each gives the value when it is of the kind asked for.
 *
 * @module
 */
import { cloneJson, type JsonValue } from "../../core/mod.ts";

/** A JSON object nobody has checked. */
export type Unchecked = Readonly<Record<string, unknown>>;

/** The value as an object. */
export function asObject(value: unknown): Unchecked | undefined {
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is Unchecked {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member that is an object. */
export function objectAt(of: Unchecked | undefined, key: string): Unchecked | undefined {
  return asObject(of?.[key]);
}

/** A member that is a text. */
export function textAt(of: Unchecked | undefined, key: string): string | undefined {
  const value = of?.[key];
  return typeof value === "string" ? value : undefined;
}

/** A member that is a finite number. */
export function numberAt(of: Unchecked | undefined, key: string): number | undefined {
  const value = of?.[key];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** A member that is an id, as a text: Telegram's ids fit a double. */
export function idAt(of: Unchecked | undefined, key: string): string | undefined {
  const value = numberAt(of, key);
  return value !== undefined && Number.isSafeInteger(value) ? String(value) : undefined;
}

/** A member that is an array, its objects only. */
export function objectsAt(of: Unchecked | undefined, key: string): readonly Unchecked[] {
  const value = of?.[key];
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A copy that a store takes, or `undefined` when it is too large, too deep, or has a dangerous key. */
export function storable(value: unknown, maxBytes: number): JsonValue | undefined {
  try {
    return cloneJson(value, "update", { maxBytes, maxDepth: 48 });
  } catch {
    return undefined;
  }
}
