import assert from "node:assert/strict";
import { describe, it } from "bun:test";
import type { Chat, Update, User } from "grammy/types";
import type { IncomingMessage } from "../../../core/mod.ts";
import { ChatDirectory } from "../../../adapters/telegram/chats.ts";
import { resolveTelegramOptions, type TelegramChat } from "../../../adapters/telegram/options.ts";
import { type MappedUpdate, mapUpdate, type UpdateKind } from "../../../adapters/telegram/updates.ts";

const GROUP: Chat.SupergroupChat = { id: -1001234567890, type: "supergroup", title: "Ops" };
const PRIVATE: Chat.PrivateChat = { id: 4711, type: "private", first_name: "Ada" };
const CHANNEL: Chat.ChannelChat = { id: -1005555555555, type: "channel", title: "News" };
const ADA: User = {
  id: 4711,
  is_bot: false,
  first_name: "Ada",
  last_name: "Lovelace",
  username: "ada",
  language_code: "en",
};
const BOB: User = { id: 4712, is_bot: false, first_name: "Bob" };
const DATE = 1_700_000_000;

const CHATS: Readonly<Record<string, TelegramChat>> = {
  default: { chatId: String(GROUP.id), commandAuthorized: true },
  ada: { chatId: "4711", commandAuthorized: true },
  news: { chatId: String(CHANNEL.id), commandAuthorized: true },
};

function map(update: unknown, chats: Readonly<Record<string, TelegramChat>> = CHATS): MappedUpdate {
  return mapUpdate(update, {
    backendName: "ops",
    chats: new ChatDirectory(resolveTelegramOptions({ token: "1:x", chats }).chats),
    now: () => 42,
    open: () => Promise.reject(new Error("not opened here")),
  });
}

function messageFrom(update: Update | Answered, chats?: Readonly<Record<string, TelegramChat>>): IncomingMessage {
  const mapped = map(update, chats);
  if (mapped.kind !== "message") throw new Error(`no message: ${JSON.stringify(mapped)}`);
  return mapped.message;
}

type Said = NonNullable<Update["message"]>;

/** grammY's type of an answered message has a member that must be there and undefined; JSON has none such. */
interface Answered {
  readonly update_id: number;
  readonly message: Omit<Said, "reply_to_message"> & { readonly reply_to_message: Readonly<Record<string, unknown>> };
}

function said(more: Partial<Said>): Update {
  return { update_id: 9, message: { message_id: 3, date: DATE, chat: GROUP, from: ADA, ...more } };
}

function answering(answered: Readonly<Record<string, unknown>>, more: Partial<Said>): Answered {
  return {
    update_id: 9,
    message: { message_id: 3, date: DATE, chat: GROUP, from: ADA, ...more, reply_to_message: answered },
  };
}

