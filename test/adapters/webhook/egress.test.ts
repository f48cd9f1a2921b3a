import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { HttpStandIn, type StandInAnswer } from "../../../adapters/emulator/http-stand-in.ts";
import { readRequestFailure } from "../../../adapters/net/network-error.ts";
import { createFetchPost } from "../../../adapters/webhook/fetch-post.ts";
import { EgressGuard, type GuardedPost, WebhookCommunicator } from "../../../adapters/webhook/mod.ts";
import { createPinnedPost } from "../../../adapters/webhook/pinned-fetch.ts";
import { createOutgoingMessage, ValidationError } from "../../../core/mod.ts";
import { forbiddenUrls } from "./forbidden-urls.ts";

/** Where no request may come to. */
class Canary extends HttpStandIn {
  protected override answer(): StandInAnswer {
    return { status: 200, body: "caught" };
  }
}

describe("egress (G36)", () => {
  let canary = new Canary();
  let port = 0;

  beforeEach(async () => {
    canary = new Canary();
    port = Number(new URL(await canary.start()).port);
  });

  afterEach(async () => {
    await canary.stop();
  });

  function request(url: string): Parameters<GuardedPost>[0] {
    const signal = AbortSignal.timeout(20_000);
    return { url, headers: {}, body: new Uint8Array(0), signal, maxAnswerBytes: 1_000 };
  }

  /** Each way to post, with a guard and a resolver. */
  function ways(guard: EgressGuard, resolve?: (host: string) => Promise<readonly string[]>): readonly GuardedPost[] {
    const pinned = createPinnedPost(guard, resolve);
    assert.ok(pinned !== undefined);
    return [pinned, createFetchPost(guard, (url, init) => fetch(url, init), resolve)];
  }

  it("no way to post asks any of 300 inner addresses", async () => {
    const guard = new EgressGuard({ allowHttp: true });
    const urls = forbiddenUrls(port).flatMap((url) => [url, url.replace("https:", "http:")])
      .filter((url) => !url.includes("example.com"));
    assert.ok(urls.length >= 300);
    for (const post of ways(guard)) {
      for (const url of urls) {
        const failure = await outcome(() => post(request(url)));
        assert.deepEqual(failure, { mayHaveLeft: false, code: "egress-refused" }, url);
      }
    }
    assert.equal(canary.requests.length, 0);
  });

  it("no way to post asks a name that resolves to an inner address", async () => {
    const guard = new EgressGuard({ allowHttp: true });
    const answers = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1"];
    for (const address of answers) {
      for (const addresses of [[address], ["8.8.8.8", address], [address, "8.8.8.8"]]) {
        for (const post of ways(guard, () => Promise.resolve(addresses))) {
          const failure = await outcome(() => post(request(`http://hook.example.com:${port}/`)));
          assert.deepEqual(failure, { mayHaveLeft: false, code: "egress-refused" }, addresses.join());
        }
      }
    }
    assert.equal(canary.requests.length, 0);
  });

  it("the pinned way connects to what was checked, whatever the name says later", async () => {
    let asked = 0;
    // This machine once, a public address ever after: a second look-up would pass, or be passed.
    const flip = (): Promise<readonly string[]> => Promise.resolve(asked++ === 0 ? ["127.0.0.1"] : ["192.0.2.1"]);
    const strict = createPinnedPost(new EgressGuard({ allowHttp: true }), flip);
    const failure = await outcome(() => strict?.(request(`http://flip.example.com:${port}/`)));
    assert.deepEqual([failure, asked], [{ mayHaveLeft: false, code: "egress-refused" }, 1]);
    assert.equal(canary.requests.length, 0);

    // The checked address is the one that is used, with the name it was asked by.
    const open = new EgressGuard({ allowHttp: true, allowPrivate: true });
    let lookups = 0;
    const pinned = createPinnedPost(open, (host) => {
      assert.equal(host, "hook.example.com");
      lookups++;
      return Promise.resolve(["127.0.0.1"]);
    });
    const answer = await pinned?.(request(`http://hook.example.com:${port}/x`));
    assert.deepEqual([answer?.status, answer?.body, lookups], [200, "caught", 1]);
    assert.equal(canary.requests.at(-1)?.headers["host"], `hook.example.com:${port}`);
  });

  it("no way to post follows a redirect", async () => {
    const target = new Canary();
    await target.start();
    const guard = new EgressGuard({ allowPrivate: true });
    for (const status of [301, 302, 303, 307, 308]) {
      for (const post of ways(guard)) {
        canary.inject({ fault: "answer", answer: { status, headers: { location: `${target.origin}/inside` } } });
        const answer = await post(request(`${canary.origin}/`));
        assert.equal(answer.status, status);
      }
    }
    assert.equal(target.requests.length, 0);
    await target.stop();
  });

  it("no way to post reads more of an answer than it may", async () => {
    const guard = new EgressGuard({ allowPrivate: true });
    for (const post of ways(guard)) {
      canary.inject({ fault: "answer", answer: { status: 500, body: "x".repeat(5_000_000) } });
      const answer = await post(request(`${canary.origin}/`));
      assert.deepEqual([answer.status, answer.body.length], [500, 1_000]);
    }
  });

  it("WebhookCommunicator refuses an inner address when it is made, and says no part of it", () => {
    for (const url of forbiddenUrls(port)) {
      assert.throws(() => new WebhookCommunicator("hook", { url }), (error) => {
        assert.ok(error instanceof ValidationError && error.argument === "url", url);
        assert.ok(url.length < 6 || !error.message.includes(url));
        return true;
      });
    }
  });

  it("send() to a name that turns out to be inside is refused for good", async () => {
    const hook = new WebhookCommunicator("hook", {
      url: "https://rebound.example.com/",
      resolveHost: () => Promise.resolve(["127.0.0.1"]),
    });
    const message = createOutgoingMessage({ message: "x" }, { newId: () => "m", now: () => 0 });
    const context = { deliveryId: "d", attempt: 1, signal: AbortSignal.timeout(20_000) };
    const receipt = await hook.send(message, context);
    assert.deepEqual(receipt.outcome === "rejected" && [receipt.reason, receipt.retryable, receipt.code], [
      "policy",
      false,
      "egress-refused",
    ]);
    assert.equal(canary.requests.length, 0);
  });

  async function outcome(act: () => Promise<unknown> | undefined): Promise<unknown> {
    try {
      return await act();
    } catch (error) {
      return readRequestFailure(error);
    }
  }
});
