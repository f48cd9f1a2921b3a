/**
 * The door by which messages come in.
 *
 * @module
 */
import { NotRunningError } from "../errors.ts";

/**
 * The door by which messages come in: shut before the application starts and from the moment it stops, so that no network
 * is told "taken" of what nobody will handle. The network keeps what it is not told of, and sends it again.
 */
export class IntakeGate {
  readonly #underWay = new Set<Promise<unknown>>();
  #isOpen = false;

  /** Lets messages in. */
  open(): void {
    this.#isOpen = true;
  }

  /** Lets nothing more in. Resolves when what is inside has been taken in, or refused. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await Promise.allSettled(this.#underWay);
  }

  /**
   * Takes something in, where the door is open.
   *
   * @param backendName Who brings it.
   * @param take Takes it in.
   * @throws {NotRunningError} If it is shut.
   */
  async pass<T>(backendName: string, take: () => Promise<T>): Promise<T> {
    if (!this.#isOpen) {
      throw new NotRunningError(
        `Cannot receive on backend "${backendName}": the application is stopping or was not started; send it again later`,
      );
    }
    const taking = take();
    this.#underWay.add(taking);
    try {
      return await taking;
    } finally {
      this.#underWay.delete(taking);
    }
  }
}
