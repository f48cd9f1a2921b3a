import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import { readRequestFailure } from "../../../adapters/net/network-error.ts";
import { isPublicIp, parseIp } from "../../../adapters/webhook/ip-address.ts";
import { EgressGuard } from "../../../adapters/webhook/mod.ts";
import { ValidationError } from "../../../core/mod.ts";
import { forbiddenUrls, PUBLIC_URLS } from "./forbidden-urls.ts";

function isRefused(guard: EgressGuard, url: string): boolean {
  try {
    guard.check(url);
    return false;
  } catch (error) {
    assert.deepEqual(readRequestFailure(error), { mayHaveLeft: false, code: "egress-refused" });
    assert.ok(error instanceof Error && !error.message.includes(url) || url === "");
    return true;
  }
}

describe("EgressGuard", () => {
  it("check() refuses more than 300 ways to write an inner address, and repeats none", () => {
    const guard = new EgressGuard();
    const urls = forbiddenUrls(8443);
    assert.ok(urls.length >= 300, `${urls.length}`);
    assert.deepEqual(urls.filter((url) => !isRefused(guard, url)), []);
  });

  it("check() lets public addresses pass", () => {
    const guard = new EgressGuard();
    assert.deepEqual(PUBLIC_URLS.filter((url) => isRefused(guard, url)), []);
  });

  it("check() keeps to the hosts it is given, by name, by suffix and by port", () => {
    const guard = new EgressGuard({ allowHosts: ["Hooks.Example.com", "*.trusted.org", "api.example.com:8443"] });
    const passes = [
      "https://hooks.example.com/a",
      "https://a.trusted.org/",
      "https://a.b.trusted.org/",
      "https://api.example.com:8443/",
    ];
    const refused = [
      "https://example.com/",
      "https://evil-hooks.example.com/",
      "https://hooks.example.com.evil.org/",
      "https://trusted.org/",
      "https://eviltrusted.org/",
      "https://api.example.com/",
    ];
    assert.deepEqual(passes.filter((url) => isRefused(guard, url)), []);
    assert.deepEqual(refused.filter((url) => !isRefused(guard, url)), []);
    assert.ok(isRefused(new EgressGuard({ allowHosts: [] }), "https://example.com/"));
    assert.ok(isRefused(new EgressGuard({ allowHosts: ["127.0.0.1"] }), "https://127.0.0.1/"));
    for (const host of ["", "a b", "https://x", "*", "x/y"]) {
      assert.throws(() => new EgressGuard({ allowHosts: [host] }), ValidationError);
    }
  });

  it("check() lets this machine be asked by http where private addresses may be asked, and no other", () => {
    const guard = new EgressGuard({ allowPrivate: true });
    for (
      const url of ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]/", "https://10.0.0.1/", "https://nas/"]
    ) {
      assert.ok(!isRefused(guard, url), url);
    }
    for (const url of ["http://10.0.0.1/", "http://example.com/", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/"]) {
      assert.ok(isRefused(guard, url), url);
    }
    assert.ok(!isRefused(new EgressGuard({ allowHttp: true }), "http://example.com/"));
    assert.ok(isRefused(new EgressGuard({ allowHttp: true }), "http://127.0.0.1/"));
  });

  it("checkAddresses() refuses all addresses when one is private, and none at all", () => {
    const guard = new EgressGuard();
    guard.checkAddresses(["8.8.8.8", "2606:4700::1111"]);
    for (const addresses of [[], ["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["fe80::1%eth0"], ["nonsense"]]) {
      assert.throws(() => guard.checkAddresses(addresses), (error) => !readRequestFailure(error).mayHaveLeft);
    }
    new EgressGuard({ allowPrivate: true }).checkAddresses(["127.0.0.1"]);
  });
});

describe("parseIp", () => {
  it("parseIp() reads what the URL parser writes, and refuses the rest", () => {
    assert.deepEqual(parseIp("1.2.3.4"), [1, 2, 3, 4]);
    assert.deepEqual(parseIp("[::1]"), [...Array(15).fill(0), 1]);
    assert.deepEqual(parseIp("1:2::"), [0, 1, 0, 2, ...Array(12).fill(0)]);
    assert.deepEqual(parseIp("::ffff:1.2.3.4")?.slice(10), [255, 255, 1, 2, 3, 4]);
    const refused = [
      "",
      "1.2.3",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.4.5",
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8:9",
      "12345::",
      "g::",
      "::1.2.3",
      "1.2.3.4::",
      "fe80::1%eth0",
    ];
    for (const text of refused) assert.equal(parseIp(text), undefined, text);
  });

  it("isPublicIp() knows the edges of every range", () => {
    const edges: readonly (readonly [string, boolean])[] = [
      ["9.255.255.255", true],
      ["11.0.0.0", true],
      ["126.255.255.255", true],
      ["128.0.0.0", true],
      ["169.253.255.255", true],
      ["169.255.0.0", true],
      ["192.167.255.255", true],
      ["192.169.0.0", true],
      ["223.255.255.255", true],
      ["2000::", true],
      ["1fff:ffff::", false],
      ["3ffe::", true],
      ["4000::", false],
      ["2001:1ff:ffff::", false],
      ["2001:200::", true],
      ["2001:db9::", true],
      ["2003::", true],
    ];
    for (const [text, expected] of edges) assert.equal(isPublicIp(parseIp(text) ?? []), expected, text);
    assert.equal(isPublicIp([]), false);
  });
});
