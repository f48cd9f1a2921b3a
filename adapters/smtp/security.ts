/**
 * Whether a connection is encrypted, and how: from `use_tls`, `start_tls`, `allow_insecure` and the port.
 *
 * @module
 */
import { ValidationError } from "../../core/mod.ts";

/** `implicit`: TLS from the first byte. `starttls`: required before anything else is said. `none`: in clear. */
export type SmtpSecurity = "implicit" | "starttls" | "none";

/** What {@link deriveSmtpSecurity} decides from. */
export interface SmtpSecurityInput {
  /** The host: clear text is for loopback alone. */
  readonly host: string;
  /** The port: 465 is implicit TLS by custom (RFC 8314). */
  readonly port: number;
  /** TLS from the first byte. */
  readonly useTls?: boolean;
  /** TLS by STARTTLS. */
  readonly startTls?: boolean;
  /** Clear text is wanted. */
  readonly allowInsecure?: boolean;
}

/** What was decided. */
export interface SmtpSecurityDecision {
  /** How the connection is secured. */
  readonly security: SmtpSecurity;
  /** What the configuration left open or makes unlikely to work, for a log. */
  readonly warning?: string;
}

const IMPLICIT_PORT = 465;

/**
 * Decides how a connection is secured.
 *
 * `use_tls` and `start_tls` both true is an error. `start_tls: true` means STARTTLS, required. `use_tls: true` means TLS
 * from the first byte. With neither, port 465 means TLS from the first byte and every other port STARTTLS, required.
 * Clear text needs `allow_insecure: true` and a loopback host. There is no "TLS if offered": whoever can remove the
 * offer would read the password.
 *
 * @param input What the configuration says.
 * @throws {ValidationError} If it contradicts itself or asks for clear text to another machine.
 */
export function deriveSmtpSecurity(input: SmtpSecurityInput): SmtpSecurityDecision {
  const { host, port, useTls, startTls, allowInsecure = false } = input;
  if (useTls === true && startTls === true) {
    throw new ValidationError(
      "start_tls",
      "Cannot use TLS from the start (use_tls) and STARTTLS (start_tls) at once: give one of them",
    );
  }
  if (startTls === true) {
    return port === IMPLICIT_PORT
      ? { security: "starttls", warning: "STARTTLS on port 465, where servers expect TLS from the start (use_tls)" }
      : { security: "starttls" };
  }
  if (useTls === true) return implicit(port);
  if (allowInsecure) {
    if (!isLoopbackHost(host)) {
      throw new ValidationError(
        "allow_insecure",
        "Cannot send in clear text to another machine: allow_insecure is for loopback hosts, remove it",
      );
    }
    return { security: "none", warning: "mail goes in clear text (allow_insecure)" };
  }
  if (useTls === false && startTls === false) {
    throw new ValidationError(
      "use_tls",
      "Cannot send in clear text: set use_tls or start_tls, or allow_insecure for a loopback host",
    );
  }
  // The specification's default for use_tls is true, so ruling out STARTTLS alone leaves that.
  if (startTls === false) {
    return implicit(port, "use_tls is not given and start_tls is false");
  }
  if (useTls === undefined && port === IMPLICIT_PORT) {
    return {
      security: "implicit",
      warning: "neither use_tls nor start_tls is given: using TLS from the start (port 465)",
    };
  }
  const given = useTls === undefined ? "neither use_tls nor start_tls is given" : "use_tls is false";
  return { security: "starttls", warning: `${given}: requiring STARTTLS (port ${port})` };
}

function implicit(port: number, why?: string): SmtpSecurityDecision {
  const unlikely = port === IMPLICIT_PORT
    ? undefined
    : `TLS from the start on port ${port}, where most servers expect STARTTLS (start_tls); port 465 is the usual one`;
  const warning = [why === undefined ? undefined : `${why}: using TLS from the start`, unlikely]
    .filter((each) => each !== undefined).join("; ");
  return warning === "" ? { security: "implicit" } : { security: "implicit", warning };
}

/** Whether a host can only be this machine. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") ||
    name === "::1" || name === "[::1]" ||
    /^127(?:\.\d{1,3}){3}$/.test(name);
}
