/**
 * Receipts of backends that are written without types.
 *
 * @module
 */
import { kindOf } from "../errors.ts";
import { cloneJson, type JsonObject } from "../message/json.ts";
import type { Receipt, RejectionReason } from "../message/receipt.ts";

const REASONS: ReadonlySet<unknown> = new Set<RejectionReason>([
  "rate-limited",
  "unavailable",
  "network",
  "auth",
  "invalid-recipient",
  "recipient-unreachable",
  "opted-out",
  "window-closed",
  "invalid-message",
  "unsupported",
  "not-configured",
  "policy",
  "other",
]);
const isText = (value: unknown): boolean => typeof value === "string";
const isFlag = (value: unknown): boolean => typeof value === "boolean";
/** An id that receipts are found by. */
const isId = (value: unknown): boolean => typeof value === "string" && value !== "" && value.length <= 800;

/** What each property must be, where it is there. */
const FITS: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["providerMessageId", isId],
  ["providerMessageIds", (value: unknown) => Array.isArray(value) && value.every(isId)],
  ["detail", isText],
  ["reason", (value: unknown) => REASONS.has(value)],
  ["code", isText],
  ["retryable", isFlag],
  ["backendDown", isFlag],
  ["retryAfterMs", (value: unknown) => typeof value === "number" && Number.isFinite(value) && value >= 0],
  ["progress", isProgress],
]);

/** What a property is taken for that is missing, or not what it must be. */
const MISSING: Readonly<Record<Receipt["outcome"], JsonObject>> = {
  accepted: {},
  rejected: { retryable: false, reason: "other" },
  unknown: { detail: "the backend does not know" },
  skipped: { detail: "the backend did not say why" },
};

/**
 * Takes a backend at its word as far as it can be: whether a message was taken must not be lost because something beside
 * it is not what it must be.
 *
 * @param value What it answered.
 * @param onFault Told what is wrong.
 * @returns The receipt, without what is wrong; `unknown` where the answer is none.
 */
export function receiptFrom(value: unknown, onFault: (fault: string) => void): Receipt {
  if (!isReceipt(value)) {
    onFault(`it must be a receipt with an outcome, not ${kindOf(value)}`);
    return { outcome: "unknown", detail: "the backend gave no receipt" };
  }
  const needed = MISSING[value.outcome];
  const faults = faultsOf(value, needed);
  if (faults === undefined) return value; // as nearly all
  for (const fault of faults) onFault(fault);
  const left = Object.entries(value).filter(([name, each]) => each !== undefined && fits(name, each));
  return { ...needed, ...Object.fromEntries(left) } as Receipt; // each property was checked by name
}

function faultsOf(receipt: Receipt, needed: JsonObject): readonly string[] | undefined {
  let faults: string[] | undefined;
  for (const name in receipt) {
    if (name === "outcome") continue;
    const value: unknown = receipt[name as keyof Receipt];
    if (value !== undefined && !fits(name, value)) {
      (faults ??= []).push(`'${name}' must be something else than ${kindOf(value)}`);
    }
  }
  for (const name in needed) {
    if (receipt[name as keyof Receipt] === undefined) (faults ??= []).push(`'${name}' is missing`);
  }
  return faults;
}

function fits(name: string, value: unknown): boolean {
  return FITS.get(name)?.(value) !== false;
}

function isReceipt(value: unknown): value is Receipt {
  return typeof value === "object" && value !== null && "outcome" in value &&
    typeof value.outcome === "string" && Object.hasOwn(MISSING, value.outcome);
}

function isProgress(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  try {
    cloneJson(value, "progress");
    return true;
  } catch {
    return false;
  }
}
