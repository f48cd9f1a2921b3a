/**
 * The Worker of `workerd-program.ts`: sends what each request asks for.
 *
 * @module
 */
import { createOutgoingMessage, type Receipt } from "../../../core/mod.ts";
import { SmtpCommunicator } from "../../../adapters/smtp/mod.ts";
import type { WorkerTask } from "./worker-task.ts";

/** The entry of the Worker. */
const worker: { fetch(request: Request): Promise<Response> } = {
  async fetch(request) {
    const { options, messages, isParallel = false }: WorkerTask = await request.json();
    const mail = new SmtpCommunicator("mail", options);
    await mail.start();
    const attempt = (init: WorkerTask["messages"][number], index: number): Promise<Receipt> =>
      mail.send(
        createOutgoingMessage({ message: "Hello", ...init }, { newId: () => `message-${index}`, now: () => 0 }),
        { deliveryId: `worker-${index}`, attempt: 1, signal: new AbortController().signal },
      );
    const receipts: Receipt[] = [];
    if (isParallel) receipts.push(...await Promise.all(messages.map(attempt)));
    else for (const [index, init] of messages.entries()) receipts.push(await attempt(init, index));
    await mail.stop();
    return Response.json(receipts);
  },
};

export default worker;
