/**
 * Whom a backend may write to.
 *
 * @module
 */
import { type MailAddress, parseMailAddress, parseMailDomain } from "./address.ts";

type Pattern = { readonly kind: "all" } | {
  readonly kind: "address" | "domain" | "below";
  readonly value: string;
};

/** Reads an entry of `allow_recipients`: an address, `*@domain`, `*@*.domain` or `*`. */
function readPattern(pattern: string): Pattern | undefined {
  if (pattern === "*") return { kind: "all" };
  const isBelow = pattern.startsWith("*@*.");
  if (isBelow || pattern.startsWith("*@")) {
    const domain = parseMailDomain(pattern.slice(isBelow ? 4 : 2));
    return domain === undefined ? undefined : { kind: isBelow ? "below" : "domain", value: domain };
  }
  // A star is a letter like others in an address, but here somebody would have meant more by it.
  const address = pattern.includes("*") ? undefined : parseMailAddress(pattern);
  return address === undefined ? undefined : { kind: "address", value: keyOf(address) };
}

/** Whether a text is an entry that `allow_recipients` may have. */
export function isRecipientPattern(pattern: string): boolean {
  return readPattern(pattern) !== undefined;
}

/**
 * Makes the test for `allow_recipients`. Domains are compared in their ASCII form; local parts without regard to case,
 * as every server in use reads them.
 *
 * @param patterns The entries; absent: everybody may be written to.
 * @param always Who may be written to in any case.
 */
export function createRecipientRule(
  patterns: readonly string[] | undefined,
  always: readonly MailAddress[],
): (recipient: MailAddress) => boolean {
  if (patterns === undefined) return () => true;
  const read = patterns.map(readPattern).filter((pattern) => pattern !== undefined);
  if (read.some(({ kind }) => kind === "all")) return () => true;
  const addresses = new Set(always.map(keyOf));
  const domains = new Set<string>();
  const below: string[] = [];
  for (const pattern of read) {
    if (pattern.kind === "address") addresses.add(pattern.value);
    if (pattern.kind === "domain") domains.add(pattern.value);
    if (pattern.kind === "below") below.push(`.${pattern.value}`);
  }
  return (recipient) =>
    addresses.has(keyOf(recipient)) || domains.has(recipient.domain) ||
    below.some((ending) => recipient.domain.endsWith(ending));
}

function keyOf({ local, domain }: MailAddress): string {
  return `${local.toLowerCase()}@${domain}`;
}
