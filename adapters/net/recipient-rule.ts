/**
 * Whom one may write to: the lists called `allow_recipients`.
 *
 * @module
 */
import { type MailAddress, parseMailAddress, parseMailDomain } from "./mail-address.ts";

type Pattern = { readonly kind: "all" } | {
  readonly kind: "address" | "domain" | "below";
  readonly value: string;
};

/** Reads an entry: a mail address, `*@domain`, `*@*.domain` or `*`. */
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

/** Whether a text is an entry that the list of a mail backend may have. */
export function isRecipientPattern(pattern: string): boolean {
  return readPattern(pattern) !== undefined;
}

/**
 * A list of recipients one may write to. Mail domains are compared in their ASCII form, local parts without regard to
 * case, as every server in use reads them; other networks' addresses as they are, without regard to case.
 */
export class RecipientRule {
  readonly #allowsAll: boolean;
  readonly #addresses: ReadonlySet<string>;
  readonly #domains: ReadonlySet<string>;
  readonly #below: readonly string[];

  /** @param patterns Mail addresses, `*@domain`, `*@*.domain`, addresses of other networks, or `*` for everybody. */
  constructor(patterns: readonly string[]) {
    const read = patterns.map((pattern) => readPattern(pattern) ?? asText(pattern));
    const valuesOf = (kind: Pattern["kind"]): string[] =>
      read.flatMap((pattern) => pattern.kind !== "all" && pattern.kind === kind ? [pattern.value] : []);
    this.#allowsAll = read.some(({ kind }) => kind === "all");
    this.#addresses = new Set(valuesOf("address"));
    this.#domains = new Set(valuesOf("domain"));
    this.#below = valuesOf("below").map((domain) => `.${domain}`);
  }

  /** Whether one may write to an address, of whatever network. */
  allows(recipient: string): boolean {
    if (this.#allowsAll) return true;
    const address = parseMailAddress(recipient);
    return address === undefined ? this.#addresses.has(asText(recipient).value) : this.allowsMail(address);
  }

  /** Whether one may write to a mail address. */
  allowsMail(address: MailAddress): boolean {
    return this.#allowsAll || this.#addresses.has(keyOf(address)) || this.#domains.has(address.domain) ||
      this.#below.some((ending) => address.domain.endsWith(ending));
  }
}

function asText(address: string): { readonly kind: "address"; readonly value: string } {
  return { kind: "address", value: address.toLowerCase() };
}

function keyOf({ local, domain }: MailAddress): string {
  return `${local.toLowerCase()}@${domain}`;
}
