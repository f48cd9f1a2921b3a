/**
 * WhatsApp by Meta's Cloud API: the backend type `whatsapp`.
 *
 * @module
 */

// Start here
export { whatsapp } from "./whatsapp-backend.ts";
export {
  type InteractiveFrame,
  type ListSection,
  type ReplyButton,
  type TemplateParameters,
  whatsAppButtons,
  type WhatsAppContent,
  whatsAppList,
  whatsAppLocation,
  whatsAppReaction,
  whatsAppTemplate,
} from "./content.ts";

// Without a configuration
export {
  DEFAULT_API_ROOT,
  DEFAULT_API_VERSION,
  type FetchLike,
  WHATSAPP_OPTION_KEYS,
  type WhatsAppOptions,
  type WhatsAppStore,
} from "./options.ts";
export { WhatsAppCommunicator } from "./whatsapp-communicator.ts";

// The pieces
export { type MediaOpener } from "./inbound-content.ts";
export { type WhatsAppWebhookOptions, WhatsAppWebhookReceiver } from "./webhook-receiver.ts";
export { type CodeMeaning, meaningOf } from "./error-codes.ts";
