/**
 * The conformance suite for stores: write a {@link MessageStore} for your own database, and hand every case to the test
 * runner you have. It uses nothing but the language, `setTimeout`, and the core of this library.
 *
 * @example
 * ```ts
 * import { MemoryStore } from "posthorn";
 * import { messageStoreContract } from "posthorn/testing";
 *
 * const cases = messageStoreContract((options) => Promise.resolve(new MemoryStore(options)), {
 *   capabilities: { atomicBatch: true, lanes: "exact", notBefore: true, notifies: "process", durable: false },
 * });
 * for (const { name, run, skip } of cases.slice(0, 3)) {
 *   if (skip === undefined) await run();
 *   console.log(skip === undefined ? `passed: ${name}` : `skipped: ${name}: ${skip}`);
 * }
 * ```
 *
 * @module
 */
export type { ContractCase, MessageStoreContractOptions, OpenStore, OpenStoreOptions } from "./contract-case.ts";
export { messageStoreContract } from "./message-store-contract.ts";
