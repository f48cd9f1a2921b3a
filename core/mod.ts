/**
 * The core of Posthorn: messages, channels over a store, and the contracts of backends. No dependency, no runtime.
 *
 * @module
 */

// Start here
export { Application } from "./application/application.ts";
export * from "./application/application-config.ts";
export * from "./application/application-options.ts";
export { type BackendHealth } from "./application/backends.ts";
export type { PumpLimits, PumpReport } from "./application/pump.ts";
export { type ChannelConfig } from "./application/channels-from-config.ts";
export * from "./application/defaults.ts";
export { Messenger, type MessengerParts, type ReceivedMessage, type ReceiveOptions } from "./application/messenger.ts";
export { registeredBackends } from "./application/registered-backends.ts";
export * from "./dispatcher/communication-dispatcher.ts";
export type { ChannelExplanation, GroupExplanation } from "./dispatcher/group-explanation.ts";
export * from "./dispatcher/incoming-publisher.ts";
export * from "./dispatcher/label-routes.ts";
export * from "./dispatcher/plan-expansion.ts";
export {
  FunctionalEventSubscriber,
  IncomingSubscriber,
  type OverflowPolicy,
  QueueEventSubscriber,
  type QueueEventSubscriberOptions,
  TrackingEventSubscriber,
} from "./dispatcher/subscribers.ts";
export type { AskOptions, DeliverOptions } from "./application/notification-options.ts";
export type { DurableOutcome, SkippedChannel } from "./application/notification-plan.ts";
export * from "./delivery/channel-registry.ts";
export * from "./delivery/delivery-channel.ts";
export * from "./delivery/delivery-plan.ts";
export { fallback, FallbackCommunicator, type FallbackOptions, type PlanTerms } from "./delivery/fallback-group.ts";
export { htmlToText } from "./delivery/html-to-text.ts";
export {
  type NotificationPayload,
  type Recipient,
  type RenderedContent,
  renderNotification,
} from "./delivery/notification.ts";
export * from "./delivery/orchestrator.ts";
export {
  advanceResting,
  type RestingEvent,
  type RestingOptions,
  type RestingState,
  type RestingStep,
} from "./delivery/resting.ts";
export {
  type PlanAnswer,
  type PlanMove,
  type PlanRecord,
  type PlanReply,
  PlanRunner,
  type PlanRunnerOptions,
  type PlanTraits,
  type ReplyContinuation,
} from "./outbox/plan-runner.ts";
export { type InboundObserver, Inbox, type InboxOptions } from "./inbox/inbox.ts";
export type {
  ConversationState,
  IncomingMessageHandler,
  MessageContext,
  PendingSend,
  ReplyContent,
  SendTarget,
} from "./inbox/message-context.ts";
export { type CommandHandler, Router } from "./inbox/router.ts";
export {
  type PreparedSends,
  type PrepareSends,
  RouterWorker,
  type RouterWorkerOptions,
} from "./inbox/router-worker.ts";
export {
  type EndFinder,
  isTerminal,
  Ledger,
  type LedgerOptions,
  type MatchedReceipt,
  type WaitOptions,
} from "./ledger/ledger.ts";
export * from "./outbox/outbox.ts";
export type { TakenPlaces } from "./outbox/queue-limits.ts";
export type { DeadPlan, DeadPlansPage } from "./outbox/plan-desk.ts";
export { RestingBook, type RestingBookOptions } from "./outbox/resting-book.ts";
export { type Amendment, type OutboxRow } from "./outbox/outbox-row.ts";
export * from "./outbox/plan-follower.ts";
export * from "./outbox/sender-policy.ts";
export * from "./outbox/sender-worker.ts";

// Messages
export * from "./message/attachment.ts";
export * from "./message/channel-message.ts";
export * from "./message/delivery-event.ts";
export { createIdGenerator } from "./message/ids.ts";
export * from "./message/incoming-message.ts";
export {
  cloneJson,
  DEFAULT_MAX_MESSAGE_BYTES,
  type JsonLimits,
  type JsonObject,
  type JsonValue,
} from "./message/json.ts";
export {
  createOutgoingMessage,
  isAtLeast,
  type OutgoingMessage,
  type OutgoingMessageContext,
  type OutgoingMessageInit,
  SEVERITIES,
  type Severity,
  type StoredOutgoingMessage,
} from "./message/outgoing-message.ts";
export * from "./message/receipt.ts";

// Channels
export { BaseChannel, type BaseChannelOptions } from "./channels/base-channel.ts";
export { BroadcastChannel } from "./channels/broadcast-channel.ts";
export { ChannelContents, type TypedQueryPage } from "./channels/channel-contents.ts";
export { ChannelCore } from "./channels/channel-core.ts";
export { channelKey, ChannelLifecycle } from "./channels/channel-lifecycle.ts";
export * from "./channels/channel-options.ts";
export { type DeadLetter, type DeadLetterInfo } from "./channels/dead-letter.ts";
export { DeadLetterBox, type DeadLetterPage } from "./channels/dead-letter-box.ts";
export * from "./channels/discovery-channel.ts";
export { MailboxChannel } from "./channels/mailbox-channel.ts";
export { PassthroughChannel, type PassthroughChannelOptions } from "./channels/passthrough-channel.ts";
export { PeriodicChannel } from "./channels/periodic-channel.ts";
export {
  QueueConsumer,
  type QueueConsumerOptions,
  type Settlement,
  type SettlementOperations,
  type WorkContext,
} from "./channels/queue-consumer.ts";
export { Subscription, type SubscriptionPage, type SubscriptionSource } from "./channels/subscription.ts";
export * from "./channels/work-queue-channel.ts";

// Write your own backend
export * from "./communicators/backend-registry.ts";
export * from "./communicators/communicator.ts";
export { NoOpCommunicator } from "./communicators/no-op-communicator.ts";
export { type HtmlToken, tokenizeHtml } from "./communicators/html-tokens.ts";
export * from "./communicators/text-splitter.ts";
export * from "./communicators/webhook-receiver.ts";

// Write your own store
export { MemoryStore, type MemoryStoreOptions } from "./store/memory-store.ts";
export * from "./store/message-store.ts";
export * from "./store/store-input.ts";

// Building blocks
export * from "./errors.ts";
export * from "./support/assert.ts";
export { backoffDelayMs, type BackoffOptions } from "./support/backoff.ts";
export { type Clock, ManualClock, systemClock, type TimerHandle } from "./support/clock.ts";
export { decodeBase64, decodeHex, encodeBase64, encodeHex } from "./support/encoding.ts";
export * from "./support/hmac.ts";
export { errorFields, type LogFields, type Logger, silentLogger } from "./support/logger.ts";
export { nearest } from "./support/nearest.ts";
export { secureEqual } from "./support/secure-equal.ts";
export * from "./support/standard-schema.ts";
