// An echo bot as a loop: one message at a time, in the order they came. `deno task emulator` runs it.
import { recvMsg, sendMsg } from "../mod.ts";

/** Says everything back until the signal fires. */
export async function echoBot(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const message = await recvMsg({ signal }).catch((error) => {
      if (!signal.aborted) throw error;
    });
    if (message !== undefined) await sendMsg(`You said: ${message.text}`, message);
  }
}
