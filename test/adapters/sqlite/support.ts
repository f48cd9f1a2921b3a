/**
 * What the tests of the SQLite store share.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SqliteDatabaseLike, SqliteStatementLike } from "../../../adapters/sqlite/mod.ts";
import type { MessageEnvelope } from "../../../core/mod.ts";

/** A folder for the databases of one file of tests. */
export class Folder {
  readonly path: string = mkdtempSync(path.join(tmpdir(), "posthorn-sqlite-"));
  #count = 0;

  /** A path where nothing is yet. */
  newFile(): string {
    return path.join(this.path, `${++this.#count}.db`);
  }

  /** Removes it all. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A message. */
export function envelope(id: string, init: Partial<MessageEnvelope> = {}): MessageEnvelope {
  return { v: 1, id, namespace: "", timestamp: 1, senderId: "s", content: { id }, metadata: {}, ...init };
}

/** A database that tells what is done with it, and fails where it is told to. */
export class WatchedDatabase implements SqliteDatabaseLike {
  /** The database behind it. */
  readonly inner: DatabaseSync;
  /** Every text that was prepared. */
  readonly prepared: string[] = [];
  /** The parameters of statements make it fail that contain this. */
  poison: string | undefined = undefined;
  readonly #runs = new Map<string, number>();

  /** @param path Of the file. */
  constructor(path: string) {
    this.inner = new DatabaseSync(path);
  }

  /** How often a statement of this text was run. */
  runsOf(sql: string): number {
    return this.#runs.get(sql) ?? 0;
  }

  exec(sql: string): void {
    this.inner.exec(sql);
  }

  prepare(sql: string): SqliteStatementLike {
    this.prepared.push(sql);
    const statement = this.inner.prepare(sql);
    const noteRun = (parameters: readonly (null | number | string)[]): void => {
      if (this.poison !== undefined && parameters.includes(this.poison)) throw new Error("poisoned");
      this.#runs.set(sql, this.runsOf(sql) + 1);
    };
    return {
      run(...parameters) {
        noteRun(parameters);
        return statement.run(...parameters);
      },
      get(...parameters) {
        noteRun(parameters);
        return statement.get(...parameters);
      },
      all(...parameters) {
        noteRun(parameters);
        return statement.all(...parameters);
      },
    };
  }
}
