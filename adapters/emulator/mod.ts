/**
 * The emulator: try a program in a browser, without an account anywhere.
 *
 * @module
 */
export { emulator } from "./emulator-backend.ts";
export { EmulatorCommunicator, type TypedInput } from "./emulator-communicator.ts";
export type { EmulatorOptions } from "./emulator-options.ts";
export type {
  EmulatorState,
  TranscriptEdit,
  TranscriptEntry,
  TranscriptMessage,
  TranscriptState,
} from "./transcript-entry.ts";
