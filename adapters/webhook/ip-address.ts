/**
 * Addresses, and which of them are no public place: the IANA special-purpose registries for IPv4 and IPv6
 * (https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry).
 *
 * @module
 */

/** The bytes of an address: 4 or 16. */
export type IpBytes = readonly number[];

/** Ranges nobody on the Internet is reached by: the first bytes, and how many bits of them count. */
const SPECIAL_V4: readonly (readonly [prefix: string, bits: number])[] = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // carrier-grade NAT
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local, and the metadata services of clouds
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.31.196.0", 24], // AS112
  ["192.52.193.0", 24], // AMT
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["192.175.48.0", 24], // AS112
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, and broadcast
];

/** Within 2000::/3, which is all of IPv6 that is given out, what is no public place. */
const SPECIAL_V6: readonly (readonly [prefix: string, bits: number])[] = [
  ["2001::", 23], // protocol assignments: Teredo, ORCHID, benchmarks
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4
  ["2620:4f:8000::", 48], // AS112
  ["3fff::", 20], // documentation
];

const DECIMAL_BYTE = /^(?:0|[1-9]\d{0,2})$/;
const HEX_GROUP = /^[0-9a-f]{1,4}$/i;

/**
 * Reads an address as `a.b.c.d` or in any form of IPv6, in brackets or not. Shortened and octal forms of IPv4 are not
 * taken: the URL parser has turned them into the plain one before.
 *
 * @param text The address.
 * @returns Its bytes, or `undefined` if it is none.
 */
export function parseIp(text: string): IpBytes | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  return bare.includes(":") ? parseV6(bare) : parseV4(bare);
}

function parseV4(text: string): IpBytes | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => DECIMAL_BYTE.test(part) && Number(part) <= 255)) return undefined;
  return parts.map(Number);
}

function parseV6(text: string): IpBytes | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = "", tail] = halves;
  const left = groupsOf(head, tail === undefined);
  const right = tail === undefined ? [] : groupsOf(tail, true);
  if (left === undefined || right === undefined) return undefined;
  const missing = 16 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...left, ...Array.from({ length: missing }, () => 0), ...right];
}

/** The bytes of groups; the last may be an IPv4 address where it ends the whole. */
function groupsOf(text: string, endsAddress: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (endsAddress && group.includes(".") && index === groups.length - 1) {
      const v4 = parseV4(group);
      if (v4 === undefined) return undefined;
      bytes.push(...v4);
    } else if (HEX_GROUP.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
    } else {
      return undefined;
    }
  }
  return bytes;
}

function isWithin(address: IpBytes, prefix: string, bits: number): boolean {
  const range = parseIp(prefix) ?? [];
  if (range.length !== address.length) return false;
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = bits - bit >= 8 ? 0xff : 0xff << 8 - (bits - bit) & 0xff;
    if (((address[bit >> 3] ?? 0) & mask) !== ((range[bit >> 3] ?? 0) & mask)) return false;
  }
  return true;
}

/**
 * Whether an address is a public place. IPv6 addresses that only carry an IPv4 one (mapped, and NAT64 of 64:ff9b::/96)
 * are what they carry; 6to4, Teredo and everything not given out are not public.
 *
 * @param address The bytes.
 */
export function isPublicIp(address: IpBytes): boolean {
  if (address.length === 4) return !SPECIAL_V4.some(([prefix, bits]) => isWithin(address, prefix, bits));
  if (address.length !== 16) return false;
  if (isWithin(address, "::ffff:0:0", 96) || isWithin(address, "64:ff9b::", 96)) return isPublicIp(address.slice(12));
  return isWithin(address, "2000::", 3) && !SPECIAL_V6.some(([prefix, bits]) => isWithin(address, prefix, bits));
}

/** Whether an address is this machine's own: 127.0.0.0/8, ::1, or the first mapped into IPv6. */
export function isLoopbackIp(address: IpBytes): boolean {
  return isWithin(address, "127.0.0.0", 8) || isWithin(address, "::1", 128) ||
    isWithin(address, "::ffff:127.0.0.0", 104);
}
