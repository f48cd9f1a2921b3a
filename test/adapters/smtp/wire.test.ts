import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type net from "node:net";
import { describe, it } from "bun:test";
import { readExtensions } from "../../../adapters/smtp/mail-transaction.ts";
import { readServerMessageId } from "../../../adapters/smtp/server-message-id.ts";
import { SmtpWire } from "../../../adapters/smtp/smtp-wire.ts";
import { withMail } from "./fixture.ts";

/** What a wire hears of bytes that arrive in pieces. */
function hear(pieces: readonly (string | Uint8Array)[]): { readonly replies: string[]; readonly nonsense: number } {
  const socket = new EventEmitter();
  const replies: string[] = [];
  let nonsense = 0;
  new SmtpWire(socket as net.Socket, {
    onReply: (reply) => replies.push(reply),
    onNonsense: () => nonsense++,
  });
  for (const piece of pieces) socket.emit("data", Buffer.from(piece as Uint8Array));
  return { replies, nonsense };
}

describe("SmtpWire", () => {
  it("gives each reply as a whole, however its bytes arrive", () => {
    const bytes = new TextEncoder().encode("250-one\r\n250-zwölf\r\n250 three\r\n354 Go on\n\r\n250 2.0.0 Ok\r\n");
    const wanted = ["250-one\n250-zwölf\n250 three", "354 Go on", "250 2.0.0 Ok"];
    assert.deepEqual(hear([bytes]).replies, wanted);
    assert.deepEqual(hear(Array.from(bytes, (byte) => Uint8Array.of(byte))).replies, wanted);
  });

  it("takes no reply that never ends", () => {
    assert.ok(hear(Array.from({ length: 20 }, () => "250-".padEnd(5_000, "x"))).nonsense > 0);
    assert.ok(
      hear(Array.from({ length: 2_000 }, () => "250-and so on, and on, and on, and on, and on\r\n")).nonsense > 0,
    );
  });

  it("gives the socket back to who read from it before", () => {
    const socket = new EventEmitter();
    const before: string[] = [];
    const heard: string[] = [];
    socket.on("data", (chunk) => before.push(String(chunk)));
    const wire = new SmtpWire(socket as net.Socket, { onReply: (reply) => heard.push(reply), onNonsense: () => {} });
    socket.emit("data", Buffer.from("250 Ours\r\n"));
    wire.release();
    socket.emit("data", Buffer.from("221 Theirs\r\n"));
    assert.deepEqual([heard, before], [["250 Ours"], ["221 Theirs\r\n"]]);
  });
});

describe("readExtensions()", () => {
  it("reads what EHLO lists, in whatever case, and nothing from its greeting", () => {
    assert.deepEqual(readExtensions("250-PIPELINING SIZE 5\n250-pipelining\n250-SIZE 1000\n250 8BITMIME"), {
      pipelining: true,
      eightBit: true,
      smtpUtf8: false,
      size: true,
      maxBytes: 1_000,
    });
    const none = { pipelining: false, eightBit: false, smtpUtf8: false, size: false };
    assert.deepEqual(readExtensions("250 PIPELINING"), none);
    assert.deepEqual(readExtensions("250-host\n250-XPIPELINING\n250 SIZE 0"), { ...none, size: true });
  });
});

describe("readServerMessageId()", () => {
  it("knows how Microsoft 365 and Amazon SES say it, and reads it from nobody else", () => {
    const outlook = "250 2.0.0 OK <AM0PR01@AM0PR01.eurprd01.prod.outlook.com> [Hostname=x.prod.outlook.com]";
    assert.equal(readServerMessageId(outlook, "smtp.office365.com"), "<AM0PR01@AM0PR01.eurprd01.prod.outlook.com>");
    const ses = "250 Ok 0100018b5c3c0a4f-aa-000000";
    const host = "email-smtp.eu-west-1.amazonaws.com";
    assert.equal(readServerMessageId(ses, host), "<0100018b5c3c0a4f-aa-000000@eu-west-1.amazonses.com>");
    assert.equal(
      readServerMessageId(ses, "email-smtp.us-east-1.amazonaws.com."),
      "<0100018b5c3c0a4f-aa-000000@email.amazonses.com>",
    );
    const vpc = "vpce-1.email-smtp.us-west-2.vpce.amazonaws.com";
    assert.equal(readServerMessageId(ses, vpc), "<0100018b5c3c0a4f-aa-000000@us-west-2.amazonses.com>");
    assert.equal(readServerMessageId(ses, "mail.example.com"), undefined);
    assert.equal(readServerMessageId("250 2.0.0 Ok: queued as 4F1", host), undefined);
    assert.equal(readServerMessageId("250 2.0.0 OK <x@prod.outlook.com.evil.example>", host), undefined);
  });

  it("is told in the receipt, beside the id that was given", () =>
    withMail({}, async ({ server, send }) => {
      const id = "<AM0PR01@AM0PR01.eurprd01.prod.outlook.com>";
      server.script("dot", { keep: true, reply: `250 2.0.0 OK ${id} [Hostname=x]` });
      const receipt = await send({}, { deliveryId: "d7" });
      assert.ok(receipt.outcome === "accepted");
      assert.equal(receipt.providerMessageId, id);
      assert.deepEqual(receipt.providerMessageIds, [id, "<d7@example.com>"]);
    }));
});
