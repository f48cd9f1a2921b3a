/**
 * Telling of a gap once.
 *
 * @module
 */
import type { Gap } from "../store/message-store.ts";

/** A store tells a reader that names its own place of the same gap with every read; this lets each through once. */
export class GapMemory {
  #toldTo = 0;

  /** What of a gap is news. */
  news(gap: Gap | undefined): Gap | undefined {
    if (gap === undefined || gap.toSeq <= this.#toldTo) return undefined;
    const fromSeq = Math.max(gap.fromSeq, this.#toldTo + 1);
    this.#toldTo = gap.toSeq;
    return { fromSeq, toSeq: gap.toSeq };
  }
}
