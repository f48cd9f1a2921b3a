// Addresses that must never be asked: 300 and more ways to write "inside".

/** IPv4 places that are no public ones. */
const V4: readonly string[] = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "169.254.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.1",
  "192.0.2.1",
  "192.31.196.1",
  "192.52.193.1",
  "192.88.99.1",
  "192.168.0.1",
  "192.168.255.255",
  "192.175.48.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
];

/** Each way a URL parser reads an IPv4 address, or might. */
function formsOf(address: string): readonly string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const whole = ((a * 256 + b) * 256 + c) * 256 + d;
  const hex = (value: number): string => value.toString(16);
  const group = (high: number, low: number): string => hex(high * 256 + low);
  return [
    address,
    `${address}.`,
    String(whole),
    `0x${hex(whole)}`,
    `0${whole.toString(8)}`,
    [a, b, c, d].map((part) => `0x${hex(part)}`).join("."),
    [a, b, c, d].map((part) => `0${part.toString(8)}`).join("."),
    `${a}.${(b * 256 + c) * 256 + d}`,
    `${a}.${b}.${c * 256 + d}`,
    `[::ffff:${address}]`,
    `[::ffff:${group(a, b)}:${group(c, d)}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b:1::${address}]`,
    `[2002:${group(a, b)}:${group(c, d)}::]`,
    `[::${address}]`,
    `[::ffff:0:${address}]`,
  ];
}

const V6: readonly string[] = [
  "::",
  "::1",
  "0:0:0:0:0:0:0:1",
  "::ffff:7f00:1",
  "100::1",
  "2001::1",
  "2001:0:4136:e378:8000:63bf:3fff:fdd2",
  "2001:2::1",
  "2001:10::1",
  "2001:20::1",
  "2001:db8::1",
  "2002::1",
  "2620:4f:8000::1",
  "3fff::1",
  "5f00::1",
  "64:ff9b:1::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "febf::1",
  "fec0::1",
  "ff02::1",
  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  "4000::1",
];

const NAMES: readonly string[] = [
  "localhost",
  "LOCALHOST",
  "localhost.",
  "foo.localhost",
  "printer",
  "router.local",
  "db.internal",
  "metadata.google.internal",
  "intranet.corp",
  "nas.lan",
  "x.home.arpa",
  "localhost.localdomain",
  "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
  "127。0。0。1",
  "①②⑦.⓪.⓪.①",
  "127.0.0.1%00.example.com",
  "%6c%6f%63%61%6c%68%6f%73%74",
  "1.2.3.4.5",
  "256.256.256.256",
  "0xg.1",
];

/**
 * The URLs.
 *
 * @param port The port of the canary.
 */
export function forbiddenUrls(port: number): readonly string[] {
  const hosts = [...V4.flatMap(formsOf), ...V6.map((address) => `[${address}]`), ...NAMES];
  return [
    ...hosts.map((host) => `https://${host}:${port}/hook`),
    `http://example.com:${port}/`,
    `http://127.0.0.1:${port}/`,
    `ftp://example.com:${port}/`,
    `file:///etc/passwd`,
    `gopher://127.0.0.1:${port}/`,
    `data:text/plain,x`,
    `javascript:fetch('http://127.0.0.1:${port}')`,
    `https://user:pass@example.com:${port}/`,
    `https://user@example.com:${port}/`,
    `https://example.com@127.0.0.1:${port}/`,
    `//127.0.0.1:${port}/`,
    `https:/\\127.0.0.1:${port}/`,
    `https://127.0.0.1:${port}\\@example.com/`,
    `https://127.0.0.1:${port}#@example.com/`,
    `https://127.0.0.1:${port}?@example.com/`,
    " https://127.0.0.1/",
    "https://127.0.0.1\t/",
    "",
    "not a url",
    "https://",
  ];
}

/** Addresses that are public, and must not be refused. */
export const PUBLIC_URLS: readonly string[] = [
  "https://example.com/hook",
  "https://hooks.slack.com/services/x",
  "https://8.8.8.8/",
  "https://1.1.1.1:8443/x",
  "https://100.63.255.255/",
  "https://100.128.0.1/",
  "https://172.15.0.1/",
  "https://172.32.0.1/",
  "https://192.0.1.1/",
  "https://198.17.0.1/",
  "https://198.20.0.1/",
  "https://223.255.255.255/",
  "https://[2606:4700::1111]/",
  "https://[2001:4860:4860::8888]/",
  "https://[2001:200::1]/",
  "https://[::ffff:8.8.8.8]/",
  "https://[64:ff9b::8.8.8.8]/",
  "https://xn--mnchen-3ya.de/",
  "https://localhost.example.com/",
  "https://internal-tools.com/",
];
