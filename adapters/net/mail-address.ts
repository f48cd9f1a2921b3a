/**
 * Mail addresses, read strictly: what is not plainly one address is refused before anything else sees it.
 *
 * @module
 */
import { kindOf, ValidationError } from "../../core/mod.ts";

/** One mail address, checked. */
export interface MailAddress {
  /** The part before the `@`, as written, in Unicode normal form C. */
  readonly local: string;
  /** The part after the `@`: lower case, ASCII (`xn--…` for an international name). */
  readonly domain: string;
  /** Both, joined: what goes on the wire. */
  readonly address: string;
  /** The local part is not ASCII: only servers with the SMTPUTF8 extension (RFC 6531) can take it. */
  readonly needsSmtpUtf8: boolean;
}

/** RFC 5321 4.5.3.1: a path is at most 256 octets with its angle brackets. */
const MAX_ADDRESS_BYTES = 254;
const MAX_LOCAL_BYTES = 64;
const MAX_LABEL_LENGTH = 63;

/** `dot-atom-text` of RFC 5322 3.2.3, with the letters, digits and marks of RFC 6532. No quoted form, no comments. */
const LOCAL = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const DOMAIN = /^[\p{L}\p{N}\p{M}.-]+$/u;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const ASCII = /^[\x21-\x7e]*$/;

/**
 * Reads one bare address, `local@domain`, and nothing else: no display name, angle brackets, quotes, comments, groups,
 * lists, address literals or white space. Each of those has been used to make a mail library send to somebody else.
 *
 * The local part is a dot-atom of at most 64 octets (RFC 5322 3.4.1, RFC 5321 4.5.3.1.1); the domain becomes ASCII, and
 * one whose letters the Unicode mapping would change (full-width forms, ligatures, ignored characters) is refused.
 *
 * @param value What should be an address.
 * @returns The address, or `undefined` when it is none.
 *
 * @example
 * ```ts
 * import { parseMailAddress } from "posthorn/smtp";
 *
 * console.log(parseMailAddress("ops@Bücher.example")?.address); // ops@xn--bcher-kva.example
 * console.log(parseMailAddress("Ops <ops@example.com>")); // undefined
 * ```
 */
export function parseMailAddress(value: unknown): MailAddress | undefined {
  if (
    typeof value !== "string" || value.length === 0 ||
    value.length > MAX_ADDRESS_BYTES
  ) return undefined;
  const at = value.indexOf("@");
  if (at < 1 || at !== value.lastIndexOf("@")) return undefined;
  const local = value.slice(0, at).normalize("NFC");
  // An encoded word may not stand in an address (RFC 2047 5), but there are readers that decode it there.
  if (!LOCAL.test(local) || /=\?.*\?=/.test(local) || byteLength(local) > MAX_LOCAL_BYTES) {
    return undefined;
  }
  const domain = parseMailDomain(value.slice(at + 1));
  if (domain === undefined) return undefined;
  const address = `${local}@${domain}`;
  if (byteLength(address) > MAX_ADDRESS_BYTES) return undefined;
  return { local, domain, address, needsSmtpUtf8: !ASCII.test(local) };
}

/**
 * Reads a host name as it stands in a mail address, into lower-case ASCII.
 *
 * @param value What should be a domain.
 * @returns The domain, or `undefined` when it is none.
 */
export function parseMailDomain(value: string): string | undefined {
  if (!DOMAIN.test(value)) return undefined;
  const domain = ASCII.test(value) ? value.toLowerCase() : toAscii(value);
  if (domain === undefined || domain.length > 253) return undefined;
  const labels = domain.split(".");
  // A last label of digits would be read as an IPv4 address by others.
  const isName = labels.every((label) => label.length <= MAX_LABEL_LENGTH && LABEL.test(label)) &&
    !/^\d+$/.test(labels.at(-1) ?? "");
  return isName ? domain : undefined;
}

/** As {@link parseMailAddress}, for configuration: an error in the place of `undefined`. */
export function assertMailAddress(value: unknown, argument: string): MailAddress {
  const address = parseMailAddress(value);
  if (address === undefined) {
    throw new ValidationError(
      argument,
      `Cannot accept '${argument}': it must be one mail address without name, quotes or comments, not ${kindOf(value)}`,
    );
  }
  return address;
}

/** The platform's own UTS 46 processing, by way of the URL parser, for names that it does not change otherwise. */
function toAscii(domain: string): string | undefined {
  const plain = domain.normalize("NFC").toLowerCase();
  if (plain !== domain.normalize("NFKC").toLowerCase()) return undefined;
  const url = `http://${plain}`;
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function byteLength(text: string): number {
  return ASCII.test(text) ? text.length : new TextEncoder().encode(text).length;
}
