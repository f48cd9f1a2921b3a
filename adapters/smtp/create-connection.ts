/**
 * Sets nodemailer's SMTP client up over a socket that is open: nothing of it may log, look names up, or go on in clear.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type net from "node:net";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { ResolvedSmtpOptions } from "./check-options.ts";
import { tlsOptionsOf } from "./open-socket.ts";

/** Beyond our own limits: nodemailer's timers only end what ours, by some fault, did not. */
const BACKSTOP_MS = 60_000;

/** A name of our own, or nodemailer would rather send the token as the password of PLAIN. */
export const TOKEN_METHOD = "POSTHORN-XOAUTH2";

/**
 * Makes the client. It does nothing until `connect` is called.
 *
 * @param options How to secure and introduce ourselves.
 * @param socket The connection, with TLS up where that comes first.
 */
export function createConnection(options: ResolvedSmtpOptions, socket: net.Socket): SMTPConnection {
  const { host, port, security, clientName, connectTimeoutMs, commandTimeoutMs, dataTimeoutMs, accessToken } = options;
  const isImplicit = security === "implicit";
  const longestMs = Math.max(commandTimeoutMs, dataTimeoutMs, connectTimeoutMs) + BACKSTOP_MS;
  return new SMTPConnection({
    host,
    port,
    connection: socket,
    secure: isImplicit,
    secured: isImplicit,
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    tls: tlsOptionsOf(options),
    logger: false,
    connectionTimeout: connectTimeoutMs + BACKSTOP_MS,
    greetingTimeout: connectTimeoutMs + BACKSTOP_MS,
    socketTimeout: longestMs,
    socketCloseTimeout: 0,
    ...(clientName === undefined ? {} : { name: clientName }),
    ...(accessToken === undefined ? {} : { customAuth: { [TOKEN_METHOD]: sendToken } }),
  });
}

/** XOAUTH2, as Google and Microsoft describe it. On refusal the server explains in a 334, which is answered by nothing. */
async function sendToken({ auth, sendCommand, resolve, reject }: SMTPConnection.CustomAuthenticationContext): Promise<
  void
> {
  const { user, pass } = auth.credentials;
  const token = Buffer.from(`user=${user}\x01auth=Bearer ${pass}\x01\x01`, "utf8").toString("base64");
  let answer = await sendCommand(`AUTH XOAUTH2 ${token}`);
  if (answer.status === 334) answer = await sendCommand("");
  if (answer.status >= 200 && answer.status < 300) resolve();
  else reject("Cannot log in");
}
