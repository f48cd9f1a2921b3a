/**
 * Hands the published suite to our test runner.
 *
 * @module
 */
import { describe, it } from "bun:test";
import { type ContractCase, messageStoreContract } from "../../adapters/testing/mod.ts";
import type { MessageStoreContractOptions, OpenStore } from "../../adapters/testing/mod.ts";

/** Registers every case for a store. */
export function describeMessageStore(name: string, open: OpenStore, options: MessageStoreContractOptions): void {
  const cases: readonly ContractCase[] = messageStoreContract(open, options);
  describe(`${name} as a MessageStore`, () => {
    for (const { name, run, skip } of cases) {
      if (skip === undefined) it(name, run);
      else it.skip(`${name} (not for it: ${skip})`);
    }
  });
}
