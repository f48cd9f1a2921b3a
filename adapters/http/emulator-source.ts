/**
 * What the HTTP layer needs of an emulator.
 *
 * @module
 */
import type { Communicator, MessageStore } from "../../core/mod.ts";

/** A backend whose network is a page of this server. `EmulatorCommunicator` fits. */
export interface EmulatorSource extends Communicator {
  /** Its log: messages and changes of state. */
  readonly transcript: { readonly store: MessageStore; readonly key: string };
  /** What the page must show. */
  readonly token: string;
  /** The conversations that were opened. */
  readonly conversations: readonly string[];
  /** The longest text a person may type. */
  readonly maxTextLength: number;
  /** Opens a conversation, and finds a name for it where none is given. */
  openConversation(name?: string): Promise<string>;
  /** Takes in what a person typed; resolves after the commit. It checks what it is given. */
  type(
    input: { readonly conversation: string; readonly text: string; readonly id?: string },
  ): Promise<string>;
}

/** Whether a backend is an emulator. */
export function isEmulator(communicator: Communicator): communicator is EmulatorSource {
  return "transcript" in communicator && "token" in communicator && "openConversation" in communicator &&
    typeof communicator.openConversation === "function" && "type" in communicator &&
    typeof communicator.type === "function";
}
