import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "bun:test";
import { WhatsAppStandIn } from "../../../adapters/emulator/whatsapp-stand-in.ts";
import { HttpStandIn, type StandInAnswer, type StandInRequest } from "../../../adapters/emulator/http-stand-in.ts";
import { WhatsAppCommunicator, type WhatsAppOptions } from "../../../adapters/whatsapp/mod.ts";
import { PosthornError, TooLargeError } from "../../../core/mod.ts";

/** Where no request may come to. */
class Canary extends HttpStandIn {
  protected override answer(_request: StandInRequest): StandInAnswer {
    return { status: 200, body: "caught" };
  }
}

describe("openAttachment", () => {
  const meta = new WhatsAppStandIn();
  const canary = new Canary();

  beforeEach(async () => {
    await Promise.all([meta.start(), canary.start()]);
  });

  afterEach(async () => {
    meta.clearFaults();
    await Promise.all([meta.stop(), canary.stop()]);
  });

  function create(
    options: Partial<WhatsAppOptions> = {},
  ): WhatsAppCommunicator {
    return new WhatsAppCommunicator("wa", {
      token: meta.token,
      phoneNumberId: meta.phoneNumberId,
      apiRoot: meta.origin,
      ...options,
    });
  }

  async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  const bytes = Uint8Array.from(
    { length: 200_000 },
    (_, index) => index * 13 & 255,
  );

  it("openAttachment() streams the file, with the token", async () => {
    const id = meta.addMedia(bytes, "image/jpeg");
    assert.deepEqual(await read(await create().openAttachment({ providerId: id })), bytes);
    const last = meta.requests.at(-1);
    assert.deepEqual([last?.path, last?.headers["authorization"]], [
      `/files/${id}`,
      `Bearer ${meta.token}`,
    ]);
  });

  it("openAttachment() fails for a file larger than allowed, said or not", async () => {
    const id = meta.addMedia(bytes, "image/jpeg");
    await assert.rejects(
      create().openAttachment({ providerId: id }, { maxBytes: 199_999 }),
      TooLargeError,
    );
    await assert.rejects(
      create({ maxMediaBytes: 10 }).openAttachment({ providerId: id }),
      TooLargeError,
    );
    meta.inject({
      fault: "answer",
      answer: {
        status: 200,
        body: { url: `${meta.origin}/files/${id}`, file_size: 1 },
      },
    });
    const lying = await create().openAttachment({ providerId: id }, { maxBytes: 1_000 });
    await assert.rejects(read(lying), TooLargeError);
  });

  it("openAttachment() fails at the end of a file whose SHA-256 is another", async () => {
    const id = meta.addMedia(bytes, "image/jpeg");
    const url = `${meta.origin}/files/${id}`;
    for (
      const sha256 of [
        "0".repeat(64),
        "F".repeat(64),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      ]
    ) {
      meta.inject({
        fault: "answer",
        answer: { status: 200, body: { url, sha256 } },
      });
      const stream = await create().openAttachment({ providerId: id });
      await assert.rejects(
        read(stream),
        (error) => error instanceof PosthornError && error.code === "media",
      );
    }
  });

  it("openAttachment() sends the token to none but Meta's hosts, by no way", async () => {
    const id = meta.addMedia(bytes, "image/jpeg");
    const host = canary.origin.replace("http://", "");
    const places = [
      `${canary.origin}/x`,
      `https://${host}/x`,
      `http://graph.facebook.com@${host}/x`,
      `https://graph.facebook.com.example.com/x`,
      `https://graph.facebook.com:8443/x`,
      `http://lookaside.fbsbx.com/x`,
      `https://user:pass@lookaside.fbsbx.com/x`,
      `https://evil-lookaside.fbsbx.com/x`,
      `//${host}/x`,
      `file:///etc/passwd`,
      `javascript:1`,
      "",
      "not a url",
    ];
    for (const url of places) {
      meta.inject({ fault: "answer", answer: { status: 200, body: { url } } });
      await assert.rejects(create().openAttachment({ providerId: id }), (error) => {
        assert.ok(
          error instanceof PosthornError && error.code === "media",
          url,
        );
        assert.ok(!String(error.message).includes(meta.token));
        return true;
      });
    }
    for (const location of [`${canary.origin}/x`, `//${host}/x`]) {
      meta.inject({
        fault: "answer",
        answer: { status: 302, headers: { location } },
      }, { path: "/files/" });
      await assert.rejects(create().openAttachment({ providerId: id }), PosthornError);
    }
    meta.inject({
      fault: "answer",
      answer: { status: 302, headers: { location: `${canary.origin}/x` } },
    });
    await assert.rejects(create().openAttachment({ providerId: id }), PosthornError);
    assert.equal(canary.requests.length, 0);
  });

  it("openAttachment() follows a redirect within Meta's hosts, but not for ever", async () => {
    const id = meta.addMedia(bytes, "image/jpeg");
    const location = `/files/${id}?again`;
    meta.inject({
      fault: "answer",
      answer: { status: 302, headers: { location: `/files/${id}` } },
    }, {
      path: "/files/",
    });
    assert.deepEqual(await read(await create().openAttachment({ providerId: id })), bytes);
    meta.inject({
      fault: "answer",
      answer: { status: 302, headers: { location } },
    }, { path: "/files/", times: 99 });
    const before = meta.requests.length;
    await assert.rejects(create().openAttachment({ providerId: id }), /too many redirects/);
    assert.ok(meta.requests.length - before < 10);
  });

  it("openAttachment() tells what may pass from what will not", async () => {
    const rows = [[404, false], [403, false], [429, true], [500, true], [
      503,
      true,
    ]] as const;
    const id = meta.addMedia(bytes, "image/jpeg");
    for (const [status, retryable] of rows) {
      for (const path of ["/v25.0/", "/files/"]) {
        meta.inject({ fault: "answer", answer: { status, body: "no" } }, {
          path,
        });
        await assert.rejects(create().openAttachment({ providerId: id }), (error) => {
          assert.ok(
            error instanceof PosthornError && error.retryable === retryable,
            `${path} ${status}`,
          );
          return true;
        });
      }
    }
    await assert.rejects(
      create().openAttachment({ providerId: "../../secret" }),
      PosthornError,
    );
  });

  it("openAttachment() can be called off", async () => {
    const id = meta.addMedia(bytes, "image/jpeg");
    await assert.rejects(
      create().openAttachment({ providerId: id }, {
        signal: AbortSignal.abort(new Error("enough")),
      }),
      /enough/,
    );
  });
});
