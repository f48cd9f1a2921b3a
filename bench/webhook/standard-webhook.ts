/**
 * Requests signed by Standard Webhooks, as bytes for a socket.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

/** The secret of the benchmark: of 32 bytes, and no secret. */
export const SECRET: string = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** Where requests go. */
export const PATH = "/webhooks/hook";

const TEXT = "Disk usage at 95% on db-1 and rising: look at it before the night. ".repeat(12);

/** Signs a message of about 900 bytes. */
export function signedRequest(id: string, conversation: string): { readonly headers: string; readonly body: string } {
  const body = JSON.stringify({ id, conversation, text: TEXT });
  const timestamp = Math.floor(Date.now() / 1_000);
  const signature = createHmac("sha256", Buffer.alloc(32, 7)).update(`${id}.${timestamp}.${body}`).digest("base64");
  const headers = `content-type: application/json\r\nwebhook-id: ${id}\r\nwebhook-timestamp: ${timestamp}\r\n` +
    `webhook-signature: v1,${signature}\r\n`;
  return { headers, body };
}

/** The whole request as HTTP/1.1 has it. */
export function requestBytes(id: string, conversation: string): Uint8Array {
  const { headers, body } = signedRequest(id, conversation);
  return Buffer.from(
    `POST ${PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
