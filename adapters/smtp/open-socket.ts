/**
 * Opens the connection to a mail server: by name, which the runtime resolves, so that it works the same everywhere and
 * no name is looked up for another transport's certificate.
 *
 * @module
 */
import net from "node:net";
import tls from "node:tls";
import { isWorkers, type ResolvedSmtpOptions } from "./check-options.ts";
import type { SmtpFault } from "./outcome.ts";

/** An open socket, or why there is none. */
export type OpenedSocket = { readonly socket: net.Socket } | {
  readonly fault: SmtpFault;
};

/** The TLS options of a connection: verification is always on, and the name to verify is always ours to say. */
export function tlsOptionsOf({ host, tls: own }: Pick<ResolvedSmtpOptions, "host" | "tls">): tls.ConnectionOptions {
  const servername = own.servername ??
    (net.isIP(host) === 0 ? host : undefined);
  return {
    ...(servername === undefined ? {} : { servername }),
    ...(own.ca === undefined ? {} : { ca: own.ca }),
    ...(own.cert === undefined ? {} : { cert: own.cert }),
    ...(own.key === undefined ? {} : { key: own.key }),
    // Workers always verify, and refuse to hear about it.
    ...(isWorkers() ? {} : { rejectUnauthorized: true }),
  };
}

/**
 * Opens a socket, with TLS from the first byte where that is the backend's way.
 *
 * @param options Host, port, security.
 * @param onSocket Gets the socket at once, to destroy it when time is up.
 */
export function openSocket(
  options: ResolvedSmtpOptions,
  onSocket: (socket: net.Socket) => void,
): Promise<OpenedSocket> {
  const { host, port, security } = options;
  return new Promise((resolve) => {
    let isConnected = false;
    const done = (opened: OpenedSocket): void => {
      socket.removeListener("error", onError);
      socket.removeListener("close", onClose);
      resolve(opened);
    };
    const onError = (error: Error): void => done({ fault: faultOf(error, isConnected) });
    const onClose = (): void => done({ fault: { stage: isConnected ? "tls" : "connect", kind: "cut" } });
    let socket: net.Socket;
    try {
      socket = security === "implicit"
        ? tls.connect({ host, port, ...tlsOptionsOf(options) })
        : net.connect({ host, port });
    } catch (error) {
      resolve({ fault: faultOf(error, false) });
      return;
    }
    socket.once("connect", () => {
      isConnected = true;
      if (security !== "implicit") done({ socket });
    });
    if (security === "implicit") {
      socket.once("secureConnect", () => done({ socket }));
    }
    // For what is reported when nobody else listens, which would end the process.
    socket.on("error", ignore);
    socket.once("error", onError);
    socket.once("close", onClose);
    onSocket(socket);
  });
}

function ignore(): void {}

/** System errors that say nothing against the server's certificate. */
const CUTS: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
]);
const NAMES: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_NODATA",
  "EAI_NONAME",
  "ENODATA",
  "EAI_FAIL",
]);

/**
 * What a socket's error means. The code is shown, the text is not: it is the runtime's, and differs from one to another.
 *
 * @param error What the runtime says.
 * @param isConnected Whether TCP was up, so that what failed is TLS.
 */
export function faultOf(error: unknown, isConnected: boolean): SmtpFault {
  const code = errorCode(error);
  const shown = code === undefined ? {} : { detail: code };
  if (code !== undefined && NAMES.has(code)) {
    return { stage: "connect", kind: "name", ...shown };
  }
  if (code === "ETIMEDOUT") {
    return { stage: isConnected ? "tls" : "connect", kind: "timeout", ...shown };
  }
  if (!isConnected) return { stage: "connect", kind: "cut", ...shown };
  return { stage: "tls", kind: code !== undefined && CUTS.has(code) ? "cut" : "certificate", ...shown };
}

/** The machine-readable word of an error, where it has one: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const original: unknown = "originalCode" in error ? error.originalCode : undefined;
  const code: unknown = original ?? ("code" in error ? error.code : undefined);
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/.test(code)) {
    return code;
  }
  // Several addresses were tried (happy eyeballs): the last error speaks for all.
  const errors: unknown = "errors" in error ? error.errors : undefined;
  return Array.isArray(errors) && errors.length > 0 ? errorCode(errors.at(-1)) : undefined;
}
