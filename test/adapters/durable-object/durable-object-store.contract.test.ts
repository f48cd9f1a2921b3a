// In workerd only. Every case runs within an object of its own, whose storage is on the disk.
import { describe, it } from "bun:test";
import { type DurableObjectStorageLike, DurableObjectStore } from "../../../adapters/durable-object/mod.ts";
import { messageStoreContract, type MessageStoreContractOptions } from "../../../adapters/testing/mod.ts";
import { callObject } from "./objects.ts";

const OPTIONS: MessageStoreContractOptions = {
  capabilities: { atomicBatch: true, lanes: "exact", notBefore: true, notifies: "all", durable: true },
};

/** The object: asked for a case, it runs it on its own storage. */
export class ContractObject {
  readonly #storage: DurableObjectStorageLike;

  constructor(context: { readonly storage: DurableObjectStorageLike }) {
    this.#storage = context.storage;
  }

  async fetch(request: Request): Promise<Response> {
    const name = await request.text();
    const found = messageStoreContract(
      (options) => Promise.resolve(new DurableObjectStore(this.#storage, options)),
      // What is left when an object is evicted.
      { ...OPTIONS, reopen: (_store, options) => Promise.resolve(new DurableObjectStore(this.#storage, options)) },
    ).find((each) => each.name === name);
    if (found === undefined) return new Response(`Cannot find case "${name}"`, { status: 404 });
    try {
      await found.run();
      return new Response("passed");
    } catch (error) {
      return new Response(error instanceof Error ? error.stack ?? error.message : String(error), { status: 500 });
    }
  }
}

describe("DurableObjectStore as a MessageStore", () => {
  const cases = messageStoreContract(() => Promise.reject(new Error("only within an object")), {
    ...OPTIONS,
    reopen: () => Promise.reject(new Error("only within an object")),
  });
  for (const { name, skip } of cases) {
    if (skip === undefined) it(name, () => callObject("CONTRACT", name, name));
    else it.skip(`${name} (not for it: ${skip})`, () => {});
  }
});
