/**
 * Files that travel with a message.
 *
 * @module
 */

/**
 * A file to send. Give exactly one of `bytes`, `url` and `providerId`.
 *
 * What is queued is JSON, so `bytes` are kept as base64 in the outbox and count towards `maxMessageBytes`; send larger
 * files by `url` or `providerId`.
 */
export interface Attachment {
  /** The name the receiver sees. */
  readonly filename: string;
  /** The media type, for example `"image/png"`. */
  readonly contentType: string;
  /** The content itself. */
  readonly bytes?: Uint8Array;
  /** Where the provider, not this library, fetches it: an absolute https URL. */
  readonly url?: string;
  /** The id the provider gave an earlier upload. */
  readonly providerId?: string;
  /** Text that goes with it. */
  readonly caption?: string;
}

/** An attachment as the outbox keeps it: JSON, with the bytes as base64. */
export interface StoredAttachment {
  /** See {@link Attachment.filename}. */
  readonly filename: string;
  /** See {@link Attachment.contentType}. */
  readonly contentType: string;
  /** The content as base64. */
  readonly base64?: string;
  /** See {@link Attachment.url}. */
  readonly url?: string;
  /** See {@link Attachment.providerId}. */
  readonly providerId?: string;
  /** See {@link Attachment.caption}. */
  readonly caption?: string;
}

/** How {@link IncomingAttachment.open} fetches. */
export interface OpenAttachmentOptions {
  /** Ends the download early. */
  readonly signal?: AbortSignal;
  /** The most that is read; beyond it the stream fails with a `too-large` error. @default `26_214_400` (25 MiB) */
  readonly maxBytes?: number;
}

/** A file somebody sent: a reference. Nothing is downloaded until {@link IncomingAttachment.open} is called. */
export interface IncomingAttachment {
  /** What it is. */
  readonly kind: "audio" | "image" | "video" | "document" | "sticker";
  /** The id the provider knows it by. */
  readonly providerId: string;
  /** The media type, where the provider says it. */
  readonly contentType?: string;
  /** The name, where the sender gave one. */
  readonly filename?: string;
  /** The size, where the provider says it. */
  readonly sizeBytes?: number;
  /** Text that came with it. */
  readonly caption?: string;
  /**
   * Streams the content from the provider. Present while the message is in the process whose backend received it or
   * handles it; never serialised.
   */
  open?(options?: OpenAttachmentOptions): Promise<ReadableStream<Uint8Array>>;
}
