/**
 * A private inbox for each recipient.
 *
 * @module
 */
import type { JsonValue } from "../message/json.ts";
import type { LogPlace, ReadPage, Retention } from "./channel-options.ts";
import { PassthroughChannel } from "./passthrough-channel.ts";

/**
 * Messages addressed to one recipient are invisible to the others; messages without a recipient are for everybody. A
 * reader reads as itself: `read("alice")` gives what is addressed to `alice` or to nobody in particular, by an index, so
 * that other people's mail costs nothing. Kept for 30 days unless told otherwise.
 *
 * @example
 * ```ts
 * import { MailboxChannel } from "posthorn";
 *
 * const mail = new MailboxChannel<string>({ id: "messages" });
 * await mail.start();
 * await mail.write("sys-a", "Hello, sys-b!", { recipientId: "sys-b" });
 * console.log((await mail.read("sys-b")).length, (await mail.read("sys-c")).length); // 1 0
 * await mail.stop();
 * ```
 */
export class MailboxChannel<T = JsonValue> extends PassthroughChannel<T> {
  /** {@inheritDoc ChannelCore.kind} */
  override readonly kind = "mailbox";

  /** Mail is kept for 30 days, however much there is. */
  protected override get defaultRetention(): Retention {
    return { maxAgeMs: 30 * 86_400_000 };
  }

  /** Reads what is for this reader. */
  protected override async readLog(readerId: string, limit: number, place: LogPlace): Promise<ReadPage<T>> {
    const request = { channel: this.key, readerId, limit, recipientId: readerId, ...place };
    return this.typedPage(await this.store.readShared(request));
  }

  /** A worker claims its own mail only. */
  protected override claimRecipient(workerId: string): string {
    return workerId;
  }
}
