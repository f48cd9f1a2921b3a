/**
 * The fastest HMAC-SHA256 and SHA-256 a runtime has.
 *
 * @module
 */
import type { HmacImplementation } from "../../core/mod.ts";
import { builtinModule } from "./builtin-module.ts";

interface NodeDigest {
  update(data: Uint8Array): NodeDigest;
  digest(): Uint8Array;
}

interface NodeCryptoLike {
  createSecretKey(key: Uint8Array): object;
  createHmac(algorithm: string, key: object): NodeDigest;
  createHash(algorithm: string): NodeDigest;
}

/**
 * HMAC-SHA256 by `node:crypto`, where the runtime has it: a call of Web Crypto hops to another thread and back, which
 * takes five to twenty times as long for the size of a webhook.
 *
 * @returns The implementation, or `undefined`: leave it to Web Crypto then.
 */
export function platformHmac(): HmacImplementation | undefined {
  const crypto = builtinModule<NodeCryptoLike>("node:crypto", ["createHmac", "createSecretKey"]);
  if (crypto === undefined) return undefined;
  return function bindKey(key) {
    // Node takes four times as long when it is given bytes each time.
    const prepared = crypto.createSecretKey(key);
    return (data) => crypto.createHmac("sha256", prepared).update(data).digest();
  };
}

/** SHA-256 of what comes in pieces. */
export interface RunningSha256 {
  /** Takes the next piece. */
  update(piece: Uint8Array): void;
  /** The digest of all pieces. */
  digest(): Promise<Uint8Array>;
}

/**
 * Starts a SHA-256 over pieces. Web Crypto cannot do it in pieces: where the runtime has nothing else, the pieces are
 * kept until the end.
 */
export function createRunningSha256(): RunningSha256 {
  const crypto = builtinModule<NodeCryptoLike>("node:crypto", ["createHash"]);
  if (crypto === undefined) return new KeptPieces();
  const hash = crypto.createHash("sha256");
  return {
    update(piece): void {
      hash.update(piece);
    },
    digest(): Promise<Uint8Array> {
      return Promise.resolve(hash.digest());
    },
  };
}

class KeptPieces implements RunningSha256 {
  readonly #pieces: Uint8Array[] = [];

  update(piece: Uint8Array): void {
    this.#pieces.push(piece);
  }

  async digest(): Promise<Uint8Array> {
    const whole = new Uint8Array(this.#pieces.reduce((length, piece) => length + piece.length, 0));
    let offset = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
  }
}