describe("mapUpdate()", () => {
  it("reads a text", () => {
    const { rawEvent, ...message } = messageFrom(said({ text: "hello" }));
    assert.deepEqual(message, {
      id: "ops:9",
      kind: "text",
      text: "hello",
      sender: "ada",
      senderId: "4711",
      chatLabel: "default",
      backendName: "ops",
      timestamp: DATE * 1_000,
      conversation: "-1001234567890",
      attachments: [],
      metadata: {
        update_id: 9,
        update_kind: "message",
        message_id: "3",
        chat_id: -1001234567890,
        chat_type: "supergroup",
        language_code: "en",
      },
    });
    assert.notEqual(rawEvent, undefined);
  });

  it("names who has no user name by first and last name", () => {
    assert.equal(messageFrom(said({ text: "x", from: BOB })).sender, "Bob");
    const { username: _, ...nameless } = ADA;
    assert.equal(messageFrom(said({ text: "x", from: nameless })).sender, "Ada Lovelace");
  });

  it("reads every kind of file", () => {
    const file = { file_id: "F", file_unique_id: "U" };
    const cases: readonly (readonly [Partial<Said>, string, string, string | undefined])[] = [
      [
        { photo: [{ ...file, width: 90, height: 90 }, { ...file, file_id: "BIG", width: 900, height: 900 }] },
        "image",
        "image",
        "image/jpeg",
      ],
      [
        { document: { ...file, file_name: "a.pdf", mime_type: "application/pdf", file_size: 7 } },
        "document",
        "document",
        "application/pdf",
      ],
      [{ audio: { ...file, duration: 3, mime_type: "audio/mpeg" } }, "audio", "audio", "audio/mpeg"],
      [{ voice: { ...file, duration: 3 } }, "audio", "audio", "audio/ogg"],
      [{ video: { ...file, width: 1, height: 1, duration: 3, mime_type: "video/mp4" } }, "video", "video", "video/mp4"],
      [{ video_note: { ...file, length: 1, duration: 3 } }, "video", "video", "video/mp4"],
      [
        { animation: { ...file, width: 1, height: 1, duration: 3 }, document: { ...file, file_id: "DOC" } },
        "video",
        "video",
        "video/mp4",
      ],
      [
        { sticker: { ...file, type: "regular", width: 1, height: 1, is_animated: false, is_video: true, emoji: "👍" } },
        "image",
        "sticker",
        "video/webm",
      ],
    ];
    for (const [content, kind, attachmentKind, contentType] of cases) {
      const message = messageFrom(said({ ...content, caption: "look" }));
      assert.equal(message.kind, kind);
      assert.equal(message.text, "look");
      const [attachment] = message.attachments;
      assert.equal(attachment?.kind, attachmentKind);
      assert.equal(attachment?.contentType, contentType);
      assert.equal(attachment?.caption, "look");
      assert.equal(attachment?.providerId, content.photo ? "BIG" : "F");
      assert.equal(typeof attachment?.open, "function");
    }
    assert.equal(
      messageFrom(
        said({
          sticker: { ...file, type: "regular", width: 1, height: 1, is_animated: true, is_video: false, emoji: "👍" },
        }),
      ).text,
      "👍",
    );
  });

  it("reads places, contacts and data of web apps", () => {
    const place = messageFrom(said({ location: { latitude: 47.4, longitude: 8.5 } }));
    assert.equal(place.kind, "location");
    assert.deepEqual(place.metadata["location"], { latitude: 47.4, longitude: 8.5 });
    const venue = messageFrom(said({
      venue: { location: { latitude: 1, longitude: 2 }, title: "Bar", address: "Street 1" },
      location: { latitude: 1, longitude: 2 },
    }));
    assert.equal(venue.text, "Bar, Street 1");
    const contact = messageFrom(said({ contact: { phone_number: "+41790000000", first_name: "Bob", user_id: 4712 } }));
    assert.equal(contact.kind, "contact");
    assert.deepEqual(contact.metadata["contact"], { name: "Bob", phone_number: "+41790000000", user_id: 4712 });
    const app = messageFrom(said({ web_app_data: { data: '{"a":1}', button_text: "Order" } }));
    assert.deepEqual([app.kind, app.text, app.metadata["web_app_data"]], ["interactive", "Order", '{"a":1}']);
  });

  it("keeps what it has no word for", () => {
    const dice = messageFrom(said({ dice: { emoji: "🎲", value: 6 } }));
    assert.equal(dice.kind, "unsupported");
    assert.match(JSON.stringify(dice.metadata["update"]), /"value":6/);
    const joined = messageFrom(said({ new_chat_members: [BOB] }));
    assert.equal(joined.kind, "unsupported");
  });

  it("marks edits and tells them from the message they edit", () => {
    const edit = messageFrom({
      update_id: 10,
      edited_message: { message_id: 3, date: DATE, edit_date: DATE + 60, chat: GROUP, from: ADA, text: "better" },
    });
    assert.deepEqual([edit.id, edit.text, edit.metadata["edited"], edit.metadata["message_id"]], [
      "ops:10",
      "better",
      true,
      "3",
    ]);
    assert.equal(edit.timestamp, (DATE + 60) * 1_000);
  });

  it("reads posts of channels as said by the channel", () => {
    const post = messageFrom({
      update_id: 1,
      channel_post: { message_id: 3, date: DATE, chat: CHANNEL, sender_chat: CHANNEL, text: "news" },
    });
    assert.deepEqual([post.chatLabel, post.sender, post.senderId], ["news", "News", String(CHANNEL.id)]);
  });

  it("reads a button by its label, with its data", () => {
    const press = messageFrom({
      update_id: 11,
      callback_query: {
        id: "q1",
        from: ADA,
        chat_instance: "1",
        data: "yes:7",
        message: {
          message_id: 5,
          date: DATE,
          chat: GROUP,
          text: "Sure?",
          reply_markup: {
            inline_keyboard: [[{ text: "No", callback_data: "no:7" }], [{ text: "Yes", callback_data: "yes:7" }]],
          },
        },
      },
    });
    assert.deepEqual([press.kind, press.text, press.replyTo, press.timestamp], ["interactive", "Yes", "5", 42]);
    assert.deepEqual([press.metadata["callback_data"], press.metadata["callback_query_id"]], ["yes:7", "q1"]);
  });

  it("reads a button of a message that is too old to be seen", () => {
    const press = messageFrom({
      update_id: 11,
      callback_query: {
        id: "q1",
        from: ADA,
        chat_instance: "1",
        data: "x",
        message: { chat: GROUP, message_id: 5, date: 0 },
      },
    });
    assert.deepEqual([press.text, press.replyTo], ["x", "5"]);
  });

  it("reads reactions, new and taken back", () => {
    const base = { chat: GROUP, message_id: 5, user: ADA, date: DATE };
    const thumb = messageFrom({
      update_id: 12,
      message_reaction: { ...base, old_reaction: [], new_reaction: [{ type: "emoji", emoji: "👍" }] },
    });
    assert.deepEqual([thumb.kind, thumb.text, thumb.replyTo, thumb.senderId], ["reaction", "👍", "5", "4711"]);
    const none = messageFrom({
      update_id: 13,
      message_reaction: { ...base, old_reaction: [{ type: "emoji", emoji: "👍" }], new_reaction: [] },
    });
    assert.deepEqual([none.text, none.metadata["old_reaction"]], ["", ["👍"]]);
  });

  it("takes what happened in no chat for said in private, by whoever did it", () => {
    const query: Update = { update_id: 14, inline_query: { id: "i", from: ADA, query: "x", offset: "" } };
    const message = messageFrom(query);
    assert.deepEqual([message.kind, message.chatLabel, message.conversation], ["unsupported", "ada", "4711"]);
    assert.equal(
      map({ update_id: 14, inline_query: { id: "i", from: BOB, query: "x", offset: "" } }).kind,
      "unauthorised",
    );
  });

  it("has a reading for every kind of update that grammY knows", () => {
    const kinds = {
      message: 1,
      edited_message: 1,
      channel_post: 1,
      edited_channel_post: 1,
      business_connection: 1,
      business_message: 1,
      edited_business_message: 1,
      deleted_business_messages: 1,
      guest_message: 1,
      stopped_message_generation: 1,
      message_reaction: 1,
      message_reaction_count: 1,
      inline_query: 1,
      chosen_inline_result: 1,
      callback_query: 1,
      shipping_query: 1,
      pre_checkout_query: 1,
      purchased_paid_media: 1,
      poll: 1,
      poll_answer: 1,
      my_chat_member: 1,
      chat_member: 1,
      chat_join_request: 1,
      chat_boost: 1,
      removed_chat_boost: 1,
      managed_bot: 1,
      subscription: 1,
    } satisfies Record<UpdateKind, 1>;
    for (const kind of [...Object.keys(kinds), "a_kind_of_tomorrow"]) {
      const mapped = map({ update_id: 1, [kind]: { chat: GROUP, from: ADA, date: DATE, message: { chat: GROUP } } });
      assert.equal(mapped.kind, "message", kind);
    }
  });

  it("says that something is no update", () => {
    for (
      const value of [undefined, null, 1, "x", [], {}, { update_id: 1 }, { update_id: "1", message: {} }, {
        update_id: 1.5,
        message: {},
      }]
    ) {
      assert.deepEqual(map(value), { kind: "malformed" });
    }
  });

  it("leaves out of an unsupported update what no store should keep", () => {
    const deep: unknown = JSON.parse(
      `{"update_id":1,"poll":{"chat":{"id":${GROUP.id}},"x":${"[".repeat(200)}${"]".repeat(200)}}}`,
    );
    const wide = { update_id: 1, poll: { chat: GROUP, x: "y".repeat(200_000) } };
    const proto: unknown = JSON.parse(`{"update_id":1,"poll":{"chat":{"id":${GROUP.id}},"__proto__":{"a":1}}}`);
    for (const update of [deep, wide, proto]) {
      const mapped = map(update);
      assert.equal(mapped.kind, "message");
      assert.ok(mapped.kind === "message" && typeof mapped.message.metadata["update_left_out"] === "string");
    }
  });
});

