/**
 * Mail: a backend that sends by SMTP. Needs the package `nodemailer`.
 *
 * @module
 */
export { email } from "./email.ts";
export { SmtpCommunicator, type SmtpSurroundings } from "./smtp-communicator.ts";
export { SMTP_OPTION_KEYS, SMTP_TLS_KEYS, type SmtpOptions, type SmtpTlsOptions } from "./options.ts";
export {
  deriveSmtpSecurity,
  type SmtpSecurity,
  type SmtpSecurityDecision,
  type SmtpSecurityInput,
} from "./security.ts";
export { type MailAddress, parseMailAddress } from "../net/mail-address.ts";
export { htmlToText } from "./html-to-text.ts";
export { classifySmtpFault, type SmtpFault, type SmtpFaultKind, type SmtpStage } from "./outcome.ts";
