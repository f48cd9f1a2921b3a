/**
 * What is in a channel, seen from outside its readers and writers.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MessageEnvelope, StoredMessage } from "../message/channel-message.ts";
import type { JsonValue } from "../message/json.ts";
import type { ChannelStats, QueryPage, QueryRequest, SharedPage } from "../store/message-store.ts";
import { assertId, assertInteger } from "../support/assert.ts";
import { assertOptions, checkLimit, resolveRetention } from "./channel-input.ts";
import { ChannelLifecycle } from "./channel-lifecycle.ts";
import type { ReadPage, Retention } from "./channel-options.ts";

/** A page of stored messages with their type. */
export interface TypedQueryPage<T> extends Omit<QueryPage, "messages"> {
  /** The messages, in the order asked for. */
  readonly messages: readonly StoredMessage<T>[];
}

/**
 * What is in a channel: looking a message up, searching, counting, removing, and retention. Extend {@link BaseChannel},
 * {@link PassthroughChannel} or {@link PeriodicChannel}, not this.
 *
 * @typeParam T The content of its messages.
 */
export abstract class ChannelContents<T = JsonValue> extends ChannelLifecycle<T> {
  /** One message by id, in whatever state. */
  async get(id: string): Promise<StoredMessage<T> | undefined> {
    this.assertRunning("read from");
    const message = await this.store.get(this.key, assertId(id, "id"));
    return message === undefined ? undefined : this.typed(message);
  }

  /** Finds stored messages. */
  async query(request: Omit<QueryRequest, "channel"> = {}): Promise<TypedQueryPage<T>> {
    this.assertRunning("query");
    assertOptions(request, "request");
    const page = await this.store.query({ ...request, limit: checkLimit(request.limit, 100), channel: this.key });
    return { ...page, messages: page.messages.map((message) => this.typed(message)) };
  }

  /** The channel in figures. */
  async stats(): Promise<ChannelStats> {
    this.assertRunning("count");
    return await this.store.stats(this.key);
  }

  /** Removes one message, acknowledged or not. @returns Whether it was there. */
  async remove(id: string): Promise<boolean> {
    this.assertRunning("remove from");
    const { results } = await this.store.commit([{ type: "remove", channel: this.key, id: assertId(id, "id") }]);
    return results[0]?.status === "done";
  }

  /** Applies a retention now. Work that is not acknowledged stays. @returns How many messages went. */
  async evict(retention: Retention = this.retention): Promise<number> {
    this.assertRunning("evict from");
    const { maxAgeMs, maxCount } = resolveRetention(retention);
    if (maxAgeMs === undefined && maxCount === undefined) return 0;
    return await this.store.prune({
      channel: this.key,
      ...(maxAgeMs === undefined ? {} : { olderThanMs: maxAgeMs }),
      ...(maxCount === undefined ? {} : { keepLatest: maxCount }),
    });
  }

  /** Removes everything: messages, held or not, and readers' places. @returns How many messages went. */
  async clear(): Promise<number> {
    this.assertRunning("clear");
    return await this.store.clear(this.key);
  }

  /** Upkeep, every `maintenanceIntervalMs`: applies retention. Override it to add to it, and call `super.onMaintain()`. */
  protected override async onMaintain(): Promise<void> {
    await this.evict();
  }

  /** Gives a stored message its type: content was checked, or trusted, when it was written. */
  protected typed<M extends StoredMessage>(message: M): M & StoredMessage<T> {
    return message as M & StoredMessage<T>;
  }

  /** {@link ChannelContents.typed} for a page. */
  protected typedPage(page: SharedPage): ReadPage<T> {
    return { ...page, messages: page.messages.map((message) => this.typed(message)) };
  }

  /** An envelope on its way into the store, which checks that its content is JSON. */
  protected untypedEnvelope(envelope: MessageEnvelope<T>): MessageEnvelope {
    return envelope as MessageEnvelope<T> & MessageEnvelope;
  }

  /** The place of a message, or a place as it is: what `after` may be. */
  protected async seqOf(after: number | string): Promise<number> {
    if (typeof after === "number") return assertInteger(after, "after", 0);
    const message = await this.store.get(this.key, assertId(after, "after"));
    if (message !== undefined) return message.seq;
    throw new ValidationError(
      "after",
      `Cannot read behind message "${after}": channel "${this.id}" has no such message`,
    );
  }
}