describe("mapUpdate() in topics", () => {
  const topic = { message_thread_id: 42, is_topic_message: true } as const;
  const chats: Readonly<Record<string, TelegramChat>> = {
    alerts: { chatId: String(GROUP.id), topicId: 42, commandAuthorized: true },
    general: { chatId: String(GROUP.id), topicId: 1, commandAuthorized: true },
  };

  it("goes by the thread, not by what is answered (P10)", () => {
    const inTopic = messageFrom(said({ text: "x", ...topic }), chats);
    assert.deepEqual([inTopic.chatLabel, inTopic.conversation, inTopic.replyTo], [
      "alerts",
      "-1001234567890/42",
      undefined,
    ]);
    const answered = { message_id: 99, date: DATE, chat: GROUP, text: "y" };
    const reply = messageFrom(answering(answered, { text: "x", ...topic }), chats);
    assert.deepEqual([reply.chatLabel, reply.replyTo], ["alerts", "99"]);
    const elsewhere = map(said({ text: "x", message_thread_id: 43, is_topic_message: true }), chats);
    assert.deepEqual(elsewhere.kind === "unauthorised" && elsewhere.reason, "topic");
  });

  it("does not take the message that made the topic for one that is answered", () => {
    const first = { message_id: 42, date: DATE, chat: GROUP };
    const made = { ...first, forum_topic_created: { name: "Alerts", icon_color: 1 } };
    assert.equal(messageFrom(answering(made, { text: "x", ...topic }), chats).replyTo, undefined);
    assert.equal(messageFrom(answering(first, { text: "x", ...topic }), chats).replyTo, undefined);
  });

  it("takes a message without a thread for one in the General topic", () => {
    assert.equal(messageFrom(said({ text: "x" }), chats).chatLabel, "general");
  });

  it("prefers the entry of the topic to that of the whole chat", () => {
    const both: Readonly<Record<string, TelegramChat>> = {
      all: { chatId: String(GROUP.id), commandAuthorized: true },
      ...chats,
    };
    assert.equal(messageFrom(said({ text: "x", ...topic }), both).chatLabel, "alerts");
    const other = messageFrom(said({ text: "x", message_thread_id: 43, is_topic_message: true }), both);
    assert.deepEqual([other.chatLabel, other.conversation], ["all", "-1001234567890/43"]);
  });

  it("does not make a topic of the thread of answers in a group without topics", () => {
    const threaded = messageFrom(said({ text: "x", message_thread_id: 17 }));
    assert.equal(threaded.conversation, "-1001234567890");
  });

  it("cannot tell the topic of a reaction, and so takes it in only for the whole chat", () => {
    const reaction: Update = {
      update_id: 1,
      message_reaction: { chat: GROUP, message_id: 5, user: ADA, date: DATE, old_reaction: [], new_reaction: [] },
    };
    const alertsOnly = { alerts: { chatId: String(GROUP.id), topicId: 42, commandAuthorized: true } };
    assert.equal(map(reaction, alertsOnly).kind, "unauthorised");
    assert.equal(map(reaction).kind, "message");
  });
});

