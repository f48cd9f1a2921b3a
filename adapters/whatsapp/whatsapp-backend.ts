/**
 * The backend type `whatsapp`.
 *
 * @module
 */
import type { BackendConfig, BackendContext, BackendType, Communicator } from "../../core/mod.ts";
import { ConfigReader } from "../net/config-reader.ts";
import { WhatsAppCommunicator } from "./whatsapp-communicator.ts";

/**
 * `type: whatsapp`: give it to `Application.create(config, { backends: [whatsapp] })`. Its options are listed at
 * {@link WHATSAPP_OPTION_KEYS} and described in {@link WhatsAppOptions}.
 *
 * @example
 * ```ts
 * import { whatsapp } from "posthorn/whatsapp";
 *
 * console.log(whatsapp.type); // whatsapp
 * ```
 */
export const whatsapp: BackendType = { type: "whatsapp", create: createWhatsApp };

function createWhatsApp(name: string, config: BackendConfig, context: BackendContext): Communicator {
  const reader = new ConfigReader(config);
  const token = reader.requiredText("token");
  const phoneNumberId = reader.requiredText("phone_number_id");
  const apiVersion = reader.text("api_version");
  const apiRoot = reader.text("api_root");
  const appSecret = reader.texts("app_secret");
  const verifyToken = reader.text("verify_token");
  const defaultRecipients = reader.texts("default_recipients");
  const timeoutMs = reader.secondsAsMs("timeout");
  const previewUrl = reader.flag("preview_url");
  const mediaHosts = reader.texts("media_hosts");
  const maxMediaBytes = reader.number("max_media_bytes");
  return reader.build(() =>
    new WhatsAppCommunicator(name, {
      token,
      phoneNumberId,
      ...(apiVersion === undefined ? {} : { apiVersion }),
      ...(apiRoot === undefined ? {} : { apiRoot }),
      ...(appSecret === undefined ? {} : { appSecret }),
      ...(verifyToken === undefined ? {} : { verifyToken }),
      ...(defaultRecipients === undefined ? {} : { defaultRecipients }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(previewUrl === undefined ? {} : { previewUrl }),
      ...(mediaHosts === undefined ? {} : { mediaHosts }),
      ...(maxMediaBytes === undefined ? {} : { maxMediaBytes }),
      clock: context.clock,
      logger: context.logger,
      store: context.store,
    })
  );
}
