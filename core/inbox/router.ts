/**
 * Which handler gets which message.
 *
 * @module
 */
import { kindOf, ValidationError } from "../errors.ts";
import type { IncomingKind, IncomingMessage } from "../message/incoming-message.ts";
import type { IncomingMessageHandler, MessageContext } from "./message-context.ts";

type Test = (message: IncomingMessage) => boolean;

/**
 * Handles a command.
 *
 * @param context The message, and what can be done about it.
 * @param words What stands behind the command, without the spaces around it: `milk and bread` of `/add milk and bread`.
 */
export type CommandHandler = (context: MessageContext, words: string) => void | Promise<void>;

/**
 * A handler made of handlers: the first that fits gets the message; `otherwise` gets what fits none.
 *
 * @example
 * ```ts
 * import { Router } from "posthorn";
 *
 * const router = new Router()
 *   .command("start", (context) => void context.reply("Hello!"))
 *   .command("add", (context, words) => void context.reply(`Added: ${words}`)) // "/add milk and bread"
 *   .text(/^ping$/i, (context) => void context.reply("pong"))
 *   .kind("image", (context) => void context.reply("A picture!"))
 *   .otherwise((context) => void context.reply("I did not get that"));
 * console.log(typeof router.handler); // function
 * ```
 */
export class Router {
  readonly #routes: { readonly test: Test; readonly handler: IncomingMessageHandler }[] = [];
  #fallback: IncomingMessageHandler | undefined;

  /** `/name`, or `/name@bot`, with or without words behind it, which the handler gets too. */
  command(name: string, handler: CommandHandler): this {
    assertHandler(handler);
    const wanted = name.replace(/^\//, "").toLowerCase();
    return this.when(
      (message) => commandOf(message) === wanted,
      (context) => handler(context, context.message.text.replace(/^\S+/, "").trim()),
    );
  }

  /** A text that is equal, or that a pattern matches. */
  text(pattern: string | RegExp, handler: IncomingMessageHandler): this {
    if (typeof pattern === "string") return this.when((message) => message.text === pattern, handler);
    const { source, flags } = pattern;
    const stateless = new RegExp(source, flags.replace(/[gy]/g, "")); // a global pattern remembers where it stopped
    return this.when((message) => stateless.test(message.text), handler);
  }

  /** A kind of message. */
  kind(kind: IncomingKind, handler: IncomingMessageHandler): this {
    return this.when((message) => message.kind === kind, handler);
  }

  /** What one backend received. */
  backend(name: string, handler: IncomingMessageHandler): this {
    return this.when((message) => message.backendName === name, handler);
  }

  /** Whatever a function says. */
  when(test: (message: IncomingMessage) => boolean, handler: IncomingMessageHandler): this {
    assertHandler(handler);
    this.#routes.push({ test, handler });
    return this;
  }

  /** What fits nothing else. Without it, such messages are acknowledged and done with. */
  otherwise(handler: IncomingMessageHandler): this {
    assertHandler(handler);
    this.#fallback = handler;
    return this;
  }

  /** The whole as one handler, for {@link Messenger.route}. */
  readonly handler: IncomingMessageHandler = async (context: MessageContext): Promise<void> => {
    const route = this.#routes.find(({ test }) => test(context.message));
    await (route?.handler ?? this.#fallback)?.(context);
  };
}

/** The command of a text: the word behind the slash, without the bot's name, in lower case. */
export function commandOf(message: Pick<IncomingMessage, "text">): string | undefined {
  return /^\/([A-Za-z0-9_]{1,64})(?:@\w{1,64})?(?:\s|$)/.exec(message.text)?.[1]?.toLowerCase();
}

function assertHandler(handler: unknown): void {
  if (typeof handler === "function") return;
  throw new ValidationError("handler", `Cannot route as 'handler' must be a function, not ${kindOf(handler)}`);
}