describe("mapUpdate() and who may be heard", () => {
  it("hears only chats that are authorised, whether active or not", () => {
    const chats: Readonly<Record<string, TelegramChat>> = {
      default: { chatId: String(GROUP.id) },
      ada: { chatId: "4711", commandAuthorized: true, active: false },
    };
    const refused = map(said({ text: "x" }), chats);
    assert.deepEqual(refused, {
      kind: "unauthorised",
      updateKind: "message",
      reason: "chat",
      chatId: String(GROUP.id),
    });
    const update: Update = {
      update_id: 1,
      message: { message_id: 1, date: DATE, chat: PRIVATE, from: ADA, text: "x" },
    };
    assert.equal(messageFrom(update, chats).chatLabel, "ada");
  });

  it("hears only the users that are listed, where some are (P13)", () => {
    const chats = { default: { chatId: String(GROUP.id), commandAuthorized: true, userIds: ["4711"] } };
    assert.equal(messageFrom(said({ text: "x" }), chats).senderId, "4711");
    const bob = map(said({ text: "x", from: BOB }), chats);
    assert.equal(bob.kind === "unauthorised" && bob.reason, "user");
  });

  it("does not take somebody who writes as a channel for the listed user", () => {
    const chats = { default: { chatId: String(GROUP.id), commandAuthorized: true, userIds: ["4711"] } };
    const masked = map(said({ text: "x", from: ADA, sender_chat: CHANNEL }), chats);
    assert.equal(masked.kind === "unauthorised" && masked.reason, "user");
  });

  it("tells of a group's new id, from both sides", () => {
    const seen: string[] = [];
    const context = {
      backendName: "ops",
      chats: new ChatDirectory(resolveTelegramOptions({ token: "1:x", chats: CHATS }).chats),
      now: () => 0,
      open: () => Promise.reject(new Error("no")),
      onMigration: (from: string, to: string) => void seen.push(`${from} ${to}`),
    };
    mapUpdate({
      update_id: 1,
      message: { message_id: 1, date: DATE, chat: { id: -5, type: "group", title: "x" }, migrate_to_chat_id: -1007 },
    }, context);
    mapUpdate({
      update_id: 2,
      message: {
        message_id: 1,
        date: DATE,
        chat: { id: -1007, type: "supergroup", title: "x" },
        migrate_from_chat_id: -5,
      },
    }, context);
    assert.deepEqual(seen, ["-5 -1007", "-5 -1007"]);
  });
});
