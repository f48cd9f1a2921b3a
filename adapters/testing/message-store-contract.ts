/**
 * The suite.
 *
 * @module
 */
import { appendCases } from "./append-cases.ts";
import { claimCases } from "./claim-cases.ts";
import { commitCases } from "./commit-cases.ts";
import type { ContractCase, MessageStoreContractOptions, OpenStore } from "./contract-case.ts";
import { deliveryCases } from "./delivery-cases.ts";
import { inputCases } from "./input-cases.ts";
import { laneCases } from "./lane-cases.ts";
import { lifecycleCases } from "./lifecycle-cases.ts";
import { logCases } from "./log-cases.ts";
import { queryCases } from "./query-cases.ts";
import { type CaseDefinition, casesOf } from "./scene.ts";
import { stateCases } from "./state-cases.ts";

const DEFINITIONS: readonly CaseDefinition[] = [
  ...lifecycleCases,
  ...appendCases,
  ...claimCases,
  ...deliveryCases,
  ...laneCases,
  ...commitCases,
  ...logCases,
  ...queryCases,
  ...stateCases,
  ...inputCases,
];

/**
 * Everything a {@link MessageStore} promises, case by case. Each case opens an empty store of its own on a clock that
 * only it moves, and closes it.
 *
 * @param open Opens an empty store with these options. Two stores may be open at once.
 * @param options What the store says of itself, and how to open again what it wrote.
 * @returns The cases. Names are unique.
 *
 * @example
 * ```ts
 * import { MemoryStore } from "posthorn";
 * import { messageStoreContract } from "posthorn/testing";
 *
 * const [first] = messageStoreContract((options) => Promise.resolve(new MemoryStore(options)), {
 *   capabilities: { atomicBatch: true, lanes: "exact", notBefore: true, notifies: "process", durable: false },
 * });
 * await first?.run();
 * ```
 */
export function messageStoreContract(open: OpenStore, options: MessageStoreContractOptions): readonly ContractCase[] {
  return casesOf(DEFINITIONS, open, options);
}
