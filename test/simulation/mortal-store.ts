import type { MessageStore } from "../../core/mod.ts";

/**
 * A store as one process sees it. While the process is held up (a pause, a network that is gone) nothing it asks for
 * happens until later; once it is dead, nothing is answered any more.
 */
export class MortalStore {
  /** Whether the process has died. What it had asked for may have happened all the same. */
  isDead = false;
  /** What its calls wait for. */
  heldUp: Promise<void> | undefined;
  /** The store. */
  readonly view: MessageStore;

  constructor(store: MessageStore) {
    const guard = <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (
      ...args: Args
    ): Promise<Result> => {
      if (this.isDead) return await silence();
      await this.heldUp;
      if (this.isDead) return await silence();
      const result = await call(...args);
      return this.isDead ? await silence() : result;
    };
    this.view = {
      capabilities: store.capabilities,
      append: guard(store.append.bind(store)),
      commit: guard(store.commit.bind(store)),
      claim: guard(store.claim.bind(store)),
      readShared: guard(store.readShared.bind(store)),
      get: guard(store.get.bind(store)),
      query: guard(store.query.bind(store)),
      prune: guard(store.prune.bind(store)),
      clear: guard(store.clear.bind(store)),
      stats: guard(store.stats.bind(store)),
      nextDueAt: guard(store.nextDueAt.bind(store)),
      getState: guard(store.getState.bind(store)),
      listState: guard(store.listState.bind(store)),
      watch: (channel, listener) =>
        store.watch(channel, () => {
          if (!this.isDead) listener();
        }),
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

function silence<Result>(): Promise<Result> {
  return new Promise<Result>(() => {});
}
