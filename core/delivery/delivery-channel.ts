/**
 * One way to reach a person.
 *
 * @module
 */
import type { Communicator } from "../communicators/communicator.ts";
import type { JsonObject } from "../message/json.ts";
import type { OutgoingMessage } from "../message/outgoing-message.ts";
import type { Receipt } from "../message/receipt.ts";
import { thrownReceipt } from "../message/thrown-receipt.ts";

/** What a delivery channel is given. */
export interface ChannelDelivery {
  /** The notification. */
  readonly notificationId: string;
  /** The identity of this delivery: the same on every try. */
  readonly deliveryId: string;
  /** The address, of the channel's own kind. */
  readonly to: string;
  /** The subject; `""` when there is none. */
  readonly subject: string;
  /** The content as HTML, where there is some. */
  readonly htmlContent?: string;
  /** The content as text. */
  readonly textContent: string;
  /** What kind of event it tells of. */
  readonly eventType?: string;
  /** Free additions. */
  readonly metadata?: JsonObject;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Fires when the try should end. */
  readonly signal: AbortSignal;
}

/** One way to reach a person. */
export interface DeliveryChannel {
  /** Its name; `payload.channels` chooses by it. */
  readonly name: string;
  /** Which address of the recipient it takes: `"email"`, `"telegram"`, … @default the name */
  readonly addressKind?: string;
  /** Whether it is configured and ready. Asked before each delivery. */
  isAvailable(): boolean;
  /**
   * Tries once.
   *
   * @param delivery What is said, to whom.
   * @returns `true`, or an accepted receipt: it was taken. `false`, or a rejected one: it was not, and the next channel is
   * tried. An `unknown` receipt: it may have been taken, and no other channel is tried unless told to.
   * @throws On a failure of the infrastructure before it was taken: logged, and the next channel is tried. An error that
   * says that time ran out (`TimeoutError`, `AbortError`, code `timeout`) is an `unknown`.
   */
  send(delivery: ChannelDelivery): Promise<boolean | Receipt>;
}

/**
 * Makes a delivery channel of a backend.
 *
 * @param communicator The backend.
 * @param options Its name and address kind as a channel. @default the backend's own
 */
export function asDeliveryChannel(
  communicator: Communicator,
  options: { readonly name?: string; readonly addressKind?: string } = {},
): DeliveryChannel {
  const name = options.name ?? communicator.name;
  return {
    name,
    addressKind: options.addressKind ?? communicator.addressKind ?? name,
    isAvailable: () => communicator.isStarted,
    async send(delivery) {
      try {
        return await communicator.send(messageOf(delivery), {
          deliveryId: delivery.deliveryId,
          recipient: delivery.to,
          attempt: delivery.attempt,
          signal: delivery.signal,
        });
      } catch (error) {
        return thrownReceipt(error);
      }
    },
  };
}

function messageOf(delivery: ChannelDelivery): OutgoingMessage {
  const { notificationId, subject, htmlContent, textContent, to, eventType, metadata } = delivery;
  return {
    id: notificationId,
    timestamp: 0,
    message: textContent,
    label: "notification",
    severity: "info",
    metadata: { ...metadata, ...(eventType === undefined ? {} : { eventType }) },
    attachments: [],
    recipients: [to],
    ...(subject === "" ? {} : { subject }),
    ...(htmlContent === undefined ? {} : { html: htmlContent }),
  };
}
